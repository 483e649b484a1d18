//! `selvedge authz`: who may do what, asked of the engine that will decide it.

mod caller;
mod can;
mod place;
mod who;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use control::{ControlPlane, Options};
use engine::Config;
use engine::explain::Said;
use model::kinds::KindName;
use model::{FieldPath, ResourceKey, Resources};

pub use caller::{Caller, Named};

use crate::commands::OutputForm;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::state::{State, compiler};
use crate::remote::{Connection, block_on};

/// Show who may do what, and which rule says so
///
/// The same engine decides here as at the gateways and sidecars, on these files, or without -f on what the control
/// plane holds; nothing is sent to any of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge authz can shop/web GET shop/cart:/items
  selvedge authz can ip:10.1.2.3 POST https://shop.example/orders -f gateway.yaml
  selvedge authz who shop/db
`can` names the rule that decides; `who` lists everybody whom a rule lets in.")]
pub struct Arguments {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    Can(can::Arguments),
    Who(who::Arguments),
}

/// Where the policies are read.
#[derive(Debug, Args)]
struct Read {
    /// A file, or a directory of *.yaml, *.yml and *.json files; may be given more than once
    #[arg(short, long = "file", value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Form of the result
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: OutputForm,
    #[command(flatten)]
    connection: Connection,
}

/// Answers. A "no" is an answer, too: exit code 0.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.question {
        Question::Can(arguments) => can::run(arguments),
        Question::Who(arguments) => who::run(arguments),
    }
}

/// What is wanted, compiled.
struct World {
    resources: Resources,
    config: Arc<Config>,
}

impl Read {
    fn world(&self) -> Result<World, Failure> {
        if self.files.is_empty() {
            let client = self.connection.open()?;
            let state = block_on(State::read(&client, &[client.endpoint().namespace.clone()]))?;
            if !state.unknown.is_empty() {
                output::note(format_args!("not everything could be read: {}", state.unknown.join("; ")));
            }
            let config = compiler().compile(&state.resources).config;
            return Ok(World { resources: state.resources, config });
        }
        let mut control = ControlPlane::new(Options { bind: IpAddr::V4(Ipv4Addr::LOCALHOST) });
        let snapshot = control.load(&self.files).map_err(Failure::refused)?;
        Ok(World { resources: snapshot.resources.clone(), config: snapshot.config.clone() })
    }
}

impl World {
    /// `file:line` of a rule of a policy, or of the policy itself, when it came from a file.
    fn source(&self, said: &Said) -> Option<String> {
        let (namespace, name) = said.policy.split_once('/')?;
        let kind = KindName::AuthorizationPolicy;
        let key = ResourceKey {
            group: kind.group().into(),
            kind: kind.as_str().into(),
            namespace: namespace.parse().ok(),
            name: name.parse().ok()?,
        };
        let resource = self.resources.get(&key)?;
        let file = &resource.source.as_ref()?.file;
        let policy = resource.content::<model::kinds::AuthorizationPolicy>()?;
        let rule = said.rule.as_ref().and_then(|rule| {
            let named = policy.spec.rules.iter().position(|known| known.name.as_deref() == Some(rule));
            named.or_else(|| rule.parse().ok())
        });
        let field = FieldPath::root().field("spec");
        let line = match rule {
            Some(at) => resource.line_of(&field.field("rules").index(at)),
            None => resource.line_of(&field),
        };
        Some(format!("{file}:{}", line.or(resource.source.as_ref().map(|source| source.line))?))
    }
}
