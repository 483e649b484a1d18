//! `selvedge version`

use clap::Args;
use client::kubeconfig::Environment;
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::{Connection, block_on, failure};

/// Show the version of this program, and of the control plane if one is known
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge version
  selvedge version --client                    asks nobody")]
pub struct Arguments {
    /// Only that of this program
    #[arg(long)]
    client: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Prints name and version; a control plane that nobody set up is not missed.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    output::data(format_args!("selvedge {}", env!("CARGO_PKG_VERSION")));
    let is_expected = arguments.connection.is_named() || is_set_up();
    if arguments.client || !is_expected {
        return Ok(Exit::Success);
    }
    let client = arguments.connection.open()?;
    let answer = block_on(async { client.document("/version").await.map_err(failure) })?;
    output::data(format_args!("control plane {} at {}", server(&answer), client.endpoint().server));
    Ok(Exit::Success)
}

fn is_set_up() -> bool {
    let environment = Environment::of_process();
    let written = environment.default_kubeconfig().is_some_and(|file| file.exists());
    environment.kubeconfig.is_some() || written
}

/// The version of a server as it tells it: ours stands behind that of the API, as in `v1.33.0+selvedge-0.1.0`.
pub fn server(answer: &Value) -> String {
    let told = answer["gitVersion"].as_str().unwrap_or_default();
    match told.split_once("+selvedge-") {
        Some((api, ours)) => format!("selvedge {ours} (API of Kubernetes {api})"),
        None if told.is_empty() => "of an unknown version".to_owned(),
        None => told.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn our_version_is_told_apart_from_that_of_the_api() {
        let told = |version: &str| server(&json!({ "gitVersion": version }));
        assert_eq!(told("v1.33.0+selvedge-0.1.0"), "selvedge 0.1.0 (API of Kubernetes v1.33.0)");
        assert_eq!(told("v1.31.2"), "v1.31.2");
        assert_eq!(server(&json!({})), "of an unknown version");
    }
}
