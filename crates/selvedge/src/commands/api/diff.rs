//! `selvedge api diff`

use std::path::PathBuf;

use apis::diff::{Change, Class, compare};
use clap::Args;
use serde_json::{Value, json};

use super::{documents, suggest};
use crate::commands::OutputForm;
use crate::exit::{Exit, Failure};
use crate::output;

/// Tell what has changed between two descriptions, and what of it breaks callers
///
/// What callers send may only be taken more widely, what they get may only become narrower. Where that cannot be told,
/// the change is `unknown` and counts as breaking.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge api diff petstore-1.yaml petstore-2.yaml
  selvedge api diff --breaking -o json old/ new/
  selvedge api diff --overlay public.yaml petstore-1.yaml petstore-2.yaml   as the public sees it
  selvedge api diff --suggest-shim pets-1.yaml pets-2.yaml > binding.yaml
Exit code 7 means that something breaks, 0 that nothing does; with --suggest-shim, 6 that some message is not served by
the shim, 0 that all are.")]
pub struct Arguments {
    /// The description that callers know: a file, or a directory of files
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The description that is to come
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Changes to lay over both (OpenAPI Overlay), in their order; may be given more than once
    #[arg(long = "overlay", value_name = "FILE")]
    both: Vec<PathBuf>,
    /// Changes to lay over the old one, after those over both
    #[arg(long, value_name = "FILE")]
    overlay_old: Vec<PathBuf>,
    /// Changes to lay over the new one, after those over both
    #[arg(long, value_name = "FILE")]
    overlay_new: Vec<PathBuf>,
    /// Leave out what is compatible
    #[arg(long)]
    breaking: bool,
    /// Print an APIBinding with a shim instead, by which clients of OLD live on an upstream that speaks NEW
    ///
    /// Names that were changed can only be guessed: every guess, and everything that no shim can do, stands in front as
    /// a comment. What it is worth is proved at once, as `selvedge api prove` does it.
    #[arg(long, conflicts_with_all = ["breaking", "output"])]
    suggest_shim: bool,
    /// Form of the result
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: OutputForm,
}

/// Reads, compares and prints.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let read = |path: &PathBuf, own: &[PathBuf]| {
        let overlays = documents::read(&[&arguments.both[..], own].concat())?;
        documents::description(std::slice::from_ref(path), &overlays)
    };
    let old = read(&arguments.old, &arguments.overlay_old)?;
    let new = read(&arguments.new, &arguments.overlay_new)?;
    if arguments.suggest_shim {
        return suggest::run(&old, &new);
    }
    let mut changes = compare(&old, &new);
    let breaks = changes.iter().any(|change| change.class.breaks());
    if arguments.breaking {
        changes.retain(|change| change.class.breaks());
    }
    match arguments.output {
        OutputForm::Json => output::data(format_args!("{:#}", changes.iter().map(object).collect::<Value>())),
        OutputForm::Text => {
            changes.iter().for_each(output::data);
            output::note(summary(&changes));
        }
    }
    Ok(if breaks { Exit::Differs } else { Exit::Success })
}

fn summary(changes: &[Change]) -> String {
    let count = |class| changes.iter().filter(|change| change.class == class).count();
    match (count(Class::Breaking), count(Class::Unknown), count(Class::Compatible)) {
        (0, 0, 0) => "nothing that callers could notice has changed".to_owned(),
        (breaking, unknown, compatible) => {
            format!("{breaking} breaking, {unknown} unknown (counts as breaking), {compatible} compatible")
        }
    }
}

fn object(change: &Change) -> Value {
    json!({
        "class": change.class.word(),
        "operation": change.operation.as_ref().map(apis::OpKey::as_str),
        "place": change.place,
        "rule": change.rule,
        "what": change.what,
        "line": change.line,
    })
}
