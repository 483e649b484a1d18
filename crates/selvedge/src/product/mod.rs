//! From a description to something that can be called: what `selvedge up FILE`, `publish` and `bind` share.
//!
//! Commands write the same objects that somebody could write by hand, through the public API.

pub mod bind;
pub mod publication;
pub mod publish;
pub mod sample;
pub mod trial;

use std::path::Path;

use apis::{Description, Document};
use client::{Client, Collection};
use model::kinds::KindName;

use crate::exit::{Exit, Failure};
use crate::remote::failure;

/// A description that stands in a file: its name, its text, and what it says.
///
/// # Errors
/// What cannot be read, all of it.
pub fn read(file: &Path) -> Result<(String, String, Description), Failure> {
    let (document, description) = read_overlaid(file, &[])?;
    Ok((document.name.to_string(), document.text.to_string(), description))
}

/// The same with overlays (OpenAPI Overlay) laid over it.
///
/// # Errors
/// What cannot be read, all of it.
pub fn read_overlaid(file: &Path, overlays: &[Document]) -> Result<(Document, Description), Failure> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::machine(format!("cannot read `{name}`: {error}"), "name the description of an API")
    })?;
    let document = Document::new(name.as_str(), text.as_str());
    let read = Description::read_overlaid(std::slice::from_ref(&document), overlays);
    let description = read.map_err(|problems| {
        let mut report = format!("error: {} in {name}; nothing was published", counted(problems.len()));
        problems.iter().for_each(|problem| report.push_str(&format!("\n{problem}")));
        Failure::refused(report)
    })?;
    Ok((document, description))
}

fn counted(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

/// Objects of a kind in a namespace.
pub fn collection(kind: KindName, namespace: &str) -> Collection {
    Collection::within(kind, namespace)
}

/// The version that people mean by a word: its name, or that of an API with one version that can be called.
pub async fn version(client: &Client, namespace: &str, word: &str) -> Result<client::Object, Failure> {
    let versions = collection(KindName::ApiVersion, namespace);
    match client.get(&versions, word).await {
        Ok(found) => return Ok(found),
        Err(error) if error.status().is_some_and(client::Status::is_not_found) => {}
        Err(error) => return Err(failure(error)),
    }
    let listed = client.list(&versions, &client::ListOptions::default()).await.map_err(failure)?;
    let known: Vec<String> = listed.objects.iter().map(|object| object.name().to_owned()).collect();
    let mut mine: Vec<client::Object> =
        listed.objects.into_iter().filter(|object| object.text("/spec/api") == word).collect();
    if mine.len() > 1 {
        let live = |object: &client::Object| !matches!(object.text("/spec/state"), "Draft" | "Retired");
        mine.retain(live);
    }
    match mine.len() {
        1 => Ok(mine.remove(0)),
        0 => {
            let hint = match model::suggest::did_you_mean(word, known.iter().map(String::as_str)) {
                Some(hint) => hint,
                None if known.is_empty() => "`selvedge publish FILE` makes one".to_owned(),
                None => format!("there are: {}", known.join(", ")),
            };
            Err(Failure::new(
                Exit::Missing,
                format!("there is no API or version `{word}` in `{namespace}`"),
                hint,
            ))
        }
        _ => {
            let names: Vec<&str> = mine.iter().map(client::Object::name).collect();
            let hint = format!("name one: {}", names.join(", "));
            Err(Failure::new(Exit::Usage, format!("`{word}` has several versions"), hint))
        }
    }
}
