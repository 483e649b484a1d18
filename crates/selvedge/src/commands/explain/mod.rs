//! `selvedge explain`

mod field;
mod spelling;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use control::{ControlPlane, Options};
use engine::Config;
use engine::config::{PathPolicy, Port};
use engine::explain::{Explanation, Question, explain};
use model::Resources;
use serde_json::json;

use crate::commands::OutputForm;
use crate::commands::authz::{Caller, Named};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::state::{State, compiler};
use crate::remote::{Connection, block_on};
use spelling::Spelling;

/// Show which rule answers a request, and why; or what a field is
///
/// With a method and a URL: the same engine decides here as in the gateway, on these files, or without -f on what the
/// control plane holds; nothing is sent to any gateway. With KIND.field: what the field may hold.
#[derive(Debug, Args)]
#[command(
    override_usage = "selvedge explain [OPTIONS] METHOD URL\n       selvedge explain [OPTIONS] tcp://HOST:PORT\n       selvedge explain KIND[.FIELD…]",
    after_help = "Examples:
  selvedge explain GET http://shop.example/cart                       what the control plane holds
  selvedge explain -f gateway.yaml GET http://shop.example/cart       what stands in files
  selvedge explain -f gateway.yaml GET https://shop.example/cart -H 'x-beta: 1'
  selvedge explain -f gateways/ -f routes/ -o json POST http://shop.example:8080/orders?dry=1
  selvedge explain -f gateway.yaml tcp://127.0.0.1:5432               a connection; tls:// behind TLS
  selvedge explain httproute.spec.rules.timeouts                      a field
Without a port in the URL, the port of its scheme is meant; when nobody listens there, any port
that speaks the scheme is asked."
)]
pub struct Arguments {
    /// A file, or a directory of *.yaml, *.yml and *.json files; may be given more than once
    #[arg(short, long = "file", value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// A header field of the request; may be given more than once
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Who asks: namespace/name, a SPIFFE ID, or ip:ADDRESS; without it somebody without an identity
    #[arg(long, value_name = "FROM")]
    from: Option<Named>,
    /// Form of the result
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: OutputForm,
    /// Method of the request, or a tcp:// or tls:// URL, or KIND[.FIELD…]
    #[arg(value_name = "METHOD")]
    subject: String,
    /// Where the request goes
    #[arg(value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

fn method(text: &str) -> Result<String, String> {
    http::Method::from_bytes(text.as_bytes())
        .map(|method| method.to_string())
        .map_err(|_| "a method is a word, such as GET".to_owned())
}

/// Reads `name: value`.
pub fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write `name: value`, such as 'x-beta: 1'")?;
    let name = http::HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| format!("`{}` is not a header name", name.trim()))?;
    Ok((name.to_string(), value.trim().to_owned()))
}

/// Asks the schema, or compiles the resources and asks the engine. A request that nobody would answer is an answer,
/// too: exit code 0.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { files, headers, from, output: form, subject, url, connection } = arguments;
    let alone = url.is_none().then_some(subject).filter(|subject| subject.contains("://"));
    let Some(url) = url.as_ref().or(alone) else {
        output::data(field::explain(subject)?);
        return Ok(Exit::Success);
    };
    // A connection has no method; one that is no request's is asked about by its URL alone. Of the URL of a request, GET
    // is meant, as browsers and curl mean it.
    let connection_to = alone.filter(|url| !url.starts_with("http://") && !url.starts_with("https://"));
    let word = match alone {
        None => subject.as_str(),
        Some(_) if connection_to.is_some() => "CONNECT",
        Some(_) => "GET",
    };
    let method = &method(word).map_err(|problem| {
        Failure::new(Exit::Usage, format!("`{subject}` is no method: {problem}"), "write METHOD URL")
    })?;
    let (config, resources) = &match files.is_empty() {
        true => held(connection)?,
        false => {
            let mut control = ControlPlane::new(Options { bind: IpAddr::V4(Ipv4Addr::LOCALHOST) });
            let snapshot = control.load(files).map_err(Failure::refused)?;
            (Arc::clone(&snapshot.config), snapshot.resources.clone())
        }
    };
    let from = from.as_ref().map_or_else(Caller::nobody, |from| from.among(resources));
    let ask = |url: &str| {
        explain(config, &Question { method, url, headers, source: from.source() }).map_err(|error| {
            Failure::new(
                Exit::Usage,
                error.to_string(),
                "write a whole URL, such as http://shop.example/cart",
            )
        })
    };
    let asked = ask(url)?;
    if connection_to.is_some() {
        show(*form, &asked);
        return Ok(Exit::Success);
    }
    match spelling::of(url, path_policy(config, &asked)) {
        Spelling::Canonical => show(*form, &asked),
        Spelling::ReadAs(canonical) => {
            output::note(format_args!("the gateway reads this as {canonical}"));
            show(*form, &ask(&canonical)?);
        }
        Spelling::Answered { status, reason } => {
            let Explanation { question, port, .. } = asked;
            match form {
                OutputForm::Text => output::data(format_args!("{question}\n  answer    {status}, {reason}")),
                OutputForm::Json => {
                    let answer = json!({ "answered": { "status": status, "reason": reason } });
                    let json = json!({ "question": question, "port": port, "outcome": answer });
                    output::data(format_args!("{json:#}"));
                }
            }
        }
    }
    Ok(Exit::Success)
}

/// What the control plane holds, compiled.
fn held(connection: &Connection) -> Result<(Arc<Config>, Resources), Failure> {
    let client = connection.open()?;
    let state = block_on(State::read(&client, &[client.endpoint().namespace.clone()]))?;
    if !state.unknown.is_empty() {
        output::note(format_args!("not everything could be read: {}", state.unknown.join("; ")));
    }
    Ok((compiler().compile(&state.resources).config, state.resources))
}

fn show(form: OutputForm, explanation: &Explanation) {
    match form {
        OutputForm::Text => output::data(explanation),
        OutputForm::Json => output::data(format_args!("{:#}", json!(explanation))),
    }
}

/// The policy of the Gateway that would take the request.
fn path_policy(config: &Config, asked: &Explanation) -> PathPolicy {
    let is_it = |port: &&Arc<Port>| Some(SocketAddr::new(port.address.ip, port.address.port)) == asked.port;
    config.ports.iter().find(is_it).map_or(PathPolicy::Reject, |port| port.settings.path_policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_and_a_value() {
        assert_eq!(header("X-Beta:  1 "), Ok(("x-beta".to_owned(), "1".to_owned())));
        assert_eq!(header("x: a:b"), Ok(("x".to_owned(), "a:b".to_owned())));
        assert!(header("nonsense").is_err() && header("a b: c").is_err());
    }
}
