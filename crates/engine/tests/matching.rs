//! The fast table must agree with the slow reading of the specification, at every size.
//!
//! The reference below sorts every match by the precedence of Gateway API and takes the first that fits. It
//! shares no look-up code with the engine.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use engine::config::{Action, Origin, Rule, RuleSlot, Timeouts};
use engine::matching::{
    Entry, FieldMatch, HostMap, HostPattern, HostTable, Listener, ListenerTable, PathMatch, Pattern,
    Requirements, Seniority, Template, ValueMatch, Verdict,
};
use engine::request::RequestView;
use proptest::prelude::*;

type Fields = Vec<(String, String)>;

#[derive(Clone, Debug)]
struct SpecMatch {
    own_host: Option<String>,
    path: SpecPath,
    method: Option<String>,
    headers: Vec<(String, SpecValue)>,
    query: Vec<(String, SpecValue)>,
    created: i64,
    route: String,
}

#[derive(Clone, Debug)]
enum SpecPath {
    Exact(String),
    Prefix(String),
    /// `{}` stands for a parameter.
    Template(String),
    Pattern(String),
}

#[derive(Clone, Debug)]
enum SpecValue {
    Exact(String),
    Pattern(String),
}

#[derive(Clone, Debug)]
struct SpecListener {
    hostname: Option<String>,
    matches: Vec<SpecMatch>,
}

#[derive(Clone, Debug)]
struct SpecRequest {
    host: String,
    path: String,
    method: String,
    query: Option<String>,
    headers: Fields,
    sni: Option<usize>,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Rule(u32),
    NoMatch,
    Misdirected,
}

// === the reference ===

fn host_fits(pattern: Option<&str>, host: &str) -> bool {
    match pattern {
        None => true,
        Some(text) if text.starts_with("*.") => host.len() > text.len() - 1 && host.ends_with(&text[1..]),
        Some(text) => text == host,
    }
}

fn host_rank(pattern: Option<&str>) -> (bool, usize) {
    match pattern {
        None => (false, 0),
        Some(text) => (!text.starts_with('*'), text.len()),
    }
}

/// The narrower of two hostnames that overlap.
fn narrower<'h>(left: Option<&'h str>, right: Option<&'h str>) -> Option<&'h str> {
    if host_rank(left) >= host_rank(right) { left } else { right }
}

/// Whether some host fits both: the narrower one's shortest example fits the wider one too.
fn overlap(left: Option<&str>, right: Option<&str>) -> bool {
    let narrow = narrower(left, right);
    let wide = if narrow == left { right } else { left };
    let example = narrow.map_or("anything.else".to_owned(), |text| text.replacen('*', "x", 1));
    host_fits(wide, &example)
}

fn path_fits(spec: &SpecPath, path: &str) -> bool {
    match spec {
        SpecPath::Exact(text) => text == path,
        SpecPath::Pattern(text) => pattern_fits(text, path),
        SpecPath::Template(text) => pattern_fits(&text.replace("{}", "[^/]+"), path),
        SpecPath::Prefix(text) => {
            let wanted: Vec<&str> = text.split('/').filter(|segment| !segment.is_empty()).collect();
            let given: Vec<&str> = path.split('/').skip(1).collect();
            given.len() >= wanted.len() && given[..wanted.len()] == wanted[..]
        }
    }
}

fn pattern_fits(text: &str, value: &str) -> bool {
    thread_local! {
        static KNOWN: RefCell<HashMap<String, regex::Regex>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        let compile = || regex::Regex::new(&format!("^(?:{text})$")).unwrap();
        known.entry(text.to_owned()).or_insert_with(compile).is_match(value)
    })
}

fn value_fits(spec: &SpecValue, value: &str) -> bool {
    match spec {
        SpecValue::Exact(text) => text == value,
        SpecValue::Pattern(text) => pattern_fits(text, value),
    }
}

fn first<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

fn plain_query(query: Option<&str>) -> Fields {
    query
        .unwrap_or("")
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.replace("%61", "a").replace('+', " "), value.replace("%61", "a").replace('+', " "))
        })
        .collect()
}

fn fits(spec: &SpecMatch, request: &SpecRequest) -> bool {
    let query = plain_query(request.query.as_deref());
    path_fits(&spec.path, &request.path)
        && spec.method.as_ref().is_none_or(|method| *method == request.method)
        && spec
            .headers
            .iter()
            .all(|(n, v)| first(&request.headers, n).is_some_and(|value| value_fits(v, value)))
        && spec.query.iter().all(|(n, v)| first(&query, n).is_some_and(|value| value_fits(v, value)))
}

/// Segments by how much of them is written, so that written ones come first, from the left.
fn path_rank(path: &SpecPath) -> (u8, Reverse<usize>, Vec<u8>) {
    let rank = |segment: &str| match segment {
        "{}" => 2,
        segment => u8::from(segment.contains("{}")),
    };
    match path {
        SpecPath::Exact(_) => (0, Reverse(0), Vec::new()),
        SpecPath::Template(text) => (1, Reverse(0), text.split('/').map(rank).collect()),
        SpecPath::Pattern(text) => (2, Reverse(text.len()), Vec::new()),
        SpecPath::Prefix(text) => (3, Reverse(text.trim_end_matches('/').len()), Vec::new()),
    }
}

fn reference(listeners: &[SpecListener], request: &SpecRequest) -> Answer {
    let chosen = listeners
        .iter()
        .enumerate()
        .filter(|(_, listener)| host_fits(listener.hostname.as_deref(), &request.host))
        .max_by_key(|(_, listener)| host_rank(listener.hostname.as_deref()));
    let Some((at, listener)) = chosen else { return Answer::NoMatch };
    if request.sni.is_some_and(|sni| sni != at) {
        return Answer::Misdirected;
    }
    let of_listener = listener.hostname.as_deref();
    let effective = |m: &SpecMatch| narrower(m.own_host.as_deref(), of_listener).map(str::to_owned);
    let mut candidates: Vec<(usize, &SpecMatch)> = listener
        .matches
        .iter()
        .enumerate()
        .filter(|(_, m)| overlap(m.own_host.as_deref(), of_listener))
        .filter(|(_, m)| host_fits(effective(m).as_deref(), &request.host))
        .collect();
    let best = candidates.iter().map(|(_, m)| host_rank(effective(m).as_deref())).max();
    candidates.retain(|(_, m)| Some(host_rank(effective(m).as_deref())) == best);
    candidates.sort_by_key(|(index, m)| {
        (
            Reverse(host_rank(m.own_host.as_deref())),
            path_rank(&m.path),
            Reverse(m.method.is_some()),
            Reverse(m.headers.len()),
            Reverse(m.query.len()),
            m.created,
            m.route.clone(),
            *index,
        )
    });
    match candidates.into_iter().find(|(_, m)| fits(m, request)) {
        Some((index, _)) => Answer::Rule(slot(at, index)),
        None => Answer::NoMatch,
    }
}

// === the engine, given the same ===

fn slot(listener: usize, index: usize) -> u32 {
    u32::try_from(listener * 100_000 + index).unwrap()
}

fn rule(slot: u32) -> Arc<Rule> {
    Arc::new(Rule {
        slot: RuleSlot(slot),
        origin: Origin { kind: "HTTPRoute", route: "test/test".into(), rule: 0, matched: 0, name: None },
        filters: Vec::new(),
        action: Action::Refuse { status: 500, reason: "test" },
        timeouts: Timeouts::default(),
        retry: None,
        fault: None,
        authentication: None,
        authorizers: None,
        rates: None,
        addresses: None,
        validation: None,
        authorization: None,
        transforms: None,
        access: None,
        operation: None,
    })
}

fn field((name, value): &(String, SpecValue)) -> FieldMatch {
    let value = match value {
        SpecValue::Exact(text) => ValueMatch::Exact(text.as_str().into()),
        SpecValue::Pattern(text) => ValueMatch::Pattern(Pattern::new(text).unwrap()),
    };
    FieldMatch { name: name.as_str().into(), value }
}

fn entry(spec: &SpecMatch, listener: usize, index: usize) -> Entry {
    Entry {
        hostname: HostPattern::new(spec.own_host.as_deref()),
        path: match &spec.path {
            SpecPath::Exact(text) => PathMatch::Exact(text.as_str().into()),
            SpecPath::Prefix(text) => PathMatch::Prefix(text.as_str().into()),
            SpecPath::Pattern(text) => PathMatch::Pattern(Pattern::new(text).unwrap()),
            SpecPath::Template(text) => PathMatch::Template(Template::new(text).unwrap()),
        },
        requirements: Requirements {
            method: spec.method.as_deref().map(Arc::from),
            headers: spec.headers.iter().map(field).collect(),
            query: spec.query.iter().map(field).collect(),
        },
        seniority: Arc::new(Seniority {
            created: spec.created,
            seen: 0,
            route: spec.route.as_str().into(),
            rule: u16::try_from(index).unwrap(),
            matched: 0,
        }),
        rule: rule(slot(listener, index)),
    }
}

fn table(listeners: &[SpecListener]) -> ListenerTable {
    let build = |(at, listener): (usize, &SpecListener)| {
        let pattern = HostPattern::new(listener.hostname.as_deref());
        let mut hosts: std::collections::BTreeMap<HostPattern, Vec<Entry>> = Default::default();
        for (index, spec) in listener.matches.iter().enumerate() {
            let entry = entry(spec, at, index);
            if let Some(host) = entry.hostname.intersect(&pattern) {
                hosts.entry(host).or_default().push(entry);
            }
        }
        let hosts: HostMap<_> =
            hosts.into_iter().map(|(host, entries)| (host, Arc::new(HostTable::new(entries)))).collect();
        (pattern, Arc::new(Listener { name: at.to_string().into(), hosts }))
    };
    ListenerTable::new(listeners.iter().enumerate().map(build).collect())
}

fn ask(table: &ListenerTable, request: &SpecRequest) -> Answer {
    let view = RequestView {
        method: request.method.as_bytes(),
        host: request.host.as_bytes(),
        path: request.path.as_bytes(),
        query: request.query.as_deref().map(str::as_bytes),
        headers: request.headers.as_slice(),
    };
    let sni = request.sni.map(|sni| sni.to_string());
    match table.find(&view, sni.as_deref()) {
        Verdict::Rule(rule) => Answer::Rule(rule.slot.0),
        Verdict::NoMatch => Answer::NoMatch,
        Verdict::Misdirected => Answer::Misdirected,
    }
}

// === what is tried ===

fn hostname() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        1 => Just(None),
        4 => "[ab](\\.[ab]){0,3}".prop_map(Some),
        4 => "\\*(\\.[ab]){1,3}".prop_map(Some),
    ]
}

/// Short names, long names, and depths on both sides of the walk's window.
fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "(/[ab]){0,3}/?",
        2 => "(/(abcdefgh|abcdefghi|abcdefg)){1,2}/?",
        2 => "(/a){14,18}/?",
        1 => "(/a){30,36}(/b)?",
    ]
    .prop_map(|path| if path.is_empty() { "/".to_owned() } else { path })
}

/// Parameters before, between and behind what is written.
fn template() -> impl Strategy<Value = String> {
    "(/([ab]|\\{\\}|a\\{\\})){1,3}/?".prop_filter("has a parameter", |text| text.contains("{}"))
}

fn value() -> impl Strategy<Value = SpecValue> {
    prop_oneof![
        "[ab]{0,2}".prop_map(SpecValue::Exact),
        prop::sample::select(vec!["a.*", "b?", "[ab]+", "a|b"])
            .prop_map(|text| SpecValue::Pattern(text.to_owned()))
    ]
}

fn demands() -> impl Strategy<Value = Vec<(String, SpecValue)>> {
    prop::collection::btree_map("[ab]", value(), 0..3).prop_map(|map| map.into_iter().collect())
}

fn spec_match() -> impl Strategy<Value = SpecMatch> {
    let path = prop_oneof![
        3 => path().prop_map(SpecPath::Exact),
        6 => path().prop_map(SpecPath::Prefix),
        2 => prop::sample::select(vec!["/a.*", "/[ab]/?", ".*", "(/a)+/b", "/a|/b"])
            .prop_map(|text| SpecPath::Pattern(text.to_owned())),
        4 => template().prop_map(SpecPath::Template),
    ];
    let method = prop::option::weighted(0.3, "GET|POST|get");
    (hostname(), path, method, demands(), demands(), 0_i64..3, "[ab]/[ab]").prop_map(
        |(own_host, path, method, headers, query, created, route)| SpecMatch {
            own_host,
            path,
            method,
            headers,
            query,
            created,
            route,
        },
    )
}

/// A match whose path fits `/a/b` and whose demands are often met.
fn rival() -> impl Strategy<Value = SpecMatch> {
    let lax = || {
        let value = prop::sample::select(vec![".*", "[ab]*", "a?b?"]);
        prop::collection::btree_map("[ab]", value, 0..3)
            .prop_map(|map| map.into_iter().map(|(n, v)| (n, SpecValue::Pattern(v.to_owned()))).collect())
    };
    let path = prop_oneof![
        2 => Just(SpecPath::Prefix("/a".to_owned())),
        1 => prop::sample::select(vec!["/a.*", "/a/b?", ".*", "/./.", "/[a-z]/b"])
            .prop_map(|text| SpecPath::Pattern(text.to_owned())),
    ];
    (path, prop::option::weighted(0.2, "GET|POST"), lax(), lax(), 0_i64..2, "[ab]/[ab]").prop_map(
        |(path, method, headers, query, created, route)| SpecMatch {
            own_host: None,
            path,
            method,
            headers,
            query,
            created,
            route,
        },
    )
}

fn listeners(most: usize) -> impl Strategy<Value = Vec<SpecListener>> {
    let listener = (hostname(), prop::collection::vec(spec_match(), 0..most))
        .prop_map(|(hostname, matches)| SpecListener { hostname, matches });
    prop::collection::vec(listener, 1..4).prop_map(|mut all| {
        all.sort_by(|left, right| left.hostname.cmp(&right.hostname));
        all.dedup_by(|left, right| left.hostname == right.hostname);
        all
    })
}

fn request() -> impl Strategy<Value = SpecRequest> {
    let fields = prop::collection::vec(("[ab]", "[ab]{0,2}"), 0..3);
    let query = prop::option::of("((a|b|%61)=(a|b|%61|\\+|ab)?&?){0,3}");
    let host = prop_oneof![9 => "[ab](\\.[ab]){0,4}", 1 => Just(String::new())];
    let method = "GET|POST|get";
    (host, path(), method, query, fields, prop::option::weighted(0.2, 0_usize..3)).prop_map(
        |(host, path, method, query, headers, sni)| SpecRequest { host, path, method, query, headers, sni },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn the_table_answers_like_the_specification_read_slowly(
        listeners in listeners(40),
        requests in prop::collection::vec(request(), 40),
    ) {
        let table = table(&listeners);
        for request in &requests {
            prop_assert_eq!(ask(&table, request), reference(&listeners, request), "{:?}", request);
        }
    }

    /// One host and one path, so that only precedence decides.
    #[test]
    fn among_equal_paths_the_more_demanding_and_then_the_older_match_wins(
        matches in prop::collection::vec(rival(), 2..12),
        requests in prop::collection::vec(request(), 20),
    ) {
        let listeners = [SpecListener { hostname: None, matches }];
        let table = table(&listeners);
        for request in requests {
            let request = SpecRequest { path: "/a/b".to_owned(), sni: None, ..request };
            prop_assert_eq!(ask(&table, &request), reference(&listeners, &request), "{:?}", request);
        }
    }

    #[test]
    fn prefixes_of_one_path_are_told_apart_at_any_depth(
        depths in prop::collection::btree_set(0_usize..100, 1..12),
        asked in prop::collection::vec(0_usize..110, 1..20),
    ) {
        let matches = depths.iter().map(|depth| plain(None, SpecPath::Prefix(deep(*depth)))).collect();
        let listeners = [SpecListener { hostname: None, matches }];
        let table = table(&listeners);
        for depth in asked {
            let request = get("a", &deep(depth));
            prop_assert_eq!(ask(&table, &request), reference(&listeners, &request), "depth {}", depth);
        }
    }
}

fn deep(depth: usize) -> String {
    if depth == 0 { "/".to_owned() } else { "/s".repeat(depth) }
}

fn plain(own_host: Option<String>, path: SpecPath) -> SpecMatch {
    SpecMatch {
        own_host,
        path,
        method: None,
        headers: Vec::new(),
        query: Vec::new(),
        created: 0,
        route: "a/a".to_owned(),
    }
}

fn get(host: &str, path: &str) -> SpecRequest {
    SpecRequest {
        host: host.to_owned(),
        path: path.to_owned(),
        method: "GET".to_owned(),
        query: None,
        headers: Vec::new(),
        sni: None,
    }
}

#[test]
fn a_host_table_behaves_the_same_at_every_size() {
    for size in [1, 99, 101, 10_000] {
        let hosts = (0..size).flat_map(|n| [format!("h{n}.example.com"), format!("*.w{n}.example.com")]);
        let matches = hosts.map(|host| plain(Some(host), SpecPath::Prefix("/".to_owned()))).collect();
        let listeners = [SpecListener { hostname: None, matches }];
        let table = table(&listeners);

        for n in [0, size / 2, size - 1] {
            let n = u32::try_from(n).unwrap();
            assert_eq!(ask(&table, &get(&format!("h{n}.example.com"), "/")), Answer::Rule(2 * n));
            assert_eq!(ask(&table, &get(&format!("a.b.w{n}.example.com"), "/")), Answer::Rule(2 * n + 1));
            assert_eq!(ask(&table, &get(&format!("w{n}.example.com"), "/")), Answer::NoMatch);
        }
        assert_eq!(ask(&table, &get("H0.EXAMPLE.COM", "/")), Answer::NoMatch, "the caller lowers the host");
        assert_eq!(ask(&table, &get(&format!("h{size}.example.com"), "/")), Answer::NoMatch);
    }
}

#[test]
fn a_request_for_another_listener_than_the_handshake_named_is_misdirected() {
    let listener = |host: &str| SpecListener {
        hostname: Some(host.to_owned()),
        matches: vec![plain(None, SpecPath::Prefix("/".to_owned()))],
    };
    let table = table(&[listener("*.example.com"), listener("a.example.com")]);
    let ask_with = |host: &str, sni| ask(&table, &SpecRequest { sni, ..get(host, "/") });

    assert_eq!(ask_with("b.example.com", Some(0)), Answer::Rule(0));
    assert_eq!(ask_with("a.example.com", Some(0)), Answer::Misdirected);
    assert_eq!(ask_with("a.example.com", Some(1)), Answer::Rule(100_000));
    assert_eq!(ask_with("a.example.com", None), Answer::Rule(100_000));
    assert_eq!(ask_with("elsewhere.org", Some(1)), Answer::NoMatch);
}

#[test]
fn a_value_that_is_not_text_is_compared_as_bytes() {
    struct Bytes;
    impl engine::HeaderView for Bytes {
        fn first(&self, name: &[u8]) -> Option<&[u8]> {
            (name == b"x").then_some(b"a\xff")
        }

        fn values(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
            self.first(name).into_iter()
        }
    }
    let mut spec = plain(None, SpecPath::Prefix("/".to_owned()));
    spec.headers = vec![("x".to_owned(), SpecValue::Pattern("a.".to_owned()))];
    let table = table(&[SpecListener { hostname: None, matches: vec![spec] }]);
    let view = RequestView { method: b"GET", host: b"h", path: b"/", query: None, headers: Bytes };

    assert!(matches!(table.find(&view, None), Verdict::Rule(_)));
}

#[test]
fn finding_a_rule_allocates_nothing() {
    let mut spec = plain(Some("*.example.com".to_owned()), SpecPath::Prefix("/a/b".to_owned()));
    spec.headers = vec![("x".to_owned(), SpecValue::Pattern("[ab]+".to_owned()))];
    spec.query = vec![("q".to_owned(), SpecValue::Pattern("a.c".to_owned()))];
    let deep = plain(Some("*.example.com".to_owned()), SpecPath::Prefix(deep(40)));
    let table = table(&[SpecListener { hostname: None, matches: vec![spec, deep] }]);
    let headers = [("x".to_owned(), "ab".to_owned())];
    let view = RequestView {
        method: b"GET",
        host: b"www.example.com",
        path: b"/a/b/c",
        query: Some(b"q=a%62c"),
        headers: headers.as_slice(),
    };
    let ask = || assert!(matches!(table.find(&view, None), Verdict::Rule(_)));
    ask(); // A pattern makes its cache the first time a thread uses it.

    let seen = allocation_counter::measure(|| (0..100).for_each(|_| ask()));

    assert_eq!(seen.count_total, 0);
}
