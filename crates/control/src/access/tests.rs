//! Who may do what, as sentences; and as properties over random roles, against a model that lists every single request.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::kinds::role::PolicyRule;
use model::units::Moment;
use model::{Resource, Resources, yaml};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::request::ResourceRequest;
use super::tokens::TokenError;
use super::user::{AUTHENTICATED, MASTERS};
use super::{Current, Request, Rules, Token, Tokens, User, builtin, escalation};

fn object(kind: &str, namespace: &str, name: &str, rest: Value) -> Resource {
    let group = match kind {
        "AccessToken" => "access.selvedge.dev/v1alpha1",
        _ => "rbac.authorization.k8s.io/v1",
    };
    let mut object = json!({ "apiVersion": group, "kind": kind, "metadata": { "name": name } });
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    yaml::read_value(object).unwrap()
}

fn role(namespace: &str, name: &str, rules: Value) -> Resource {
    object(
        if namespace.is_empty() { "ClusterRole" } else { "Role" },
        namespace,
        name,
        json!({ "rules": rules }),
    )
}

/// A binding of a ClusterRole to a user; in a namespace, or everywhere.
fn binding(namespace: &str, role: &str, user: &str) -> Resource {
    bound(namespace, "ClusterRole", role, json!({ "kind": "User", "name": user }))
}

fn bound(namespace: &str, kind: &str, role: &str, subject: Value) -> Resource {
    let binding = if namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
    let role_ref = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role });
    let name = format!("{role}-{}", subject["name"].as_str().unwrap());
    object(binding, namespace, &name, json!({ "roleRef": role_ref, "subjects": [subject] }))
}

fn rules(resources: Vec<Resource>) -> Rules {
    let mut all = Resources::new();
    for resource in resources {
        all.insert(resource);
    }
    Rules::of(&all)
}

/// `verb resource.group/subresource namespace name`, with `-` for what is empty.
fn ask(words: &str) -> Request {
    let words: Vec<&str> = words.split(' ').map(|word| if word == "-" { "" } else { word }).collect();
    let [verb, what, namespace, name] = words[..] else { panic!("four words: {words:?}") };
    let (what, subresource) = what.split_once('/').unwrap_or((what, ""));
    let (resource, group) = what.split_once('.').unwrap_or((what, ""));
    Request::Resource(ResourceRequest {
        verb: verb.into(),
        group: group.into(),
        resource: resource.into(),
        subresource: subresource.into(),
        namespace: namespace.into(),
        name: name.into(),
    })
}

fn kim() -> User {
    User::new("kim", ["shop-team"])
}

fn may(rules: &Rules, words: &str) -> bool {
    rules.allows(&kim(), &ask(words)).allowed
}

#[test]
fn without_a_binding_nobody_may_do_anything_and_is_told_so() {
    let none =
        rules(vec![role("", "all", json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }]))]);

    let verdict = none.allows(&kim(), &ask("get httproutes.gateway.networking.k8s.io shop checkout"));

    assert!(!verdict.allowed);
    assert_eq!(
        verdict.reason,
        "no role that user `kim` (groups: shop-team, system:authenticated) has allows: \
         get httproutes.gateway.networking.k8s.io \"checkout\" in namespace \"shop\""
    );
}

#[test]
fn a_role_binding_counts_in_its_namespace_only() {
    let rules = rules(vec![binding("shop", "viewer", "kim")]);

    assert!(may(&rules, "get services shop cart"));
    assert!(may(&rules, "list services shop -"));
    assert!(may(&rules, "get namespaces - shop"), "the namespace itself");
    assert!(!may(&rules, "get namespaces - other"));
    assert!(!may(&rules, "get services other cart"));
    assert!(!may(&rules, "list services - -"), "all namespaces are more than one");
    assert!(!may(&rules, "delete services shop cart"));
    let reason = rules.allows(&kim(), &ask("get services shop cart")).reason;
    assert_eq!(
        reason,
        "allowed by RoleBinding `shop/viewer-kim`, which gives ClusterRole `viewer` to user `kim`"
    );
}

#[test]
fn users_groups_and_service_accounts_are_told_apart() {
    let subjects = [
        json!({ "kind": "Group", "name": "shop-team" }),
        json!({ "kind": "ServiceAccount", "name": "robot", "namespace": "shop" }),
        json!({ "kind": "User", "name": "ana" }),
    ];
    let rules = rules(subjects.map(|subject| bound("", "ClusterRole", "viewer", subject)).to_vec());
    let may = |user: &User| rules.allows(user, &ask("get services a b")).allowed;

    assert!(may(&kim()), "by the group");
    assert!(may(&User::new("ana", [] as [&str; 0])));
    assert!(may(&User::new("system:serviceaccount:shop:robot", [] as [&str; 0])));
    assert!(!may(&User::new("robot", [] as [&str; 0])));
    assert!(!may(&User::new("shop-team", [] as [&str; 0])), "a user is no group of the same name");
    assert!(!may(&User::new("kim", ["ana"])), "a group is no user of the same name");
}

#[test]
fn a_certificate_names_a_user_and_groups() {
    let user = User::from_subject(Some("kim"), ["shop-team", "ops"]).unwrap();

    assert_eq!(user, User::new("kim", ["ops", "shop-team", AUTHENTICATED]));
    assert_eq!(User::from_subject(None, ["ops"]), None);
    assert_eq!(User::from_subject(Some(""), ["ops"]), None);
}

#[test]
fn parts_of_objects_are_allowed_apart() {
    let grants = |resource: &str| {
        let rule = json!([{ "verbs": ["get"], "apiGroups": [""], "resources": [resource] }]);
        rules(vec![role("", "r", rule), binding("", "r", "kim")])
    };
    for (resource, whole, status, log_of_other) in [
        ("pods", true, false, false),
        ("pods/status", false, true, false),
        ("*/log", false, false, true),
        ("*", true, true, true),
        ("pods/*", false, false, false),
    ] {
        let rules = grants(resource);
        assert_eq!(may(&rules, "get pods a b"), whole, "{resource}");
        assert_eq!(may(&rules, "get pods/status a b"), status, "{resource}");
        assert_eq!(may(&rules, "get jobs/log a b"), log_of_other, "{resource}");
    }
}

#[test]
fn names_narrow_a_rule_and_never_match_requests_without_one() {
    let rule =
        json!([{ "verbs": ["*"], "apiGroups": [""], "resources": ["services"], "resourceNames": ["cart"] }]);
    let rules = rules(vec![role("", "r", rule), binding("", "r", "kim")]);

    assert!(may(&rules, "update services shop cart"));
    assert!(!may(&rules, "update services shop other"));
    assert!(!may(&rules, "create services shop -"));
    assert!(!may(&rules, "list services shop -"));
}

#[test]
fn paths_need_a_rule_about_paths_that_counts_everywhere() {
    let rule = json!([{ "verbs": ["get"], "nonResourceURLs": ["/healthz", "/metrics/*"] }]);
    let path = |verb: &str, path: &str| Request::Path { verb: verb.into(), path: path.into() };
    let everywhere = rules(vec![role("", "r", rule.clone()), binding("", "r", "kim")]);
    let may = |rules: &Rules, request: Request| rules.allows(&kim(), &request).allowed;

    assert!(may(&everywhere, path("get", "/healthz")));
    assert!(may(&everywhere, path("get", "/metrics/proxies")));
    assert!(!may(&everywhere, path("get", "/healthz/x")));
    assert!(!may(&everywhere, path("get", "/metrics")));
    assert!(!may(&everywhere, path("post", "/healthz")));
    let within = rules(vec![role("", "r", rule), binding("shop", "r", "kim")]);
    assert!(!may(&within, path("get", "/healthz")));
    let all_resources = json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }]);
    let resources = rules(vec![role("", "r", all_resources), binding("", "r", "kim")]);
    assert!(!may(&resources, path("get", "/healthz")));
}

#[test]
fn masters_may_do_everything_whatever_the_bindings_say() {
    let root = User::new("root", [MASTERS]);

    assert!(rules(vec![]).allows(&root, &ask("delete clusterroles.rbac.authorization.k8s.io - x")).allowed);
    assert!(rules(vec![]).allows(&root, &Request::Path { verb: "get".into(), path: "/x".into() }).allowed);
}

#[test]
fn a_binding_to_no_role_gives_nothing_and_the_explanation_says_so() {
    let rules = rules(vec![
        binding("", "absent", "kim"),
        binding("other", "viewer", "kim"),
        binding("shop", "viewer", "kim"),
    ]);

    let text = rules.explain(&kim(), &ask("delete services shop cart"));

    assert!(text.starts_with("no: "), "{text}");
    for line in [
        "ClusterRoleBinding `absent-kim`, which gives ClusterRole `absent` to user `kim`: there is no such role",
        "RoleBinding `other/viewer-kim`, which gives ClusterRole `viewer` to user `kim`: counts in namespace \"other\" only",
        "RoleBinding `shop/viewer-kim`, which gives ClusterRole `viewer` to user `kim`: its nearest rule does not have the verb",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(rules.explain(&kim(), &ask("get services shop cart")).contains("covers it"));
}

#[test]
fn a_cluster_role_can_be_made_of_others() {
    let mut part = role("", "part", json!([{ "verbs": ["get"], "apiGroups": [""], "resources": ["pods"] }]));
    std::sync::Arc::make_mut(&mut part.meta.labels).insert("for".into(), "whole".into());
    let whole = object(
        "ClusterRole",
        "",
        "whole",
        json!({ "aggregationRule": { "clusterRoleSelectors": [{ "matchLabels": { "for": "whole" } }] } }),
    );
    let rules = rules(vec![part, whole, binding("", "whole", "kim")]);

    assert!(may(&rules, "get pods a b"));
    assert!(!may(&rules, "delete pods a b"));
}

/// What each of the built-in roles may and may not, in a namespace where it was given.
#[test]
fn each_built_in_role_may_what_its_people_do_and_not_what_others_do() {
    const ROUTE: &str = "update httproutes.gateway.networking.k8s.io shop a";
    const PLAN: &str = "update plans.product.selvedge.dev shop a";
    const PORTAL: &str = "update portals.product.selvedge.dev shop a";
    const SECRET: &str = "get secrets shop a";
    const BIND: &str = "create rolebindings.rbac.authorization.k8s.io shop -";
    const TOKEN: &str = "create accesstokens.access.selvedge.dev - -";
    const SEE: &str = "list plans.product.selvedge.dev shop -";
    const CLASS: &str = "update gatewayclasses.gateway.networking.k8s.io - a";
    const WATCH: &str = "get gateways/tap.gateway.networking.k8s.io shop a";
    const WATCH_MEMBER: &str = "get workloads/tap.mesh.selvedge.dev shop a";
    let all = [ROUTE, PLAN, PORTAL, SECRET, BIND, TOKEN, SEE, CLASS, WATCH, WATCH_MEMBER];

    for (role, may_do) in [
        ("cluster-admin", &[ROUTE, PLAN, PORTAL, SECRET, BIND, SEE, WATCH, WATCH_MEMBER][..]),
        ("admin", &[ROUTE, PLAN, PORTAL, SECRET, BIND, SEE]),
        ("editor", &[ROUTE, SECRET, SEE]),
        ("viewer", &[SEE]),
        ("api-owner", &[ROUTE, SEE]),
        ("plan-owner", &[PLAN, SEE]),
        ("portal-admin", &[PORTAL, SEE]),
        ("gateway", &[]),
    ] {
        let rules = rules(vec![binding("shop", role, "kim")]);
        for words in all {
            assert_eq!(may(&rules, words), may_do.contains(&words), "{role}: {words}");
        }
    }
    assert_eq!(builtin::names().count(), 10, "a new role belongs into this test");
}

#[test]
fn a_proxy_may_have_its_stream_and_nothing_else() {
    let rules = rules(vec![binding("", "gateway", "kim")]);
    let path = |path: &str| Request::Path { verb: "post".into(), path: path.into() };

    assert!(rules.allows(&kim(), &path(builtin::STREAM)).allowed);
    assert!(!rules.allows(&kim(), &path("/api/v1/secrets")).allowed);
    for resource in ["secrets", "httproutes.gateway.networking.k8s.io", "services", "namespaces"] {
        for verb in ["get", "list", "watch", "create"] {
            assert!(!may(&rules, &format!("{verb} {resource} shop a")), "{verb} {resource}");
        }
    }
}

#[test]
fn nobody_gives_what_they_do_not_have() {
    let editor_and_binder = json!([
        { "verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"] }
    ]);
    let rules = rules(vec![
        role("shop", "binder", editor_and_binder),
        bound("shop", "Role", "binder", json!({ "kind": "User", "name": "kim" })),
        binding("shop", "viewer", "kim"),
    ]);
    // `*` on roles has `escalate` and `bind` in it; so take a narrower one for what follows.
    assert_eq!(escalation::check(&rules, &kim(), None, &binding_to("shop", "Role", "binder")), Ok(()));

    let narrow = narrow_rules();
    let check = |object: &Resource| escalation::check(&narrow, &kim(), None, object);
    assert_eq!(check(&binding("shop", "viewer", "ana")), Ok(()), "what they have, they may give");
    let refused = check(&binding("shop", "editor", "kim")).unwrap_err();
    assert!(refused.contains("cannot give to others what they do not have themselves: "), "{refused}");
    assert!(check(&binding("other", "viewer", "ana")).is_err(), "not where they do not have it");
    assert!(check(&binding("", "viewer", "ana")).is_err(), "not everywhere");
    assert!(check(&binding("shop", "absent", "ana")).unwrap_err().contains("no role `absent` yet"));
    let secret = json!([{ "verbs": ["get"], "apiGroups": [""], "resources": ["services", "secrets"] }]);
    let refused = check(&role("shop", "mine", secret)).unwrap_err();
    assert!(refused.ends_with("do not have themselves: get secrets"), "{refused}");
    let known = json!([{ "verbs": ["get", "list"], "apiGroups": [""], "resources": ["services"], "resourceNames": ["a"] }]);
    assert_eq!(check(&role("shop", "mine", known)), Ok(()));
}

fn binding_to(namespace: &str, kind: &str, role: &str) -> Resource {
    bound(namespace, kind, role, json!({ "kind": "User", "name": "ana" }))
}

/// Kim views `shop` and may write roles and bindings there.
fn narrow_rules() -> Rules {
    let writes = json!([{
        "verbs": ["create", "update"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"]
    }]);
    rules(vec![
        role("shop", "binder", writes),
        bound("shop", "Role", "binder", json!({ "kind": "User", "name": "kim" })),
        binding("shop", "viewer", "kim"),
    ])
}

#[test]
fn a_role_that_is_not_changed_is_not_looked_at_again() {
    let secrets = role("shop", "r", json!([{ "verbs": ["*"], "apiGroups": [""], "resources": ["secrets"] }]));

    assert!(escalation::check(&narrow_rules(), &kim(), None, &secrets).is_err());
    assert_eq!(escalation::check(&narrow_rules(), &kim(), Some(&secrets), &secrets), Ok(()));
}

#[test]
fn a_rule_of_very_many_grants_is_refused_without_counting_them_all() {
    let words = |what: &str| (0..1_000).map(|number| format!("{what}{number}")).collect::<Vec<_>>();
    let huge = json!([{ "verbs": words("v"), "apiGroups": words("g"), "resources": words("r"), "resourceNames": words("n") }]);

    let refused = escalation::check(&narrow_rules(), &kim(), None, &role("shop", "huge", huge)).unwrap_err();

    assert!(refused.contains("more than 10000 single grants"), "{refused}");
}

#[test]
fn a_token_is_as_good_as_the_object_it_makes() {
    let token = Token::new().unwrap();
    let mut all = Resources::new();
    all.insert(yaml::read_value(token.object("kim-laptop", &kim(), Some("1970-01-01T00:01:40Z"))).unwrap());

    assert_eq!(Tokens::of(&all).user(token.reveal(), Moment(99)), Ok(&kim()));
}

#[test]
fn what_was_arranged_is_kept_until_a_role_a_binding_or_a_token_changes() {
    let current = Current::default();
    let mut all = Resources::new();
    all.insert(binding("shop", "viewer", "kim"));
    let (rules, tokens) = (current.rules(&all), current.tokens(&all));
    assert!(rules.allows(&kim(), &ask("get services shop cart")).allowed);

    all.insert(
        yaml::read_value(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "a" } }))
            .unwrap(),
    );
    assert!(Arc::ptr_eq(&rules, &current.rules(&all)), "a namespace is none of these");

    all.insert(token("kim", &[], &"0".repeat(64), None));
    assert!(Arc::ptr_eq(&rules, &current.rules(&all)));
    assert!(!Arc::ptr_eq(&tokens, &current.tokens(&all)));

    let gone = binding("shop", "viewer", "kim");
    all.remove(&gone.key);
    assert!(!current.rules(&all).allows(&kim(), &ask("get services shop cart")).allowed);
}

fn token(user: &str, groups: &[&str], digest: &str, expires: Option<&str>) -> Resource {
    let mut spec = json!({ "user": user, "groups": groups, "digest": digest });
    if let Some(expires) = expires {
        spec["expiresAt"] = expires.into();
    }
    object("AccessToken", "", &digest[..16], json!({ "spec": spec }))
}

#[test]
fn a_token_stands_for_its_user_until_it_expires_or_is_deleted() {
    let (lasting, ending) = (Token::new().unwrap(), Token::new().unwrap());
    let mut all = Resources::new();
    let first = all.insert(token("kim", &["shop-team"], &lasting.digest(), None));
    all.insert(token("ana", &[], &ending.digest(), Some("1970-01-01T00:01:40Z")));
    let tokens = Tokens::of(&all);

    assert_eq!(tokens.user(lasting.reveal(), Moment(5)), Ok(&kim()));
    assert_eq!(tokens.user(ending.reveal(), Moment(99)).map(|user| &*user.name), Ok("ana"));
    assert_eq!(tokens.user(ending.reveal(), Moment(100)), Err(TokenError::Expired));
    assert_eq!(tokens.user(&lasting.digest(), Moment(5)), Err(TokenError::Unknown), "the digest is no token");
    assert_eq!(tokens.user(&"x".repeat(10_000), Moment(5)), Err(TokenError::Unknown));
    all.remove(&first.key);
    assert_eq!(Tokens::of(&all).user(lasting.reveal(), Moment(5)), Err(TokenError::Unknown));
}

#[test]
fn a_token_is_long_random_and_never_printed() {
    let token = Token::new().unwrap();

    assert_ne!(token.reveal(), Token::new().unwrap().reveal());
    assert!(token.reveal().starts_with("selvedge_") && token.reveal().len() == 9 + 43);
    assert!(!format!("{token:?}").contains(&token.reveal()[9..20]));
    assert!(!token.digest().contains(&token.reveal()[9..]));
}

#[test]
fn a_digest_that_two_objects_claim_is_nobodys() {
    let stolen = Token::new().unwrap();
    let mut all = Resources::new();
    all.insert(token("kim", &[], &stolen.digest(), None));
    let mut second = token("root", &[MASTERS], &stolen.digest(), None);
    second.key.name = "second".parse().unwrap();
    all.insert(second);

    assert_eq!(Tokens::of(&all).user(stolen.reveal(), Moment(0)), Err(TokenError::Unknown));
}

#[test]
fn a_token_for_somebody_else_needs_the_right_to_be_them() {
    let digest = "0".repeat(64);
    let impersonate = json!([
        { "verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["ana"] },
        { "verbs": ["impersonate"], "apiGroups": [""], "resources": ["groups"], "resourceNames": ["ops"] }
    ]);
    let rules = rules(vec![role("", "r", impersonate), binding("", "r", "kim")]);
    let check = |user: &str, groups: &[&str]| {
        escalation::check(&rules, &kim(), None, &token(user, groups, &digest, None))
    };

    assert_eq!(check("kim", &["shop-team"]), Ok(()), "for oneself, with no more than one has");
    assert_eq!(check("kim", &[]), Ok(()));
    assert_eq!(check("ana", &["ops"]), Ok(()));
    assert!(check("ben", &[]).unwrap_err().contains("`impersonate` on `users`"));
    assert!(check("kim", &[MASTERS]).unwrap_err().contains("`impersonate` on `groups`"));
}

/// Everything that can be asked about in a world of few words: verb, group, resource, subresource, namespace, name.
type Asked = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const VERBS: [&str; 2] = ["get", "put"];
const GROUPS: [&str; 2] = ["", "g"];
const RESOURCES: [&str; 2] = ["cups", "jars"];
const PARTS: [&str; 3] = ["", "lid", "status"];
const NAMESPACES: [&str; 3] = ["", "north", "south"];
const NAMES: [&str; 3] = ["", "a", "b"];

fn universe() -> impl Iterator<Item = Asked> {
    VERBS.into_iter().flat_map(|verb| {
        GROUPS.into_iter().flat_map(move |group| {
            RESOURCES.into_iter().flat_map(move |resource| {
                PARTS.into_iter().flat_map(move |part| {
                    NAMESPACES.into_iter().flat_map(move |namespace| {
                        NAMES.into_iter().map(move |name| (verb, group, resource, part, namespace, name))
                    })
                })
            })
        })
    })
}

fn request((verb, group, resource, subresource, namespace, name): Asked) -> Request {
    Request::Resource(ResourceRequest {
        verb: verb.into(),
        group: group.into(),
        resource: resource.into(),
        subresource: subresource.into(),
        namespace: namespace.into(),
        name: name.into(),
    })
}

/// What a rule means, written out: every request in the world that it allows.
fn meant(rule: &PolicyRule) -> BTreeSet<Asked> {
    let has = |list: &[Arc<str>], word: &str| list.contains(&"*".into()) || list.contains(&word.into());
    let about = |resource: &str, part: &str| match part {
        "" => has(&rule.resources, resource),
        part => [format!("{resource}/{part}"), format!("*/{part}"), "*".to_owned()]
            .iter()
            .any(|written| rule.resources.contains(&written.as_str().into())),
    };
    universe()
        .filter(|(verb, group, resource, part, _, name)| {
            has(&rule.verbs, verb)
                && has(&rule.api_groups, group)
                && about(resource, part)
                && (rule.resource_names.is_empty() || rule.resource_names.contains(&(*name).into()))
        })
        .collect()
}

fn words(from: &'static [&'static str], least: usize) -> impl Strategy<Value = Vec<Arc<str>>> {
    let word = prop::sample::select(from).prop_map(Arc::from);
    prop::collection::vec(word, least..3)
}

fn any_rule() -> impl Strategy<Value = PolicyRule> {
    (
        words(&["get", "put", "*"], 1),
        words(&["", "g", "*"], 1),
        words(&["cups", "jars", "cups/lid", "jars/status", "*/status", "*/lid", "*"], 1),
        words(&["a", "b"], 0),
    )
        .prop_map(|(verbs, api_groups, resources, resource_names)| PolicyRule {
            verbs,
            api_groups,
            resources,
            resource_names,
            non_resource_urls: Vec::new(),
        })
}

/// Rules that kim has, each list in a namespace or everywhere.
fn any_grants() -> impl Strategy<Value = Vec<(&'static str, Vec<PolicyRule>)>> {
    let place = prop::sample::select(&NAMESPACES[..]);
    prop::collection::vec((place, prop::collection::vec(any_rule(), 0..3)), 0..4)
}

fn granted(grants: &[(&str, Vec<PolicyRule>)]) -> Rules {
    let mut resources = Vec::new();
    for (number, (namespace, rules)) in grants.iter().enumerate() {
        let name = format!("r{number}");
        resources.push(role("", &name, serde_json::to_value(rules).unwrap()));
        resources.push(binding(namespace, &name, "kim"));
    }
    rules(resources)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_allowed_is_exactly_what_the_rules_mean(grants in any_grants()) {
        let rules = granted(&grants);

        for asked in universe() {
            let expected = grants.iter().any(|(namespace, list)| {
                (namespace.is_empty() || *namespace == asked.4)
                    && list.iter().any(|rule| meant(rule).contains(&asked))
            });
            let verdict = rules.allows(&kim(), &request(asked));
            prop_assert_eq!(verdict.allowed, expected, "{:?}: {}", asked, verdict.reason);
            prop_assert_eq!(rules.explain(&kim(), &request(asked)).starts_with("yes"), expected);
        }
    }

    #[test]
    fn nobody_gains_anything_from_a_role_they_were_let_write(
        grants in any_grants(),
        wanted in prop::collection::vec(any_rule(), 1..3),
        place in prop::sample::select(&NAMESPACES[..]),
    ) {
        let rules = granted(&grants);
        let written = role(place, "new", serde_json::to_value(&wanted).unwrap());
        let missing = wanted.iter().flat_map(meant).find(|asked| {
            let here = place.is_empty() || asked.4 == place;
            here && !rules.allows(&kim(), &request(*asked)).allowed
        });

        let answer = escalation::check(&rules, &kim(), None, &written);

        if let Some(missing) = missing {
            prop_assert!(answer.is_err(), "kim would gain {:?}", missing);
        }
    }

    #[test]
    fn who_has_a_rule_may_write_it_down_again(grants in any_grants(), place in prop::sample::select(&NAMESPACES[..])) {
        let rules = granted(&grants);
        let own = rules.rules(&kim(), place);

        let written = role(place, "new", serde_json::to_value(&own).unwrap());

        prop_assert_eq!(escalation::check(&rules, &kim(), None, &written), Ok(()));
    }
}
