//! Problems while a description is read: collected by address, turned into places once, at the end.
//!
//! Most descriptions have no problem, so nobody pays for pointers until there is one; and a thousand problems cost one
//! walk through the documents, not a thousand.

use std::collections::HashMap;

use serde_json::Value;

use super::{Node, Upload, push_step};
use crate::limits::PROBLEMS_MAX;
use crate::problem::Problem;

struct Finding {
    document: usize,
    address: usize,
    line: u32,
    what: String,
    fix: String,
}

/// Everything that was found so far.
#[derive(Default)]
pub struct Findings {
    found: Vec<Finding>,
    dropped: usize,
}

impl Findings {
    /// Adds a problem of a value.
    pub fn add(&mut self, node: Node<'_>, what: impl Into<String>, fix: impl Into<String>) {
        if self.found.len() >= PROBLEMS_MAX {
            self.dropped += 1;
            return;
        }
        let (document, address, line) = (node.document, node.address(), node.line());
        // A value that is reached by many references is wrong once.
        let what = what.into();
        if !self.found.iter().rev().take(8).any(|known| known.address == address && known.what == what) {
            self.found.push(Finding { document, address, line, what, fix: fix.into() });
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them with their places, in the order of the documents.
    pub fn settle(self, upload: &Upload) -> Vec<Problem> {
        let mut places: HashMap<usize, String> =
            self.found.iter().map(|finding| (finding.address, String::new())).collect();
        let mut wanted: Vec<usize> = self.found.iter().map(|finding| finding.document).collect();
        wanted.sort_unstable();
        wanted.dedup();
        for document in wanted {
            walk(&upload.trees[document].value, &mut String::new(), &mut places);
        }
        let mut problems: Vec<(usize, Problem)> = self
            .found
            .into_iter()
            .map(|finding| {
                let problem = Problem {
                    file: upload.trees[finding.document].name.clone(),
                    line: finding.line,
                    pointer: places.get(&finding.address).cloned().unwrap_or_default(),
                    what: finding.what,
                    fix: finding.fix,
                };
                (finding.document, problem)
            })
            .collect();
        problems.sort_by(|(left, one), (right, other)| {
            (left, one.line, &one.pointer, &one.what).cmp(&(right, other.line, &other.pointer, &other.what))
        });
        problems.dedup();
        let mut problems: Vec<Problem> = problems.into_iter().map(|(_, problem)| problem).collect();
        if self.dropped > 0
            && let Some(last) = problems.last()
        {
            let what = format!("has {} more problems", self.dropped);
            problems.push(Problem::of_file(&last.file.clone(), what, "mend these first"));
        }
        problems
    }
}

/// Fills in the pointers of the addresses that are asked for. The depth of trees is bounded, so this ends.
fn walk(value: &Value, pointer: &mut String, places: &mut HashMap<usize, String>) {
    if let Some(place) = places.get_mut(&(std::ptr::from_ref(value) as usize)) {
        place.clone_from(pointer);
    }
    let before = pointer.len();
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                push_step(pointer, key);
                walk(value, pointer, places);
                pointer.truncate(before);
            }
        }
        Value::Array(list) => {
            for (position, value) in list.iter().enumerate() {
                push_step(pointer, &position.to_string());
                walk(value, pointer, places);
                pointer.truncate(before);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
