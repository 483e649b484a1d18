//! `selvedge api`

mod life;
mod list;
mod publish;
mod show;

pub(crate) use show::described;

use clap::{Args, Subcommand};
use client::Client;

use crate::exit::{Exit, Failure};
use crate::remote::Connection;

/// Publish APIs, see what there is, and take versions through their lives
///
/// An API has versions, a version is described by a revision, and a binding says what answers it. These commands write
/// the same objects that `selvedge get apiversions` shows.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge api publish petstore.yaml                      a description becomes something that can be called
  selvedge api list
  selvedge api show petstore                              operations, and what answers each
  selvedge bind petstore --upstream http://127.0.0.1:9000 swap the truth behind the same URL
  selvedge api rollback petstore                          back to the revision before
  selvedge api deprecate petstore-v1 --successor petstore-v2 --sunset 2027-06-01T00:00:00Z
  selvedge api retire petstore-v1")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Publish(publish::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    Promote(life::Promote),
    Rollback(life::Rollback),
    Deprecate(life::Deprecate),
    Retire(life::Retire),
}

/// Where the objects are.
#[derive(Debug, Args)]
struct Place {
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Place {
    fn open(&self) -> Result<(Client, String), Failure> {
        let client = self.connection.open()?;
        let namespace = self.namespace.clone().unwrap_or_else(|| client.endpoint().namespace.clone());
        Ok((client, namespace))
    }
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::Publish(publish) => publish.run(),
        Action::List(list) => list.run(),
        Action::Show(show) => show.run(),
        Action::Promote(promote) => promote.run(),
        Action::Rollback(rollback) => rollback.run(),
        Action::Deprecate(deprecate) => deprecate.run(),
        Action::Retire(retire) => retire.run(),
    }
}
