//! `selvedge api lint`

use std::path::PathBuf;

use apis::Document;
use apis::lint::{Finding, Rule, Ruleset, Severity, junit, lint_overlaid, sarif};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{documents, mending};
use crate::exit::{Exit, Failure};
use crate::output;

/// Tell what is wrong with a description, and what its callers will stumble over
///
/// Every finding names its rule, its place and a way out. `--rules` lists the rules with their reasons.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge api lint petstore.yaml
  selvedge api lint -o junit petstore.yaml > lint.xml
  selvedge api lint --ruleset house.yaml petstore.yaml
  selvedge api lint --overlay public.yaml petstore.yaml   what the public would see of it
  selvedge api lint --fix --dry-run petstore.yaml         what could be mended, as a difference
  selvedge api lint --ignore operation-id --fail-on warning petstore.yaml
Exit code 1 means that something was found that is as bad as --fail-on, 0 that nothing was.")]
pub struct Arguments {
    /// The description, and files or directories that it refers to
    #[arg(value_name = "FILE|DIR", required_unless_present = "rules")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    overlays: documents::Overlays,
    /// Rules to ask: a ruleset in the form of Spectral, as far as it is declarative
    #[arg(long, value_name = "FILE")]
    ruleset: Option<PathBuf>,
    /// A rule to leave out; may be given more than once
    #[arg(long, value_name = "RULE")]
    ignore: Vec<String>,
    /// Mend what can be mended without a choice, in the files themselves; comments and order stay
    #[arg(long, conflicts_with_all = ["overlays", "rules"])]
    fix: bool,
    /// With --fix: show what would change, and write nothing
    #[arg(long, requires = "fix")]
    dry_run: bool,
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
    let ruleset = ruleset(arguments.ruleset.as_ref())?;
    let rules = ruleset.rules();
    if arguments.rules {
        for rule in &rules {
            output::data(format_args!("{:<8} {:<26} {}", rule.severity.word(), rule.id, rule.reason));
        }
        return Ok(Exit::Success);
    }
    known(&arguments.ignore, &rules)?;
    let mut documents = documents::read(&arguments.files)?;
    if arguments.fix {
        let wanted = |rule: &Rule| !arguments.ignore.iter().any(|ignored| *ignored == rule.id);
        let tell: fn(String) = if arguments.output == Form::Text { output::data } else { output::note };
        mending::mend(&mut documents, &ruleset, wanted, arguments.dry_run, tell)?;
    }
    let mut findings = lint_overlaid(&documents, &arguments.overlays.read()?, &ruleset);
    findings.retain(|finding| !arguments.ignore.iter().any(|ignored| *ignored == finding.rule.id));
    match arguments.output {
        Form::Text => {
            findings.iter().for_each(output::data);
            output::note(summary(&findings));
        }
        Form::Json => output::data(format_args!("{:#}", findings.iter().map(object).collect::<Value>())),
        Form::Sarif => output::data(format_args!("{:#}", sarif(&findings, &rules))),
        Form::Junit => output::data(junit(&findings, &rules).trim_end()),
    }
    let worst = match arguments.fail_on {
        FailOn::Error => Severity::Error,
        FailOn::Warning => Severity::Warning,
        FailOn::Hint => Severity::Hint,
    };
    let bad = findings.iter().any(|finding| finding.rule.severity <= worst);
    Ok(if bad { Exit::Refused } else { Exit::Success })
}

/// Reads the ruleset, or takes ours.
fn ruleset(file: Option<&PathBuf>) -> Result<Ruleset, Failure> {
    let Some(file) = file else { return Ok(Ruleset::default()) };
    let text = std::fs::read_to_string(file).map_err(|problem| {
        Failure::machine(format!("cannot read {}: {problem}", file.display()), "name a ruleset")
    })?;
    Ruleset::read(&Document::new(file.display().to_string(), text)).map_err(|problems| {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::refused(format_args!(
            "the ruleset was not read, and nothing was looked at\n{}",
            list.join("\n")
        ))
    })
}

/// A rule that does not exist would be ignored for ever.
fn known(ignored: &[String], rules: &[Rule]) -> Result<(), Failure> {
    let all = || rules.iter().map(|rule| &*rule.id);
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
