//! `selvedge api promote`, `rollback`, `deprecate` and `retire`: steps in the life of a version.
//!
//! Each is one change of one object; whether the step may be taken is for the control plane to say.

use clap::Args;
use client::{Client, ListOptions, Object, Patch, WriteOptions};
use model::kinds::KindName;
use model::units::Moment;
use serde_json::{Value, json};

use super::Place;
use super::show::{bindings, proof};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::product::{collection, version};
use crate::remote::{block_on, failure};

/// Make the candidate the current revision, or publish a draft
///
/// A draft whose shim was refuted (condition `ShimProved` of its APIBinding) is not published: some of its clients
/// would not be served.
#[derive(Debug, Args)]
pub struct Promote {
    /// Name of a version, or of an API that has one
    #[arg(value_name = "API")]
    api: String,
    /// Publish it although its shim was refuted
    #[arg(long)]
    unproved: bool,
    #[command(flatten)]
    place: Place,
}

/// Go back to the revision before the current one
#[derive(Debug, Args)]
pub struct Rollback {
    /// Name of a version, or of an API that has one
    #[arg(value_name = "API")]
    api: String,
    /// Go back to this revision instead
    #[arg(long, value_name = "REVISION")]
    to: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Say that a version should no longer be used, when it will end and what takes its place
#[derive(Debug, Args)]
pub struct Deprecate {
    /// Name of a version, or of an API that has one
    #[arg(value_name = "API")]
    api: String,
    /// When it is expected to end, such as 2027-06-01T00:00:00Z
    #[arg(long, value_name = "MOMENT")]
    sunset: Option<Moment>,
    /// Name of the version that takes its place
    #[arg(long, value_name = "VERSION")]
    successor: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// End a version: from now on it answers 410 and names its successor
#[derive(Debug, Args)]
pub struct Retire {
    /// Name of a version, or of an API that has one
    #[arg(value_name = "API")]
    api: String,
    #[command(flatten)]
    place: Place,
}

impl Promote {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        step(&self.place, &self.api, async |client, object| {
            let candidate = object.text("/spec/candidate");
            if !candidate.is_empty() {
                let spec = json!({ "revision": candidate, "candidate": null });
                return Ok((spec, format!("is described by {candidate} now")));
            }
            if !self.unproved {
                refuse_refuted(client, object).await?;
            }
            Ok((json!({ "state": "Published" }), "is published".to_owned()))
        })
    }
}

impl Rollback {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        step(&self.place, &self.api, async |client, object| {
            let before = match &self.to {
                Some(to) => to.clone(),
                None => before(client, object).await?,
            };
            Ok((json!({ "revision": before }), format!("is described by {before} again")))
        })
    }
}

impl Deprecate {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        step(&self.place, &self.api, async |_, object| {
            let mut spec = json!({ "state": "Deprecated" });
            if object.text("/spec/deprecatedAt").is_empty() {
                spec["deprecatedAt"] = now().to_string().into();
            }
            if let Some(sunset) = self.sunset {
                spec["sunset"] = sunset.to_string().into();
            }
            if let Some(successor) = &self.successor {
                spec["successor"] = successor.as_str().into();
            }
            Ok((spec, "is deprecated".to_owned()))
        })
    }
}

impl Retire {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        step(&self.place, &self.api, async |_, _| {
            Ok((json!({ "state": "Retired" }), "is retired: 410".to_owned()))
        })
    }
}

/// Whoever publishes a version promises its description, and a refuted shim breaks that promise.
async fn refuse_refuted(client: &Client, version: &Object) -> Result<(), Failure> {
    let bindings = bindings(client, version.namespace().unwrap_or_default(), version.name()).await?;
    match bindings.first().and_then(proof) {
        Some(("False", what)) => Err(Failure::new(
            Exit::Refused,
            format!("the shim of `{}` does not serve its clients: {what}", version.name()),
            "`selvedge api prove` shows every message; --unproved publishes all the same",
        )),
        Some(_) | None => Ok(()),
    }
}

/// Changes the spec of a version, and says what it is now.
fn step(
    place: &Place,
    word: &str,
    change: impl AsyncFnOnce(&Client, &Object) -> Result<(Value, String), Failure>,
) -> Result<Exit, Failure> {
    let (client, namespace) = place.open()?;
    block_on(async {
        let object = version(&client, &namespace, word).await?;
        let (spec, said) = change(&client, &object).await?;
        let patch = Patch::Merge(json!({ "spec": spec }));
        let versions = collection(KindName::ApiVersion, &namespace);
        client.patch(&versions, object.name(), &patch, WriteOptions::default()).await.map_err(failure)?;
        output::data(format_args!("apiversion/{} {said}", object.name()));
        Ok(Exit::Success)
    })
}

/// The revision that was made last before the current one.
async fn before(client: &Client, version: &Object) -> Result<String, Failure> {
    let revisions = collection(KindName::ApiRevision, version.namespace().unwrap_or_default());
    let listed = client.list(&revisions, &ListOptions::default()).await.map_err(failure)?;
    let mut mine: Vec<(&str, u64, &str)> = listed
        .objects
        .iter()
        .filter(|object| object.text("/spec/version") == version.name())
        .map(|object| {
            let number = object.resource_version().parse().unwrap_or(u64::MAX);
            (object.text("/metadata/creationTimestamp"), number, object.name())
        })
        .collect();
    mine.sort_unstable();
    let current = version.text("/spec/revision");
    let at = mine.iter().position(|(_, _, name)| *name == current).unwrap_or(mine.len());
    match at.checked_sub(1).and_then(|at| mine.get(at)) {
        Some((_, _, name)) => Ok((*name).to_owned()),
        None => Err(Failure::new(
            Exit::Missing,
            format!("there is no revision before `{current}`"),
            "`selvedge get apirevisions` shows what there is; name one with --to",
        )),
    }
}

fn now() -> Moment {
    let since = crate::clock::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
