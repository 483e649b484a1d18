//! `selvedge usage`

mod check;
mod export;
mod sums;

use clap::{Args, Subcommand};
use client::Client;
use model::units::GatewayDuration;
use serde_json::Value;

use crate::clock;
use crate::exit::{Exit, Failure};
use crate::remote::{block_on, failure};

/// What all paths begin with.
const ROOT: &str = "/usage.selvedge.dev/v1";

/// See who has called what, whether the counts agree, and hand them on
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  selvedge usage                                every application, by operation
  selvedge usage --app mobile --by operation,day --since 168h
  selvedge usage -A --by plan -o csv > usage.csv
  selvedge usage check                          do both counts agree?
  selvedge usage export --after \"$CURSOR\"       final minutes as CloudEvents
A namespace sees what its applications have called, and what was called of its APIs.
`REQUESTS` are those that count for a bill: what the gateway refused or could not answer is in
`REFUSED` only."
)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    sums: sums::Sums,
}

#[derive(Debug, Subcommand)]
enum Action {
    Check(check::Check),
    Export(export::Export),
}

/// Of which time.
#[derive(Clone, Debug, Args)]
struct Time {
    /// How far back: 90m, 24h, 720h [default: 720h, 30 days]
    #[arg(long, value_name = "TIME")]
    since: Option<GatewayDuration>,
}

/// Where.
#[derive(Clone, Debug, Args)]
struct Where {
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Of every namespace
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        None => block_on(arguments.sums.run()),
        Some(Action::Check(check)) => block_on(check.run()),
        Some(Action::Export(export)) => block_on(export.run()),
    }
}

impl Time {
    /// The first second, since 1970; `None` when nobody said.
    fn from(&self) -> Option<u64> {
        let since = self.since?.get();
        let now = clock::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Some(now.saturating_sub(since).as_secs())
    }
}

impl Where {
    /// The namespace that is meant; `None` for all.
    fn namespace(&self, client: &Client) -> Option<String> {
        let own = || client.endpoint().namespace.clone();
        (!self.all_namespaces).then(|| self.namespace.clone().unwrap_or_else(own))
    }
}

/// Asks for a document below the root.
async fn ask(client: &Client, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
    client.document(&target(path, query)).await.map_err(failure)
}

/// A path below the root with parameters.
fn target(path: &str, query: &[(&str, String)]) -> String {
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{ROOT}{path}{mark}{}", query.join("&"))
}

/// A value in a query (RFC 3986, section 2.1).
fn encoded(value: &str) -> String {
    value.bytes().fold(String::with_capacity(value.len()), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' | b'/' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}
