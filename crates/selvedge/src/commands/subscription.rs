//! `selvedge subscription`

use clap::{Args, Subcommand};
use model::customers::Hold;
use model::kinds::KindName;
use model::units::Moment;
use serde_json::{Value, json};

use crate::customers::{Place, Places};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::{block_on, failure};
use crate::show::table::Table;

/// List, show, hold, approve and cancel subscriptions
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge subscription list --app mobile
  selvedge subscription show mobile-weather
  selvedge subscription hold mobile-weather --as security
  selvedge subscription release mobile-weather --as security
  selvedge subscription approve mobile-weather
  selvedge subscription cancel mobile-weather
Holds are a set: each side adds and takes back its own, and a subscription may be used when none is left.")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
    Hold(Held),
    Release(Released),
    Approve(Approve),
    Cancel(Cancel),
}

/// List subscriptions
#[derive(Debug, Args)]
struct List {
    /// Those of one application
    #[arg(long = "app", value_name = "APPLICATION")]
    application: Option<String>,
    #[command(flatten)]
    places: Places,
}

/// Show a subscription, and what is used and left of its quotas
#[derive(Debug, Args)]
struct Show {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// Stop a subscription for a reason
#[derive(Debug, Args)]
struct Held {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// Who stops it: provider, consumer, billing or security
    #[arg(long = "as", value_name = "SIDE", default_value = "provider")]
    side: Hold,
    #[command(flatten)]
    place: Place,
}

/// Take a reason back
#[derive(Debug, Args)]
struct Released {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// Who takes it back: provider, consumer, billing or security
    #[arg(long = "as", value_name = "SIDE", default_value = "provider")]
    side: Hold,
    #[command(flatten)]
    place: Place,
}

/// Say yes to a subscription that waits for it
#[derive(Debug, Args)]
struct Approve {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// End a subscription at once
#[derive(Debug, Args)]
struct Cancel {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::List(list) => block_on(list.places.list(KindName::Subscription, list.application.as_deref())),
        Action::Show(show) => block_on(standing(&show.place, &show.name)),
        Action::Hold(held) => block_on(hold(&held.place, &held.name, held.side, true)),
        Action::Release(released) => block_on(hold(&released.place, &released.name, released.side, false)),
        Action::Approve(approve) => block_on(turn(&approve.place, &approve.name, "Active")),
        Action::Cancel(cancel) => block_on(turn(&cancel.place, &cancel.name, "Closed")),
    }
}

/// Periods that are over are left out.
async fn standing(place: &Place, name: &str) -> Result<Exit, Failure> {
    let customers = place.open()?;
    let subscription = customers.get(KindName::Subscription, name).await?;
    let collection = customers.collection(KindName::Subscription);
    let path = format!("{}/quotas", collection.object_path(name));
    let told = customers.client.document(&path).await.map_err(failure)?;
    let (state, plan) = (subscription.text("/status/state"), subscription.text("/spec/plan"));
    output::data(format_args!("subscription/{name} is {state} on plan {plan}"));
    let number = |quota: &Value, field: &str| quota[field].as_i64().unwrap_or_default();
    let now = number(&told, "now");
    let mut table = Table::new(&["QUOTA", "USED", "LENT", "HELD", "LEFT", "OF", "BEGINS ANEW"]);
    for quota in told["quotas"].as_array().into_iter().flatten().filter(|quota| number(quota, "end") > now) {
        let mut cells = vec![quota["name"].as_str().unwrap_or_default().to_owned()];
        let counts = ["used", "lent", "held", "remaining", "requests"];
        cells.extend(counts.map(|field| number(quota, field).to_string()));
        cells.push(Moment(number(quota, "end")).to_string());
        table.row(cells);
    }
    match table.is_empty() {
        true => output::note(format_args!("none of its quotas was used in this period")),
        false => table.lines(true).iter().for_each(output::data),
    }
    Ok(Exit::Success)
}

async fn turn(place: &Place, name: &str, state: &str) -> Result<Exit, Failure> {
    place.open()?.set(KindName::Subscription, name, json!({ "state": state })).await?;
    output::data(format_args!("subscription/{name} is {state}"));
    Ok(Exit::Success)
}

async fn hold(place: &Place, name: &str, side: Hold, is_held: bool) -> Result<Exit, Failure> {
    let customers = place.open()?;
    let now = customers.get(KindName::Subscription, name).await?;
    let mut holds: Vec<Value> =
        now.0.pointer("/status/holds").and_then(Value::as_array).cloned().unwrap_or_default();
    holds.retain(|held| held != side.as_str());
    if is_held {
        holds.push(side.as_str().into());
    }
    let words: Vec<&str> = holds.iter().filter_map(Value::as_str).collect();
    let told = match words.is_empty() {
        true => "is held by nobody".to_owned(),
        false => format!("is held by {}", words.join(", ")),
    };
    customers.set(KindName::Subscription, name, json!({ "holds": holds })).await?;
    output::data(format_args!("subscription/{name} {told}"));
    Ok(Exit::Success)
}
