//! The compiled policies against a second evaluator that is written straight from docs/authorization.md: slowly, with
//! owned text and no cleverness. Where the two differ, one of them does not do what the page says.

mod support;

use std::net::IpAddr;
use std::sync::Arc;

use engine::authorization::{Authorization, Destination, Source};
use engine::config::Rule;
use engine::request::RequestView;
use model::spiffe::SpiffeId;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{BASE, World, route};

/// A request with everything that policies can look at.
#[derive(Clone, Debug)]
struct Ask {
    method: String,
    host: String,
    path: String,
    headers: Vec<(String, String)>,
    address: Option<IpAddr>,
    identity: Option<String>,
    replica: Option<String>,
    port: u16,
    server_name: Option<String>,
}

fn policy(name: &str, spec: &Value) -> String {
    json!({
        "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthorizationPolicy",
        "metadata": { "name": name, "namespace": "default" }, "spec": spec,
    })
    .to_string()
}

/// The rule of the one route, with these policies on it.
fn rule(policies: &[Value]) -> Arc<Rule> {
    let mut world = World::new();
    world.apply(BASE).apply(&route("r", "", "/"));
    for (number, spec) in policies.iter().enumerate() {
        world.apply(&policy(&format!("p{number}"), spec));
    }
    only_rule(&world.compile().config)
}

fn only_rule(config: &engine::Config) -> Arc<Rule> {
    let listeners = config.ports[0].table().expect("requests").listeners().sorted();
    let hosts = listeners[0].1.hosts.sorted();
    hosts[0].1.entries().next().expect("an entry").rule.clone()
}

fn asked(
    authorization: Option<&Authorization>,
    ask: &Ask,
    is_connection: bool,
) -> (bool, Option<String>, usize) {
    let Some(authorization) = authorization else { return (true, None, 0) };
    let identity: Option<SpiffeId> = ask.identity.as_ref().map(|text| text.parse().expect("an id"));
    let source = Source {
        address: ask.address,
        identity: identity.as_ref(),
        replica: ask.replica.as_deref(),
        ..Source::default()
    };
    let destination = Destination { port: ask.port, server_name: ask.server_name.as_deref() };
    let request = RequestView {
        method: ask.method.as_bytes(),
        host: ask.host.as_bytes(),
        path: ask.path.as_bytes(),
        query: None,
        headers: ask.headers.as_slice(),
    };
    let verdict = match is_connection {
        true => authorization.connection(&source, &destination),
        false => authorization.request(&source, &destination, &request),
    };
    (verdict.allowed, verdict.by.map(|by| by.policy.name.to_string()), verdict.audits.len())
}

/// The page, in code.
mod naive {
    use super::*;

    pub fn allowed(policies: &[Value], ask: &Ask, is_connection: bool) -> bool {
        let of = |action: &'static str| policies.iter().filter(move |policy| policy["action"] == action);
        if of("Deny").any(|policy| matches(policy, ask, true, is_connection)) {
            return false;
        }
        of("Allow").count() == 0 || of("Allow").any(|policy| matches(policy, ask, false, is_connection))
    }

    pub fn audits(policies: &[Value], ask: &Ask, is_connection: bool) -> usize {
        let audits = policies.iter().filter(|policy| policy["action"] == "Audit");
        audits.filter(|policy| matches(policy, ask, true, is_connection)).count()
    }

    fn list(value: &Value) -> Vec<String> {
        let items = value.as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
    }

    /// `doubt`: what may be meant counts as meant.
    fn matches(policy: &Value, ask: &Ask, doubt: bool, is_connection: bool) -> bool {
        policy["rules"].as_array().is_some_and(|rules| {
            rules.iter().any(|rule| {
                one_of(&rule["from"], |from| source(from, ask, doubt))
                    && one_of(&rule["to"], |to| operation(to, ask, doubt, is_connection))
                    && rule["when"].as_array().is_none_or(|all| {
                        all.iter().all(
                            |demand| {
                                if is_connection { doubt } else { header(demand, ask, doubt) }
                            },
                        )
                    })
            })
        })
    }

    fn one_of(list: &Value, fits: impl Fn(&Value) -> bool) -> bool {
        list.as_array().is_none_or(|list| list.iter().any(fits))
    }

    /// A field and its opposite. `fits` says whether a value fits one of a list, by a strict or a loose reading.
    fn both<V>(
        object: &Value,
        (yes, no): (&str, &str),
        value: Option<V>,
        doubt: bool,
        fits: impl Fn(&[String], &V, bool) -> bool,
    ) -> bool {
        let (among, not_among) = (list(&object[yes]), list(&object[no]));
        let (has_yes, has_no) = (!among.is_empty(), !not_among.is_empty());
        match value {
            None => !has_yes && (!has_no || doubt),
            Some(value) => {
                (!has_yes || fits(&among, &value, doubt)) && (!has_no || !fits(&not_among, &value, !doubt))
            }
        }
    }

    fn source(from: &Value, ask: &Ask, doubt: bool) -> bool {
        let id = ask.identity.clone();
        let parts: Option<Vec<String>> = id.clone().map(|id| id.split('/').map(str::to_owned).collect());
        let mesh = parts.clone().map(|parts| parts[2].clone());
        let namespace = parts.clone().filter(|parts| parts.len() == 7).map(|parts| parts[4].clone());
        let glob = |list: &[String], text: &String, _| list.iter().any(|pattern| star(pattern, text, '/'));
        let place = |list: &[String], text: &String, _| {
            list.iter().any(|pattern| {
                let whole = pattern.contains('/') || pattern.starts_with('*');
                let pattern = if whole { pattern.clone() } else { format!("default/{pattern}") };
                star(&pattern, text, '\0')
            })
        };
        let block = |list: &[String], address: &IpAddr, _: bool| {
            list.iter().any(|block| {
                let (base, bits) = block.split_once('/').expect("a block");
                let (base, bits): (IpAddr, u32) = (base.parse().unwrap(), bits.parse().unwrap());
                let number = |address: IpAddr| match address {
                    IpAddr::V4(four) => u128::from(four.to_bits()) << 96,
                    IpAddr::V6(six) => six.to_bits(),
                };
                base.is_ipv4() == address.is_ipv4()
                    && (bits == 0 || (number(base) ^ number(*address)) >> (128 - bits) == 0)
            })
        };
        both(from, ("identities", "notIdentities"), id, doubt, glob)
            && both(from, ("meshes", "notMeshes"), mesh, doubt, |list, text: &String, _| {
                list.iter().any(|pattern| star(pattern, text, '\0'))
            })
            && both(from, ("namespaces", "notNamespaces"), namespace, doubt, |list, text: &String, _| {
                list.iter().any(|pattern| star(pattern, text, '\0'))
            })
            && both(from, ("workloads", "notWorkloads"), ask.replica.clone(), doubt, place)
            && both(from, ("ipBlocks", "notIpBlocks"), ask.address, doubt, block)
    }

    fn operation(to: &Value, ask: &Ask, doubt: bool, is_connection: bool) -> bool {
        let dotted = |list: &[String], text: &String, _| {
            list.iter().any(|pattern| star(&pattern.to_lowercase(), text, '.'))
        };
        let ports = both(to, ("ports", "notPorts"), Some(ask.port.to_string()), doubt, |list, port, _| {
            list.contains(port)
        });
        let names = both(to, ("serverNames", "notServerNames"), ask.server_name.clone(), doubt, dotted);
        if !ports || !names {
            return false;
        }
        if is_connection {
            let of_requests = ["methods", "notMethods", "hosts", "notHosts", "paths", "notPaths"];
            return doubt || of_requests.iter().all(|field| to[*field].is_null());
        }
        let host = Some(ask.host.clone()).filter(|host| !host.is_empty());
        both(to, ("methods", "notMethods"), Some(ask.method.clone()), doubt, |list, method, loose| {
            list.iter().any(|one| if loose { one.eq_ignore_ascii_case(method) } else { one == method })
        }) && both(to, ("hosts", "notHosts"), host, doubt, dotted)
            && both(to, ("paths", "notPaths"), Some(ask.path.clone()), doubt, |list, path, loose| match loose
            {
                false => list.iter().any(|pattern| star(pattern, path, '/')),
                true => list.iter().any(|pattern| loosely(pattern, path)),
            })
    }

    fn header(demand: &Value, ask: &Ask, doubt: bool) -> bool {
        let name = demand["header"].as_str().unwrap_or_default();
        let lines: Vec<String> = ask
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
            .collect();
        let lines = Some(lines).filter(|lines| !lines.is_empty());
        both(demand, ("values", "notValues"), lines, doubt, |list, lines, loose| {
            let fits = |text: &str| list.iter().any(|pattern| star(pattern, text, '\0'));
            let line = |line: &String| {
                let mut parts = line.split(',').map(str::trim);
                fits(line) || if loose { parts.any(fits) } else { parts.all(fits) }
            };
            if loose { lines.iter().any(line) } else { lines.iter().all(line) }
        })
    }

    /// A star at an end is anything, elsewhere one segment that is not empty.
    pub fn star(pattern: &str, text: &str, separator: char) -> bool {
        if pattern == "*" {
            return true;
        }
        if let Some(rest) = pattern.strip_prefix('*') {
            return (0..=text.len())
                .filter(|at| text.is_char_boundary(*at))
                .any(|at| star_rest(rest, &text[at..], separator));
        }
        star_rest(pattern, text, separator)
    }

    fn star_rest(pattern: &str, text: &str, separator: char) -> bool {
        match pattern.find('*') {
            None => pattern == text,
            Some(at) if at + 1 == pattern.len() => text.starts_with(&pattern[..at]),
            Some(at) => text.strip_prefix(&pattern[..at]).is_some_and(|rest| {
                let segment = rest.find(separator).unwrap_or(rest.len());
                segment > 0 && star_rest(&pattern[at + 1..], &rest[segment..], separator)
            }),
        }
    }

    /// Both sides without parameters, escapes and case, with single slashes and one at the end; hidden dots are anything.
    fn loosely(pattern: &str, path: &str) -> bool {
        let path_text = plain(path);
        let odd = path.contains(['%', '\\', ';']);
        if odd && path_text.split('/').any(|segment| segment == "." || segment == "..") {
            return true;
        }
        let ends = pattern.ends_with('*');
        let mut wanted = plain(pattern);
        if !ends && !wanted.ends_with('/') {
            wanted.push('/');
        }
        star(&wanted, &format!("{}/", path_text.trim_end_matches('/')), '/')
    }

    fn plain(text: &str) -> String {
        let mut text = text.to_owned();
        while let Some(at) = text.match_indices('%').map(|(at, _)| at).find(|at| {
            text.get(at + 1..at + 3)
                .is_some_and(|digits| digits.chars().all(|digit| digit.is_ascii_hexdigit()))
        }) {
            let value = u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap();
            text.replace_range(at..at + 3, &char::from(value).to_string());
        }
        let text = text.replace('\\', "/").to_ascii_lowercase();
        let segments: Vec<&str> =
            text.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
        let mut text = segments.join("/");
        while text.contains("//") {
            text = text.replace("//", "/");
        }
        text
    }
}

fn some<T: Clone + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(values)
}

fn field(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::option::weighted(0.25, prop::collection::btree_set(some(values), 1..3))
        .prop_map(|set| set.map_or(Value::Null, |set| set.into_iter().collect::<Vec<_>>().into()))
}

/// An object of fields, of which at least one is written.
fn object(fields: Vec<(&'static str, &'static [&'static str])>) -> impl Strategy<Value = Value> {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let values: Vec<_> = fields.into_iter().map(|(_, values)| field(values)).collect();
    values.prop_filter_map("nothing is written", move |values| {
        let pairs = names.iter().zip(values).filter(|(_, value)| !value.is_null());
        let object: serde_json::Map<String, Value> =
            pairs.map(|(name, value)| ((*name).to_owned(), value)).collect();
        (!object.is_empty()).then_some(Value::Object(object))
    })
}

const IDS: &[&str] = &[
    "spiffe://a.example/ns/shop/sa/web",
    "spiffe://*/ns/shop/sa/web",
    "*/sa/web",
    "spiffe://a.example/ns/*/sa/x",
    "spiffe://a.example/*",
    "*",
    "*/ns/shop*",
];
const NAMES: &[&str] = &["shop", "sh*", "*p", "*ho*", "bank"];
const PLACES: &[&str] = &["web-1", "web-*", "default/web-1", "shop/*", "*-1", "*"];
const MESHES: &[&str] = &["a.example", "*.example", "b.example"];
const BLOCKS: &[&str] = &["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "2001:db8::/32", "192.0.2.1/32"];
const HOSTS: &[&str] = &["shop.example", "*.example", "Shop.Example", "shop.*", "*"];
const METHODS: &[&str] = &["GET", "POST", "get"];
const PATHS: &[&str] =
    &["/", "/admin", "/admin/*", "/admin*", "*/admin", "*.php", "/a/*/b", "/A", "*", "/a%2Fb", "/a;x"];
const VALUES: &[&str] = &["a", "b", "a*", "*", "*c", "a, b"];

fn source() -> impl Strategy<Value = Value> {
    object(vec![
        ("identities", IDS),
        ("notIdentities", IDS),
        ("namespaces", NAMES),
        ("notNamespaces", NAMES),
        ("workloads", PLACES),
        ("notWorkloads", PLACES),
        ("meshes", MESHES),
        ("notMeshes", MESHES),
        ("ipBlocks", BLOCKS),
        ("notIpBlocks", BLOCKS),
    ])
}

fn operation() -> impl Strategy<Value = Value> {
    let words = object(vec![
        ("serverNames", HOSTS),
        ("notServerNames", HOSTS),
        ("methods", METHODS),
        ("notMethods", METHODS),
        ("hosts", HOSTS),
        ("notHosts", HOSTS),
        ("paths", PATHS),
        ("notPaths", PATHS),
    ]);
    let port = || prop::option::weighted(0.2, some(&[80_u16, 8080]));
    (words, port(), port()).prop_map(|(mut object, port, not_port)| {
        for (name, port) in [("ports", port), ("notPorts", not_port)] {
            if let Some(port) = port {
                object[name] = json!([port]);
            }
        }
        object
    })
}

fn demand() -> impl Strategy<Value = Value> {
    (some(&["x-a", "X-B"]), object(vec![("values", VALUES), ("notValues", VALUES)])).prop_map(
        |(name, mut object)| {
            object["header"] = json!(name);
            object
        },
    )
}

fn rules() -> impl Strategy<Value = Value> {
    let part = |list: Vec<Value>| if list.is_empty() { Value::Null } else { list.into() };
    let rule = (
        prop::collection::vec(source(), 0..2),
        prop::collection::vec(operation(), 0..3),
        prop::collection::vec(demand(), 0..2),
    )
        .prop_map(move |(from, to, when)| {
            let mut rule = json!({});
            for (name, list) in [("from", from), ("to", to), ("when", when)] {
                let list = part(list);
                if !list.is_null() {
                    rule[name] = list;
                }
            }
            rule
        });
    prop::collection::vec(rule, 1..3).prop_map(Value::from)
}

fn policies() -> impl Strategy<Value = Vec<Value>> {
    let policy = (some(&["Allow", "Deny", "Audit"]), rules()).prop_map(|(action, rules)| {
        json!({ "action": action, "rules": rules, "targetRefs": [
            { "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "r" }] })
    });
    prop::collection::vec(policy, 1..5)
}

fn ask() -> impl Strategy<Value = Ask> {
    let headers = prop::collection::vec(
        (some(&["x-a", "x-b"]), some(&["a", "b", "ac", "a, b", "", "b,a", "\u{fc}"])),
        0..4,
    );
    let id = prop::option::of(some(&[
        "spiffe://a.example/ns/shop/sa/web",
        "spiffe://b.example/ns/shop/sa/web",
        "spiffe://a.example/ns/bank/sa/x",
        "spiffe://a.example/other",
    ]));
    let address =
        prop::option::of(some(&["10.0.0.1", "10.1.2.3", "192.0.2.1", "192.0.2.2", "2001:db8::1", "::1"]));
    let path = some(&[
        "/",
        "/admin",
        "/admin/",
        "/Admin",
        "/admin;a=b",
        "/admin/x",
        "/%2Fadmin",
        "/administrator",
        "/a/x/b",
        "/a//b",
        "/a%2Fb",
        "/a;x",
        "/x.php",
        "/X.PHP;y",
        "/a%2F..%2Fb",
        "//admin",
        "/admin%2Fx",
        "/a\\b",
        "/%2561dmin",
    ]);
    let who = (address, id, prop::option::of(some(&["default/web-1", "shop/web-1", "default/db-2"])));
    let what = (some(&["GET", "get", "POST"]), some(&["shop.example", "other.test", ""]), path, headers);
    let door = (some(&[80_u16, 8080]), prop::option::of(some(&["shop.example", "other.test"])));
    (who, what, door).prop_map(
        |((address, identity, replica), (method, host, path, headers), (port, server_name))| Ask {
            method: method.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            address: address.map(|text| text.parse().unwrap()),
            identity: identity.map(str::to_owned),
            replica: replica.map(str::to_owned),
            port,
            server_name: server_name.map(str::to_owned),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_policies_say_what_the_page_says(
        policies in policies(),
        asks in prop::collection::vec(ask(), 24),
    ) {
        let rule = rule(&policies);
        for ask in &asks {
            for is_connection in [false, true] {
                let (allowed, _, audits) = asked(rule.authorization.as_deref(), ask, is_connection);

                prop_assert_eq!(allowed, naive::allowed(&policies, ask, is_connection), "{:?} {}", ask, is_connection);
                prop_assert_eq!(audits, naive::audits(&policies, ask, is_connection), "{:?}", ask);
            }
        }
    }
}

fn plain() -> Ask {
    Ask {
        method: "GET".into(),
        host: "shop.example".into(),
        path: "/".into(),
        headers: Vec::new(),
        address: Some(IpAddr::from([10, 0, 0, 1])),
        identity: None,
        replica: None,
        port: 8080,
        server_name: None,
    }
}

#[test]
fn an_allow_without_rules_allows_nothing_and_a_deny_with_an_empty_rule_denies_everything() {
    for spec in [json!({ "action": "Allow" }), json!({ "action": "Deny", "rules": [{}] })] {
        let rule = rule(&[spec]);
        assert_eq!(
            asked(rule.authorization.as_deref(), &plain(), false),
            (false, Some("default/p0".into()), 0)
        );
    }
}

fn conditional(action: &str, condition: &str) -> Arc<Rule> {
    rule(&[json!({ "action": action, "rules": [{ "condition": condition }] })])
}

#[test]
fn a_condition_that_cannot_be_evaluated_denies_either_way() {
    let cases = [
        ("request.headers['x-a'] == 'b'", Vec::new()),
        ("request.headers['x-a'].startsWith('b')", vec![]),
        ("int(request.method) > 0", vec![]),
        ("1 / (destination.port - 8080) == 0", vec![]),
        ("source.identity == 'x'", vec![]),
    ];
    for (condition, headers) in cases {
        let ask = Ask { headers, ..plain() };
        for action in ["Allow", "Deny"] {
            let rule = conditional(action, condition);
            let authorization = rule.authorization.as_deref().expect("a policy");
            assert!(!asked(Some(authorization), &ask, false).0, "{action} {condition}");
        }
    }
}

#[test]
fn conditions_see_the_request_the_caller_and_the_destination() {
    let ask = Ask {
        headers: vec![("X-A".into(), "1".into()), ("x-a".into(), "2".into())],
        identity: Some("spiffe://a.example/ns/shop/sa/web".into()),
        replica: Some("shop/web-1".into()),
        server_name: Some("shop.example".into()),
        path: "/items/7".into(),
        ..plain()
    };
    for condition in [
        "request.method == 'GET' && request.host.endsWith('.example') && request.path.matches('^/items/[0-9]+$')",
        "request.headers['x-a'] == '1, 2' && !('x-b' in request.headers) && !has(request.headers.b)",
        "source.identity == 'spiffe://a.example/ns/shop/sa/web' && source.trustDomain == 'a.example'",
        "source.namespace == 'shop' && source.serviceAccount == 'web' && source.workload == 'shop/web-1'",
        "source.address == '10.0.0.1' && destination.port == 8080 && destination.serverName == 'shop.example'",
        "size(request.path) == 8 && (request.method in ['PUT', 'GET'] ? true : false) && !has(request.query)",
    ] {
        assert!(
            asked(conditional("Allow", condition).authorization.as_deref(), &ask, false).0,
            "{condition}"
        );
        assert!(
            !asked(conditional("Deny", condition).authorization.as_deref(), &ask, false).0,
            "{condition}"
        );
    }
}

/// Whether a policy with this condition lets somebody by whose token claims this; nothing of one who has none.
fn lets(action: &str, condition: &str, claims: Option<&Value>) -> bool {
    let rule = conditional(action, condition);
    let claims = claims.and_then(Value::as_object);
    let source = Source { principal: claims.map(|_| "jwt:https://i#kim"), claims, ..Source::default() };
    let headers: [(String, String); 0] = [];
    let request = RequestView {
        method: b"GET",
        host: b"a.example",
        path: b"/",
        query: None,
        headers: headers.as_slice(),
    };
    let destination = Destination { port: 80, server_name: None };
    let authorization = rule.authorization.as_deref().expect("a policy");
    authorization.request(&source, &destination, &request).allowed
}

#[test]
fn conditions_see_what_a_token_claims_and_a_claim_that_is_missing_or_something_else_denies() {
    let claims = json!({
        "tier": "gold", "roles": ["admin", "dev"], "level": 7, "verified": true, "scope": "read write", "team": "blue",
        "mixed": ["a", 1], "object": {}, "half": 1.5,
    });
    for condition in [
        "request.auth.claims['tier'] == 'gold' && request.auth.claims.tier.startsWith('go')",
        "'admin' in request.auth.claims['roles'] && !('root' in request.auth.claims.roles)",
        "request.auth.claims.level >= 7 && request.auth.claims.verified",
        "'write' in request.auth.claims.scope && 'blue' in request.auth.claims.team",
        "has(request.auth.claims.object) && !has(request.auth.claims.nothing) && 'mixed' in request.auth.claims",
        "request.auth.principal == 'jwt:https://i#kim'",
    ] {
        assert!(lets("Allow", condition, Some(&claims)), "{condition}");
        assert!(!lets("Deny", condition, Some(&claims)), "{condition}");
    }
    for condition in [
        "request.auth.claims.missing == 'a'",
        "request.auth.claims.missing != 'a'",
        "request.auth.claims.roles != 'guest'",
        "request.auth.claims.level != 'guest'",
        "request.auth.claims.half > 1",
        "!('a' in request.auth.claims.mixed)",
        "request.auth.claims.object != 'guest'",
    ] {
        for action in ["Allow", "Deny"] {
            assert!(!lets(action, condition, Some(&claims)), "{action} {condition}");
            assert!(!lets(action, condition, None), "{action} {condition} without a token");
        }
    }
}

#[test]
fn names_of_another_mesh_are_somebody_elses() {
    // Without a Mesh every verified name counts; `compile` learns the trust domain from it.
    let allow =
        rule(&[json!({ "rules": [{ "from": [{ "namespaces": ["shop"], "meshes": ["a.example"] }] }] })]);
    let ours = Ask { identity: Some("spiffe://a.example/ns/shop/sa/web".into()), ..plain() };
    let theirs = Ask { identity: Some("spiffe://b.example/ns/shop/sa/web".into()), ..plain() };

    assert!(asked(allow.authorization.as_deref(), &ours, false).0);
    assert!(!asked(allow.authorization.as_deref(), &theirs, false).0);
}

#[test]
fn a_change_of_a_policy_is_felt_by_what_it_protects_and_by_nothing_else() {
    let mut world = World::new();
    world.apply(BASE).apply(&route("one", "one.example", "/")).apply(&route("two", "two.example", "/"));
    let table = |config: &engine::Config, host: &str| {
        let listeners = config.ports[0].table().expect("requests").listeners().sorted();
        let hosts = listeners[0].1.hosts.sorted();
        hosts.into_iter().find(|(name, _)| name.to_string() == host).expect("the host").1.clone()
    };
    let target =
        |route: &str| json!([{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route }]);
    let deny = |route: &str, path: &str| {
        policy(
            "p",
            &json!({ "action": "Deny", "targetRefs": target(route), "rules": [{ "to": [{ "paths": [path] }] }] }),
        )
    };
    let first = world.compile().config;
    let second = world.apply(&deny("one", "/a")).compile().config;
    let third = world.apply(&deny("one", "/b")).compile().config;
    let fourth = world.remove("AuthorizationPolicy", "default/p").compile().config;

    for (before, after) in [(&first, &second), (&second, &third), (&third, &fourth)] {
        assert!(Arc::ptr_eq(&table(before, "two.example"), &table(after, "two.example")));
        assert!(!Arc::ptr_eq(&table(before, "one.example"), &table(after, "one.example")));
    }
    let guarded = |config: &engine::Config, host: &str| {
        table(config, host).entries().all(|entry| entry.rule.authorization.is_some())
    };
    assert!(guarded(&second, "one.example") && !guarded(&second, "two.example"));
    assert!(!guarded(&fourth, "one.example"));
}

#[test]
fn rules_that_are_protected_alike_share_one_value() {
    let mut world = World::new();
    world.apply(BASE).apply(&route("one", "one.example", "/")).apply(&route("two", "two.example", "/"));
    world.apply(&policy("all", &json!({ "action": "Deny", "rules": [{ "to": [{ "paths": ["/x"] }] }] })));
    let config = world.compile().config;

    let listeners = config.ports[0].table().expect("requests").listeners().sorted();
    let values: Vec<_> = listeners[0]
        .1
        .hosts
        .sorted()
        .iter()
        .map(|(_, table)| {
            table.entries().next().expect("an entry").rule.authorization.clone().expect("a policy")
        })
        .collect();

    assert_eq!(values.len(), 2);
    assert!(Arc::ptr_eq(&values[0], &values[1]));
}

#[test]
fn backends_that_are_protected_differently_must_all_agree() {
    let mut world = World::new();
    world.apply(BASE).apply(
        "
apiVersion: v1
kind: Service
metadata: { name: cart-next }
spec: { ports: [{ port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ backendRefs: [{ name: cart, port: 80, weight: 99 }, { name: cart-next, port: 80, weight: 1 }] }]
",
    );
    let service = |name: &str| json!([{ "group": "", "kind": "Service", "name": name }]);
    let get = json!([{ "to": [{ "methods": ["GET"] }] }]);
    let any = json!([{ "to": [{ "methods": ["GET", "POST"] }] }]);
    world.apply(&policy("now", &json!({ "targetRefs": service("cart"), "rules": any })));
    world.apply(&policy("next", &json!({ "targetRefs": service("cart-next"), "rules": get })));
    let rule = only_rule(&world.compile().config);

    assert!(asked(rule.authorization.as_deref(), &plain(), false).0);
    let post = Ask { method: "POST".into(), ..plain() };
    assert_eq!(asked(rule.authorization.as_deref(), &post, false), (false, Some("default/next".into()), 0));
}

#[test]
fn a_target_that_is_not_there_is_told_and_a_listener_is_a_part_of_its_gateway() {
    let mut world = World::new();
    world.apply(BASE).apply(&route("r", "", "/"));
    let gateway = |section: &str| json!([{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge", "sectionName": section }]);
    world.apply(&policy("there", &json!({ "action": "Deny", "targetRefs": gateway("http"), "rules": [{}] })));
    world
        .apply(&policy("wrong", &json!({ "action": "Deny", "targetRefs": gateway("https"), "rules": [{}] })));
    world.apply(&policy(
        "mesh",
        &json!({ "action": "Deny", "rules": [{}],
        "targetRefs": [{ "group": "", "kind": "Service", "name": "gone" }] }),
    ));
    let compiled = world.compile();

    let text = compiled.conditions.to_string();
    assert!(text.contains("ok  AuthorizationPolicy default/there"), "{text}");
    assert!(
        text.contains("TargetNotFound: Gateway `default/edge` has no section `https`; there are: http"),
        "{text}"
    );
    assert!(text.contains("TargetNotFound: no Service `default/gone` exists"), "{text}");
    let names: Vec<String> = only_rule(&compiled.config)
        .authorization
        .as_ref()
        .expect("a policy")
        .policies()
        .map(|policy| policy.name.to_string())
        .collect();
    assert_eq!(names, ["default/there"]);
}

#[test]
fn deciding_allocates_nothing_without_a_condition() {
    let rule = rule(&[
        json!({ "action": "Deny", "rules": [{ "from": [{ "notIpBlocks": ["10.0.0.0/8"] }] }, { "to": [{ "paths": ["/admin", "/a/*/b"] }] }] }),
        json!({ "action": "Allow", "rules": [
            { "from": [{ "identities": ["*/sa/web"], "namespaces": ["shop"] }], "when": [{ "header": "x-a", "values": ["a*"] }],
              "to": [{ "methods": ["GET"], "hosts": ["*.example"], "paths": ["/items/*"] }] }] }),
    ]);
    let authorization = rule.authorization.as_deref().expect("policies");
    let identity: SpiffeId = "spiffe://a.example/ns/shop/sa/web".parse().expect("an id");
    let source =
        Source { address: Some(IpAddr::from([10, 0, 0, 1])), identity: Some(&identity), ..Source::default() };
    let destination = Destination { port: 80, server_name: None };
    let headers = [("x-a".to_owned(), "a, ab".to_owned()), ("x-a".to_owned(), "ac".to_owned())];
    let request = RequestView {
        method: b"GET",
        host: b"shop.example",
        path: b"/items/7;x=1",
        query: None,
        headers: headers.as_slice(),
    };

    let mut allowed = false;
    let counted = allocation_counter::measure(|| {
        allowed = authorization.request(&source, &destination, &request).allowed;
    });

    assert!(allowed);
    assert_eq!(counted.count_total, 0);
}
