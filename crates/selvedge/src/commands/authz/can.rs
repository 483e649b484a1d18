//! `selvedge authz can`

use clap::Args;
use engine::authorization::Destination;
use engine::explain::{Judgement, Outcome, Question, explain};
use engine::request::RequestView;
use serde_json::json;

use super::caller::{Caller, Named};
use super::place::ServicePlace;
use super::{Read, World};
use crate::commands::OutputForm;
use crate::commands::explain::header;
use crate::exit::{Exit, Failure};
use crate::output::{self, GREEN, RED, styled};

/// Show whether a caller may do something, and which rule says so
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge authz can shop/web GET shop/cart:/items
  selvedge authz can ip:10.1.2.3 POST https://shop.example/orders -f gateway.yaml
  selvedge authz can spiffe://bank.example/ns/shop/sa/web CONNECT shop/db
FROM is a workload or service account as namespace/name, a SPIFFE ID, or ip:ADDRESS. TO is a Service as
namespace/name[:PORT][/PATH], judged as its sidecars judge, or the URL of a Gateway. CONNECT asks for a
connection that carries bytes.")]
pub struct Arguments {
    /// Who asks
    #[arg(value_name = "FROM")]
    from: Named,
    /// Method of the request, or CONNECT for bytes
    #[arg(value_name = "METHOD")]
    method: String,
    /// What is asked for
    #[arg(value_name = "TO")]
    to: String,
    /// A header field of the request; may be given more than once
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    #[command(flatten)]
    read: Read,
}

/// Asks and prints.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let world = arguments.read.world()?;
    let from = arguments.from.among(&world.resources);
    let judgement = if arguments.to.contains("://") {
        at_gateway(arguments, &from, &world)?
    } else {
        at_service(arguments, &from, &world)?
    };
    let Arguments { method, to, .. } = arguments;
    let source = judgement.by.as_ref().and_then(|said| world.source(said));
    match arguments.read.output {
        OutputForm::Json => output::data(format_args!(
            "{:#}",
            json!({ "from": from.text, "method": method, "to": to, "judgement": judgement, "source": source })
        )),
        OutputForm::Text => {
            let (word, colour) = if judgement.allowed { ("yes", GREEN) } else { ("no", RED) };
            let source = source.map(|source| format!(" ({source})")).unwrap_or_default();
            output::data(format_args!(
                "{}  {} {method} {to}\n  {judgement}{source}",
                styled(colour, word),
                from.text
            ));
        }
    }
    Ok(Exit::Success)
}

fn at_service(arguments: &Arguments, from: &Caller, world: &World) -> Result<Judgement, Failure> {
    let place = ServicePlace::parse(&arguments.to)?;
    let (authorization, port) = place.authorization(&world.resources)?;
    let Some(authorization) = authorization else {
        return Ok(Judgement { allowed: true, by: None, audits: Vec::new() });
    };
    let destination = Destination { port, server_name: None };
    let source = from.source();
    if arguments.method == "CONNECT" {
        return Ok(Judgement::new(&authorization.connection(&source, &destination)));
    }
    let (path, query) = place.path.as_deref().unwrap_or("/").split_once('?').map_or_else(
        || (place.path.as_deref().unwrap_or("/"), None),
        |(path, query)| (path, Some(query.as_bytes())),
    );
    let request = RequestView {
        method: arguments.method.as_bytes(),
        host: place.name.as_bytes(),
        path: path.as_bytes(),
        query,
        headers: arguments.headers.as_slice(),
    };
    Ok(Judgement::new(&authorization.request(&source, &destination, &request)))
}

fn at_gateway(arguments: &Arguments, from: &Caller, world: &World) -> Result<Judgement, Failure> {
    let question = Question {
        method: &arguments.method,
        url: &arguments.to,
        headers: &arguments.headers,
        source: from.source(),
    };
    let hint = "write a whole URL, such as http://shop.example/cart";
    let explanation = explain(&world.config, &question)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string(), hint))?;
    match explanation.outcome {
        Outcome::Rule(answer) => {
            Ok(answer.authorization.unwrap_or(Judgement { allowed: true, by: None, audits: Vec::new() }))
        }
        Outcome::Connection(connection) => {
            Ok(connection.authorization.unwrap_or(Judgement { allowed: true, by: None, audits: Vec::new() }))
        }
        Outcome::NotFound { .. } | Outcome::Misdirected { .. } | Outcome::NoPort { .. } => {
            let hint = "`selvedge explain` tells what came nearest";
            Err(Failure::new(Exit::Missing, format!("no route answers {}", arguments.to), hint))
        }
    }
}
