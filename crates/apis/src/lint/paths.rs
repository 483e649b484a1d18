//! The description as a whole, and its paths against each other.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Desk, rules};
use crate::description::Description;
use crate::operation::Operation;
use crate::template::Segment;

pub fn look(description: &Description, root: &Arc<str>, desk: &mut Desk) {
    if description.title.trim().is_empty() {
        desk.add(&rules::TITLE, (root, 1), "/info", "has no title", "add `title:`");
    }
    if description.about.is_none() {
        desk.add(&rules::ABOUT, (root, 1), "/info", "has no description", "add `description:`");
    }
    for server in &description.servers {
        let host = server.url.strip_prefix("http://");
        let here = |host: &str| ["localhost", "127.0.0.1", "[::1]"].iter().any(|here| host.starts_with(here));
        if host.is_some_and(|host| !here(host)) {
            let what = format!("is served without TLS at `{}`", server.url);
            desk.add(&rules::SERVER_TLS, (root, 1), "/servers", what, "write `https://`");
        }
    }
    identifiers(description, desk);
    for operation in &description.operations {
        let path = operation.template.as_str();
        if path.len() > 1 && path.ends_with('/') {
            let fix = "take the slash away";
            desk.add(
                &rules::PATH_SLASH,
                (&operation.file, operation.line),
                &operation.key,
                "has a path that ends in `/`",
                fix,
            );
        }
    }
    ambiguous(description, desk);
}

fn identifiers(description: &Description, desk: &mut Desk) {
    let mut known: HashMap<&str, &Operation> = HashMap::new();
    for operation in &description.operations {
        let Some(id) = operation.id.as_deref() else { continue };
        if let Some(other) = known.insert(id, operation) {
            let what = format!("has the `operationId` {} of {}", crate::problem::quoted(id), other.key);
            let place = (&operation.file, operation.line);
            desk.add(&rules::OPERATION_ID_UNIQUE, place, &operation.key, what, "give it one of its own");
        }
    }
}

/// Two paths that match one request, and neither is the more literal one at every place. Paths are compared with those
/// of the same method and length only.
fn ambiguous(description: &Description, desk: &mut Desk) {
    let mut groups: HashMap<(&str, usize), Vec<&Operation>> = HashMap::new();
    for operation in &description.operations {
        let key = (&*operation.method, operation.template.segments().len());
        groups.entry(key).or_default().push(operation);
    }
    for group in groups.values() {
        for (at, left) in group.iter().enumerate() {
            for right in &group[at + 1..] {
                if both_match(left, right) {
                    let what = format!(
                        "matches requests that `{}` on line {} matches as well",
                        right.template, right.line
                    );
                    let fix = "make one of them more literal than the other; here the first literal from the left wins";
                    desk.add(&rules::PATH_AMBIGUOUS, (&left.file, left.line), &left.key, what, fix);
                }
            }
        }
    }
}

fn both_match(left: &Operation, right: &Operation) -> bool {
    let (mut left_wins, mut right_wins) = (false, false);
    for pair in left.template.segments().iter().zip(right.template.segments()) {
        match pair {
            (Segment::Literal(one), Segment::Literal(other)) if one != other => return false,
            (Segment::Literal(_), Segment::Parameter(_)) => left_wins = true,
            (Segment::Parameter(_), Segment::Literal(_)) => right_wins = true,
            // Mixed segments are left alone: what they match cannot be told from their shape.
            (Segment::Mixed(_), _) | (_, Segment::Mixed(_)) => return false,
            (Segment::Literal(_), Segment::Literal(_)) | (Segment::Parameter(_), Segment::Parameter(_)) => {}
        }
    }
    left_wins && right_wins
}
