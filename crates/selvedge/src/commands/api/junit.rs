//! Outcomes of generated requests as JUnit XML.

use std::fmt::Write as _;

use apis::lint::escaped;

use super::test::Outcome;

/// The report: a test for each request.
pub fn report(outcomes: &[Outcome]) -> String {
    let failed = outcomes.iter().filter(|outcome| !outcome.faults.is_empty()).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"selvedge api test\" tests=\"{}\" failures=\"{failed}\">\n",
        outcomes.len()
    );
    for Outcome { case, faults } in outcomes {
        let (class, name) = (escaped(case.operation.as_str()), escaped(&case.name));
        let _cannot_fail = write!(text, "  <testcase classname=\"{class}\" name=\"{name}\"");
        if faults.is_empty() {
            text.push_str("/>\n");
            continue;
        }
        let list: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let _cannot_fail = write!(
            text,
            ">\n    <failure message=\"{}\">{}</failure>\n  </testcase>\n",
            escaped(&format!("{} {}", case.method, case.target)),
            escaped(&list.join("\n"))
        );
    }
    text.push_str("</testsuite>\n");
    text
}
