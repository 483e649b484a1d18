//! Findings as JUnit XML, which build servers show as tests: a test for each rule, failed where it found something.

use std::fmt::Write as _;

use super::{Finding, Rule, Severity};

/// The report of what was found by some rules.
#[must_use]
pub fn junit(findings: &[Finding], rules: &[Rule]) -> String {
    let failed = |rule: &Rule| findings.iter().filter(|finding| finding.rule == *rule).collect::<Vec<_>>();
    let counted =
        rules.iter().filter(|rule| rule.severity != Severity::Hint && !failed(rule).is_empty()).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"selvedge api lint\" tests=\"{}\" failures=\"{counted}\">\n",
        rules.len()
    );
    for rule in rules {
        let found = failed(rule);
        let _cannot_fail = write!(text, "  <testcase classname=\"lint\" name=\"{}\"", rule.id);
        // A hint fails no build.
        if found.is_empty() || rule.severity == Severity::Hint {
            text.push_str("/>\n");
            continue;
        }
        let all: Vec<String> = found.iter().map(ToString::to_string).collect();
        let _cannot_fail = write!(
            text,
            ">\n    <failure message=\"{}\">{}</failure>\n  </testcase>\n",
            escaped(&rule.reason),
            escaped(&all.join("\n"))
        );
    }
    text.push_str("</testsuite>\n");
    text
}

/// Text for XML 1.0, which has no way to write most control characters.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
