//! `selvedge api prove`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use apis::shim::{self, Failed, Proof, Side};
use clap::Args;
use model::kinds::ApiBinding;
use model::kinds::shim::Shim;
use serde_json::{Value, json};

use super::documents;
use crate::commands::OutputForm;
use crate::exit::{Exit, Failure};
use crate::output;

/// Tell whether clients of an old version are served by the upstream of a new one, behind a shim
///
/// Requests that keep to the old description are put through the shim and must keep to the new one; answers that keep
/// to the new description must come out as the old one promises. Nothing is sent anywhere. The cases are always the
/// same ones: the least, the most and many drawn by chance.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge api prove pets-1.yaml pets-2.yaml --shim binding.yaml
  selvedge api prove old/ new/ --shim binding.yaml --operation 'GET /pets/{}' -o json
  selvedge api prove pets-1.yaml pets-2.yaml            which clients need a shim at all
Exit code 6 means that some message is not served, 0 that all are.")]
pub struct Arguments {
    /// The description that clients know: a file, or a directory of files
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The description of what the upstream speaks
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// A file with an APIBinding that has a shim; without it, the two are compared as they are
    #[arg(long, value_name = "FILE")]
    shim: Option<PathBuf>,
    /// Only this operation of the old version; may be given more than once
    #[arg(long = "operation", value_name = "KEY")]
    operations: Vec<String>,
    /// Form of the result
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: OutputForm,
}

/// A shim, and the operations it is for.
struct Meant {
    name: String,
    shim: Shim,
    operations: Vec<Arc<str>>,
}

/// Reads, proves and prints.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let read = |path: &PathBuf| documents::description(std::slice::from_ref(path), &[]);
    let (old, new) = (read(&arguments.old)?, read(&arguments.new)?);
    super::known(&old, &arguments.operations)?;
    let mut whole = Proof::default();
    let keys: Vec<Arc<str>> = old
        .operations
        .iter()
        .map(|operation| operation.key.text())
        .filter(|key| {
            arguments.operations.is_empty() || arguments.operations.iter().any(|asked| **asked == **key)
        })
        .collect();
    for Meant { name, shim, operations } in meant(arguments.shim.as_deref(), &keys)? {
        if operations.is_empty() {
            continue; // none of these would mean all of them
        }
        let both = (&old.operations[..], &new.operations[..]);
        let proof = shim::prove(&name, &shim, both, &operations).map_err(|wrong| refused(&wrong))?;
        whole.requests += proof.requests;
        whole.answers += proof.answers;
        whole.failures += proof.failures;
        whole.failed.extend(proof.failed);
        whole.untried.extend(proof.untried);
    }
    match arguments.output {
        OutputForm::Json => output::data(format_args!("{:#}", object(&whole))),
        OutputForm::Text => {
            whole.failed.iter().map(told).for_each(output::data);
            for (operation, why) in &whole.untried {
                output::note(format_args!("{operation} was not tried: {why}"));
            }
            output::note(summary(&whole));
        }
    }
    Ok(if whole.holds() { Exit::Success } else { Exit::Unmet })
}

/// The shims of a file, each with those of the operations that it is for.
fn meant(path: Option<&Path>, keys: &[Arc<str>]) -> Result<Vec<Meant>, Failure> {
    let Some(path) = path else {
        let shim = Shim { version: "".into(), operations: Vec::new(), bodies: Default::default() };
        return Ok(vec![Meant { name: String::new(), shim, operations: keys.to_vec() }]);
    };
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|problem| {
        Failure::machine(format!("cannot read {file}: {problem}"), "check the path and its permissions")
    })?;
    let read = model::yaml::read_bytes(&bytes, &file);
    if !read.violations.is_empty() {
        return Err(Failure::refused(&read.violations));
    }
    let mut found = Vec::new();
    for resource in read.resources.iter() {
        let Some(binding) = resource.content::<ApiBinding>() else { continue };
        let name = format!("APIBinding {}", resource.key.place());
        for target in binding.spec.targets() {
            let Some(shim) = target.shim.clone() else { continue };
            let is_answered =
                |key: &&Arc<str>| binding.spec.target(key).is_some_and(|own| std::ptr::eq(own, target));
            let operations = keys.iter().filter(is_answered).cloned().collect();
            found.push(Meant { name: name.clone(), shim, operations });
        }
    }
    if found.is_empty() {
        let hint = "a shim stands beside `backendRefs`, in `default` or in one of `operations`";
        return Err(Failure::new(Exit::Usage, format!("{file} has no APIBinding with a shim"), hint));
    }
    Ok(found)
}

pub(super) fn refused(wrong: &[apis::Problem]) -> Failure {
    let list: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    let noun = if wrong.len() == 1 { "mistake" } else { "mistakes" };
    Failure::refused(format_args!(
        "{} {noun} in the shim; nothing was tried\n{}",
        wrong.len(),
        list.join("\n")
    ))
}

fn word(side: Side) -> &'static str {
    match side {
        Side::Request => "request",
        Side::Answer => "answer",
    }
}

fn told(failed: &Failed) -> String {
    let Failed { operation, side, case, sent, became, faults } = failed;
    let mut text = format!("{operation}  {}: {case}\n    sent    {sent}", word(*side));
    if !became.is_empty() {
        text.push_str(&format!("\n    became  {became}"));
    }
    faults.iter().for_each(|fault| text.push_str(&format!("\n    {fault}")));
    text
}

pub(super) fn summary(proof: &Proof) -> String {
    let Proof { requests, answers, failures, .. } = proof;
    match failures {
        0 => format!("{requests} requests and {answers} answers: all are served"),
        _ => format!("{requests} requests and {answers} answers: {failures} are not served"),
    }
}

fn object(proof: &Proof) -> Value {
    let faults = |failed: &Failed| -> Value {
        let list = failed.faults.iter();
        list.map(|fault| {
            json!({ "place": fault.place.to_string(), "pointer": fault.pointer, "rule": fault.rule, "what": fault.what })
        })
        .collect()
    };
    let failed = proof.failed.iter().map(|failed| {
        json!({
            "operation": failed.operation.as_str(),
            "side": word(failed.side),
            "case": failed.case,
            "sent": failed.sent,
            "became": failed.became,
            "faults": faults(failed),
        })
    });
    json!({
        "requests": proof.requests,
        "answers": proof.answers,
        "failures": proof.failures,
        "failed": failed.collect::<Vec<_>>(),
        "untried": proof.untried.iter().map(|(operation, why)| json!({ "operation": operation.as_str(), "why": why })).collect::<Vec<_>>(),
    })
}
