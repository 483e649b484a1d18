//! `selvedge token`

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use client::{Client, Collection, DeleteOptions, ListOptions, WriteOptions};
use control::access::Token;
use discovery::TokenFile;
use model::kinds::KindName;
use model::units::{GatewayDuration, Moment};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::{Connection, block_on, failure};
use crate::show::table::Table;
use crate::sidecar::workload::label;

/// Make, list and revoke tokens with which workloads join the mesh
///
/// A token is bound to a namespace and a service account, and perhaps to one workload. It buys a certificate; from then
/// on the certificate is what counts and what is renewed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  selvedge token create --namespace shop --service-account cart > cart.token
  selvedge token create -n shop --service-account cart --workload cart-1 --once --ttl 10m --out cart-1.token
  selvedge token create -n shop --service-account cart --label app=cart --label version='*' --out cart.token
  selvedge token list -n shop
  selvedge token revoke -n shop cart-x7k2m
The file has two lines, the token and the digest of the control plane's authority. The token is shown once and kept
nowhere.")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a token and print the token file
#[derive(Debug, Args)]
struct Create {
    /// Namespace of the workload [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Service account that the workload runs as
    #[arg(long, value_name = "NAME")]
    service_account: String,
    /// The only workload that the token is good for
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// A label that Workloads of the service account may carry, beside `app` with the account's name; `*` for any value;
    /// may be given more than once
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// The token is good for one key
    #[arg(long)]
    once: bool,
    /// How long the token is good, such as `10m` or `24h`; `0s` for as long as it is there
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    ttl: GatewayDuration,
    /// Write the file here, readable by its owner alone, instead of to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

/// List tokens, without the tokens
#[derive(Debug, Args)]
struct List {
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE", conflicts_with = "all_namespaces")]
    namespace: Option<String>,
    /// Those of every namespace
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    #[command(flatten)]
    connection: Connection,
}

/// End tokens; certificates that were given for them last until they end
#[derive(Debug, Args)]
struct Revoke {
    /// Names, as `selvedge token list` shows them
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::Create(create) => create.run(),
        Action::List(list) => list.run(),
        Action::Revoke(revoke) => revoke.run(),
    }
}

fn tokens(client: &Client, namespace: Option<&String>) -> Collection {
    let namespace = namespace.map_or(client.endpoint().namespace.as_str(), String::as_str);
    Collection::within(KindName::JoinToken, namespace)
}

impl Create {
    fn run(&self) -> Result<Exit, Failure> {
        let client = self.connection.open()?;
        let authority = authority(&client)?;
        let token = Token::new().map_err(|problem| {
            Failure::machine(problem.to_string(), "the system must have a source of random numbers")
        })?;
        let collection = tokens(&client, self.namespace.as_ref());
        let object = self.object(&token, &collection);
        let made = block_on(async {
            client.create(&collection, &object, WriteOptions::default()).await.map_err(failure)
        })?;
        let file = TokenFile::new(token.reveal(), &authority).to_string();
        match &self.out {
            Some(path) => write(path, &file)?,
            None => output::data(file.trim_end()),
        }
        output::note(format_args!("jointoken/{} made", made.name()));
        Ok(Exit::Success)
    }

    fn object(&self, token: &Token, collection: &Collection) -> Value {
        let mut spec = json!({
            "serviceAccount": self.service_account,
            "uses": if self.once { "Once" } else { "Renewable" },
            "digest": token.digest(),
        });
        if let Some(workload) = &self.workload {
            spec["workload"] = workload.as_str().into();
        }
        if !self.labels.is_empty() {
            spec["labels"] = self.labels.iter().cloned().collect::<BTreeMap<_, _>>().into_iter().collect();
        }
        let lasts = self.ttl.get();
        if !lasts.is_zero() {
            let since =
                crate::clock::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
            let end = i64::try_from((since + lasts).as_secs()).unwrap_or(i64::MAX);
            spec["expiresAt"] = Moment(end).to_string().into();
        }
        json!({
            "apiVersion": KindName::JoinToken.api_version(),
            "kind": "JoinToken",
            "metadata": { "generateName": format!("{}-", self.service_account), "namespace": collection.namespace },
            "spec": spec,
        })
    }
}

/// The authority that the control plane's certificate comes from, as the kubeconfig knows it.
fn authority(client: &Client) -> Result<Vec<u8>, Failure> {
    let unknown = || {
        Failure::new(
            Exit::Refused,
            "the kubeconfig names no authority, so a proxy could not tell the control plane from another",
            "use the admin.kubeconfig of the control plane's data folder (--data DIR)",
        )
    };
    let pem = client.endpoint().authority.as_ref().ok_or_else(unknown)?;
    let all = identity::pem::certificates(pem).map_err(|_| unknown())?;
    all.first().map(|first| first.to_vec()).ok_or_else(unknown)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let unwritable = |error: std::io::Error| {
        Failure::machine(
            format!("cannot write the token file `{}`: {error}", path.display()),
            "the token that was made is of no use without it: revoke it with `selvedge token revoke`",
        )
    };
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(unwritable)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(unwritable)
}

impl List {
    fn run(&self) -> Result<Exit, Failure> {
        let client = self.connection.open()?;
        let collection = match self.all_namespaces {
            true => Collection::everywhere(KindName::JoinToken),
            false => tokens(&client, self.namespace.as_ref()),
        };
        let answer =
            block_on(async { client.table(&collection, &ListOptions::default()).await.map_err(failure) })?;
        match Table::of_server(&answer, true, self.all_namespaces).filter(|table| !table.is_empty()) {
            Some(table) => table.lines(true).iter().for_each(output::data),
            None => output::note("no tokens"),
        }
        Ok(Exit::Success)
    }
}

impl Revoke {
    fn run(&self) -> Result<Exit, Failure> {
        let client = self.connection.open()?;
        let collection = tokens(&client, self.namespace.as_ref());
        block_on(async {
            for name in &self.names {
                let deleted = client.delete(&collection, name, &DeleteOptions::default()).await;
                deleted.map_err(failure)?;
                output::data(format_args!("jointoken/{name} revoked"));
            }
            Ok(Exit::Success)
        })
    }
}
