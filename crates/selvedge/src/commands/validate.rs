//! `selvedge validate`
#![allow(
    clippy::disallowed_methods,
    reason = "real time enters the program in its binary: is this certificate valid today?"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;
use control::{ControlPlane, Options, Snapshot};
use serde_json::{Value, json};

use crate::clock;
use crate::commands::OutputForm;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::show::spoken;

/// Check configuration files and show what would become of every object
///
/// Mistakes are all reported at once, with file, line and a hint. Without mistakes it prints one line an object,
/// and below it what will not work as it stands: a route that no Gateway takes, a backend that does not exist.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge validate gateway.yaml
  selvedge validate gateways/ routes/
  selvedge validate -o json gateway.yaml
Exit code 1 means that there are mistakes; an object that is allowed but cannot work is none.")]
pub struct Arguments {
    /// Files, and directories of *.yaml, *.yml and *.json files
    #[arg(value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    /// Form of the result
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: OutputForm,
}

/// Reads, compiles and prints; nothing is bound or started.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut control = ControlPlane::new(Options { bind: IpAddr::V4(Ipv4Addr::LOCALHOST) });
    let snapshot = control.load(&arguments.files).map_err(Failure::refused)?;
    for warning in control.keyring().warnings(clock::now()) {
        output::note(format_args!("warning: {warning}"));
    }
    match arguments.output {
        OutputForm::Text => {
            let objects = snapshot.conditions.iter();
            objects.for_each(|object| output::data(spoken::text(object, &snapshot.resources)));
        }
        OutputForm::Json => output::data(format_args!("{:#}", objects(&snapshot))),
    }
    if !snapshot.conditions.all_good() {
        output::note("nothing here is forbidden, but what is marked `!!` will not work as it stands");
    }
    Ok(Exit::Success)
}

fn objects(snapshot: &Snapshot) -> Value {
    let object = |object: &engine::status::ObjectConditions| {
        let key = &object.resource.key;
        json!({
            "apiVersion": &*object.resource.api_version,
            "kind": &*key.kind,
            "metadata": {
                "name": key.name.as_str(),
                "namespace": key.namespace.as_ref().map(|namespace| namespace.as_str()),
            },
            "status": &*object.status,
        })
    };
    snapshot.conditions.iter().map(object).collect()
}
