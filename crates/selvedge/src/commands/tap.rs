//! `selvedge tap`

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::OutputForm;
use crate::exit::{Exit, Failure};
use crate::output;

/// Watch requests and connections of a running proxy as they end
///
/// SOCKET is what the proxy was given as `--tap`; only its user and root may watch. All that is said must hold of what
/// is shown. Queries are never shown, nor values of header fields that may hold a secret. A proxy under load shows a
/// part, and says how much is missing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge tap /run/selvedge/tap.sock
  selvedge tap /run/selvedge/tap.sock --status 5xx --route shop/cart
  selvedge tap /run/selvedge/tap.sock --workload shop/web-1 --headers -o json")]
pub struct Arguments {
    /// The socket of the proxy
    #[arg(value_name = "SOCKET")]
    socket: PathBuf,
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
}

/// Shows what passes until the proxy ends, or enough was shown.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let shown = arguments.socket.display();
    let failed = |error: std::io::Error| {
        Failure::machine(
            format!("cannot watch at `{shown}`: {error}"),
            "start the proxy with `--tap PATH`, and watch as its user or as root",
        )
    };
    let mut stream = UnixStream::connect(&arguments.socket).map_err(failed)?;
    stream.write_all(format!("{}\n", arguments.filter()).as_bytes()).map_err(failed)?;
    let mut left = arguments.count.unwrap_or(u64::MAX);
    for line in BufReader::new(stream).lines() {
        let line = line.map_err(failed)?;
        let value: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(problem) = value["error"].as_str() {
            return Err(Failure::new(Exit::Usage, problem.to_owned(), "see `selvedge tap --help`"));
        }
        if value["watching"] == true {
            output::note(format_args!("watching at {shown}"));
        } else if let Some(missed) = value["missed"].as_u64() {
            output::note(format_args!("{missed} were not shown so far"));
        } else {
            match arguments.output {
                OutputForm::Json => output::data(&line),
                OutputForm::Text => output::data(told(&value)),
            }
            left -= 1;
        }
        if left == 0 {
            return Ok(Exit::Success);
        }
    }
    output::note("the proxy has ended, or lets nobody else watch now");
    Ok(Exit::Success)
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
