//! `selvedge diff`

use std::path::PathBuf;

use clap::Args;
use client::{ApplyOptions, Client, Error, Object};
use engine::explain::{Change, Changes, REQUESTS_MAX, changes};
use futures_util::StreamExt as _;
use model::{Resource, yaml};
use serde_json::{Value, json};

use super::apply::{namespaces, one};
use crate::commands::OutputForm;
use crate::exit::{Exit, Failure};
use crate::output::{self, BOLD, GREEN, RED, styled};
use crate::remote::state::{AT_ONCE, State, compiler};
use crate::remote::{Connection, block_on, failure, files};
use crate::show::{counted, difference};

/// Show what `apply` would change, and which requests would be decided differently
///
/// First each object, as the control plane holds it and as it would be. Then the engine is asked: for every match of
/// every rule, what decides such a request now and what would decide it. Nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge diff -f shop.yaml
  selvedge diff -f gateways/ -f routes/ -o json
Exit code 0 means that nothing would change, 7 that something would.")]
pub struct Arguments {
    /// A file, or a directory of *.yaml, *.yml and *.json files; `-` is standard input; may be given more than once
    #[arg(short, long = "file", value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    /// Take over fields that others set
    #[arg(long)]
    force: bool,
    /// Form of the result
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: OutputForm,
    #[command(flatten)]
    connection: Connection,
}

/// What would change of one object.
struct Changed {
    subject: String,
    before: Option<String>,
    after: String,
}

/// Compares.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let resources = files::read(&arguments.files)?;
    let client = arguments.connection.open()?;
    block_on(async {
        let state = State::read(&client, &namespaces(&resources)).await?;
        let after = tried(&client, &resources, arguments.force).await?;
        let objects: Vec<Changed> = after.iter().filter_map(|object| changed(&state, object)).collect();
        let verdicts = verdicts(&state, &after);
        match arguments.output {
            OutputForm::Text => tell(&objects, &verdicts),
            OutputForm::Json => output::data(format_args!("{:#}", data(&objects, &verdicts))),
        }
        if !state.unknown.is_empty() {
            output::note(format_args!("not everything could be read: {}", state.unknown.join("; ")));
        }
        let same = objects.is_empty() && verdicts.changes.is_empty();
        Ok(if same { Exit::Success } else { Exit::Differs })
    })
}

/// What the control plane would make of each object.
async fn tried(client: &Client, resources: &[Resource], force: bool) -> Result<Vec<Object>, Failure> {
    let options = &ApplyOptions { force, dry_run: true, ..ApplyOptions::default() };
    let answers: Vec<Result<Object, Error>> = futures_util::stream::iter(resources)
        .map(|resource| one(client, resource, options))
        .buffered(AT_ONCE)
        .collect()
        .await;
    answers.into_iter().map(|answer| answer.map_err(failure)).collect()
}

fn changed(state: &State, object: &Object) -> Option<Changed> {
    let found = state.object(object.kind(), object.namespace(), object.name());
    let (before, after) = (found.map(shown), shown(object));
    (before.as_ref() != Some(&after)).then(|| Changed {
        subject: format!("{} {}", object.kind(), object.place()),
        before,
        after,
    })
}

/// An object as YAML without what the server keeps about it. Values of Secrets are told apart, not shown.
fn shown(object: &Object) -> String {
    let mut value = object.clone().without_managers().in_order().0;
    if let Value::Object(map) = &mut value {
        map.shift_remove("status");
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            for field in ["resourceVersion", "generation", "uid", "creationTimestamp"] {
                metadata.shift_remove(field);
            }
        }
        if let (true, Some(Value::Object(data))) = (object.kind() == "Secret", map.get_mut("data")) {
            data.values_mut().for_each(hide);
        }
    }
    yaml::write(&value)
}

/// The same text has the same mark; nobody can tell the text from it, because the hasher is seeded anew each run.
fn hide(value: &mut Value) {
    use std::hash::BuildHasher as _;
    use std::sync::OnceLock;
    static HASHER: OnceLock<std::hash::RandomState> = OnceLock::new();
    let text = value.as_str().unwrap_or_default();
    let mark = HASHER.get_or_init(std::hash::RandomState::new).hash_one(text);
    *value = Value::String(format!("(hidden, {} bytes, mark {:04x})", text.len() / 4 * 3, mark & 0xffff));
}

/// Asks the engine about before and after.
fn verdicts(state: &State, after: &[Object]) -> Changes {
    let mut engine = compiler();
    let before = engine.compile(&state.resources).config;
    let mut wanted = state.resources.clone();
    for resource in after.iter().filter_map(|object| object.resource().ok()) {
        wanted.put(resource);
    }
    changes(&before, &engine.compile(&wanted).config)
}

fn tell(objects: &[Changed], verdicts: &Changes) {
    for Changed { subject, before, after } in objects {
        let title = if before.is_none() { format!("{subject} (new)") } else { subject.clone() };
        let before = before.as_deref().unwrap_or_default();
        if let Some(difference) = difference::unified(&title, before, after) {
            output::data(difference);
        }
    }
    if !objects.is_empty() {
        output::data("");
    }
    output::data(requests(verdicts));
    let noun = counted(objects.len(), "object");
    let matches = counted(verdicts.changes.len(), "kind");
    output::note(format_args!("{noun} would change, {matches} of requests would be decided differently"));
}

fn requests(verdicts: &Changes) -> String {
    let mut lines: Vec<String> = Vec::new();
    for Change { request, before, after } in &verdicts.changes {
        lines.push(styled(BOLD, crate::show::visible(request)));
        lines.push(format!("  {}", styled(RED, format!("- {}", crate::show::visible(before)))));
        lines.push(format!("  {}", styled(GREEN, format!("+ {}", crate::show::visible(after)))));
    }
    if lines.is_empty() {
        lines.push("no request would be decided differently".to_owned());
    }
    if verdicts.truncated {
        lines.push(format!("only {REQUESTS_MAX} kinds of requests were tried"));
    }
    lines.join("\n")
}

fn data(objects: &[Changed], verdicts: &Changes) -> Value {
    let object = |changed: &Changed| json!({ "object": changed.subject, "before": changed.before, "after": changed.after });
    json!({ "objects": objects.iter().map(object).collect::<Vec<_>>(), "requests": verdicts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_keeps_is_no_difference_and_secrets_stay_hidden() {
        let object = |revision: &str, key: &str| {
            Object(json!({
                "kind": "Secret", "metadata": { "name": "a", "resourceVersion": revision }, "data": { "key": key },
            }))
        };
        let (first, again) = (shown(&object("1", "aHVudGVyMg==")), shown(&object("2", "aHVudGVyMg==")));

        assert_eq!(first, again);
        assert!(!first.contains("aHVudGVyMg"), "{first}");
        assert_ne!(first, shown(&object("1", "aHVudGVyMw==")), "that it changed is told");
    }

    #[test]
    fn a_change_of_requests_shows_both_sides() {
        let change =
            Change { request: "http://a/*".into(), before: "404".into(), after: "HTTPRoute a/b".into() };
        let verdicts = Changes { changes: vec![change], truncated: true };

        let text = anstream::adapter::strip_str(&requests(&verdicts)).to_string();
        assert_eq!(text, "http://a/*\n  - 404\n  + HTTPRoute a/b\nonly 20000 kinds of requests were tried");
        assert_eq!(requests(&Changes::default()), "no request would be decided differently");
    }
}
