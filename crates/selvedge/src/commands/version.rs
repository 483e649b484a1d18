//! `selvedge version`

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::output;

/// Show the version
#[derive(Debug, Args)]
pub struct Arguments {}

/// Prints name and version.
pub fn run(_arguments: &Arguments) -> Result<Exit, Failure> {
    output::data(format_args!("selvedge {}", env!("CARGO_PKG_VERSION")));
    Ok(Exit::Success)
}
