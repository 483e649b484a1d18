//! What happens around the proxy of a workload, in sentences.

use std::collections::BTreeMap;

use super::health::Health;
use super::registration::Registered;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Between the proxy and its control plane.
    Proxy(proxy::Event),
    /// To who we are.
    Identity(proxy::IdentityEvent),
    /// The application answers, or does not.
    Health(Health),
    /// The workload is known, or is not.
    Registered(Registered),
    /// The workload could not be taken back, and why.
    NotWithdrawn(String),
    /// Variables that several Services would claim, with those.
    Ambiguous(BTreeMap<String, Vec<String>>),
    /// The files of names cannot be written, and why.
    FilesUnwritable(String),
}

/// An event as people read it. `None` for what need not be said.
#[must_use]
pub fn sentence(event: &Event) -> Option<String> {
    match event {
        Event::Proxy(event) => crate::gateway::event::sentence(event),
        Event::Identity(event) => Some(crate::gateway::event::identity(event)),
        Event::Health(Health::Ready) => Some("the application is ready".to_owned()),
        Event::Health(Health::Unready(why)) => Some(format!("the application is not ready: {why}")),
        Event::Registered(Registered::Known) => Some("the workload is registered".to_owned()),
        Event::Registered(Registered::Refused(why)) => Some(format!(
            "error: the workload is not registered: {why}\n\
             hint: nobody calls it until it is; it is tried again. Is the token for this namespace and service account?"
        )),
        Event::NotWithdrawn(why) => Some(format!(
            "warning: the workload is not taken back: {why}\n\
             hint: it counts as not ready 30 s from now; `selvedge delete workload` takes it back"
        )),
        Event::Ambiguous(variables) => Some(ambiguous(variables)),
        Event::FilesUnwritable(why) => {
            Some(format!("warning: names cannot be kept in files: {why}\nhint: see the folder of --data"))
        }
    }
}

fn ambiguous(variables: &BTreeMap<String, Vec<String>>) -> String {
    let mut lines =
        vec!["warning: these variables could mean several Services, so they mean none:".to_owned()];
    lines.extend(
        variables.iter().map(|(variable, services)| format!("  {variable}: {}", services.join(", "))),
    );
    lines.push("hint: names resolve all the same; see --dns".to_owned());
    lines.join("\n")
}
