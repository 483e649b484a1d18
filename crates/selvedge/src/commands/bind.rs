//! `selvedge bind`

use clap::Args;

use super::api::described;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::product::bind::{Answering, Upstream, bind, operations};
use crate::product::version;
use crate::remote::{Connection, block_on};

/// Say what answers an API: an upstream or a mock, for all of it or for some operations
///
/// URL, plans and documentation stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge bind petstore --upstream http://127.0.0.1:9000
  selvedge bind petstore --upstream http://127.0.0.1:9000/v2 --operation 'GET /pets/{}'
  selvedge bind petstore-v1 --mock                           back to answers out of the description")]
pub struct Arguments {
    /// Name of a version, or of an API that has one
    #[arg(value_name = "API")]
    api: String,
    /// Where the service is: http://HOST:PORT, perhaps with the path behind which it has its operations
    #[arg(long, value_name = "URL", required_unless_present = "mock", conflicts_with = "mock")]
    upstream: Option<Upstream>,
    /// Answer out of the description
    #[arg(long)]
    mock: bool,
    /// Only this operation, such as 'GET /pets/{}'; may be given more than once
    #[arg(long = "operation", value_name = "OPERATION")]
    operations: Vec<String>,
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.connection.open()?;
    let namespace = arguments.namespace.clone().unwrap_or_else(|| client.endpoint().namespace.clone());
    block_on(async {
        let version = version(&client, &namespace, &arguments.api).await?;
        let answering = match &arguments.upstream {
            Some(upstream) => Answering::Upstream(upstream.clone()),
            None => Answering::Mock,
        };
        let revision = version.text("/spec/revision");
        let revision = Some(revision).filter(|revision| !revision.is_empty());
        let named = match (arguments.operations.is_empty(), described(&client, &namespace, revision).await?) {
            (true, _) | (false, None) => arguments.operations.clone(),
            (false, Some(description)) => operations(&description, &arguments.operations)?,
        };
        bind(&client, &version, &answering, &named).await?;
        let what = if named.is_empty() { "everything".to_owned() } else { named.join(", ") };
        let who =
            arguments.upstream.as_ref().map_or("a mock".to_owned(), |upstream| upstream.authority.clone());
        output::data(format_args!("apiversion/{}: {what} is answered by {who} now", version.name()));
        Ok(Exit::Success)
    })
}
