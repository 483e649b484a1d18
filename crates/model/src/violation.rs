//! What is wrong with what a user wrote, all of it at once.
//!
//! The message is the interface: each violation says where (file, line, resource, field), what, and what to do
//! about it. Nobody should have to apply a file five times to learn of five mistakes.

use std::fmt;
use std::sync::Arc;

use crate::names::ResourceKey;
use crate::path::FieldPath;

/// Most violations that are kept. More are counted, not stored: a hostile file must not fill the memory.
pub const VIOLATIONS_KEPT_MAX: usize = 1_000;

/// What is wrong with a value and what helps, before it is known where the value stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Problem {
    /// What is wrong, as the end of a sentence about the value.
    pub problem: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Problem {
    /// A problem without a remedy yet.
    #[must_use]
    pub fn new(problem: impl Into<String>) -> Self {
        Problem { problem: problem.into(), remedy: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// What a violation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A resource with a proper key.
    Resource(ResourceKey),
    /// A document that has no proper key; its kind and name as far as they could be read.
    Document(Arc<str>),
    /// The file as such.
    File,
}

impl From<&ResourceKey> for Subject {
    fn from(key: &ResourceKey) -> Self {
        Subject::Resource(key.clone())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Resource(key) => write!(f, "{} {}", key.kind, key.place()),
            Subject::Document(text) => f.write_str(text),
            Subject::File => Ok(()),
        }
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What it is about.
    pub resource: Subject,
    /// File it stands in; `None` when it came from elsewhere.
    pub file: Option<Arc<str>>,
    /// Line in the file, from 1.
    pub line: Option<u32>,
    /// Field, from the root of the resource.
    pub field: FieldPath,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl fmt::Display for Violation {
    /// The three-line form that `selvedge validate` prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("  ")?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}")?,
            (Some(file), None) => write!(f, "{file}")?,
            (None, _) => f.write_str("(no file)")?,
        }
        for part in [self.resource.to_string(), self.field.to_string()] {
            if !part.is_empty() {
                write!(f, "  {part}")?;
            }
        }
        write!(f, "\n    {}", one_line(&self.problem))?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n    hint: {}", one_line(remedy)),
            None => Ok(()),
        }
    }
}

/// Messages quote what users wrote; control characters in it must not forge lines or colours of a terminal.
fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Violations collected so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    kept: Vec<Violation>,
    dropped: usize,
}

impl Violations {
    /// None so far.
    #[must_use]
    pub fn new() -> Self {
        Violations::default()
    }

    /// Adds one; past [`VIOLATIONS_KEPT_MAX`] it is only counted.
    pub fn add(&mut self, violation: Violation) {
        if self.kept.len() < VIOLATIONS_KEPT_MAX {
            self.kept.push(violation);
        } else {
            self.dropped += 1;
        }
    }

    /// Takes over all of another collection.
    pub fn extend(&mut self, other: Violations) {
        self.dropped += other.dropped;
        other.kept.into_iter().for_each(|violation| self.add(violation));
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many there are, those not kept included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len() + self.dropped
    }

    /// The violations in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.kept.iter()
    }

    /// Forgets files and lines, for what was not read from any.
    pub(crate) fn forget_places(&mut self) {
        self.kept.iter_mut().for_each(|violation| (violation.file, violation.line) = (None, None));
    }

    /// Sorts by file and line, so that a report reads in the order of the text.
    pub fn sort(&mut self) {
        self.kept.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.len() == 1 { "problem" } else { "problems" };
        write!(f, "error: {} {noun}{}; nothing was applied", self.len(), self.place())?;
        for violation in &self.kept {
            write!(f, "\n{violation}")?;
        }
        match self.dropped {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl Violations {
    /// ` in shop.yaml`, ` in 2 files`, or nothing when there was no file.
    fn place(&self) -> String {
        let mut files: Vec<&str> = self.kept.iter().filter_map(|v| v.file.as_deref()).collect();
        files.sort_unstable();
        files.dedup();
        match files.as_slice() {
            [] => String::new(),
            [file] => format!(" in {file}"),
            more => format!(" in {} files", more.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(file: &str, line: u32) -> Violation {
        Violation {
            resource: Subject::Document("Route shop/checkout".into()),
            file: Some(file.into()),
            line: Some(line),
            field: FieldPath::root().field("rules").index(0),
            problem: "no Service `shop/cart` exists".into(),
            remedy: Some("create it, or did you mean `shop/carts`?".into()),
        }
    }

    #[test]
    fn a_report_names_file_line_resource_field_problem_and_remedy() {
        let mut found = Violations::new();
        found.add(violation("shop.yaml", 14));

        assert_eq!(
            found.to_string(),
            "error: 1 problem in shop.yaml; nothing was applied\n  \
             shop.yaml:14  Route shop/checkout  rules[0]\n    \
             no Service `shop/cart` exists\n    \
             hint: create it, or did you mean `shop/carts`?"
        );
    }

    #[test]
    fn a_report_over_files_counts_them() {
        let mut found = Violations::new();
        found.add(violation("b.yaml", 2));
        found.add(violation("a.yaml", 9));
        found.sort();

        assert!(
            found.to_string().starts_with("error: 2 problems in 2 files; nothing was applied\n  a.yaml:9")
        );
    }

    #[test]
    fn a_flood_is_counted_but_not_kept() {
        let mut found = Violations::new();
        (0..VIOLATIONS_KEPT_MAX + 5).for_each(|_| found.add(violation("a.yaml", 1)));

        assert_eq!(found.len(), VIOLATIONS_KEPT_MAX + 5);
        assert_eq!(found.iter().count(), VIOLATIONS_KEPT_MAX);
        assert!(found.to_string().ends_with("and 5 more"));
    }

    #[test]
    fn quoted_text_cannot_forge_lines_of_the_report() {
        let mut forged = violation("a.yaml", 1);
        forged.problem = "`x\n  b.yaml:1  fine\u{1b}[2J` is unknown".into();

        assert_eq!(forged.to_string().lines().count(), 3);
        assert!(!forged.to_string().contains('\u{1b}'));
    }
}
