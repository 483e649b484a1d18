//! `selvedge app`

use clap::{Args, Subcommand};
use model::kinds::KindName;
use model::spiffe::SpiffeId;
use serde_json::json;

use crate::customers::{Named, Place, Places};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::block_on;

/// Make, list and stop applications, which are what calls APIs
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge app create mobile
  selvedge app create trading --identity spiffe://bank.example/ns/trade/sa/desk
  selvedge app list -A
  selvedge app suspend mobile
An application is recognised by its credentials (`selvedge key`, or an identity of the mesh) and may call what it has
subscribed to (`selvedge subscribe`). Suspending one stops it everywhere at once.")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    /// List applications
    List(Places),
    /// Show an application with its subscriptions and credentials
    Show(Named),
    /// Stop everything that an application calls
    Suspend(Named),
    /// Let a suspended application call again
    Resume(Named),
}

/// Make an application
#[derive(Debug, Args)]
struct Create {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// The team that it belongs to
    #[arg(long, value_name = "TEAM")]
    team: Option<String>,
    /// An identity of the mesh by which it is recognised, without any key
    #[arg(long, value_name = "SPIFFE-ID")]
    identity: Option<SpiffeId>,
    #[command(flatten)]
    place: Place,
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::Create(create) => block_on(create.run()),
        Action::List(places) => block_on(places.list(KindName::Application, None)),
        Action::Show(named) => block_on(show(named)),
        Action::Suspend(named) => block_on(named.turn(KindName::Application, "Suspended")),
        Action::Resume(named) => block_on(named.turn(KindName::Application, "Active")),
    }
}

impl Create {
    async fn run(&self) -> Result<Exit, Failure> {
        let customers = self.place.open()?;
        let spec = match &self.team {
            Some(team) => json!({ "team": team }),
            None => json!({}),
        };
        customers.create(KindName::Application, &self.name, spec).await?;
        output::data(format_args!("application/{} made", self.name));
        if let Some(identity) = &self.identity {
            let spec = json!({ "application": self.name, "type": "SPIFFE", "identity": identity.as_str() });
            let made = customers.create(KindName::Credential, &format!("{}-", self.name), spec).await?;
            output::data(format_args!("credential/{} made: {}", made.name(), identity.as_str()));
        }
        Ok(Exit::Success)
    }
}

async fn show(named: &Named) -> Result<Exit, Failure> {
    let customers = named.place.open()?;
    let application = customers.get(KindName::Application, &named.name).await?;
    let team = application.text("/spec/team");
    let of = if team.is_empty() { String::new() } else { format!(", of team {team}") };
    output::data(format_args!("{} is {}{of}", application.place(), application.text("/status/state")));
    let all = Places { all_namespaces: false, place: named.place.clone() };
    for kind in [KindName::Subscription, KindName::Credential] {
        all.list(kind, Some(&named.name)).await?;
    }
    Ok(Exit::Success)
}
