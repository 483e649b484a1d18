//! Sums and checks as documents and as metrics.

use std::fmt::Write as _;

use commerce::usage::{Conservation, Counts, Meter, Window};
use model::units::Moment;
use serde_json::{Map, Value, json};

use super::{Document, ask, away};
use crate::api::Query;
use crate::objects::media::JSON;
use crate::objects::status::Status;
use crate::store::usage::{By, Day, KnownBoot, Merged, Picked, SUMS_MAX, Sum, UsageRows};

/// The text of metrics (Prometheus, version 0.0.4).
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Sums as a list; before `hoursUntil` and `daysUntil`, where they stand, hours and days are not kept in parts.
pub fn sums(picked: &Picked, merged: Merged, by: &[By], sums: &[Sum]) -> Value {
    let items: Vec<Value> = sums.iter().take(SUMS_MAX).map(|sum| item(by, sum)).collect();
    let mut list = json!({
        "kind": "UsageList", "apiVersion": "usage.selvedge.dev/v1",
        "from": moment(picked.from), "until": moment(picked.until),
        "cut": sums.len() > SUMS_MAX, "items": items,
    });
    for (name, until) in [("hoursUntil", merged.hours_until), ("daysUntil", merged.days_until)] {
        if picked.from < until {
            list[name] = moment(until).into();
        }
    }
    list
}

fn item(by: &[By], sum: &Sum) -> Value {
    let mut members = Map::new();
    for by in by {
        if *by == By::Operation && !members.contains_key(By::Version.word()) {
            members.insert(By::Version.word().to_owned(), sum.of.version.clone().into());
        }
        members.insert(by.word().to_owned(), told_apart(*by, sum).into());
    }
    count(&mut members, &sum.counts);
    members.into()
}

fn told_apart(by: By, sum: &Sum) -> String {
    match by {
        By::Application => sum.of.application.clone(),
        By::Product => sum.of.product.clone(),
        By::Plan => sum.of.plan.clone(),
        By::Subscription => sum.of.subscription.clone(),
        By::Version => sum.of.version.clone(),
        By::Operation => sum.of.operation.clone(),
        By::Day => moment(sum.window).get(..10).unwrap_or_default().to_owned(),
        By::Hour => moment(sum.window),
        By::Gateway => sum.gateway.clone(),
    }
}

/// The members of counts: what is billed first, then every meter.
pub fn count(members: &mut Map<String, Value>, counts: &Counts) {
    members.insert("requests".to_owned(), counts.requests().into());
    for meter in Meter::ALL {
        members.insert(meter.name().to_owned(), counts.of(meter).into());
    }
}

/// The first moment of a window (RFC 3339).
pub fn moment(window: Window) -> String {
    Moment(i64::try_from(window.begins()).unwrap_or(i64::MAX)).to_string()
}

/// Both counts of each day, and how far gateways are.
pub async fn check(ledger: &dyn UsageRows, query: &Query, now: i64) -> Result<Document, Status> {
    let merged = ledger.merged().await.map_err(|_| away())?;
    let (from, until) = merged.whole(ask::time(query, now)?);
    let days = ledger.conservation(from, until).await.map_err(|_| away())?;
    let boots = ledger.boots().await.map_err(|_| away())?;
    let error: u64 = days.iter().map(|day| day.sealed.error()).sum();
    let text = json!({
        "kind": "UsageCheck", "apiVersion": "usage.selvedge.dev/v1", "error": error,
        "days": days.iter().map(day).collect::<Vec<_>>(),
        "gateways": boots.iter().map(gateway).collect::<Vec<_>>(),
    });
    Ok(Document { media: JSON, text: text.to_string() })
}

fn day(day: &Day) -> Value {
    let side = |counts: &Counts| {
        let mut members = Map::new();
        count(&mut members, counts);
        Value::from(members)
    };
    let both =
        |both: &Conservation| json!({ "usage": side(&both.usage), "listeners": side(&both.listeners) });
    let date = moment(day.window);
    json!({
        "day": date.get(..10).unwrap_or_default(), "error": day.sealed.error(),
        "sealed": both(&day.sealed), "open": both(&day.open),
    })
}

fn gateway(known: &KnownBoot) -> Value {
    json!({
        "gateway": known.node, "boot": format!("{:032x}", known.boot.0),
        "watermark": (known.watermark > Window(0)).then(|| moment(known.watermark)),
        "complete": known.is_complete, "silentSeconds": known.silent_milliseconds / 1000,
    })
}

/// The same for a program that watches.
pub async fn metrics(ledger: &dyn UsageRows, now: i64) -> Result<Document, Status> {
    let merged = ledger.merged().await.map_err(|_| away())?;
    let (from, until) = merged.whole(ask::time(&Query::parse("")?, now)?);
    let days = ledger.conservation(from, until).await.map_err(|_| away())?;
    let boots = ledger.boots().await.map_err(|_| away())?;
    let errors: u64 = days.iter().map(|day| day.sealed.error()).sum();
    let counted: u64 = days.iter().map(|day| day.sealed.usage.all_requests()).sum();
    let missing = boots.iter().filter(|known| !known.is_complete);
    let now = u64::try_from(now).unwrap_or_default();
    let behind = missing.clone().map(|known| now.saturating_sub(known.watermark.begins())).max();
    let values = [
        (
            "selvedge_usage_conservation_error",
            "Requests of the last 30 days by which the count by callers and the count by listeners differ.",
            errors,
        ),
        ("selvedge_usage_sealed_requests", "Requests of the last 30 days that will not change.", counted),
        (
            "selvedge_usage_gateways_incomplete",
            "Starts of gateways of which not everything is in the ledger.",
            missing.count() as u64,
        ),
        (
            "selvedge_usage_watermark_age_seconds",
            "How far back the gateway is that is furthest behind.",
            behind.unwrap_or_default(),
        ),
    ];
    let mut text = String::new();
    for (name, help, value) in values {
        // Writing to a String cannot fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    }
    Ok(Document { media: METRICS, text })
}
