//! What it takes to find the rule of a request, in tables of three sizes and two shapes.

use std::sync::Arc;

use engine::config::{Action, Origin, Rule, RuleSlot, Timeouts};
use engine::matching::{
    Entry, HostMap, HostPattern, HostTable, Listener, ListenerTable, PathMatch, Requirements, Seniority,
    Verdict,
};
use engine::request::RequestView;
use gungraun::{library_benchmark, library_benchmark_group, main};

/// Requests that one count covers, so that no single one decides.
const FINDS: usize = 1000;
const ROUTES_PER_HOST: usize = 10;

struct Case {
    table: ListenerTable,
    questions: Vec<(String, String)>,
}

/// Numbers have a fixed width, so that a large table is not charged for longer names.
fn host_of(route: usize, per_host: usize) -> String {
    format!("host-{:06}.example.com", route / per_host)
}

fn path_of(route: usize) -> String {
    format!("/api/v1/item-{route:06}")
}

/// Ten routes a host.
fn spread(routes: usize) -> Case {
    case(routes, ROUTES_PER_HOST)
}

/// All routes under one host.
fn one_host(routes: usize) -> Case {
    case(routes, routes)
}

fn case(routes: usize, per_host: usize) -> Case {
    let stride = 7_919; // A prime, so that neighbours in time are no neighbours in the table.
    let questions = (0..FINDS)
        .map(|n| (n * stride) % routes)
        .map(|route| (host_of(route, per_host), format!("{}/parts/17", path_of(route))))
        .collect();
    Case { table: table(routes, per_host), questions }
}

fn table(routes: usize, per_host: usize) -> ListenerTable {
    let all: Vec<usize> = (0..routes).collect();
    let hosts: HostMap<_> = all
        .chunks(per_host)
        .map(|chunk| {
            let pattern = HostPattern::new(Some(&host_of(chunk[0], per_host)));
            let entries = chunk.iter().map(|route| entry(*route, &pattern)).collect();
            (pattern, Arc::new(HostTable::new(entries)))
        })
        .collect();
    let listener = Listener { name: "default/gateway/http".into(), hosts };
    ListenerTable::new(vec![(HostPattern::Any, Arc::new(listener))])
}

fn entry(route: usize, hostname: &HostPattern) -> Entry {
    let name: Arc<str> = format!("default/route-{route}").into();
    let origin =
        Origin { kind: "HTTPRoute", route: name.clone(), rule: 0, matched: 0, name: None };
    let slot = RuleSlot(u32::try_from(route).expect("fewer than four billion routes"));
    let action = Action::Refuse { status: 500, reason: "benchmark" };
    Entry {
        hostname: hostname.clone(),
        path: PathMatch::Prefix(path_of(route).into()),
        requirements: Requirements::default(),
        seniority: Arc::new(Seniority { created: 0, seen: 0, route: name, rule: 0, matched: 0 }),
        rule: Arc::new(Rule { slot, origin, filters: Vec::new(), action, timeouts: Timeouts::default(), authorization: None, authorizers: Default::default(), retry: None, fault: None, rates: None, addresses: None, access: None, validation: None, authentication: None, transforms: None, operation: None }),
    }
}

#[library_benchmark]
#[bench::spread_10(spread(10))]
#[bench::spread_1000(spread(1000))]
#[bench::spread_100000(spread(100_000))]
#[bench::one_host_10(one_host(10))]
#[bench::one_host_1000(one_host(1000))]
#[bench::one_host_100000(one_host(100_000))]
fn a_thousand_matches(case: Case) -> Case {
    let headers: [(String, String); 0] = [];
    let is_found = |(host, path): &&(String, String)| {
        let view = RequestView {
            method: b"GET",
            host: host.as_bytes(),
            path: path.as_bytes(),
            query: None,
            headers: headers.as_slice(),
        };
        matches!(case.table.find(&view, None), Verdict::Rule(_))
    };
    assert_eq!(case.questions.iter().filter(is_found).count(), FINDS);
    case
}

library_benchmark_group!(name = matching, benchmarks = a_thousand_matches);
main!(library_benchmark_groups = matching);
