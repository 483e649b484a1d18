//! Final minutes as CloudEvents.

use clap::Args;

use super::{Where, target};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::{Connection, failure};

/// Print minutes that will not change any more as a batch of CloudEvents
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge usage export -A > batch.json
  selvedge usage export -A --after \"$(jq -r '.[-1].selvedgecursor' batch.json)\"
Every event has an id that is the same whenever it is asked for. `selvedgecursor` of the last event
says where to go on.")]
pub(super) struct Export {
    /// Behind this cursor [default: from the beginning]
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Most events, up to 1000 at once; all that there are when absent
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    connection: Connection,
}

impl Export {
    pub(super) async fn run(&self) -> Result<Exit, Failure> {
        let client = self.connection.open()?;
        let namespace = self.place.namespace(&client);
        let path = namespace.map_or("/events".to_owned(), |name| format!("/namespaces/{name}/events"));
        let (mut after, mut is_first) = (self.after.clone(), true);
        output::data("[");
        loop {
            let mut query: Vec<_> = after.iter().map(|after| ("after", after.clone())).collect();
            query.extend(self.limit.map(|limit| ("limit", limit.to_string())));
            let events = client.documents(&target(&path, &query)).await.map_err(failure)?;
            for event in &events {
                output::data(format_args!("{}{event}", if is_first { "" } else { "," }));
                is_first = false;
            }
            after = events.last().and_then(|event| event["selvedgecursor"].as_str()).map(str::to_owned);
            if after.is_none() || self.limit.is_some() {
                output::data("]");
                return Ok(Exit::Success);
            }
        }
    }
}
