//! `selvedge top`
#![allow(clippy::disallowed_methods, reason = "real time enters the program in its binary")]

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use client::{Client, Collection, Error, ListOptions, Object};
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::{Connection, block_on, failure, kinds};
use crate::show::table::Table;

/// Show live rates, errors and latencies of routes
///
/// Over all proxies, the busiest first. An error is an answer of 500 or more, or none at all.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge top                                 refreshes until Ctrl-C
  selvedge top -n shop --sort errors
  selvedge top --once                          one table, for scripts")]
pub struct Arguments {
    /// Only routes of this namespace [default: all]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Show one table and end
    #[arg(long)]
    once: bool,
    /// Seconds between two tables
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// What comes first
    #[arg(long, value_name = "COLUMN", default_value = "rate")]
    sort: Column,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Column {
    /// Requests a second
    Rate,
    /// Errors a second
    Errors,
    /// Median
    P50,
    /// 99th percentile
    P99,
    /// By namespace and name
    Name,
}

/// What a route does.
#[derive(Clone, Debug, PartialEq)]
struct Route {
    name: String,
    rate: f64,
    errors: f64,
    /// Percentiles, where they are known.
    p50: Option<f64>,
    p99: Option<f64>,
}

/// Clears the screen and goes to its first line.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// Shows tables until it is ended, or one.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = arguments.connection.open()?;
    let is_screen = std::io::stdout().is_terminal();
    block_on(async {
        loop {
            let text = table(read(&client, arguments).await?, arguments.sort);
            match arguments.once || !is_screen {
                true => output::data(text),
                false => output::data(format_args!("{CLEAR}{text}")),
            }
            if arguments.once {
                return Ok(Exit::Success);
            }
            tokio::time::sleep(Duration::from_secs(arguments.every)).await;
        }
    })
}

async fn read(client: &Client, arguments: &Arguments) -> Result<Vec<Route>, Failure> {
    let collection = match &arguments.namespace {
        Some(namespace) => Collection::within(kinds::ROUTE_TRAFFIC, namespace),
        None => Collection::everywhere(kinds::ROUTE_TRAFFIC),
    };
    match client.list(&collection, &ListOptions::default()).await {
        Ok(listed) => Ok(listed.objects.iter().map(route).collect()),
        Err(Error::Status(status)) if status.is_not_found() => Err(Failure::new(
            Exit::Unreachable,
            "this control plane does not tell about traffic",
            "it may be of another version, or a Kubernetes API server; /metrics of each proxy counts requests",
        )),
        Err(error) => Err(failure(error)),
    }
}

fn route(object: &Object) -> Route {
    let status = &object.0["status"];
    let number = |field: &str| status[field].as_f64();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = format!(
        "{} {}/{}",
        text(&status["route"]["kind"]),
        object.namespace().unwrap_or_default(),
        text(&status["route"]["name"])
    );
    Route {
        name,
        rate: number("requestsPerSecond").unwrap_or(0.0),
        errors: number("errorsPerSecond").unwrap_or(0.0),
        p50: number("p50Milliseconds"),
        p99: number("p99Milliseconds"),
    }
}

fn table(mut routes: Vec<Route>, sort: Column) -> String {
    routes.sort_by(|left, right| {
        let larger = |number: fn(&Route) -> f64| number(right).total_cmp(&number(left));
        let order = match sort {
            Column::Rate => larger(|route| route.rate),
            Column::Errors => larger(|route| route.errors),
            Column::P50 => larger(|route| route.p50.unwrap_or(0.0)),
            Column::P99 => larger(|route| route.p99.unwrap_or(0.0)),
            Column::Name => std::cmp::Ordering::Equal,
        };
        order.then_with(|| left.name.cmp(&right.name))
    });
    let mut table = Table::new(&["ROUTE", "REQUESTS/S", "ERRORS/S", "ERRORS", "P50 MS", "P99 MS"]);
    for Route { name, rate, errors, p50, p99 } in &routes {
        let share = if *rate > 0.0 { 100.0 * errors / rate } else { 0.0 };
        table.row(vec![
            name.clone(),
            format!("{rate:.1}"),
            format!("{errors:.1}"),
            format!("{share:.1}%"),
            milliseconds(*p50),
            milliseconds(*p99),
        ]);
    }
    let (rate, errors) =
        routes.iter().fold((0.0, 0.0), |(rate, errors), route| (rate + route.rate, errors + route.errors));
    let sum = format!(
        "{} with traffic, {rate:.1} requests/s, {errors:.1} errors/s",
        crate::show::counted(routes.len(), "route")
    );
    if table.is_empty() { sum } else { format!("{sum}\n\n{}", table.lines(true).join("\n")) }
}

fn milliseconds(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_read_as_it_is_documented_and_the_busiest_comes_first() {
        let page = include_str!("../../../../docs/status-api.md");
        let example =
            page.split("```json\n").nth(2).and_then(|rest| rest.split("```").next()).expect("an example");
        let list: Value = serde_json::from_str(example).expect("JSON");
        let busy = route(&Object(list["items"][0].clone()));
        let calm = Route {
            name: "HTTPRoute shop/cart".to_owned(),
            rate: 1.0,
            errors: 1.0,
            p50: Some(2.0),
            p99: None,
        };

        let text = table(vec![calm, busy], Column::Rate);

        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "2 routes with traffic, 121.5 requests/s, 1.4 errors/s

ROUTE                     REQUESTS/S   ERRORS/S   ERRORS   P50 MS   P99 MS
HTTPRoute shop/checkout   120.5        0.4        0.3%     1.9      14.2
HTTPRoute shop/cart       1.0          1.0        100.0%   2.0      -"
        );
    }
}
