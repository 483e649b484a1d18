//! What the commands about customers share: where customers are, and how one is made, changed and shown.
//!
//! There is no way in but the API that everybody uses; what is allowed is judged there, and its words are shown here.

pub mod curl;

use std::time::{Duration, SystemTime};

use clap::Args;
use client::{Client, Collection, ListOptions, Object, Patch, WriteOptions};
use model::kinds::KindName;
use model::units::Moment;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::output;
use crate::remote::{Connection, failure};
use crate::show::table::Table;

/// Where the customers are.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    #[command(flatten)]
    pub connection: Connection,
}

/// One of them, by its name.
#[derive(Clone, Debug, Args)]
pub struct Named {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub place: Place,
}

/// Where the customers are that are listed.
#[derive(Clone, Debug, Args)]
pub struct Places {
    /// Those of every namespace
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    #[command(flatten)]
    pub place: Place,
}

/// Those that are listed, perhaps of one application.
#[derive(Clone, Debug, Args)]
pub struct OfApplication {
    /// Those of one application
    #[arg(long = "app", value_name = "APPLICATION")]
    pub application: Option<String>,
    #[command(flatten)]
    pub places: Places,
}

impl OfApplication {
    /// Prints a table of a kind.
    pub async fn list(&self, kind: KindName) -> Result<Exit, Failure> {
        self.places.list(kind, self.application.as_deref()).await
    }
}

/// Customers of one namespace.
#[derive(Debug)]
pub struct Customers {
    pub client: Client,
    pub namespace: String,
}

/// The moment after some time.
pub fn after(time: Duration) -> Moment {
    let since = crate::clock::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from((since + time).as_secs()).unwrap_or(i64::MAX))
}

impl Place {
    /// Nothing is connected yet.
    pub fn open(&self) -> Result<Customers, Failure> {
        let client = self.connection.open()?;
        let namespace = self.namespace.clone().unwrap_or_else(|| client.endpoint().namespace.clone());
        Ok(Customers { client, namespace })
    }
}

impl Named {
    /// Takes what a provider offers to another state, and says so.
    pub async fn offer(&self, kind: KindName, state: &str) -> Result<Exit, Failure> {
        self.place.open()?.change(kind, &self.name, json!({ "state": state })).await?;
        self.told(kind, state)
    }

    /// Takes a customer to another state, and says so.
    pub async fn turn(&self, kind: KindName, state: &str) -> Result<Exit, Failure> {
        self.place.open()?.set(kind, &self.name, json!({ "state": state })).await?;
        self.told(kind, state)
    }

    /// Says what it is now.
    pub fn told(&self, kind: KindName, state: &str) -> Result<Exit, Failure> {
        output::data(format_args!("{}/{} is {state}", kind.as_str().to_ascii_lowercase(), self.name));
        Ok(Exit::Success)
    }
}

impl Places {
    /// Prints a table of a kind.
    pub async fn list(&self, kind: KindName, application: Option<&str>) -> Result<Exit, Failure> {
        let customers = self.place.open()?;
        let collection = match self.all_namespaces {
            true => Collection::everywhere(kind),
            false => customers.collection(kind),
        };
        let fields = application.map(|name| format!("spec.application={name}"));
        let options = ListOptions { fields, ..ListOptions::default() };
        let answer = customers.client.table(&collection, &options).await.map_err(failure)?;
        match Table::of_server(&answer, true, self.all_namespaces).filter(|table| !table.is_empty()) {
            Some(table) => table.lines(true).iter().for_each(output::data),
            None => output::note(format_args!("no {}", kind.plural())),
        }
        Ok(Exit::Success)
    }
}

impl Customers {
    /// All of a kind.
    pub fn collection(&self, kind: KindName) -> Collection {
        Collection::within(kind, &self.namespace)
    }

    /// One of them.
    pub async fn get(&self, kind: KindName, name: &str) -> Result<Object, Failure> {
        self.client.get(&self.collection(kind), name).await.map_err(failure)
    }

    /// Makes one. A name that ends in `-` is made up from there on.
    pub async fn create(&self, kind: KindName, name: &str, spec: Value) -> Result<Object, Failure> {
        let called = if name.ends_with('-') { "generateName" } else { "name" };
        let object = json!({
            "apiVersion": kind.api_version(),
            "kind": kind.as_str(),
            "metadata": { called: name, "namespace": self.namespace },
            "spec": spec,
        });
        let made = self.client.create(&self.collection(kind), &object, WriteOptions::default()).await;
        made.map_err(failure)
    }

    /// Changes its status.
    pub async fn set(&self, kind: KindName, name: &str, status: Value) -> Result<Object, Failure> {
        let patch = Patch::Merge(json!({ "status": status }));
        self.client.patch_status(&self.collection(kind), name, &patch).await.map_err(failure)
    }

    /// Changes its spec.
    pub async fn change(&self, kind: KindName, name: &str, spec: Value) -> Result<Object, Failure> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        let changed = self.client.patch(&self.collection(kind), name, &patch, WriteOptions::default()).await;
        changed.map_err(failure)
    }

    /// The application of a name, which is made when there is none.
    pub async fn application(&self, name: &str) -> Result<(), Failure> {
        match self.client.get(&self.collection(KindName::Application), name).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => {
                self.create(KindName::Application, name, json!({})).await?;
                output::note(format_args!("application/{name} made"));
                Ok(())
            }
            Err(error) => Err(failure(error)),
        }
    }

    /// Makes a key for an application, and tells the key: the only time that anybody can.
    pub async fn key(&self, application: &str, spec: Value) -> Result<(String, String), Failure> {
        let mut whole = json!({ "application": application });
        if let (Value::Object(whole), Value::Object(spec)) = (&mut whole, spec) {
            whole.extend(spec);
        }
        let made = self.create(KindName::Credential, &format!("{application}-"), whole).await?;
        let key = made.text("/status/key").to_owned();
        Ok((made.name().to_owned(), key))
    }
}
