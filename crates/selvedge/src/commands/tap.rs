//! `selvedge tap`

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::OutputForm;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::{Connection, block_on, failure};

/// Watch requests and connections of a running proxy as they end
///
/// WHOM is a Workload, as `shop/cart-1`, or a Gateway, as `gateway/shop/edge`: then it is watched over the API, by whoever
/// may `get` its subresource `tap`. Or the socket that a proxy on this machine was given as `--tap`; only its user and
/// root may watch there. All that is said must hold of what is shown. Queries are never shown, nor values of header
/// fields that may hold a secret. A proxy under load shows a part, and says how much is missing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge tap shop/cart-1
  selvedge tap gateway/shop/edge --status 5xx
  selvedge tap /run/selvedge/tap.sock --status 5xx --route shop/cart
  selvedge tap shop/cart-1 --workload shop/web-1 --headers -o json")]
pub struct Arguments {
    /// NAMESPACE/WORKLOAD, gateway/NAMESPACE/NAME, or the socket of a proxy
    #[arg(value_name = "WHOM")]
    whom: String,
    /// Only what this route answered
    #[arg(long, value_name = "NAMESPACE/NAME")]
    route: Option<String>,
    /// Only what this workload of the mesh called or answered
    #[arg(long, value_name = "NAMESPACE/NAME")]
    workload: Option<String>,
    /// Only answers with this status: 404, or 5xx
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only requests with this method
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// Only requests of this path; a star at its end stands for anything
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Show header fields, too
    #[arg(long)]
    headers: bool,
    /// End after so many
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// How to write it
    #[arg(short, long, value_enum, default_value_t = OutputForm::Text)]
    output: OutputForm,
    #[command(flatten)]
    connection: Connection,
}

/// Whom to watch.
#[derive(Debug, PartialEq, Eq)]
enum Whom {
    /// At its socket.
    Socket(PathBuf),
    /// Over the API: plural, namespace and name.
    Remote(&'static str, String, String),
}

impl Whom {
    /// What begins like a path of a file, or is one, is one.
    fn parse(text: &str) -> Whom {
        let parts: Vec<&str> = text.split('/').collect();
        let is_name = |part: &&str| part.parse::<model::Name>().is_ok();
        let path = PathBuf::from(text);
        match parts[..] {
            _ if path.exists() || !parts.iter().all(is_name) => Whom::Socket(path),
            [namespace, name] => Whom::Remote("workloads", namespace.to_owned(), name.to_owned()),
            ["gateway", namespace, name] => Whom::Remote("gateways", namespace.to_owned(), name.to_owned()),
            _ => Whom::Socket(path),
        }
    }
}

/// Shows what passes until the proxy ends, or enough was shown.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match Whom::parse(&arguments.whom) {
        Whom::Socket(path) => at_socket(arguments, path),
        Whom::Remote(plural, namespace, name) => {
            block_on(over_the_api(arguments, &format!("namespaces/{namespace}/{plural}/{name}")))
        }
    }
}

fn at_socket(arguments: &Arguments, path: PathBuf) -> Result<Exit, Failure> {
    let shown = path.display();
    let failed = |error: std::io::Error| {
        Failure::machine(
            format!("cannot watch at `{shown}`: {error}"),
            "start the proxy with `--tap PATH`, and watch as its user or as root; or name a workload, as `shop/cart-1`",
        )
    };
    let mut stream = UnixStream::connect(&path).map_err(failed)?;
    stream.write_all(format!("{}\n", arguments.filter()).as_bytes()).map_err(failed)?;
    let mut shown = Showing::new(arguments);
    for line in BufReader::new(stream).lines() {
        if shown.line(&line.map_err(failed)?)? {
            return Ok(Exit::Success);
        }
    }
    output::note("the proxy has ended, or lets nobody else watch now");
    Ok(Exit::Success)
}

async fn over_the_api(arguments: &Arguments, place: &str) -> Result<Exit, Failure> {
    let client = arguments.connection.open()?;
    let filter = encoded(&arguments.filter().to_string());
    let path = format!("/tap.selvedge.dev/v1/{place}?filter={filter}");
    let mut lines = client.lines(&path).await.map_err(failure)?;
    let mut shown = Showing::new(arguments);
    while let Some(line) = lines.next().await.map_err(failure)? {
        if shown.line(&line)? {
            return Ok(Exit::Success);
        }
    }
    output::note("the proxy is gone, or the time for which anybody watches is over");
    Ok(Exit::Success)
}

/// A value in a query, with nothing in it that means something there (RFC 3986, section 2.1).
fn encoded(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What was shown so far.
struct Showing<'a> {
    arguments: &'a Arguments,
    left: u64,
}

impl Showing<'_> {
    fn new(arguments: &Arguments) -> Showing<'_> {
        Showing { arguments, left: arguments.count.unwrap_or(u64::MAX) }
    }

    /// Returns whether enough was shown.
    fn line(&mut self, line: &str) -> Result<bool, Failure> {
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        if let Some(problem) = value["error"].as_str() {
            return Err(Failure::new(Exit::Usage, problem.to_owned(), "see `selvedge tap --help`"));
        }
        if value["watching"] == true {
            output::note(format_args!("watching {}", self.arguments.whom));
        } else if let Some(missed) = value["missed"].as_u64() {
            output::note(format_args!("{missed} were not shown so far"));
        } else {
            match self.arguments.output {
                OutputForm::Json => output::data(line),
                OutputForm::Text => output::data(told(&value)),
            }
            self.left -= 1;
        }
        Ok(self.left == 0)
    }
}

impl Arguments {
    fn filter(&self) -> Value {
        let texts = [
            ("route", &self.route),
            ("workload", &self.workload),
            ("status", &self.status),
            ("method", &self.method),
            ("path", &self.path),
        ];
        let mut filter: Map<String, Value> = texts
            .into_iter()
            .filter_map(|(key, text)| Some((key.to_owned(), text.clone()?.into())))
            .collect();
        if self.headers {
            filter.insert("headers".to_owned(), json!(true));
        }
        Value::Object(filter)
    }
}

/// A line for people.
fn told(line: &Value) -> String {
    let text = |key: &str| line[key].as_str().unwrap_or("-");
    let time = text("time").get(11..23).unwrap_or("-");
    let millis = line["duration_us"].as_f64().unwrap_or(0.0) / 1000.0;
    let what = match line["status"].as_u64() {
        Some(status) => format!("{status} {} {}{}", text("method"), text("host"), text("path")),
        None => format!("{} {} → {} bytes", text("protocol"), line["received_bytes"], line["sent_bytes"]),
    };
    let source = line["source_workload"].as_str().unwrap_or(text("client"));
    let to = line["upstream_workload"].as_str().or(line["upstream"].as_str());
    let mut told = format!("{time} {what} {millis:.1} ms  {source} → {}", to.unwrap_or("-"));
    for key in ["route", "failure", "policy"] {
        if let Some(value) = line[key].as_str() {
            told.push_str(&format!("  {key}={value}"));
        }
    }
    for field in line["headers"].as_array().into_iter().flatten() {
        let piece = |at: usize| field[at].as_str().unwrap_or("-");
        told.push_str(&format!("\n    {}: {}", piece(0), piece(1)));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_or_a_gateway_is_watched_over_the_api_and_a_path_at_its_socket() {
        let remote = |plural, name: &str| Whom::Remote(plural, "shop".to_owned(), name.to_owned());

        assert_eq!(Whom::parse("shop/cart-1"), remote("workloads", "cart-1"));
        assert_eq!(Whom::parse("gateway/shop/edge"), remote("gateways", "edge"));
        for path in ["/run/tap.sock", "./tap.sock", "tap.sock", "../a/b", "a/b/c"] {
            assert_eq!(Whom::parse(path), Whom::Socket(path.into()), "{path}");
        }
    }

    #[test]
    fn a_line_is_told_in_the_order_in_which_one_asks() {
        let line = json!({
            "time": "2026-11-23T12:00:01.250Z", "client": "10.0.0.1", "method": "GET", "host": "a.example",
            "path": "/items", "status": 503, "route": "shop/all", "failure": "no_endpoint", "duration_us": 1500,
            "headers": [["accept", "*/*"], ["cookie", "[redacted]"]],
        });

        assert_eq!(
            told(&line),
            "12:00:01.250 503 GET a.example/items 1.5 ms  10.0.0.1 → -  route=shop/all  failure=no_endpoint\n    \
             accept: */*\n    cookie: [redacted]"
        );
    }
}
