//! Every failure in the table is raised somewhere, and nowhere is a code spelled out by hand.
//!
//! A row that nothing raises documents behaviour that does not exist.

use super::Finding;
use super::source::Source;
use std::collections::BTreeSet;

const TABLE: &str = "crates/proxy/src/failure.rs";

/// Checks the table against the rest of the proxy.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let Some(table) = sources.iter().find(|source| source.path == TABLE) else { return Vec::new() };
    let used: BTreeSet<&str> = sources
        .iter()
        .filter(|source| source.path.starts_with("crates/") && source.path != TABLE)
        .flat_map(|source| source.tokens.iter())
        .map(|token| token.text.as_str())
        .collect();

    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for (name, code, line) in rows(table) {
        if !seen.insert(code.clone()) {
            findings.push(Finding::new(
                "failure",
                TABLE,
                line,
                format!("code {code} stands twice in the table"),
            ));
        }
        if !used.contains(name.as_str()) {
            findings.push(Finding::new("failure", TABLE, line, format!("nothing raises `{name}`")));
        }
    }
    findings
}

/// Rows look like `Name => "code", …;`.
fn rows(table: &Source) -> Vec<(String, String, usize)> {
    let is_name = |text: &str| text.starts_with(|first: char| first.is_ascii_uppercase());
    let is_code = |text: &str| text.starts_with('"');
    table
        .tokens
        .windows(4)
        .filter(|row| {
            is_name(&row[0].text) && row[1].text == "=" && row[2].text == ">" && is_code(&row[3].text)
        })
        .map(|row| (row[0].text.clone(), row[3].text.clone(), row[0].line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(table: &str, code: &str) -> Vec<String> {
        let sources =
            [Source::parse(TABLE, table).unwrap(), Source::parse("crates/proxy/src/route.rs", code).unwrap()];
        check(&sources).into_iter().map(|finding| finding.problem).collect()
    }

    #[test]
    fn a_failure_that_nothing_raises_is_found() {
        let table = "failures! { NoRoute => \"no_route\", 404; Lost => \"lost\", 500; }";

        assert_eq!(problems(table, "fn a() { Failure::NoRoute; }"), ["nothing raises `Lost`"]);
    }

    #[test]
    fn one_code_for_two_failures_is_found() {
        let table = "failures! { A => \"same\", 404; B => \"same\", 500; }";

        assert_eq!(problems(table, "fn a() { (A, B); }"), ["code \"same\" stands twice in the table"]);
    }
}
