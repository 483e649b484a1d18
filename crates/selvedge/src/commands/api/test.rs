//! `selvedge api test`

use std::path::PathBuf;
use std::time::Duration;

use apis::cases::{Answered, Case, Expected};
use apis::check::Fault;
use apis::{Description, cases};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{documents, junit};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::block_on;

/// How long one answer may take.
const ANSWER_SECONDS: u64 = 30;
/// Most bytes of an answer that are looked at.
const ANSWER_BYTES: usize = 8 << 20;

/// Send requests that a description implies, and tell which answers break it
///
/// Good requests must be answered with what is described; requests that break the description in one place must be
/// refused. The requests are made from the description by the seed, so a failure can be repeated. Do not point it at
/// something that matters: it calls every operation, the ones that delete included.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge api test petstore.yaml --url http://127.0.0.1:8080/v1
  selvedge api test petstore.yaml --url http://127.0.0.1:8080 -H 'x-api-key: …' -o junit > test.xml
  selvedge api test petstore.yaml --url http://127.0.0.1:8080 --operation 'GET /pets/{}'
Exit code 6 means that some answers break the description, 0 that none does.")]
pub struct Arguments {
    /// The description, and files or directories that it refers to
    #[arg(value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    overlays: documents::Overlays,
    /// Where the API is served, the base path included
    #[arg(long, value_name = "URL")]
    url: String,
    /// A field for every request, for example a key; may be given more than once
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Only this operation; may be given more than once
    #[arg(long = "operation", value_name = "KEY")]
    operations: Vec<String>,
    /// Where chance begins
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Form of the result
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// JUnit XML, for build servers.
    Junit,
}

/// One case and what is wrong with its answer.
pub(super) struct Outcome {
    pub case: Case,
    pub faults: Vec<Fault>,
}

/// Where requests go.
struct Target {
    authority: String,
    base: String,
}

/// Makes the cases, sends them one after the other, and tells.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let description = documents::description(&arguments.files, &arguments.overlays.read()?)?;
    super::known(&description, &arguments.operations)?;
    let credentials = arguments.headers.iter().map(|text| field(text)).collect::<Result<Vec<_>, _>>()?;
    let target = target(&arguments.url)?;
    let mut all = cases::of(&description, &credentials, arguments.seed);
    all.retain(|case| {
        arguments.operations.is_empty()
            || arguments.operations.iter().any(|key| key == case.operation.as_str())
    });
    let outcomes = block_on(send_all(&description, all, &target))?;
    let failed = outcomes.iter().filter(|outcome| !outcome.faults.is_empty()).count();
    match arguments.output {
        Form::Text => {
            outcomes
                .iter()
                .filter(|outcome| !outcome.faults.is_empty())
                .for_each(|outcome| output::data(told(outcome)));
            output::note(format_args!("{} requests, {failed} answers break the description", outcomes.len()));
        }
        Form::Junit => output::data(junit::report(&outcomes).trim_end()),
    }
    Ok(if failed == 0 { Exit::Success } else { Exit::Unmet })
}

fn field(text: &str) -> Result<(String, String), Failure> {
    let (name, value) = text.split_once(':').ok_or_else(|| {
        Failure::new(Exit::Usage, format!("`{text}` is no header"), "write `-H 'x-api-key: …'`")
    })?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

fn target(url: &str) -> Result<Target, Failure> {
    let uri: Option<http::Uri> = url.parse().ok();
    let uri = uri.filter(|uri| uri.scheme_str() == Some("http") && uri.query().is_none());
    let Some((uri, host)) = uri.as_ref().and_then(|uri| Some((uri, uri.host()?))) else {
        let hint = "write `--url http://HOST:PORT/BASE`; TLS is not spoken here";
        return Err(Failure::new(Exit::Usage, format!("`{url}` is no URL to test at"), hint));
    };
    let authority = format!("{host}:{}", uri.port_u16().unwrap_or(80));
    Ok(Target { authority, base: uri.path().trim_end_matches('/').to_owned() })
}

async fn send_all(
    description: &Description,
    cases: Vec<Case>,
    target: &Target,
) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for case in cases {
        let Some(operation) = description.operation(case.operation.as_str()) else { continue };
        let sent = tokio::time::timeout(Duration::from_secs(ANSWER_SECONDS), send(&case, target)).await;
        let failed = |what: String| {
            let hint = "is something listening there? see --url";
            Failure::new(Exit::Unreachable, format!("{} {}: {what}", case.method, case.target), hint)
        };
        let (status, headers, body) = match sent {
            Ok(Ok(answered)) => answered,
            Ok(Err(what)) => return Err(failed(what)),
            Err(_late) => return Err(failed(format!("no answer within {ANSWER_SECONDS} s"))),
        };
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or(""))).collect();
        let faults = case.verdict(operation, Answered { status, headers: &headers, body: &body });
        outcomes.push(Outcome { case, faults });
    }
    Ok(outcomes)
}

/// A connection for each request: what one case does to a connection must not fail the next.
async fn send(case: &Case, target: &Target) -> Result<(u16, http::HeaderMap, Bytes), String> {
    let stream = TcpStream::connect(&target.authority).await.map_err(|problem| problem.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|problem| problem.to_string())?;
    let driver = tokio::spawn(connection);
    let mut request = http::Request::builder()
        .method(case.method.as_str())
        .uri(format!("{}{}", target.base, case.target))
        .header("host", &target.authority);
    for (name, value) in &case.headers {
        request = request.header(name, value.as_bytes());
    }
    let request =
        request.body(Full::new(Bytes::from(case.body.clone()))).map_err(|problem| problem.to_string())?;
    let answer = sender.send_request(request).await.map_err(|problem| problem.to_string())?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(|problem| problem.to_string())?;
    driver.abort();
    Ok((head.status.as_u16(), head.headers, body.to_bytes()))
}

fn told(outcome: &Outcome) -> String {
    let Outcome { case, faults } = outcome;
    let expected = match case.expected {
        Expected::Taken => "keeps to the description",
        Expected::Refused => "must be refused",
    };
    let list: Vec<String> = faults.iter().map(|fault| format!("    {fault}")).collect();
    let name = format!("{}  {} ({expected})", case.operation, case.name);
    format!("{name}\n    {} {}\n{}", case.method, case.target, list.join("\n"))
}
