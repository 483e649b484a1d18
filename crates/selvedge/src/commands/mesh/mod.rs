//! `selvedge mesh`

mod show;

use std::time::Duration;

use clap::{Args, Subcommand};
use client::{Client, Collection, Object};
use model::kinds::KindName;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::proxies::Proxies;
use crate::remote::{Connection, block_on, failure};

/// Show the mesh, and change whom its members trust
///
/// A rotation replaces the root of a mesh while traffic flows: everybody learns of the new root, then it signs, then
/// certificates are renewed, and when nobody needs the old root any more it goes. Connections that are open live on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge mesh show
  selvedge mesh show -o svg > mesh.svg
  selvedge mesh rotate
  selvedge mesh rotate --status
  selvedge mesh rotate --compromised
  selvedge mesh distrust 5f0c…91 --mesh default
Of `rotate`, exit code 0 means that the rotation has ended or none is under way, 6 that one is.")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Show(show::Show),
    Rotate(Rotate),
    Distrust(Distrust),
}

/// Replace the root of a mesh, and show who still needs the old one
#[derive(Debug, Args)]
struct Rotate {
    /// Name of the Mesh
    #[arg(long, value_name = "NAME", default_value = "default")]
    mesh: String,
    /// Only show how far a rotation is
    #[arg(long)]
    status: bool,
    /// Others may have the key of the old root: when it goes, connections that it vouched for are cut
    #[arg(long, conflicts_with = "status")]
    compromised: bool,
    /// Begin it and do not wait for its end
    #[arg(long, conflicts_with = "status")]
    no_wait: bool,
    /// Longest time to wait for its end, in seconds; it goes on without us
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    #[command(flatten)]
    connection: Connection,
}

/// End the trust in a root at once; whoever has a certificate of it is shut out
#[derive(Debug, Args)]
struct Distrust {
    /// Key identifier of the root, as `selvedge mesh rotate --status` shows it
    #[arg(value_name = "ROOT")]
    root: String,
    /// Name of the Mesh
    #[arg(long, value_name = "NAME", default_value = "default")]
    mesh: String,
    /// Even if it is the only one: a new root is made, and every workload must join anew
    #[arg(long)]
    only: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Time between two looks at a rotation.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::Show(show) => show.run(),
        Action::Rotate(rotate) => rotate.run(),
        Action::Distrust(distrust) => distrust.run(),
    }
}

fn path(mesh: &str) -> String {
    format!("{}{mesh}", control::ca::MESHES)
}

impl Rotate {
    fn run(&self) -> Result<Exit, Failure> {
        let client = self.connection.open()?;
        block_on(async {
            let mut to = None;
            if !self.status {
                let wanted = json!({ "rotate": { "compromised": self.compromised } });
                let asked = client.post(&path(&self.mesh), &wanted).await.map_err(failure)?;
                let root = asked["to"].as_str().unwrap_or_default();
                output::note(format_args!("root {root} was made; the rotation is under way"));
                to = Some(root.to_owned());
            }
            if self.status || self.no_wait {
                let progress = Progress::read(&client, &self.mesh, to).await?;
                progress.lines().iter().for_each(output::data);
                return Ok(progress.exit());
            }
            self.wait(&client, to).await
        })
    }

    /// Shows each step that differs from the one before, to the end of the rotation.
    async fn wait(&self, client: &Client, to: Option<String>) -> Result<Exit, Failure> {
        let mut shown = Vec::new();
        let waiting = async {
            loop {
                let progress = Progress::read(client, &self.mesh, to.clone()).await?;
                let lines = progress.lines();
                if lines != shown {
                    lines.iter().for_each(output::data);
                    shown = lines;
                }
                if !progress.is_under_way() {
                    return Ok(Exit::Success);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(self.timeout), waiting).await {
            Ok(ended) => ended,
            Err(_) => {
                output::note("the rotation goes on; `selvedge mesh rotate --status` shows how far it is");
                Ok(Exit::Unmet)
            }
        }
    }
}

impl Distrust {
    fn run(&self) -> Result<Exit, Failure> {
        let client = self.connection.open()?;
        let wanted = json!({ "distrust": { "root": self.root, "only": self.only } });
        let done = block_on(async { client.post(&path(&self.mesh), &wanted).await.map_err(failure) })?;
        output::data(format_args!("root {} is distrusted", self.root));
        output::data(format_args!("root {} signs", done["signing"].as_str().unwrap_or_default()));
        Ok(Exit::Success)
    }
}

/// How far a rotation is.
struct Progress {
    bundle: Object,
    /// The root that was made just now: before the bundle shows it, the rotation has not been taken up.
    to: Option<String>,
    /// Proxies with a certificate of a root that is to go, and until when each has it.
    holders: Vec<(String, String, String)>,
}

impl Progress {
    async fn read(client: &Client, mesh: &str, to: Option<String>) -> Result<Progress, Failure> {
        let bundles = Collection::everywhere(KindName::TrustBundle);
        let bundle = client.get(&bundles, mesh).await.map_err(failure)?;
        let proxies = Proxies::read_if_told(client).await?.unwrap_or_default();
        let going: Vec<&str> = texts(&bundle.0, "/status/rotation/from");
        let holders = proxies.connected().filter_map(|proxy| {
            let held = proxy.certificate.as_ref()?;
            let is_left = going.contains(&held.issuer.as_str());
            is_left.then(|| (proxy.name.clone(), held.identity.clone(), held.not_after.clone()))
        });
        let holders = holders.collect();
        Ok(Progress { bundle, to, holders })
    }

    fn is_under_way(&self) -> bool {
        let is_shown = |to: &String| self.roots().any(|root| root["id"] == **to);
        self.bundle.0.pointer("/status/rotation").is_some_and(Value::is_object)
            || self.to.as_ref().is_some_and(|to| !is_shown(to))
    }

    fn roots(&self) -> impl Iterator<Item = &Value> {
        self.bundle.0.pointer("/status/roots").and_then(Value::as_array).into_iter().flatten()
    }

    fn exit(&self) -> Exit {
        if self.is_under_way() { Exit::Unmet } else { Exit::Success }
    }

    fn lines(&self) -> Vec<String> {
        let text = |pointer: &str| self.bundle.text(pointer).to_owned();
        let signing = text("/status/signing");
        let mut lines: Vec<String> = self.roots().map(|root| line(root, &signing)).collect();
        lines.extend(retired(&self.bundle.0));
        match text("/status/rotation/stage").as_str() {
            "Spreading" => lines.push("proxies learn of the new root".to_owned()),
            "Moving" => lines.push("certificates are renewed under the new root".to_owned()),
            _ if self.is_under_way() => lines.push("the control plane that leads takes it up".to_owned()),
            _ => lines.push("no rotation is under way".to_owned()),
        }
        let waits = texts(&self.bundle.0, "/status/rotation/waitsFor");
        lines.extend(waits.iter().map(|name| format!("  waiting for {name}")));
        lines.extend(self.holders.iter().map(|(name, identity, until)| {
            format!("  {name} ({identity}) still needs the old root, at most until {until}")
        }));
        lines
    }
}

/// Roots that have gone, and until when connections of theirs may live.
fn retired(bundle: &Value) -> impl Iterator<Item = String> {
    let all = bundle.pointer("/status/retired").and_then(Value::as_array).into_iter().flatten();
    all.map(|root| {
        let text = |field: &str| root[field].as_str().unwrap_or_default();
        format!("root {} has retired; connections of its time live until {}", text("id"), text("until"))
    })
}

fn line(root: &Value, signing: &str) -> String {
    let text = |field: &str| root[field].as_str().unwrap_or_default().to_owned();
    let signs = if text("id") == signing { ", signs" } else { "" };
    format!("root {} until {}{signs}", text("id"), text("notAfter"))
}

fn texts<'v>(value: &'v Value, pointer: &str) -> Vec<&'v str> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}
