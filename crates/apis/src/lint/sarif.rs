//! Findings as SARIF 2.1.0, which code hosts show beside the lines.

use serde_json::{Value, json};

use super::{Finding, Rule, Severity};

/// The report of what was found by some rules.
#[must_use]
pub fn sarif(findings: &[Finding], rules: &[Rule]) -> Value {
    let rules: Vec<Value> = rules
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": { "text": rule.reason },
                "defaultConfiguration": { "level": level(rule) },
            })
        })
        .collect();
    let results: Vec<Value> = findings.iter().map(result).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "selvedge", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "results": results,
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let subject = if finding.subject.is_empty() { String::new() } else { format!("{} ", finding.subject) };
    json!({
        "ruleId": finding.rule.id,
        "level": level(&finding.rule),
        "message": { "text": format!("{subject}{}", finding.what) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": &*finding.file },
                "region": { "startLine": finding.line.max(1) },
            },
        }],
    })
}

fn level(rule: &Rule) -> &'static str {
    match rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    }
}
