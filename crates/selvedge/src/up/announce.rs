//! The first lines: what runs, where, and a request to try.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use control::Snapshot;
use control::status::{BindResult, socket};
use engine::config::BindAddress;

use super::{curl, event};
use crate::output::{BOLD, CYAN, GREEN, styled};

/// What is known once it runs.
#[derive(Debug)]
pub struct Started<'a> {
    /// The revision that runs.
    pub snapshot: &'a Snapshot,
    /// What became of each address.
    pub bound: &'a [BindResult],
    /// Where it can be looked at.
    pub admin: Option<SocketAddr>,
    /// From the start of the process to now.
    pub took: Duration,
    /// Worker threads.
    pub workers: usize,
}

/// The lines. The first one begins with `selvedge` and says `ready`, for whoever waits for that.
#[must_use]
pub fn lines(started: &Started<'_>) -> String {
    let Started { snapshot, bound, admin, took, workers } = started;
    let mut text = format!(
        "selvedge {} {} in {} ms, {workers} {}",
        env!("CARGO_PKG_VERSION"),
        styled(GREEN, "ready"),
        took.as_millis(),
        if *workers == 1 { "worker" } else { "workers" },
    );
    let good: Vec<BindAddress> =
        bound.iter().filter(|result| result.error.is_none()).map(|result| result.address).collect();
    for address in &good {
        add(&mut text, "gateway", &gateway(snapshot, *address));
    }
    if let Some(admin) = admin {
        add(&mut text, "admin", &format!("http://{admin}/ready  /metrics  /config"));
    }
    match curl::line(snapshot, &good) {
        Some(line) => add(&mut text, "try", &styled(CYAN, line)),
        None => add(&mut text, "try", &nothing_to_call(snapshot, &good)),
    }
    bound.iter().filter_map(event::cannot_listen).for_each(|problem| {
        text.push('\n');
        text.push_str(&problem);
    });
    text
}

fn add(text: &mut String, label: &str, value: &str) {
    write!(text, "\n  {}  {value}", styled(BOLD, format!("{label:<7}"))).expect("a String takes everything");
}

/// `http://127.0.0.1:8080  default/hello`
fn gateway(snapshot: &Snapshot, address: BindAddress) -> String {
    let port = snapshot.config.ports.iter().find(|port| port.address == address);
    let scheme = port.map_or("http", |port| port.scheme());
    let owners: Vec<String> = snapshot.gateways_on(address).iter().map(model::ResourceKey::place).collect();
    format!("{scheme}://{}  {}", socket(address), owners.join(", "))
}

fn nothing_to_call(snapshot: &Snapshot, bound: &[BindAddress]) -> String {
    if bound.is_empty() {
        return "nothing is listened on; `selvedge validate` with the same files says why".to_owned();
    }
    if snapshot.config.ports.iter().all(|port| port.table().is_none()) {
        return "any client of the protocol; nothing is understood of what it says".to_owned();
    }
    if snapshot.resources.http_routes().next().is_none() {
        return "no HTTPRoute yet: every request is answered 404".to_owned();
    }
    "no route leads to an endpoint; `selvedge validate` with the same files says why".to_owned()
}
