//! `selvedge explain`

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;
use control::{ControlPlane, Options};
use engine::explain::{Question, explain};
use serde_json::json;

use crate::commands::OutputForm;
use crate::exit::{Exit, Failure};
use crate::output;

/// Show which rule answers a request, and why
///
/// The same engine decides here as in the gateway, on the same files; nothing is sent anywhere.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge explain -f gateway.yaml GET http://shop.example/cart
  selvedge explain -f gateway.yaml GET https://shop.example/cart -H 'x-beta: 1'
  selvedge explain -f gateways/ -f routes/ -o json POST http://shop.example:8080/orders?dry=1
Without a port in the URL, the port of its scheme is meant; when no Gateway listens there, those that
speak the scheme are asked.")]
pub struct Arguments {
    /// A file, or a directory of *.yaml, *.yml and *.json files; may be given more than once
    #[arg(short, long = "file", value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    /// A header field of the request; may be given more than once
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Form of the result
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: OutputForm,
    /// Method of the request
    #[arg(value_name = "METHOD", value_parser = method)]
    method: String,
    /// Where the request goes
    #[arg(value_name = "URL")]
    url: String,
}

fn method(text: &str) -> Result<String, String> {
    http::Method::from_bytes(text.as_bytes())
        .map(|method| method.to_string())
        .map_err(|_| "a method is a word, such as GET".to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write `name: value`, such as 'x-beta: 1'")?;
    let name = http::HeaderName::from_bytes(name.trim().as_bytes())
        .map_err(|_| format!("`{}` is not a header name", name.trim()))?;
    Ok((name.to_string(), value.trim().to_owned()))
}

/// Compiles the files and asks the engine. A request that nobody would answer is an answer, too: exit code 0.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { files, headers, output: form, method, url } = arguments;
    let mut control = ControlPlane::new(Options { bind: IpAddr::V4(Ipv4Addr::LOCALHOST) });
    let snapshot = control.load(files).map_err(Failure::refused)?;
    let explanation = explain(&snapshot.config, &Question { method, url, headers }).map_err(|error| {
        Failure::new(Exit::Usage, error.to_string(), "write a whole URL, such as http://shop.example/cart")
    })?;
    match form {
        OutputForm::Text => output::data(&explanation),
        OutputForm::Json => output::data(format_args!("{:#}", json!(explanation))),
    }
    Ok(Exit::Success)
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
