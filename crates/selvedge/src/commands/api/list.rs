//! `selvedge api list`

use clap::Args;
use client::{Collection, ListOptions};
use model::kinds::KindName;

use super::Place;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::{block_on, failure};
use crate::show::table::Table;

/// List the versions of APIs: where each is in its life, and what describes it
#[derive(Debug, Args)]
pub struct Arguments {
    /// Those of every namespace
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    #[command(flatten)]
    place: Place,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let (client, namespace) = self.place.open()?;
        let collection = match self.all_namespaces {
            true => Collection::everywhere(KindName::ApiVersion),
            false => Collection::within(KindName::ApiVersion, &namespace),
        };
        let answer =
            block_on(async { client.table(&collection, &ListOptions::default()).await.map_err(failure) })?;
        match Table::of_server(&answer, true, self.all_namespaces).filter(|table| !table.is_empty()) {
            Some(table) => table.lines(true).iter().for_each(output::data),
            None => output::note("no APIs; `selvedge api publish FILE` makes one"),
        }
        Ok(Exit::Success)
    }
}
