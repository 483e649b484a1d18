//! Where the control plane is and who asks: the file that every tool of Kubernetes reads.
//!
//! A control plane writes one beside its data, and the same file serves `kubectl`. What is not understood here (a
//! program that makes credentials, a proxy on the way) is refused rather than passed over: a client that leaves out a
//! part of what it was told ends up somewhere else, or as somebody else.

mod places;
mod written;

use std::fmt;
use std::path::{Path, PathBuf};

use http::Uri;

pub use places::{Environment, Wanted};

use crate::error::Error;
use written::{Cluster, Named, User, Written};

/// Largest kubeconfig.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A control plane, and who speaks to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address, such as `https://127.0.0.1:19443`.
    pub server: String,
    /// PEM of the only authority that is trusted.
    pub authority: Option<Vec<u8>>,
    /// The name its certificate is for, when it is not that of the address.
    pub server_name: Option<String>,
    /// Who asks.
    pub credentials: Credentials,
    /// The namespace that is meant when none is named.
    pub namespace: String,
    /// Name of the context.
    pub context: String,
}

/// How a client shows who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// With a bearer token.
    Token(String),
    /// With a certificate and its key, both PEM.
    Certificate {
        /// The chain.
        chain: Vec<u8>,
        /// The key.
        key: Vec<u8>,
    },
    /// Not at all.
    None,
}

impl fmt::Debug for Credentials {
    /// Says which kind only: this may end in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::Token(_) => "Token",
            Credentials::Certificate { .. } => "Certificate",
            Credentials::None => "None",
        })
    }
}

impl Endpoint {
    /// Whether the way there is protected.
    pub(crate) fn is_tls(&self) -> bool {
        self.server.starts_with("https://")
    }
}

/// Finds the endpoint that is wanted.
///
/// # Errors
/// When there is no kubeconfig, or it cannot be read, or does not say what is needed.
pub fn load(wanted: &Wanted, environment: &Environment) -> Result<Endpoint, Error> {
    let files = places::files(wanted, environment)?;
    let mut whole = Whole::default();
    for path in &files {
        whole.add(path, &read(path)?)?;
    }
    whole.endpoint(wanted.context.as_deref())
}

fn read(path: &Path) -> Result<String, Error> {
    let shown = path.display();
    let failed = |problem: String| {
        Error::config(
            format!("cannot read the kubeconfig `{shown}`: {problem}"),
            "name another one with --kubeconfig, or the data folder of a control plane with --data",
        )
    };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(failed(format!("it has {size} bytes, at most {FILE_BYTES_MAX} are read")));
    }
    std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))
}

/// What all files say together; of entries with one name the first counts.
#[derive(Default)]
struct Whole {
    files: Vec<PathBuf>,
    current: Option<String>,
    contexts: Vec<Named<written::Context>>,
    clusters: Vec<(PathBuf, Named<Cluster>)>,
    users: Vec<(PathBuf, Named<User>)>,
}

impl Whole {
    fn add(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let Written { current_context, contexts, clusters, users } =
            written::parse(text).map_err(|problem| {
                Error::config(
                    format!("`{}` is no kubeconfig: {problem}", path.display()),
                    "name another one with --kubeconfig, or the data folder of a control plane with --data",
                )
            })?;
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        self.files.push(path.to_owned());
        self.current = self.current.take().or(current_context.filter(|name| !name.is_empty()));
        self.contexts.extend(contexts);
        self.clusters.extend(clusters.into_iter().map(|cluster| (base.clone(), cluster)));
        self.users.extend(users.into_iter().map(|user| (base.clone(), user)));
        Ok(())
    }

    fn endpoint(&self, wanted: Option<&str>) -> Result<Endpoint, Error> {
        let name = wanted.or(self.current.as_deref()).ok_or_else(|| {
            let hint = format!("choose one with --context: {}", self.context_names());
            Error::config(format!("{} has no current context", self.shown()), hint)
        })?;
        let context = self.contexts.iter().find(|context| context.name == name).ok_or_else(|| {
            let names = self.contexts.iter().map(|context| context.name.as_str());
            let hint = model::suggest::did_you_mean(name, names)
                .unwrap_or_else(|| format!("there are: {}", self.context_names()));
            Error::config(format!("{} has no context `{name}`", self.shown()), hint)
        })?;
        let written::Context { cluster, user, namespace } = &context.content;
        let (cluster_base, cluster) = self.find("cluster", cluster, &self.clusters)?;
        let (user_base, user) = match user.as_str() {
            "" => (Path::new(""), &User::default()),
            user => self.find("user", user, &self.users)?,
        };
        let endpoint = Endpoint {
            server: server(cluster)?,
            authority: cluster.authority(cluster_base)?,
            server_name: cluster.tls_server_name.clone(),
            credentials: user.credentials(user_base)?,
            namespace: if namespace.is_empty() { "default".to_owned() } else { namespace.clone() },
            context: name.to_owned(),
        };
        check_secrecy(&endpoint)?;
        Ok(endpoint)
    }

    fn find<'a, T>(
        &self,
        what: &str,
        name: &str,
        among: &'a [(PathBuf, Named<T>)],
    ) -> Result<(&'a Path, &'a T), Error> {
        let found = among.iter().find(|(_, named)| named.name == name);
        found.map(|(base, named)| (base.as_path(), &named.content)).ok_or_else(|| {
            let message = format!("{} has no {what} `{name}`, which its context names", self.shown());
            Error::config(message, "choose another context with --context, or mend the file")
        })
    }

    fn shown(&self) -> String {
        let files: Vec<String> = self.files.iter().map(|file| format!("`{}`", file.display())).collect();
        files.join(", ")
    }

    fn context_names(&self) -> String {
        let names: Vec<&str> = self.contexts.iter().map(|context| context.name.as_str()).collect();
        if names.is_empty() { "(none)".to_owned() } else { names.join(", ") }
    }
}

fn server(cluster: &Cluster) -> Result<String, Error> {
    let server = cluster.server.trim_end_matches('/');
    let readable = server.parse::<Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some() && uri.path() == "/"
    });
    readable.map(|_| server.to_owned()).ok_or_else(|| {
        Error::config(
            format!("`{server}` is not the address of a control plane"),
            "write `server: https://HOST:PORT`, without a path",
        )
    })
}

/// Without TLS anybody on the way could read a token and change an answer; on this machine nobody is on the way.
fn check_secrecy(endpoint: &Endpoint) -> Result<(), Error> {
    let uri: Option<Uri> = endpoint.server.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let is_local = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if endpoint.is_tls() || is_local {
        return Ok(());
    }
    Err(Error::config(
        format!("`{}` is not protected by TLS", endpoint.server),
        "write https://; plain http:// is for addresses of this machine only",
    ))
}

#[cfg(test)]
mod tests;
