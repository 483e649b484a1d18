//! What is right by the letter and still bad for those who call, read or run an API.
//!
//! A rule has a name, a severity and a reason, all in one table ([`rules::ALL`]), so that nobody is told off without
//! being told why. What cannot be read at all comes from the reader and is part of the same report.

mod bodies;
pub mod fix;
mod junit;
mod operations;
mod paths;
pub mod rules;
mod ruleset;
mod sarif;
mod values;

use std::fmt;
use std::sync::Arc;

use crate::description::Description;
use crate::openapi;
use crate::overlay;
use crate::problem::Problem;
use crate::source::Document;

pub use junit::{escaped, junit};
pub use rules::{Rule, Severity};
pub use ruleset::Ruleset;
pub use sarif::sarif;

/// One thing that a rule has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Name of the document.
    pub file: Arc<str>,
    /// Line of the document, from 1; 0 when all of it is meant.
    pub line: u32,
    /// What it is about: an operation, a schema, a JSON Pointer; empty for the description as a whole.
    pub subject: String,
    /// What is wrong, as the end of a sentence.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean = |text: &str| text.replace(char::is_control, " ");
        write!(f, "  {}:{}", clean(&self.file), self.line)?;
        if !self.subject.is_empty() {
            write!(f, "  {}", clean(&self.subject))?;
        }
        write!(f, "\n    {} {}: {}", self.rule.severity.word(), self.rule.id, clean(&self.what))?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "\n    hint: {}", clean(&self.fix)) }
    }
}

/// Reads an upload and looks at it by every rule. Findings stand in the order of the documents.
#[must_use]
pub fn lint(documents: &[Document]) -> Vec<Finding> {
    lint_by(documents, &Ruleset::default())
}

/// The same by the rules of a ruleset.
#[must_use]
pub fn lint_by(documents: &[Document], ruleset: &Ruleset) -> Vec<Finding> {
    lint_overlaid(documents, &[], ruleset)
}

/// The same of what overlays (OpenAPI Overlay 1.0) make of an upload: what its publisher hides is not looked at, and
/// what is laid over is.
#[must_use]
pub fn lint_overlaid(documents: &[Document], overlays: &[Document], ruleset: &Ruleset) -> Vec<Finding> {
    let upload = overlay::read(documents, overlays);
    let read = upload.as_ref().map_err(Clone::clone).and_then(openapi::read);
    let ours = match read {
        Ok(description) => description_findings(&description, documents),
        Err(problems) => problems.into_iter().map(|problem| of_problem(&rules::READABLE, problem)).collect(),
    };
    let theirs = upload.iter().flat_map(|upload| ruleset.look(upload));
    let ours = ours.into_iter().filter_map(|finding| {
        let rule = ruleset.of_ours(&finding.rule)?;
        Some(Finding { rule, ..finding })
    });
    let mut found: Vec<Finding> = ours.chain(theirs).collect();
    found.sort_by(|left, right| {
        (&left.file, left.line, &left.rule.id, &left.subject).cmp(&(
            &right.file,
            right.line,
            &right.rule.id,
            &right.subject,
        ))
    });
    found.dedup();
    found
}

fn description_findings(description: &Description, documents: &[Document]) -> Vec<Finding> {
    let mut desk = Desk { found: Vec::new() };
    let root = documents.first().map_or_else(|| "".into(), |document| document.name.clone());
    let root = description.operations.first().map_or(root, |operation| operation.file.clone());
    for warning in &description.warnings {
        desk.found.push(of_problem(&rules::ODD, warning.clone()));
    }
    paths::look(description, &root, &mut desk);
    for operation in &description.operations {
        operations::look(operation, description, &mut desk);
        bodies::look(operation, &mut desk);
    }
    values::look(description, &mut desk);
    desk.found
}

fn of_problem(rule: &'static Rule, problem: Problem) -> Finding {
    let Problem { file, line, pointer, what, fix } = problem;
    Finding { rule: rule.clone(), file, line, subject: pointer, what, fix }
}

/// Where rules put what they find.
struct Desk {
    found: Vec<Finding>,
}

impl Desk {
    fn add(
        &mut self,
        rule: &'static Rule,
        place: (&Arc<str>, u32),
        subject: impl ToString,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        if self.found.len() < crate::limits::PROBLEMS_MAX {
            let (file, line) = (place.0.clone(), place.1);
            self.found.push(Finding {
                rule: rule.clone(),
                file,
                line,
                subject: subject.to_string(),
                what: what.into(),
                fix: fix.into(),
            });
        }
    }
}
