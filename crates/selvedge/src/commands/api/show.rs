//! `selvedge api show`

use apis::{Description, Document};
use clap::Args;
use client::{Client, ListOptions, Object};
use model::kinds::{ApiBinding, ApiRevision, ApiVersion, KindName};

use super::Place;
use crate::exit::{Exit, Failure};
use crate::output::{self, BOLD, styled};
use crate::product::{collection, version};
use crate::remote::{block_on, failure};

/// Show a version: where it is called, its operations, and what answers each
#[derive(Debug, Args)]
pub struct Arguments {
    /// Name of a version, or of an API that has one
    #[arg(value_name = "API")]
    api: String,
    #[command(flatten)]
    place: Place,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let (client, namespace) = self.place.open()?;
        let lines = block_on(async {
            let object = version(&client, &namespace, &self.api).await?;
            lines(&client, &namespace, &object).await
        })?;
        lines.iter().for_each(output::data);
        Ok(Exit::Success)
    }
}

async fn lines(client: &Client, namespace: &str, object: &Object) -> Result<Vec<String>, Failure> {
    let Some(spec) =
        object.resource().ok().and_then(|it| it.content::<ApiVersion>().map(|it| it.spec.clone()))
    else {
        return Err(Failure::new(
            Exit::Refused,
            format!("`{}` cannot be read", object.name()),
            "see `selvedge get -o yaml`",
        ));
    };
    let state = format!("{:?}{}", spec.state, if spec.hold { ", held" } else { "" });
    let field = |name: &str, value: &str| format!("{}  {value}", styled(BOLD, format!("{name:<9}")));
    let hosts: Vec<&str> = spec.hostnames.iter().map(|host| host.as_str()).collect();
    let mut lines = vec![
        field("version", object.name()),
        field("api", &spec.api),
        field("state", &state),
        field("at", &format!("{}{}", hosts.join(", "), spec.base())),
    ];
    for (name, value) in [
        ("revision", &spec.revision),
        ("candidate", &spec.candidate),
        ("sunset", &spec.sunset),
        ("successor", &spec.successor),
    ] {
        lines.extend(value.as_ref().map(|value| field(name, value)));
    }
    let bindings = bindings(client, namespace, object.name()).await?;
    let binding =
        bindings.first().and_then(|object| object.resource().ok()?.content::<ApiBinding>().cloned());
    if let Some((status, what)) = bindings.first().and_then(proof) {
        let word = match status {
            "True" => "proved",
            "False" => "refuted",
            _ => "not proved",
        };
        lines.push(field("shim", &format!("{word}: {what}")));
    }
    if let Some(description) = described(client, namespace, spec.revision.as_deref()).await? {
        lines.push(String::new());
        let width = description.operations.iter().map(|one| one.key.as_str().len()).max().unwrap_or(0);
        for operation in &description.operations {
            let key = operation.key.as_str();
            lines.push(format!("{key:<width$}  {}", answers(binding.as_ref(), key)));
        }
    }
    Ok(lines)
}

/// The bindings of a version, the one that holds first.
pub(super) async fn bindings(
    client: &Client,
    namespace: &str,
    version: &str,
) -> Result<Vec<Object>, Failure> {
    let bindings = collection(KindName::ApiBinding, namespace);
    let mut listed = client.list(&bindings, &ListOptions::default()).await.map_err(failure)?.objects;
    listed.retain(|object| object.text("/spec/version") == version);
    listed.sort_by_cached_key(|object| object.text("/metadata/creationTimestamp").to_owned());
    Ok(listed)
}

/// What the proof of the shim of a binding came to: the status of the condition, and its message.
pub(super) fn proof(binding: &Object) -> Option<(&str, &str)> {
    let conditions = binding.0.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|condition| condition["type"] == "ShimProved")?;
    Some((found["status"].as_str()?, found["message"].as_str().unwrap_or_default()))
}

/// The description of a revision, as far as it can be read.
pub(crate) async fn described(
    client: &Client,
    namespace: &str,
    revision: Option<&str>,
) -> Result<Option<Description>, Failure> {
    let Some(revision) = revision else { return Ok(None) };
    let found = client.get(&collection(KindName::ApiRevision, namespace), revision).await.map_err(failure)?;
    let Ok(resource) = found.resource() else { return Ok(None) };
    let Some(revision) = resource.content::<ApiRevision>() else { return Ok(None) };
    let all = |written: &[model::kinds::api_revision::Document]| -> Vec<Document> {
        let one = |document: &model::kinds::api_revision::Document| {
            Document::new(document.name.clone(), document.content.clone())
        };
        written.iter().map(one).collect()
    };
    Ok(Description::read_overlaid(&all(&revision.spec.documents), &all(&revision.spec.overlays)).ok())
}

fn answers(binding: Option<&ApiBinding>, key: &str) -> String {
    let Some(target) = binding.and_then(|binding| binding.spec.target(key)) else {
        return "nothing (500)".to_owned();
    };
    if target.mock.is_some() {
        return "mock".to_owned();
    }
    let names: Vec<String> = target
        .backend_refs
        .iter()
        .map(|reference| format!("{}/{}", reference.target.kind, reference.target.name))
        .collect();
    names.join(", ")
}
