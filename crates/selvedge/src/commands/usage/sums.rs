//! Sums of what was used, as a table or for a program.

use clap::Args;
use model::yaml;
use serde_json::{Map, Value};

use super::{Time, Where, ask};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::Connection;
use crate::show::table::Table;

/// What is counted, as it is called in answers and above columns.
const COUNTS: [(&str, &str); 7] = [
    ("requests", "REQUESTS"),
    ("success", "SUCCESS"),
    ("clientErrors", "4XX"),
    ("serverErrors", "5XX"),
    ("refused", "REFUSED"),
    ("requestBytes", "BYTES-IN"),
    ("responseBytes", "BYTES-OUT"),
];

/// What tells rows apart that are made here, out of the counts of one answer.
const STATUS: &str = "status";

/// How sums are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// Columns for people.
    Table,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
}

#[derive(Debug, Args)]
pub(super) struct Sums {
    /// Of this application; of another namespace as NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Of this product; of another namespace as NAMESPACE/NAME
    #[arg(long, value_name = "NAME")]
    product: Option<String>,
    /// What tells rows apart: application, product, plan, subscription, version, operation, day, hour, gateway, status;
    /// several with commas
    #[arg(long, value_name = "WHAT", default_value = "application,operation")]
    by: String,
    #[command(flatten)]
    time: Time,
    /// How they are written
    #[arg(short, long, value_enum, default_value = "table")]
    output: Form,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    connection: Connection,
}

impl Sums {
    pub(super) async fn run(&self) -> Result<Exit, Failure> {
        let client = self.connection.open()?;
        let namespace = self.place.namespace(&client);
        let (by_status, by): (Vec<&str>, Vec<&str>) = self.by.split(',').partition(|word| *word == STATUS);
        let mut query = vec![("by", by.join(","))];
        let home = namespace.clone().unwrap_or_else(|| client.endpoint().namespace.clone());
        for (name, value) in [("application", &self.app), ("product", &self.product)] {
            query.extend(value.as_ref().map(|value| (name, qualified(value, &home))));
        }
        query.extend(self.time.from().map(|from| ("from", from.to_string())));
        let path = namespace.map_or("/usage".to_owned(), |name| format!("/namespaces/{name}/usage"));
        let mut answer = ask(&client, &path, &query).await?;
        if !by_status.is_empty()
            && let Some(items) = answer["items"].as_array_mut()
        {
            *items = items.iter().flat_map(of_statuses).collect();
        }
        self.show(&answer);
        if let (true, Some(until)) = (by.contains(&"hour"), answer["daysUntil"].as_str()) {
            output::note(format_args!(
                "before {until} days are not kept in parts: they stand at their first hour"
            ));
        }
        if answer["cut"] == true {
            output::note("there is more than one answer holds: tell less apart, or ask for less time");
        }
        Ok(Exit::Success)
    }

    fn show(&self, answer: &Value) {
        let items: Vec<&Map<String, Value>> =
            answer["items"].as_array().into_iter().flatten().filter_map(Value::as_object).collect();
        match self.output {
            Form::Json => output::data(format_args!("{answer:#}")),
            Form::Yaml => output::data(yaml::write(answer).trim_end()),
            Form::Csv => csv(&items).iter().for_each(output::data),
            Form::Table if items.is_empty() => output::note("nothing was used"),
            Form::Table => table(&items).lines(true).iter().for_each(output::data),
        }
    }
}

/// A name with its namespace.
fn qualified(name: &str, namespace: &str) -> String {
    if name.contains('/') { name.to_owned() } else { format!("{namespace}/{name}") }
}

/// One row for each class of answers that there were.
fn of_statuses(item: &Value) -> Vec<Value> {
    let classes = &COUNTS[1..5];
    let present = classes.iter().filter(|(name, _)| item[*name].as_u64().unwrap_or_default() > 0);
    let row = |(name, _): &(&str, &str)| {
        let mut row = Map::new();
        let members = item.as_object().into_iter().flatten();
        let names = members.filter(|(member, _)| COUNTS.iter().all(|(count, _)| count != member));
        row.extend(names.map(|(member, value)| (member.clone(), value.clone())));
        row.insert(STATUS.to_owned(), (*name).into());
        row.insert("requests".to_owned(), item[*name].clone());
        row.into()
    };
    present.map(row).collect()
}

/// The members of rows, those that tell them apart first.
fn columns(items: &[&Map<String, Value>]) -> Vec<String> {
    items.first().map(|first| first.keys().cloned().collect()).unwrap_or_default()
}

fn cell(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn table(items: &[&Map<String, Value>]) -> Table {
    let columns = columns(items);
    let head = |name: &String| {
        let known = COUNTS.iter().find(|(count, _)| count == name).map(|(_, head)| (*head).to_owned());
        known.unwrap_or_else(|| name.to_uppercase())
    };
    let heads: Vec<String> = columns.iter().map(head).collect();
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>());
    for item in items {
        let shown = |name: &String| match cell(&item[name]) {
            // Who is not known, and what has no name.
            empty if empty.is_empty() => "-".to_owned(),
            cell => cell,
        };
        table.row(columns.iter().map(shown).collect());
    }
    table
}

fn csv(items: &[&Map<String, Value>]) -> Vec<String> {
    let columns = columns(items);
    let line = |cells: Vec<String>| cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(",");
    let rows = items.iter().map(|item| line(columns.iter().map(|name| cell(&item[name])).collect()));
    std::iter::once(line(columns.clone())).chain(rows).collect()
}

/// A field of CSV; quoted where it must be.
fn escaped(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item() -> Value {
        json!({
            "application": "shop/mobile", "operation": "GET /a,b", "requests": 5, "success": 3, "clientErrors": 2,
            "serverErrors": 0, "refused": 4, "requestBytes": 10, "responseBytes": 20,
        })
    }

    #[test]
    fn rows_by_status_are_those_that_there_were() {
        let rows = of_statuses(&item());

        assert_eq!(rows.len(), 3);
        assert_eq!(
            rows[2],
            json!({ "application": "shop/mobile", "operation": "GET /a,b", "status": "refused", "requests": 4 })
        );
    }

    #[test]
    fn csv_quotes_what_it_must_and_names_its_columns() {
        let item = item();
        let lines = csv(&[item.as_object().expect("members")]);

        assert!(lines[0].starts_with("application,operation,requests,"));
        assert_eq!(lines[1], "shop/mobile,\"GET /a,b\",5,3,2,0,4,10,20");
    }
}
