//! What happens while it runs, in sentences.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use control::Snapshot;
use control::status::{BindResult, socket};
use engine::config::BindAddress;
use engine::status::{Conditions, ObjectConditions};
use model::Resources;
use model::violation::Violations;

use crate::show::spoken;

/// Most objects whose problems are printed with a change.
pub const PROBLEMS_SHOWN_MAX: usize = 20;

/// Something that happened after the start.
#[derive(Clone, Debug)]
pub enum Event {
    /// A change is in use.
    Applied {
        /// Its number.
        change: u64,
        /// `2 routes, 1 gateway`.
        summary: String,
        /// From looking at the files to every worker having it.
        took: Took,
        /// Objects that do not work as they stand, one line or more each.
        problems: Vec<String>,
        /// Certificates that are in use although they are expired or not yet valid.
        warnings: Vec<String>,
        /// Addresses that could not be bound.
        unbound: Vec<BindResult>,
    },
    /// A change has mistakes and was not applied.
    Refused(Violations),
}

/// How long the parts of a change took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// From looking at the files to knowing what they ask for.
    pub read: Duration,
    /// From there to a configuration.
    pub compile: Duration,
    /// From there to every worker having it.
    pub apply: Duration,
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |part: Duration| part.as_secs_f64() * 1e3;
        let Took { read, compile, apply } = *self;
        write!(f, "{:.1} ms", millis(read + compile + apply))?;
        write!(f, " (read {:.1}, compile {:.1}, apply {:.1})", millis(read), millis(compile), millis(apply))
    }
}

impl Event {
    /// The event of a change that was applied.
    #[must_use]
    pub fn applied(snapshot: &Snapshot, state: &Outcome<'_>, took: Took) -> Event {
        Event::Applied {
            change: snapshot.change,
            summary: snapshot.summary(),
            took,
            problems: problems(state.conditions, &snapshot.resources),
            warnings: state.warnings.clone(),
            unbound: state.bound.iter().filter(|result| result.error.is_some()).cloned().collect(),
        }
    }
}

/// What a change came to.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// What became of every object.
    pub conditions: &'a Conditions,
    /// What became of every address.
    pub bound: &'a [BindResult],
    /// Certificates that are in use although they are expired or not yet valid.
    pub warnings: Vec<String>,
}

/// Objects that do not work as they stand, as people read them, each with its place in `files`: at most
/// [`PROBLEMS_SHOWN_MAX`].
#[must_use]
pub fn problems(conditions: &Conditions, files: &Resources) -> Vec<String> {
    let bad =
        |object: &&ObjectConditions| object.status.conditions().any(|(_, condition)| !condition.is_good());
    let mut shown: Vec<String> = conditions
        .iter()
        .filter(bad)
        .take(PROBLEMS_SHOWN_MAX)
        .map(|object| spoken::text(object, files))
        .collect();
    let more = conditions.iter().filter(bad).count() - shown.len();
    if more > 0 {
        shown.push(format!("and {more} more; `selvedge validate` shows all"));
    }
    shown
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Applied { change, summary, took, problems, warnings, unbound } => {
                write!(f, "applied change {change}: {summary} in {took}")?;
                for problem in problems {
                    write!(f, "\n  {}", problem.replace('\n', "\n  "))?;
                }
                warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))?;
                unbound.iter().filter_map(cannot_listen).try_for_each(|line| write!(f, "\n{line}"))
            }
            Event::Refused(violations) => violations.fmt(f),
        }
    }
}

/// What is wrong with an address and what helps; `None` when nothing is.
#[must_use]
pub fn cannot_listen(result: &BindResult) -> Option<String> {
    let error = result.error.as_deref()?;
    Some(format!(
        "error: cannot listen on {}: {error}\nhint: {}",
        socket(result.address),
        listen_hint(result.address, error)
    ))
}

/// The proxy hands over the system's words; these are the three that people meet.
fn listen_hint(address: BindAddress, error: &str) -> String {
    let (port, error) = (address.port, error.to_ascii_lowercase());
    if port < 1024 && (error.contains("permission") || error.contains("os error 13")) {
        return format!(
            "ports below 1024 need privileges: use a port from 1024 up (such as {}), or allow it once with \
             `sudo setcap cap_net_bind_service=+ep \"$(command -v selvedge)\"`",
            8000 + port
        );
    }
    let is_of_sidecar = is_of_sidecar(address.ip);
    if error.contains("in use") || error.contains("os error 98") {
        let else_where = match is_of_sidecar {
            true => {
                "where several sidecars share a machine, give each its own --services (such as 127.130.0.0/16) and --address"
            }
            false => "or change `port` in the Gateway",
        };
        return format!(
            "another process listens there; find it with `ss -ltnp 'sport = :{port}'`, {else_where}"
        );
    }
    if error.contains("assign") || error.contains("os error 99") {
        return match is_of_sidecar {
            true => "this machine does not have that address; choose others with --services, or --address",
            false => {
                "this machine does not have that address; change `spec.addresses` of the Gateway or --bind"
            }
        }
        .to_owned();
    }
    "change `port` or `spec.addresses` of the Gateway".to_owned()
}

/// Whether an address is one at which sidecars are found rather than Gateways: on the loopback, and not its first one.
fn is_of_sidecar(ip: IpAddr) -> bool {
    ip.is_loopback() && ip != IpAddr::V4(Ipv4Addr::LOCALHOST) && ip.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(port: u16, error: &str) -> String {
        failed_at([127, 0, 0, 1], port, error)
    }

    fn failed_at(ip: [u8; 4], port: u16, error: &str) -> String {
        let address = BindAddress { ip: ip.into(), port };
        cannot_listen(&BindResult { address, error: Some(error.to_owned()) }).expect("a problem")
    }

    #[test]
    fn a_port_that_needs_privileges_says_how_to_go_without() {
        let text = failed(80, "Permission denied (os error 13)");
        assert!(text.starts_with("error: cannot listen on 127.0.0.1:80: Permission denied"), "{text}");
        assert!(text.contains("use a port from 1024 up (such as 8080)"), "{text}");
    }

    #[test]
    fn a_port_in_use_and_a_foreign_address_each_have_a_hint() {
        assert!(
            failed(8080, "Address already in use (os error 98)").contains("another process listens there")
        );
        assert!(
            failed(8080, "Cannot assign requested address (os error 99)")
                .contains("does not have that address")
        );
    }

    #[test]
    fn the_address_of_a_service_that_another_sidecar_has_leads_to_the_option_that_moves_it() {
        let text = failed_at([127, 128, 7, 1], 8080, "Address already in use (os error 98)");

        assert!(
            text.contains("ss -ltnp") && text.contains("--services") && !text.contains("Gateway"),
            "{text}"
        );
    }

    #[test]
    fn a_bound_address_is_no_problem() {
        let address = BindAddress { ip: [127, 0, 0, 1].into(), port: 80 };
        assert_eq!(cannot_listen(&BindResult { address, error: None }), None);
    }
}
