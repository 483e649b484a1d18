//! What a plan gives, as people write it in one word: `10/1s,burst=20` and `1000/Month@Europe/Berlin,soft`.
//!
//! Which numbers and times are good is judged where plans are kept; here only what cannot be understood is refused.

use std::str::FromStr;

use model::suggest;
use model::units::GatewayDuration;
use serde_json::{Value, json};

const PERIODS: [&str; 6] = ["Minute", "Hour", "Day", "Week", "Month", "Year"];

/// How fast a subscription may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    requests: u64,
    per: GatewayDuration,
    burst: Option<u64>,
}

/// How often a subscription may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quota {
    requests: u64,
    per: &'static str,
    time_zone: Option<String>,
    is_soft: bool,
    when_unknown: Option<&'static str>,
}

impl Rate {
    /// As a Plan has it.
    pub(super) fn written(&self) -> Value {
        let mut rate = json!({ "requests": self.requests, "per": self.per.to_string() });
        if let Some(burst) = self.burst {
            rate["burst"] = burst.into();
        }
        rate
    }
}

impl Quota {
    /// As a Plan has it.
    pub(super) fn written(&self) -> Value {
        let mut quota = json!({ "requests": self.requests, "per": self.per });
        if let Some(zone) = &self.time_zone {
            quota["timeZone"] = zone.as_str().into();
        }
        if self.is_soft {
            quota["limit"] = "Soft".into();
        }
        if let Some(word) = self.when_unknown {
            quota["whenUnknown"] = word.into();
        }
        quota
    }
}

/// `10/1s` and what stands behind commas.
fn parts(text: &str) -> Result<(u64, &str, impl Iterator<Item = &str>), String> {
    let (limit, options) = text.split_once(',').unwrap_or((text, ""));
    let (requests, per) = limit.split_once('/').ok_or("there is no `/`")?;
    let requests = number(requests)?;
    Ok((requests, per, options.split(',').filter(|option| !option.is_empty())))
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (requests, per, options) = parts(text)?;
            let per = per.parse().map_err(|_| format!("`{per}` is not a time"))?;
            let mut rate = Rate { requests, per, burst: None };
            for option in options {
                match option.strip_prefix("burst=") {
                    Some(burst) => rate.burst = Some(number(burst)?),
                    None => return Err(format!("`{option}` is nothing that a rate has")),
                }
            }
            Ok(rate)
        };
        read().map_err(|why: String| format!("{why}; write it like 10/1s or 100/1m,burst=200"))
    }
}

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (requests, per, options) = parts(text)?;
            let (period, zone) = per.split_once('@').map_or((per, None), |(per, zone)| (per, Some(zone)));
            let time_zone = zone.map(str::to_owned);
            let per =
                PERIODS.into_iter().find(|known| known.eq_ignore_ascii_case(period)).ok_or_else(|| {
                    let meant = suggest::did_you_mean(period, PERIODS).map(|meant| format!(" ({meant})"));
                    format!("`{period}` is no period{}", meant.unwrap_or_default())
                })?;
            let mut quota = Quota { requests, per, time_zone, is_soft: false, when_unknown: None };
            for option in options {
                match option {
                    "soft" => quota.is_soft = true,
                    "hard" => quota.is_soft = false,
                    "unknown=closed" => quota.when_unknown = Some("Closed"),
                    "unknown=open-capped" => quota.when_unknown = Some("OpenCapped"),
                    "unknown=open" => quota.when_unknown = Some("Open"),
                    _ => return Err(format!("`{option}` is nothing that a quota has")),
                }
            }
            Ok(quota)
        };
        read()
            .map_err(|why: String| format!("{why}; write it like 1000/Day or 50000/Month@Europe/Berlin,soft"))
    }
}

/// What a plan gives, in words, one for each limit.
pub(super) fn told(spec: &Value) -> Vec<String> {
    let list = |field: &str| spec[field].as_array().into_iter().flatten();
    let rate = |rate: &Value| {
        let burst = rate["burst"].as_u64().map(|burst| format!(" ({burst} at once)"));
        format!("{} in {}{}", rate["requests"], text(&rate["per"]), burst.unwrap_or_default())
    };
    let quota = |quota: &Value| {
        let zone = quota["timeZone"].as_str().map(|zone| format!(" of {zone}"));
        let soft = if quota["limit"] == "Soft" { " (counted, not refused)" } else { "" };
        format!(
            "{} a {}{}{soft}",
            quota["requests"],
            text(&quota["per"]).to_lowercase(),
            zone.unwrap_or_default()
        )
    };
    let limits: Vec<String> = list("rates").map(rate).chain(list("quotas").map(quota)).collect();
    if limits.is_empty() { vec!["no limit".to_owned()] } else { limits }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_written_in_one_word_and_told_in_several() {
        let rate = |text: &str| text.parse::<Rate>().expect("a rate").written();
        let quota = |text: &str| text.parse::<Quota>().expect("a quota").written();

        assert_eq!(rate("10/1s"), json!({ "requests": 10, "per": "1s" }));
        assert_eq!(rate("100/1m,burst=200"), json!({ "requests": 100, "per": "1m", "burst": 200 }));
        assert_eq!(quota("1000/month"), json!({ "requests": 1000, "per": "Month" }));
        let all = quota("5/Day@Europe/Berlin,soft,unknown=closed");
        let whole = json!({
            "requests": 5, "per": "Day", "timeZone": "Europe/Berlin", "limit": "Soft", "whenUnknown": "Closed",
        });
        assert_eq!(all, whole);
        let spec = json!({ "rates": [rate("100/1m,burst=200")], "quotas": [whole] });
        assert_eq!(
            told(&spec),
            ["100 in 1m (200 at once)", "5 a day of Europe/Berlin (counted, not refused)"]
        );
        assert_eq!(told(&json!({})), ["no limit"]);
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_an_example() {
        for text in ["10", "a/1s", "10/soon", "10/1s,bursts=3", "10/1s,burst=x", "-1/1s"] {
            let why = text.parse::<Rate>().expect_err(text);
            assert!(why.contains("write it like 10/1s"), "{why}");
        }
        for text in ["10", "10/Fortnight", "x/Day", "10/Day,slow", "10/Day,unknown=maybe"] {
            let why = text.parse::<Quota>().expect_err(text);
            assert!(why.contains("write it like 1000/Day"), "{why}");
        }
        let near = "10/Mnth".parse::<Quota>().expect_err("no period");
        assert!(near.contains("Month"), "{near}");
    }
}
