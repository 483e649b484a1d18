//! `selvedge up petstore.yaml`: a description becomes an API that can be called, at once and without a network.
//!
//! A control plane and a gateway run as with `--data`, and the description is published to them through the API, as
//! anybody could from afar. What people change afterwards (what answers, plans, states) is theirs: an edit of the
//! description makes a new revision and touches nothing else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use client::Client;
use client::kubeconfig::{self, Environment, Wanted};
use control::watch::Watch;
use discovery::Interest;

use super::example::{free_port, is_free};
use super::kept::{Kept, KeptEvent, Listener};
use crate::clock::Stopwatch;
use crate::exit::Failure;
use crate::product::publication::{Free, Publication};
use crate::product::publish::{Outcome, publish};
use crate::product::sample::sample;
use crate::product::{read, trial};
use crate::remote::{block_on, failure};

/// Port of the Gateway, when nothing else has it.
const PORT: u16 = 8080;
/// Longest time from a publication to a gateway that runs on it. Past it the start goes on without it.
const SERVED_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two looks at the gateway.
const LOOK: Duration = Duration::from_millis(10);

/// What is to be published, and where it is called.
#[derive(Debug)]
pub struct Described {
    file: PathBuf,
    publication: Publication,
    /// The first thing that can be asked for with GET and nothing else.
    sample: Option<String>,
    /// How many operations there are.
    pub operations: usize,
    /// Port of the Gateway.
    pub port: u16,
}

impl Described {
    /// Reads a description.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(file: &Path) -> Result<Described, Failure> {
        let (name, text, description) = read(file)?;
        let port = if is_free(PORT) { Ok(PORT) } else { free_port() };
        let port =
            port.map_err(|error| Failure::machine(format!("no port is free: {error}"), "try again"))?;
        Ok(Described {
            file: file.to_path_buf(),
            publication: Publication {
                free: Free::Subscribed,
                ..Publication::new(&description, &name, &text)
            },
            sample: sample(&description, |_| true),
            operations: description.operations.len(),
            port,
        })
    }

    /// The Gateway at which it is called.
    #[must_use]
    pub fn gateway(&self) -> String {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{ name: selvedge }}
spec: {{ controllerName: selvedge.dev/gateway-controller }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: selvedge, namespace: default }}
spec: {{ gatewayClassName: selvedge, listeners: [{{ name: http, port: {}, protocol: HTTP }}] }}
",
            self.port
        )
    }

    /// Name of the API.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.publication.api
    }

    /// Path of the page that tells everybody about it.
    #[must_use]
    pub fn page(&self) -> String {
        format!("/docs/{}/{}", self.publication.namespace, self.publication.version())
    }

    /// Where it is called.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.publication.base())
    }

    /// A request to try, with a key where one is needed.
    #[must_use]
    pub fn sample(&self, key: Option<&str>) -> Option<String> {
        let path = self.sample.as_ref()?;
        let key = key.map(|key| format!("-H 'x-api-key: {key}' ")).unwrap_or_default();
        Some(format!("curl {key}'{}{path}'", self.url()))
    }

    /// Publishes it, and waits until the gateway runs on it.
    ///
    /// # Errors
    /// What the control plane refuses.
    pub fn publish(&self, kept: &Kept) -> Result<Outcome, Failure> {
        let outcome = block_on(publish(&client(kept)?, &self.publication))?;
        wait_until(|| is_served(kept));
        Ok(outcome)
    }

    /// A key for whoever tries it, and waits until the gateway knows it; `None` where nobody needs one.
    ///
    /// # Errors
    /// What the control plane refuses.
    pub fn key(&self, kept: &Kept) -> Result<Option<String>, Failure> {
        let Some(trial) = block_on(trial::begin(client(kept)?, &self.publication))? else { return Ok(None) };
        wait_until(|| kept.progress().customers.is_some_and(|customers| customers.epoch >= trial.epoch));
        Ok(Some(trial.key))
    }

    /// Publishes every edit of the file.
    ///
    /// # Errors
    /// When the system watches no more files.
    pub fn follow(&self, kept: &Kept, listener: Listener) -> Result<Watch, Failure> {
        let (file, client) = (self.file.clone(), client(kept)?);
        let mut published = self.publication.revision();
        let look = move || {
            let told = read(&file).and_then(|(name, text, description)| {
                let publication = Publication::new(&description, &name, &text);
                if publication.revision() == published {
                    return Ok(None);
                }
                let outcome = block_on(publish(&client, &publication))?;
                published = publication.revision();
                Ok(Some((publication.version(), outcome)))
            });
            match told {
                Ok(Some((version, Outcome::New | Outcome::Revised))) => {
                    listener(KeptEvent::Published(format!("{version} is described by the edited file now")));
                }
                Ok(Some((_, Outcome::Unchanged)) | None) => {}
                Err(refused) => listener(KeptEvent::Refused(refused.to_string())),
            }
        };
        Watch::start(vec![self.file.clone()], look).map_err(|error| {
            Failure::machine(format!("cannot watch the description: {error}"), "see ulimit -n")
        })
    }
}

fn client(kept: &Kept) -> Result<Client, Failure> {
    let wanted = Wanted { kubeconfig: Some(kept.server().kubeconfig().to_path_buf()), ..Wanted::default() };
    let endpoint = kubeconfig::load(&wanted, &Environment::of_process()).map_err(failure)?;
    Client::new(endpoint).map_err(failure)
}

fn wait_until(is_so: impl Fn() -> bool) {
    let waited = Stopwatch::start();
    while !is_so() && waited.elapsed() < SERVED_TIMEOUT {
        std::thread::sleep(LOOK);
    }
}

fn is_served(kept: &Kept) -> bool {
    let wanted = kept.server().views().epoch_of(&Interest::All);
    wanted.is_some_and(|wanted| kept.progress().epoch >= wanted)
}
