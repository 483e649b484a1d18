//! `selvedge subscription`

use std::time::Duration;

use clap::{Args, Subcommand};
use model::customers::Hold;
use model::kinds::KindName;
use model::units::{GatewayDuration, Moment};
use serde_json::{Value, json};

use super::subscribe;
use crate::customers::{Named, OfApplication, after};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::{block_on, failure};
use crate::show::table::Table;

/// List and show subscriptions, and take them through their life
///
/// A subscription is `Requested` where its plan asks for somebody's yes, `Scheduled` until it begins, then `Active`;
/// `Ending` until its end, then `Closed`. What has a time happens by itself.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge subscription list --app mobile
  selvedge subscription show mobile-weather
  selvedge subscription hold mobile-weather --as security
  selvedge subscription release mobile-weather --as security
  selvedge subscription approve mobile-weather
  selvedge subscription reject mobile-weather
  selvedge subscription change mobile-weather --plan gold
  selvedge subscription end mobile-weather --in 720h      it may be used until then, and is closed by itself
  selvedge subscription renew mobile-weather              it goes on after all
  selvedge subscription cancel mobile-weather             at once
Holds are a set: each side adds and takes back its own, and a subscription may be used when none is left.")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List subscriptions
    List(OfApplication),
    /// Show a subscription, and what is used and left of its quotas
    Show(Named),
    /// Stop a subscription for a reason
    Hold(Side),
    /// Take a reason back
    Release(Side),
    /// Say yes to a subscription that waits for it
    Approve(Named),
    /// Say no to a subscription that waits for a yes
    Reject(Named),
    /// Give a subscription another plan of its product
    Change(Change),
    /// Let a subscription end by itself, at a moment or after some time
    End(End),
    /// Let a subscription that is ending go on
    Renew(Named),
    /// End a subscription at once
    Cancel(Named),
}

#[derive(Debug, Args)]
struct Side {
    /// Whose reason it is: provider, consumer, billing or security
    #[arg(long = "as", value_name = "SIDE", default_value = "provider")]
    side: Hold,
    #[command(flatten)]
    named: Named,
}

#[derive(Debug, Args)]
struct Change {
    /// The plan; `gold` also means `PRODUCT-gold`
    #[arg(long, value_name = "PLAN")]
    plan: String,
    #[command(flatten)]
    named: Named,
}

#[derive(Debug, Args)]
#[group(id = "when", required = true, multiple = false, args = ["at", "time"])]
struct End {
    /// The moment, such as 2027-01-31T12:00:00Z
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// After how long, such as 720h
    #[arg(long = "in", value_name = "DURATION")]
    time: Option<GatewayDuration>,
    #[command(flatten)]
    named: Named,
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::List(list) => block_on(list.list(KindName::Subscription)),
        Action::Show(named) => block_on(standing(named)),
        Action::Hold(side) => block_on(hold(side, true)),
        Action::Release(side) => block_on(hold(side, false)),
        Action::Approve(named) => block_on(approve(named)),
        Action::Reject(named) => block_on(named.turn(KindName::Subscription, "Rejected")),
        Action::Change(change) => block_on(change.run()),
        Action::End(end) => block_on(end.run()),
        Action::Renew(named) => block_on(named.turn(KindName::Subscription, "Active")),
        Action::Cancel(named) => block_on(named.turn(KindName::Subscription, "Closed")),
    }
}

/// Periods that are over are left out.
async fn standing(Named { name, place }: &Named) -> Result<Exit, Failure> {
    let customers = place.open()?;
    let subscription = customers.get(KindName::Subscription, name).await?;
    let collection = customers.collection(KindName::Subscription);
    let path = format!("{}/quotas", collection.object_path(name));
    let told = customers.client.document(&path).await.map_err(failure)?;
    let (state, plan) = (subscription.text("/status/state"), subscription.text("/spec/plan"));
    let moment = match state {
        "Scheduled" => format!(", from {}", subscription.text("/spec/startsAt")),
        "Ending" => format!(", until {}", subscription.text("/status/endsAt")),
        _ => String::new(),
    };
    output::data(format_args!("subscription/{name} is {state} on plan {plan}{moment}"));
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

/// One that begins later is scheduled by it.
async fn approve(named: &Named) -> Result<Exit, Failure> {
    let subscription = named.place.open()?.get(KindName::Subscription, &named.name).await?;
    let begins: Option<Moment> = subscription.text("/spec/startsAt").parse().ok();
    let state =
        if begins.is_some_and(|begin| begin > after(Duration::ZERO)) { "Scheduled" } else { "Active" };
    named.turn(KindName::Subscription, state).await
}

impl Change {
    async fn run(&self) -> Result<Exit, Failure> {
        let customers = self.named.place.open()?;
        let subscription = customers.get(KindName::Subscription, &self.named.name).await?;
        let product = subscription.text("/spec/product");
        let (namespace, product) = product.split_once('/').unwrap_or((&customers.namespace, product));
        let plan = subscribe::plan(&customers, namespace, product, &self.plan).await;
        customers.change(KindName::Subscription, &self.named.name, json!({ "plan": plan })).await?;
        output::data(format_args!("subscription/{} is on plan {plan}", self.named.name));
        Ok(Exit::Success)
    }
}

impl End {
    async fn run(&self) -> Result<Exit, Failure> {
        let ends = self.at.unwrap_or_else(|| after(self.time.unwrap_or_default().get())).to_string();
        let status = json!({ "state": "Ending", "endsAt": ends });
        self.named.place.open()?.set(KindName::Subscription, &self.named.name, status).await?;
        self.named.told(KindName::Subscription, &format!("Ending, and may be used until {ends}"))
    }
}

async fn hold(Side { side, named: Named { name, place } }: &Side, is_held: bool) -> Result<Exit, Failure> {
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
