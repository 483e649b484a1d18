//! Exceptions to the rules about size, as data that can only shrink.
//!
//! `xtask/tidy-allowed.txt` holds one exception a line: rule, file, most lines, reason. An exception that is no
//! longer needed, or larger than needed, is a finding, so the list cannot grow old.

use super::Finding;
use std::path::Path;

const FILE: &str = "xtask/tidy-allowed.txt";
/// Slack between an exception and the present size, so that deleting a line is not punished.
const SLACK_LINES: usize = 10;

/// The list.
pub struct Allowed {
    entries: Vec<Entry>,
}

struct Entry {
    rule: String,
    path: String,
    size_max: usize,
    line: usize,
}

impl Allowed {
    /// Reads the list.
    pub fn read(root: &Path) -> Result<Allowed, String> {
        Allowed::parse(&std::fs::read_to_string(root.join(FILE)).unwrap_or_default())
    }

    fn parse(text: &str) -> Result<Allowed, String> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_whitespace();
            let (rule, path, size, reason) = (words.next(), words.next(), words.next(), words.next());
            let (Some(rule), Some(path), Some(Ok(size_max)), Some(_)) =
                (rule, path, size.map(str::parse), reason)
            else {
                return Err(format!("{FILE}:{}: write `rule path lines reason`", index + 1));
            };
            let (rule, path) = (rule.to_owned(), path.to_owned());
            entries.push(Entry { rule, path, size_max, line: index + 1 });
        }
        Ok(Allowed { entries })
    }

    /// Takes out what is allowed and adds what is allowed without need.
    pub fn apply(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let mut largest = vec![0; self.entries.len()];
        let mut left = Vec::new();
        for finding in findings {
            let entry = self.entries.iter().position(|entry| entry.covers(&finding));
            match entry {
                Some(index) => largest[index] = largest[index].max(finding.size),
                None => left.push(finding),
            }
        }
        for (entry, size) in self.entries.iter().zip(largest) {
            if entry.size_max > size + SLACK_LINES {
                let problem = format!(
                    "{} {} is allowed {} lines, needs {size}",
                    entry.rule, entry.path, entry.size_max
                );
                left.push(Finding::new("allowed", FILE, entry.line, problem));
            }
        }
        left
    }
}

impl Entry {
    fn covers(&self, finding: &Finding) -> bool {
        self.rule == finding.rule && self.path == finding.path && (1..=self.size_max).contains(&finding.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(size: usize) -> Finding {
        Finding { size, ..Finding::new("file_length", "crates/a/src/b.rs", 0, "long") }
    }

    fn list() -> Allowed {
        Allowed::parse("# why\n\nfile_length crates/a/src/b.rs 600 one table\n").unwrap()
    }

    #[test]
    fn an_exception_holds_up_to_its_size_and_not_past_it() {
        assert!(list().apply(vec![finding(600)]).is_empty());
        assert_eq!(list().apply(vec![finding(601)])[0].rule, "file_length");
    }

    #[test]
    fn an_exception_that_is_no_longer_needed_is_a_finding() {
        assert_eq!(list().apply(Vec::new())[0].rule, "allowed");
        assert_eq!(list().apply(vec![finding(550)])[0].rule, "allowed");
    }

    #[test]
    fn an_exception_without_a_reason_is_refused() {
        assert!(Allowed::parse("file_length crates/a/src/b.rs 600").is_err());
    }

    #[test]
    fn a_rule_without_sizes_has_no_exceptions() {
        let allowed = Allowed::parse("unsafe crates/a/src/b.rs 600 please").unwrap();

        let left = allowed.apply(vec![Finding::new("unsafe", "crates/a/src/b.rs", 1, "no")]);

        assert_eq!(left[0].rule, "unsafe");
    }
}
