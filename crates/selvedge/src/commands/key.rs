//! `selvedge key`

use clap::{Args, Subcommand};
use model::kinds::KindName;
use model::units::GatewayDuration;
use serde_json::{Value, json};

use crate::customers::{OfApplication, Place, after};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::block_on;

/// Make, list, rotate and revoke the keys of applications
///
/// A key is shown once and kept nowhere: what is kept is a fingerprint, which nobody can turn back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge key create --app mobile
  selvedge key create --app mobile --ttl 720h
  selvedge key list --app mobile
  selvedge key rotate mobile-x7k2m --overlap 24h
  selvedge key revoke mobile-x7k2m
A revoked key is refused by every connected gateway within a second, and for good.")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    /// List credentials, without the keys
    List(OfApplication),
    Rotate(Rotate),
    Revoke(Revoke),
}

/// Make a key and print it
#[derive(Debug, Args)]
struct Create {
    /// The application
    #[arg(long = "app", value_name = "APPLICATION")]
    application: String,
    /// How long it is good, such as `720h`; for good when absent
    #[arg(long, value_name = "DURATION")]
    ttl: Option<GatewayDuration>,
    #[command(flatten)]
    place: Place,
}

/// Make a key that takes the place of another one
#[derive(Debug, Args)]
struct Rotate {
    /// Name of the old one, as `selvedge key list` shows it
    #[arg(value_name = "NAME")]
    name: String,
    /// How long both are good
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    overlap: GatewayDuration,
    #[command(flatten)]
    place: Place,
}

/// End keys at once, and for good
#[derive(Debug, Args)]
struct Revoke {
    /// Names, as `selvedge key list` shows them
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Somebody else knows it
    #[arg(long)]
    compromised: bool,
    #[command(flatten)]
    place: Place,
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::Create(create) => block_on(create.run()),
        Action::List(list) => block_on(list.list(KindName::Credential)),
        Action::Rotate(rotate) => block_on(rotate.run()),
        Action::Revoke(revoke) => block_on(revoke.run()),
    }
}

impl Create {
    async fn run(&self) -> Result<Exit, Failure> {
        let customers = self.place.open()?;
        let spec = match &self.ttl {
            Some(ttl) => json!({ "expiresAt": after(ttl.get()).to_string() }),
            None => Value::Null,
        };
        let (name, key) = customers.key(&self.application, spec).await?;
        output::note(format_args!("credential/{name} made; this is the only time that its key is shown"));
        output::data(key);
        Ok(Exit::Success)
    }
}

impl Rotate {
    /// The new one first: whoever is interrupted has two that work, and not none.
    async fn run(&self) -> Result<Exit, Failure> {
        let customers = self.place.open()?;
        let old = customers.get(KindName::Credential, &self.name).await?;
        let (name, key) = customers.key(old.text("/spec/application"), Value::Null).await?;
        let ends = after(self.overlap.get()).to_string();
        customers.change(KindName::Credential, &self.name, json!({ "expiresAt": ends })).await?;
        if old.text("/status/state") == "Active" {
            customers.set(KindName::Credential, &self.name, json!({ "state": "Rotating" })).await?;
        }
        output::note(format_args!("credential/{} is good until {ends}", self.name));
        output::note(format_args!("credential/{name} made; this is the only time that its key is shown"));
        output::data(key);
        Ok(Exit::Success)
    }
}

impl Revoke {
    async fn run(&self) -> Result<Exit, Failure> {
        let customers = self.place.open()?;
        let state = if self.compromised { "Compromised" } else { "Revoked" };
        for name in &self.names {
            customers.set(KindName::Credential, name, json!({ "state": state })).await?;
            output::data(format_args!("credential/{name} is {state}"));
        }
        Ok(Exit::Success)
    }
}
