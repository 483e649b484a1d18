//! `selvedge apply`
//!
//! Everything that could be wrong is looked for before anything is changed: files are read and judged here, the engine
//! says which references would lead nowhere, and the control plane tries every object without keeping it. Only
//! when nobody objects is the first object written.

mod prune;
mod unresolved;
mod wait;

use std::path::PathBuf;

use clap::Args;
use client::{ApplyOptions, Client, Collection, Error, FIELD_MANAGER, Object};
use futures_util::StreamExt as _;
use model::violation::Violations;
use model::{FieldPath, Resource};
use serde_json::Value;

use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::proxies::Proxies;
use crate::remote::state::{AT_ONCE, State, compiler};
use crate::remote::{Connection, block_on, failure, files};
use crate::show::counted;

/// Make the control plane want what stands in files
///
/// Objects are created or changed with server-side apply: the fields in the files become yours, all others stay whose
/// they are. Everything is checked first, on all objects; when something is wrong, nothing is applied. A reference
/// that leads nowhere (a route to a Service that does not exist) is wrong, too, unless --allow-unresolved says that
/// it will exist later.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge apply -f shop.yaml
  selvedge apply -f gateways/ -f routes/ --wait          until every proxy runs on it
  selvedge apply -f shop/ --prune -l app=shop            and delete what is no longer in the files
  selvedge diff -f shop.yaml                             what would change, before it does
Objects without a namespace belong to `default`, as with `selvedge up -f`.")]
pub struct Arguments {
    /// A file, or a directory of *.yaml, *.yml and *.json files; `-` is standard input; may be given more than once
    #[arg(short, long = "file", value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    /// Wait until every connected proxy runs on it
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Longest time to wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Check everything, the control plane included, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Apply references that lead nowhere, too
    #[arg(long)]
    allow_unresolved: bool,
    /// Take over fields that others set
    #[arg(long)]
    force: bool,
    /// Delete what `selvedge apply` made, has the labels of -l, and is not in the files
    #[arg(long, requires = "selector")]
    prune: bool,
    /// Which objects --prune may delete, such as app=shop
    #[arg(short = 'l', long, value_name = "SELECTOR", requires = "prune")]
    selector: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Checks, applies, prunes and waits.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let resources = files::read(&arguments.files)?;
    let client = arguments.connection.open()?;
    block_on(apply(&client, &resources, arguments))
}

async fn apply(client: &Client, resources: &[Resource], arguments: &Arguments) -> Result<Exit, Failure> {
    let state = State::read(client, &namespaces(resources)).await?;
    let doomed = match &arguments.selector {
        Some(selector) => prune::doomed(client, resources, selector).await?,
        None => Vec::new(),
    };
    check_references(&state, resources, &doomed, arguments)?;
    try_all(client, resources, arguments).await?;
    let mut count = Count::default();
    let mut revision = 0;
    for resource in resources {
        let options = options(arguments, arguments.dry_run);
        let applied = one(client, resource, &options).await.map_err(failure)?;
        revision = revision.max(applied.resource_version().parse().unwrap_or(0));
        count.tell(&state, resource, &applied, arguments.dry_run);
    }
    for object in &doomed {
        prune::delete(client, object, arguments.dry_run).await?;
        count.pruned += 1;
    }
    output::note(count.text(arguments.dry_run));
    if arguments.wait {
        if !doomed.is_empty() {
            // Deletions are writes, too; whatever the epoch is now includes them.
            revision = revision.max(Proxies::read(client).await?.epoch);
        }
        return wait::until_programmed(client, resources, revision, arguments.timeout).await;
    }
    Ok(Exit::Success)
}

/// The namespaces that the files are about.
pub fn namespaces(resources: &[Resource]) -> Vec<String> {
    let mut namespaces: Vec<String> = resources
        .iter()
        .map(|resource| resource.namespace().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    namespaces.sort();
    namespaces.dedup();
    namespaces
}

/// Asks the engine what would become of everything.
fn check_references(
    state: &State,
    resources: &[Resource],
    doomed: &[Object],
    arguments: &Arguments,
) -> Result<(), Failure> {
    let mut engine = compiler();
    let before = engine.compile(&state.resources).conditions;
    let mut wanted = state.resources.clone();
    for object in doomed.iter().filter_map(|object| object.resource().ok()) {
        wanted.remove(&object.key);
    }
    for resource in resources {
        wanted.insert(resource.clone());
    }
    let after = engine.compile(&wanted).conditions;
    let problems = unresolved::problems(&before, &after, resources, &wanted);
    if problems.is_empty() {
        return Ok(());
    }
    // What cannot be seen cannot be judged: then the control plane has the last word, in its conditions.
    if arguments.allow_unresolved || !state.unknown.is_empty() {
        for problem in &problems {
            output::note(format_args!("warning: {}", problem.to_string().trim_start()));
        }
        if !state.unknown.is_empty() && !arguments.allow_unresolved {
            output::note(format_args!(
                "warning: references are not judged for certain: {}",
                state.unknown.join("; ")
            ));
        }
        return Ok(());
    }
    Err(Failure::refused(problems).and_then_hint(
        "--allow-unresolved applies it all the same; such requests are answered with an error until the reference leads somewhere",
    ))
}

/// Lets the control plane try every object without keeping it, so that all it says no to is told at once.
async fn try_all(client: &Client, resources: &[Resource], arguments: &Arguments) -> Result<(), Failure> {
    let options = &options(arguments, true);
    let tried = futures_util::stream::iter(resources)
        .map(|resource| async move { (resource, one(client, resource, options).await) })
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut found = Violations::new();
    let mut hint = String::new();
    for (resource, answer) in tried {
        match answer {
            Ok(_) => {}
            Err(Error::Status(status)) if status.is_invalid() || status.is_conflict() => {
                let error = Error::Status(status);
                hint = error.hint();
                violations(resource, &error).into_iter().for_each(|violation| found.add(violation));
            }
            Err(error) => return Err(failure(error)),
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let failure = Failure::refused(found);
    Err(if hint.is_empty() { failure } else { failure.and_then_hint(hint) })
}

/// What the control plane said about an object, with file and line.
fn violations(resource: &Resource, error: &Error) -> Vec<model::Violation> {
    let causes = error.status().map(|status| status.details.causes.as_slice()).unwrap_or_default();
    if causes.is_empty() {
        return vec![resource.violation(FieldPath::root(), error.to_string(), None)];
    }
    let violation = |cause: &client::Cause| {
        resource.violation(FieldPath::read(&cause.field), cause.message.clone(), None)
    };
    causes.iter().map(violation).collect()
}

fn options(arguments: &Arguments, dry_run: bool) -> ApplyOptions {
    ApplyOptions { manager: FIELD_MANAGER.to_owned(), force: arguments.force, dry_run }
}

/// Applies one object: what was written, and nothing that defaults filled in.
pub async fn one(client: &Client, resource: &Resource, options: &ApplyOptions) -> Result<Object, Error> {
    let collection = Collection::within(resource.kind_name(), resource.namespace());
    client.apply(&collection, resource.key.name.as_str(), &written(resource), options).await
}

/// An object as it stands in its file, in the namespace it belongs to.
pub fn written(resource: &Resource) -> Value {
    let mut value = resource.written.as_written();
    if let (Some(namespace), Some(Value::Object(metadata))) =
        (&resource.key.namespace, value.get_mut("metadata"))
    {
        metadata.insert("namespace".to_owned(), namespace.as_str().into());
    }
    value
}

/// What was done.
#[derive(Default)]
struct Count {
    created: usize,
    changed: usize,
    unchanged: usize,
    pruned: usize,
}

impl Count {
    fn tell(&mut self, state: &State, resource: &Resource, applied: &Object, dry_run: bool) {
        let namespace = resource.key.namespace.as_ref().map(|namespace| namespace.as_str());
        let before = state.object(resource.kind_name().as_str(), namespace, resource.key.name.as_str());
        let is_same = |before: &Object| match dry_run {
            true => wanted(before) == wanted(applied),
            false => before.resource_version() == applied.resource_version(),
        };
        let (word, count) = match before {
            None => ("created", &mut self.created),
            Some(before) if is_same(before) => ("unchanged", &mut self.unchanged),
            Some(_) => ("changed", &mut self.changed),
        };
        *count += 1;
        let note = if dry_run { " (dry run)" } else { "" };
        output::data(format_args!("{} {} {word}{note}", resource.key.kind, resource.key.place()));
    }

    fn text(&self, dry_run: bool) -> String {
        let counts = [
            (self.created, "created"),
            (self.changed, "changed"),
            (self.unchanged, "unchanged"),
            (self.pruned, "deleted"),
        ];
        let told: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let all = counted(counts.iter().map(|(count, _)| count).sum(), "object");
        let told = if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) };
        let note = if dry_run { "; dry run, nothing was changed" } else { "" };
        format!("{all}{told}{note}")
    }
}

/// What an object is beside what the server keeps about it.
fn wanted(object: &Object) -> Value {
    let mut value = object.clone().without_managers().0;
    for field in ["resourceVersion", "generation"] {
        if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
            metadata.shift_remove(field);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::files::SourceFile;

    #[test]
    fn what_is_sent_is_what_was_written_in_its_namespace() {
        let text = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: a }
spec: { parentRefs: [{ name: edge }] }
";
        let file = SourceFile { name: "a.yaml".into(), text: text.into() };
        let resources = files::parse(&[file]).expect("sound");

        assert_eq!(
            written(&resources[0]),
            serde_json::json!({
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "metadata": { "name": "a", "namespace": "default" },
                "spec": { "parentRefs": [{ "name": "edge" }] },
            })
        );
    }

    #[test]
    fn the_end_counts_what_was_done() {
        let count = Count { created: 1, unchanged: 2, ..Count::default() };
        assert_eq!(count.text(false), "3 objects: 1 created, 2 unchanged");
        assert_eq!(Count::default().text(true), "0 objects; dry run, nothing was changed");
    }
}
