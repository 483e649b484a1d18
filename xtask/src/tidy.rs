//! The house rules that no compiler checks.
//!
//! Each rule is a function from something parsed to findings, so each has a test with deliberately bad input.
//! All findings are reported at once; exceptions are data with a reason, and an exception that is no longer
//! needed is a finding itself.

mod allowed;
mod arrows;
mod bounds;
mod failures;
mod layout;
mod source;
mod stages;
mod unsafety;
mod words;

use crate::child;
use std::fmt;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name, as the allow-list spells it.
    rule: &'static str,
    /// File, relative to the root.
    path: String,
    /// Line, or 0 for the whole file.
    line: usize,
    /// What is wrong.
    problem: String,
    /// How much of it there is, for rules about size; the allow-list bounds it.
    size: usize,
}

impl Finding {
    fn new(rule: &'static str, path: &str, line: usize, problem: impl Into<String>) -> Finding {
        Finding { rule, path: path.to_owned(), line, problem: problem.into(), size: 0 }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}  {}: {}", self.path, self.line, self.rule, self.problem)
    }
}

/// Checks the whole repository.
pub fn run() -> Result<String, String> {
    let root = child::root();
    let mut findings = arrows::check(&arrows::Graph::of_this_workspace()?);
    findings.extend(arrows::check_manifests(&root)?);

    let (sources, unreadable) = source::all(&root)?;
    findings.extend(unreadable);
    for source in &sources {
        findings.extend(layout::check(source));
        findings.extend(unsafety::check(source));
        findings.extend(stages::check(source));
        findings.extend(bounds::check(source));
    }
    findings.extend(failures::check(&sources));
    findings.extend(words::check_all(&root)?);

    let findings = allowed::Allowed::read(&root)?.apply(findings);
    if findings.is_empty() {
        return Ok(format!("tidy: {} files, nothing to mend", sources.len()));
    }
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    Err(format!("{}\ntidy: {} findings in {} files", lines.join("\n"), findings.len(), sources.len()))
}
