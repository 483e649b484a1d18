//! `selvedge describe`

use clap::Args;
use client::{ListOptions, Object};
use model::yaml;
use serde_json::{Map, Value};

use crate::exit::{Exit, Failure};
use crate::output::{self, BOLD, styled};
use crate::remote::target::{self, Target};
use crate::remote::{Connection, block_on, failure};
use crate::show::{conditions, visible};

/// Show an object with what became of it
///
/// Its conditions first, each marked `ok` or `!!`, then what it asks for. Values of Secrets are counted, not shown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge describe gateway edge -n shop
  selvedge describe httproutes -n shop         all of them
  selvedge describe gw/edge hr/checkout -n shop")]
pub struct Arguments {
    /// KIND, KIND NAME…, or KIND/NAME …
    #[arg(value_name = "KIND [NAME]", required = true)]
    what: Vec<String>,
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Only objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Shows each object.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let targets = target::parse(&arguments.what)?;
    if arguments.all_namespaces && targets.iter().any(|target| target.name.is_some()) {
        return Err(target::one_namespace());
    }
    let client = arguments.connection.open()?;
    let namespace = arguments.namespace.clone().unwrap_or_else(|| client.endpoint().namespace.clone());
    let options = ListOptions { labels: arguments.selector.clone(), fields: None };
    let objects = block_on(async {
        let mut objects = Vec::new();
        for target in &targets {
            let collection = target.collection(&namespace, arguments.all_namespaces);
            match &target.name {
                Some(name) => objects.push(client.get(&collection, name).await.map_err(failure)?),
                None => objects.extend(client.list(&collection, &options).await.map_err(failure)?.objects),
            }
        }
        Ok(objects)
    })?;
    if objects.is_empty() {
        let kinds: Vec<&str> = targets.iter().map(|Target { kind, .. }| &*kind.plural).collect();
        let place = match arguments.all_namespaces {
            true => String::new(),
            false => format!(" in namespace `{namespace}`; -A looks in all of them"),
        };
        output::note(format_args!("no {}{place}", kinds.join(", ")));
        return Ok(Exit::Success);
    }
    let texts: Vec<String> = objects.iter().map(described).collect();
    output::data(texts.join("\n\n"));
    Ok(Exit::Success)
}

/// An object for people.
fn described(object: &Object) -> String {
    let metadata = &object.0["metadata"];
    let mut lines = vec![styled(BOLD, visible(&format!("{} {}", object.kind(), object.place())))];
    let mut told = |name: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("  {name:<12} {}", visible(&text)));
        }
    };
    told("version", object.api_version().to_owned());
    told("created", object.text("/metadata/creationTimestamp").to_owned());
    told("generation", metadata["generation"].as_u64().map(|it| it.to_string()).unwrap_or_default());
    told("labels", pairs(&metadata["labels"]));
    told("annotations", pairs(&metadata["annotations"]));
    let conditions = conditions::of(object);
    if !conditions.is_empty() {
        lines.push("  conditions".to_owned());
        lines.extend(conditions::lines(&conditions).into_iter().map(|line| format!("    {line}")));
    }
    lines.extend(content(object));
    lines.join("\n")
}

fn pairs(value: &Value) -> String {
    let pair = |(name, value): (&String, &Value)| format!("{name}={}", value.as_str().unwrap_or_default());
    value.as_object().into_iter().flatten().map(pair).collect::<Vec<_>>().join(", ")
}

/// Everything that has not been told yet, as YAML.
fn content(object: &Object) -> Vec<String> {
    let Value::Object(map) = &object.0 else { return Vec::new() };
    let mut rest = Map::new();
    for (name, value) in map {
        match (name.as_str(), object.kind()) {
            ("apiVersion" | "kind" | "metadata", _) => {}
            ("data" | "stringData", "Secret") => {
                rest.insert(name.clone(), sizes(value));
            }
            ("status", _) => {
                let mut status = value.clone();
                without_conditions(&mut status);
                if status.as_object().is_some_and(|status| !status.is_empty()) {
                    rest.insert(name.clone(), status);
                }
            }
            _ => {
                rest.insert(name.clone(), value.clone());
            }
        }
    }
    if rest.is_empty() {
        return Vec::new();
    }
    yaml::write(&Value::Object(rest)).lines().map(|line| format!("  {line}")).collect()
}

fn without_conditions(value: &mut Value) {
    match value {
        Value::Object(map) => {
            // What parents and ancestors say was told with their conditions.
            map.retain(|name, _| !matches!(name.as_str(), "conditions" | "parents" | "ancestors"));
            map.values_mut().for_each(without_conditions);
        }
        Value::Array(list) => list.iter_mut().for_each(without_conditions),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// How much stands under each key of a Secret.
fn sizes(data: &Value) -> Value {
    let size = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        let bytes = text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count().min(2);
        Value::String(format!("({bytes} bytes)"))
    };
    let entries = data.as_object().into_iter().flatten();
    Value::Object(entries.map(|(name, value)| (name.clone(), size(value))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(object: Value) -> String {
        anstream::adapter::strip_str(&described(&Object(object))).to_string()
    }

    #[test]
    fn what_became_of_an_object_stands_before_what_it_asks_for() {
        let text = plain(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "cart", "namespace": "shop", "labels": { "app": "shop" } },
            "spec": { "ports": [{ "port": 80 }] },
            "status": { "conditions": [{ "type": "Accepted", "status": "False", "reason": "Invalid", "message": "no" }] },
        }));

        assert_eq!(
            text,
            "Service shop/cart
  version      v1
  labels       app=shop
  conditions
    !!  Accepted=False/Invalid: no
  spec:
    ports:
    - port: 80"
        );
    }

    #[test]
    fn a_secret_is_counted_and_not_shown() {
        let text = plain(
            json!({ "kind": "Secret", "metadata": { "name": "a" }, "data": { "tls.key": "aHVudGVyMg==" } }),
        );

        assert!(text.contains("tls.key: \"(7 bytes)\"") || text.contains("tls.key: (7 bytes)"), "{text}");
        assert!(!text.contains("aHVudGVyMg"), "{text}");
    }
}
