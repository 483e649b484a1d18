//! `selvedge api`: descriptions of APIs, looked at before anybody is served by them.

mod diff;
mod documents;
mod junit;
mod lint;
mod test;

use clap::{Args, Subcommand};

use crate::exit::{Exit, Failure};

/// Look at descriptions of APIs: what is wrong, what a change breaks, whether a service keeps to one
///
/// A description is an OpenAPI 3.0 or 3.1 document, in YAML or JSON. References to other files are followed among the
/// files that are named; nothing is fetched.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge api lint petstore.yaml
  selvedge api lint --output sarif api/openapi.yaml api/schemas > lint.sarif
  selvedge api diff petstore-1.yaml petstore-2.yaml
  selvedge api test petstore.yaml --url http://127.0.0.1:8080")]
pub struct Arguments {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    Lint(lint::Arguments),
    Diff(diff::Arguments),
    Test(test::Arguments),
}

/// Answers.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.question {
        Question::Lint(arguments) => lint::run(arguments),
        Question::Diff(arguments) => diff::run(arguments),
        Question::Test(arguments) => test::run(arguments),
    }
}
