//! Conditions for people: one line an object, and below it only what is not as hoped.

use std::fmt;

use model::kinds::references::ParentRef;

use super::{Condition, Conditions, ObjectConditions, ObjectStatus};

/// `Gateway shop/edge#https`.
pub(super) fn parent(reference: &ParentRef) -> String {
    let mut text = format!("{} ", reference.kind);
    if let Some(namespace) = &reference.namespace {
        text.push_str(namespace);
        text.push('/');
    }
    text.push_str(&reference.name);
    if let Some(section) = &reference.section_name {
        text.push('#');
        text.push_str(section);
    }
    if let Some(port) = reference.port {
        text.push_str(&format!(":{port}"));
    }
    text
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, object) in self.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            write!(f, "{object}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ObjectConditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(|_, _| None))
    }
}

impl ObjectConditions {
    /// One line, and below it what is not as hoped, each with the place that `place` knows for it.
    #[must_use]
    pub fn text(&self, place: impl Fn(&str, &Condition) -> Option<String>) -> String {
        let key = &self.resource.key;
        let problems: Vec<_> =
            self.status.conditions().filter(|(_, condition)| !condition.is_good()).collect();
        let mark = if problems.is_empty() { "ok" } else { "!!" };
        let mut text = format!("{mark}  {} {}{}", key.kind, key.place(), summary(&self.status));
        for (part, condition) in problems {
            let place = place(&part, condition).map(|place| format!(" ({place})")).unwrap_or_default();
            let part = if part.is_empty() { part } else { format!("{part}: ") };
            let (kind, status) = (condition.kind.as_str(), condition.status.as_str());
            text.push_str(&format!("\n      {part}{kind}={status}/{}", condition.reason.as_str()));
            if !condition.message.is_empty() {
                text.push_str(&format!(": {}", one_line(&condition.message)));
            }
            text.push_str(&place);
        }
        text
    }
}

/// What is worth knowing when all is well.
fn summary(status: &ObjectStatus) -> String {
    match status {
        ObjectStatus::Plain(_) => String::new(),
        ObjectStatus::Class(class) => format!("  {}", count(class.supported_features.len(), "feature")),
        ObjectStatus::Gateway(gateway) => {
            let routes: u32 = gateway.listeners.iter().map(|listener| listener.attached_routes).sum();
            format!(
                "  {}, {}",
                count(gateway.listeners.len(), "listener"),
                count(routes as usize, "attached route")
            )
        }
        ObjectStatus::Route(route) => format!("  {}", count(route.parents.len(), "parent")),
        ObjectStatus::Policy(policy) => {
            let gateways = policy.ancestors.iter().all(|ancestor| *ancestor.ancestor_ref.kind == *"Gateway");
            format!("  {}", count(policy.ancestors.len(), if gateways { "gateway" } else { "target" }))
        }
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Messages quote what users wrote; control characters must not forge lines of a terminal.
fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
