//! What it costs to find a rule, for an instruction counter.
//!
//! `match_cost ROUTES SHAPE [FINDS]` builds a table and asks it `FINDS` times (10,000 unless told). `SHAPE`
//! is `spread` (10 routes a host) or `one-host`. The questions are asked in [`finds`], which is never inlined,
//! so `valgrind --tool=callgrind --toggle-collect=match_cost::finds` counts them without the building.

use std::process::ExitCode;
use std::sync::Arc;

use engine::config::{Action, Origin, Rule, RuleSlot, Timeouts};
use engine::matching::{
    Entry, HostMap, HostPattern, HostTable, Listener, ListenerTable, PathMatch, Requirements, Seniority,
    Verdict,
};
use engine::request::RequestView;

const ROUTES_PER_HOST: usize = 10;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.replace('_', "").parse::<usize>().ok());
    let per_host = match arguments.get(1).map(String::as_str) {
        Some("spread") => Some(ROUTES_PER_HOST),
        Some("one-host") => number(0),
        _ => None,
    };
    let (Some(routes), Some(per_host)) = (number(0).filter(|routes| *routes > 0), per_host) else {
        eprintln!("usage: match_cost ROUTES spread|one-host [FINDS]");
        return ExitCode::from(2);
    };
    let questions = questions(routes, per_host, number(2).unwrap_or(10_000));
    let found = finds(&table(routes, per_host), &questions);
    println!("{found} of {} found", questions.len());
    if found == questions.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The measured part.
#[inline(never)]
fn finds(table: &ListenerTable, questions: &[(String, String)]) -> usize {
    let headers: [(String, String); 0] = [];
    questions
        .iter()
        .filter(|(host, path)| {
            let view = RequestView {
                method: b"GET",
                host: host.as_bytes(),
                path: path.as_bytes(),
                query: None,
                headers: headers.as_slice(),
            };
            matches!(table.find(&view, None), Verdict::Rule(_))
        })
        .count()
}

/// Numbers have a fixed width, so that a large table is not charged for longer names.
fn host_of(route: usize, per_host: usize) -> String {
    format!("host-{:06}.example.com", route / per_host)
}

fn path_of(route: usize) -> String {
    format!("/api/v1/item-{route:06}")
}

/// Routes spread evenly over the table, each asked for with a path below its own.
fn questions(routes: usize, per_host: usize, count: usize) -> Vec<(String, String)> {
    let stride = 7_919; // A prime, so that neighbours in time are no neighbours in the table.
    (0..count)
        .map(|n| (n * stride) % routes)
        .map(|route| (host_of(route, per_host), format!("{}/parts/17", path_of(route))))
        .collect()
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
    let origin = Origin { kind: "HTTPRoute", route: name.clone(), rule: 0, matched: 0, name: None };
    let slot = RuleSlot(u32::try_from(route).expect("fewer than four billion routes"));
    let action = Action::Refuse { status: 500, reason: "benchmark" };
    Entry {
        hostname: hostname.clone(),
        path: PathMatch::Prefix(path_of(route).into()),
        requirements: Requirements::default(),
        seniority: Arc::new(Seniority { created: 0, seen: 0, route: name, rule: 0, matched: 0 }),
        rule: Arc::new(Rule {
            slot,
            origin,
            filters: Vec::new(),
            action,
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
        }),
    }
}
