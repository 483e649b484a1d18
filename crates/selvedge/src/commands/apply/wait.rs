//! `--wait`: until every connected proxy runs on what was applied, or one of them cannot.
#![allow(clippy::disallowed_methods, reason = "real time enters the program in its binary")]

use std::time::Duration;

use client::Client;
use model::Resource;

use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::proxies::{Proxies, Proxy, Rejection};
use crate::show::counted;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits for the proxies to reach a revision.
pub async fn until_programmed(
    client: &Client,
    resources: &[Resource],
    revision: u64,
    timeout_seconds: u64,
) -> Result<Exit, Failure> {
    let mut last = Proxies::default();
    let asking = async {
        loop {
            last = Proxies::read(client).await?;
            match judge(&last, resources, revision) {
                Progress::Waiting => tokio::time::sleep(PAUSE).await,
                Progress::Programmed(count) => {
                    output::note(format_args!("programmed on {count} of {}", counted(count, "proxy")));
                    return Ok(Exit::Success);
                }
                Progress::Rejected(told) => {
                    return Err(Failure::new(
                        Exit::Unmet,
                        format!("it was applied, and some proxies cannot use it\n{}", told.join("\n")),
                        "they serve the last good version; mend the object and apply it again",
                    ));
                }
            }
        }
    };
    let seconds = Duration::from_secs(timeout_seconds);
    tokio::time::timeout(seconds, asking)
        .await
        .unwrap_or_else(|_| Err(late(&last, revision, timeout_seconds)))
}

enum Progress {
    Waiting,
    Programmed(usize),
    Rejected(Vec<String>),
}

fn judge(proxies: &Proxies, resources: &[Resource], revision: u64) -> Progress {
    let connected: Vec<&Proxy> = proxies.connected().collect();
    let arrived = connected.iter().all(|proxy| proxy.applied_epoch >= revision);
    // A rejection may be of the version before until the proxy has seen ours.
    if connected.is_empty() || !arrived {
        return Progress::Waiting;
    }
    let is_ours = |rejection: &Rejection| {
        resources.iter().any(|resource| {
            *resource.key.kind == *rejection.kind
                && *resource.key.name.as_str() == *rejection.name
                && resource.namespace() == rejection.namespace
        })
    };
    let told: Vec<String> = connected
        .iter()
        .flat_map(|proxy| proxy.rejections.iter().map(move |rejection| (proxy, rejection)))
        .filter(|(_, rejection)| is_ours(rejection))
        .map(|(proxy, rejection)| format!("  {}: {}: {}", proxy.name, rejection.subject(), rejection.message))
        .collect();
    if told.is_empty() { Progress::Programmed(connected.len()) } else { Progress::Rejected(told) }
}

fn late(proxies: &Proxies, revision: u64, seconds: u64) -> Failure {
    let connected: Vec<&Proxy> = proxies.connected().collect();
    let arrived = connected.iter().filter(|proxy| proxy.applied_epoch >= revision).count();
    let behind: Vec<&str> = connected
        .iter()
        .filter(|proxy| proxy.applied_epoch < revision)
        .map(|proxy| proxy.name.as_str())
        .collect();
    let message = format!(
        "programmed on {arrived} of {} after {}",
        counted(connected.len(), "proxy"),
        counted(usize::try_from(seconds).unwrap_or(usize::MAX), "second")
    );
    let hint = match behind.as_slice() {
        [] => "it was applied; no proxy is connected: start one with `selvedge gateway`".to_owned(),
        names => format!("it was applied; not there yet: {}; `selvedge status` says more", names.join(", ")),
    };
    Failure::new(Exit::Unmet, message, hint)
}

#[cfg(test)]
mod tests {
    use control::files::SourceFile;

    use super::*;

    fn proxy(name: &str, applied_epoch: u64, connected: bool) -> Proxy {
        Proxy { name: name.to_owned(), applied_epoch, connected, ..Proxy::default() }
    }

    fn proxies(all: Vec<Proxy>) -> Proxies {
        Proxies { epoch: 9, all }
    }

    fn service() -> Vec<Resource> {
        let text = "apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { ports: [{ port: 80 }] }\n";
        let file = SourceFile { name: "a.yaml".into(), text: text.into() };
        crate::remote::files::parse(&[file]).expect("sound")
    }

    #[test]
    fn only_proxies_that_live_are_waited_for() {
        let there = proxies(vec![proxy("a", 9, true), proxy("b", 9, true), proxy("lost", 1, false)]);
        assert!(matches!(judge(&there, &[], 9), Progress::Programmed(2)));

        let behind = proxies(vec![proxy("a", 9, true), proxy("b", 8, true)]);
        assert!(matches!(judge(&behind, &[], 9), Progress::Waiting));
        let said = late(&behind, 9, 60).to_string();
        assert!(said.contains("programmed on 1 of 2 proxies") && said.contains("not there yet: b"), "{said}");

        assert!(matches!(judge(&proxies(Vec::new()), &[], 0), Progress::Waiting));
        assert!(late(&proxies(Vec::new()), 9, 60).to_string().contains("no proxy is connected"));
    }

    #[test]
    fn a_proxy_that_cannot_use_it_ends_the_wait() {
        let rejection = |name: &str| Rejection {
            kind: "Service".to_owned(),
            namespace: "default".to_owned(),
            name: name.to_owned(),
            message: "no".to_owned(),
        };
        let with = |name: &str| Proxy { rejections: vec![rejection(name)], ..proxy("a", 9, true) };

        let Progress::Rejected(told) = judge(&proxies(vec![with("a")]), &service(), 9) else {
            panic!("it was not told")
        };
        assert_eq!(told, ["  a: Service default/a: no"]);
        assert!(matches!(judge(&proxies(vec![with("other")]), &service(), 9), Progress::Programmed(1)));
    }
}
