//! `selvedge delete`

use std::path::PathBuf;

use clap::Args;
use client::{Client, Collection, DeleteOptions, ListOptions};

use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::{Connection, block_on, exit_of, failure, files, target, told};

/// Delete objects
///
/// By name, by label, or those that stand in files. Requests under way are not cut: a route that is gone serves them
/// to their end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge delete httproute checkout -n shop
  selvedge delete hr/checkout svc/cart -n shop
  selvedge delete services -l app=shop -n shop --dry-run
  selvedge delete -f shop.yaml")]
pub struct Arguments {
    /// KIND NAME…, KIND/NAME …, or KIND with -l or --all
    #[arg(value_name = "KIND NAME", conflicts_with = "files", required_unless_present = "files")]
    what: Vec<String>,
    /// Delete what stands in this file or directory; `-` is standard input
    #[arg(short, long = "file", value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// All objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with_all = ["files", "all"])]
    selector: Option<String>,
    /// All objects of the kind in the namespace
    #[arg(long, conflicts_with = "files")]
    all: bool,
    /// Only show what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// What does not exist is no mistake
    #[arg(long)]
    ignore_not_found: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Deletes one object after the other, and tells of each. One that cannot be deleted does not save the others.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let resources = if arguments.files.is_empty() { Vec::new() } else { files::read(&arguments.files)? };
    let targets = if arguments.what.is_empty() { Vec::new() } else { target::parse(&arguments.what)? };
    let chosen = arguments.selector.is_some() || arguments.all;
    if !chosen && targets.iter().any(|target| target.name.is_none()) {
        return Err(Failure::new(
            Exit::Usage,
            "which of them?",
            "name them, choose with -l SELECTOR, or say --all",
        ));
    }
    let client = arguments.connection.open()?;
    let namespace = arguments.namespace.clone().unwrap_or_else(|| client.endpoint().namespace.clone());
    block_on(async {
        let mut doomed: Vec<(Collection, String)> = Vec::new();
        // What refers to others goes before what it refers to.
        for resource in resources.iter().rev() {
            doomed.push((
                Collection::within(resource.kind_name(), resource.namespace()),
                resource.key.name.to_string(),
            ));
        }
        for target in targets {
            let collection = target.collection(&namespace, false);
            match target.name {
                Some(name) => doomed.push((collection, name)),
                None => doomed.extend(chosen_from(&client, &collection, arguments).await?),
            }
        }
        delete(&client, &doomed, arguments).await
    })
}

async fn chosen_from(
    client: &Client,
    collection: &Collection,
    arguments: &Arguments,
) -> Result<Vec<(Collection, String)>, Failure> {
    let options = ListOptions { labels: arguments.selector.clone(), fields: None };
    let listed = client.list(collection, &options).await.map_err(failure)?;
    if listed.objects.is_empty() {
        output::note(format_args!("no such {}", collection.kind.plural));
    }
    let place = |object: &client::Object| (collection.clone(), object.name().to_owned());
    Ok(listed.objects.iter().map(place).collect())
}

async fn delete(
    client: &Client,
    doomed: &[(Collection, String)],
    arguments: &Arguments,
) -> Result<Exit, Failure> {
    let options = DeleteOptions { uid: None, dry_run: arguments.dry_run };
    let mut worst = Exit::Success;
    for (collection, name) in doomed {
        let shown = format!("{}/{name}", collection.kind.kind.to_ascii_lowercase());
        match client.delete(collection, name, &options).await {
            Ok(()) if arguments.dry_run => output::data(format_args!("{shown} would be deleted")),
            Ok(()) => output::data(format_args!("{shown} deleted")),
            Err(error) if error.is_not_found() && arguments.ignore_not_found => {}
            Err(error) if error.status().is_none() => return Err(failure(error)),
            Err(error) => {
                output::error(format_args!("error: {}", told(&error)));
                worst = if worst == Exit::Success { exit_of(&error) } else { worst };
            }
        }
    }
    Ok(worst)
}
