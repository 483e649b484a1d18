//! `selvedge api`: descriptions looked at before anybody is served by them, and versions taken through their lives.

mod diff;
mod documents;
mod junit;
mod life;
mod lint;
mod list;
mod mending;
mod prove;
mod publish;
mod show;
mod suggest;
mod test;

pub(crate) use show::described;

use clap::{Args, Subcommand};
use client::Client;

use crate::exit::{Exit, Failure};
use crate::remote::Connection;

/// Look at descriptions of APIs, publish them, and take versions through their lives
///
/// A description is an OpenAPI 3.0 or 3.1 document, in YAML or JSON. References to other files are followed among the
/// files that are named; nothing is fetched.
///
/// An API has versions, a version is described by a revision, and a binding says what answers it. These commands write
/// the same objects that `selvedge get apiversions` shows.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge api lint petstore.yaml                         what is wrong with it
  selvedge api diff petstore-1.yaml petstore-2.yaml       what a change breaks
  selvedge api test petstore.yaml --url http://127.0.0.1:8080
  selvedge api diff --suggest-shim pets-1.yaml pets-2.yaml > binding.yaml
  selvedge api prove pets-1.yaml pets-2.yaml --shim binding.yaml
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
    Lint(lint::Arguments),
    Diff(diff::Arguments),
    Test(test::Arguments),
    Prove(prove::Arguments),
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
        Action::Lint(arguments) => lint::run(arguments),
        Action::Diff(arguments) => diff::run(arguments),
        Action::Test(arguments) => test::run(arguments),
        Action::Prove(arguments) => prove::run(arguments),
        Action::Publish(publish) => publish.run(),
        Action::List(list) => list.run(),
        Action::Show(show) => show.run(),
        Action::Promote(promote) => promote.run(),
        Action::Rollback(rollback) => rollback.run(),
        Action::Deprecate(deprecate) => deprecate.run(),
        Action::Retire(retire) => retire.run(),
    }
}

/// All of these are operations of a description.
fn known(description: &apis::Description, keys: &[String]) -> Result<(), Failure> {
    let Some(unknown) = keys.iter().find(|key| description.operation(key).is_none()) else { return Ok(()) };
    let all = description.operations.iter().map(|operation| operation.key.as_str());
    let near = model::suggest::did_you_mean(unknown, all);
    let hint =
        near.unwrap_or_else(|| "a key is the method and the path with `{}` for each parameter".to_owned());
    Err(Failure::new(Exit::Usage, format!("there is no operation `{unknown}`"), hint))
}
