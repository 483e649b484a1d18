//! `selvedge api lint`

use std::path::PathBuf;

use apis::lint::{Finding, Severity, junit, lint, sarif};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::documents;
use crate::exit::{Exit, Failure};
use crate::output;

/// Tell what is wrong with a description, and what its callers will stumble over
///
/// Every finding names its rule, its place and a way out. `--rules` lists the rules with their reasons.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge api lint petstore.yaml
  selvedge api lint -o junit petstore.yaml > lint.xml
  selvedge api lint --ignore operation-id --fail-on warning petstore.yaml
Exit code 1 means that something was found that is as bad as --fail-on, 0 that nothing was.")]
pub struct Arguments {
    /// The description, and files or directories that it refers to
    #[arg(value_name = "FILE|DIR", required_unless_present = "rules")]
    files: Vec<PathBuf>,
    /// A rule to leave out; may be given more than once
    #[arg(long, value_name = "RULE")]
    ignore: Vec<String>,
    /// From which severity on the exit code says no
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    fail_on: FailOn,
    /// List the rules
    #[arg(long)]
    rules: bool,
    /// Form of the result
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Broken things only.
    Error,
    /// Things somebody will stumble over, too.
    Warning,
    /// Everything.
    Hint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// SARIF 2.1.0, for code hosts.
    Sarif,
    /// JUnit XML, for build servers.
    Junit,
}

/// Reads, looks and prints.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.rules {
        for rule in apis::lint::rules::ALL {
            output::data(format_args!("{:<8} {:<26} {}", rule.severity.word(), rule.id, rule.reason));
        }
        return Ok(Exit::Success);
    }
    known(&arguments.ignore)?;
    let mut findings = lint(&documents::read(&arguments.files)?);
    findings.retain(|finding| !arguments.ignore.iter().any(|ignored| ignored == finding.rule.id));
    match arguments.output {
        Form::Text => {
            findings.iter().for_each(output::data);
            output::note(summary(&findings));
        }
        Form::Json => output::data(format_args!("{:#}", findings.iter().map(object).collect::<Value>())),
        Form::Sarif => output::data(format_args!("{:#}", sarif(&findings))),
        Form::Junit => output::data(junit(&findings).trim_end()),
    }
    let worst = match arguments.fail_on {
        FailOn::Error => Severity::Error,
        FailOn::Warning => Severity::Warning,
        FailOn::Hint => Severity::Hint,
    };
    let bad = findings.iter().any(|finding| finding.rule.severity <= worst);
    Ok(if bad { Exit::Refused } else { Exit::Success })
}

/// A rule that does not exist would be ignored for ever.
fn known(ignored: &[String]) -> Result<(), Failure> {
    let all = || apis::lint::rules::ALL.iter().map(|rule| rule.id);
    match ignored.iter().find(|ignored| !all().any(|known| known == **ignored)) {
        None => Ok(()),
        Some(unknown) => {
            let near = model::suggest::did_you_mean(unknown, all());
            let hint = near.unwrap_or_else(|| "`selvedge api lint --rules` lists the rules".to_owned());
            Err(Failure::new(Exit::Usage, format!("there is no rule `{unknown}`"), hint))
        }
    }
}

fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.rule.severity == severity).count();
    match (count(Severity::Error), count(Severity::Warning), count(Severity::Hint)) {
        (0, 0, 0) => "nothing was found".to_owned(),
        (errors, warnings, hints) => format!("{errors} errors, {warnings} warnings, {hints} hints"),
    }
}

fn object(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule.id,
        "severity": finding.rule.severity.word(),
        "file": &*finding.file,
        "line": finding.line,
        "subject": finding.subject,
        "what": finding.what,
        "fix": finding.fix,
    })
}
