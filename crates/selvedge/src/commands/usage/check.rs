//! Whether what is billed is what came in.

use clap::Args;
use serde_json::Value;

use super::{Time, ask};
use crate::commands::OutputForm;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::Connection;
use crate::show::table::Table;

/// Compare the count by callers with the count by listeners, day by day
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge usage check
  selvedge usage check --since 48h --output json
Ends with 7 when a day does not agree. Minutes that a gateway may still add to are in `OPEN` and
are not compared.")]
pub(super) struct Check {
    #[command(flatten)]
    time: Time,
    /// How it is written
    #[arg(short, long, value_enum, default_value = "text")]
    output: OutputForm,
    #[command(flatten)]
    connection: Connection,
}

impl Check {
    pub(super) async fn run(&self) -> Result<Exit, Failure> {
        let client = self.connection.open()?;
        let query: Vec<_> = self.time.from().map(|from| ("from", from.to_string())).into_iter().collect();
        let answer = ask(&client, "/check", &query).await?;
        let error = answer["error"].as_u64().unwrap_or_default();
        match self.output {
            OutputForm::Json => output::data(format_args!("{answer:#}")),
            OutputForm::Text => show(&answer, error),
        }
        Ok(if error == 0 { Exit::Success } else { Exit::Differs })
    }
}

fn all_requests(of: &Value) -> u64 {
    ["requests", "refused"].iter().filter_map(|name| of[*name].as_u64()).sum()
}

fn show(answer: &Value, error: u64) {
    let mut days = Table::new(&["DAY", "USAGE", "LISTENERS", "ERROR", "OPEN"]);
    for day in answer["days"].as_array().into_iter().flatten() {
        days.row(vec![
            day["day"].as_str().unwrap_or_default().to_owned(),
            all_requests(&day["sealed"]["usage"]).to_string(),
            all_requests(&day["sealed"]["listeners"]).to_string(),
            day["error"].to_string(),
            all_requests(&day["open"]["usage"]).to_string(),
        ]);
    }
    let mut gateways = Table::new(&["GATEWAY", "COMPLETE UNTIL", "HEARD OF", "STARTED AS"]);
    for known in answer["gateways"].as_array().into_iter().flatten() {
        let until =
            if known["complete"] == true { "its end" } else { known["watermark"].as_str().unwrap_or("-") };
        gateways.row(vec![
            known["gateway"].as_str().unwrap_or_default().to_owned(),
            until.to_owned(),
            format!("{} s ago", known["silentSeconds"]),
            known["boot"].as_str().unwrap_or_default().to_owned(),
        ]);
    }
    for table in [days, gateways].into_iter().filter(|table| !table.is_empty()) {
        table.lines(true).iter().for_each(output::data);
    }
    match error {
        0 => output::note("the counts agree"),
        1 => output::note("the counts differ by 1 request"),
        _ => output::note(format_args!("the counts differ by {error} requests")),
    }
}
