//! A kubeconfig as it is written. Fields that nobody here understands are kept apart from those that may be passed
//! over: an unknown extension is harmless, an unknown way to authenticate is not.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Credentials;
use crate::error::Error;

/// A file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Written {
    pub(super) current_context: Option<String>,
    #[serde(deserialize_with = "entries::<_, Context>")]
    pub(super) contexts: Vec<Named<Context>>,
    #[serde(deserialize_with = "entries::<_, Cluster>")]
    pub(super) clusters: Vec<Named<Cluster>>,
    #[serde(deserialize_with = "entries::<_, User>")]
    pub(super) users: Vec<Named<User>>,
}

/// An entry of one of its lists.
#[derive(Debug)]
pub(super) struct Named<T> {
    pub(super) name: String,
    pub(super) content: T,
}

/// What an entry is called beside its name.
pub(super) trait Entry: DeserializeOwned {
    const FIELD: &'static str;
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Context {
    pub(super) cluster: String,
    pub(super) user: String,
    pub(super) namespace: String,
}

impl Entry for Context {
    const FIELD: &'static str = "context";
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Cluster {
    pub(super) server: String,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
    pub(super) tls_server_name: Option<String>,
    insecure_skip_tls_verify: bool,
    proxy_url: Option<String>,
}

impl Entry for Cluster {
    const FIELD: &'static str = "cluster";
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct User {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<String>,
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    client_key_data: Option<String>,
    username: Option<String>,
    exec: Option<Value>,
    auth_provider: Option<Value>,
}

impl Entry for User {
    const FIELD: &'static str = "user";
}

/// Reads a file.
pub(super) fn parse(text: &str) -> Result<Written, String> {
    match model::yaml::read_plain(text) {
        Ok(Value::Null) => Ok(Written::default()),
        // What serde says names fields and types, never values of credentials, which are text wherever they stand.
        Ok(tree) => Written::deserialize(&tree).map_err(|fault| fault.to_string()),
        Err(problem) => Err(problem.problem),
    }
}

fn entries<'de, D: serde::Deserializer<'de>, T: Entry>(deserializer: D) -> Result<Vec<Named<T>>, D::Error> {
    use serde::de::Error as _;
    let list: Option<Vec<Value>> = Deserialize::deserialize(deserializer)?;
    let entry = |mut value: Value| {
        let name = value["name"].as_str().unwrap_or_default().to_owned();
        let content = match value.get_mut(T::FIELD).map(Value::take) {
            None | Some(Value::Null) => Value::Object(serde_json::Map::new()),
            Some(content) => content,
        };
        let content = serde_json::from_value(content)
            .map_err(|fault| D::Error::custom(format!("{} `{name}`: {fault}", T::FIELD)))?;
        Ok(Named { name, content })
    };
    list.unwrap_or_default().into_iter().map(entry).collect()
}

impl Cluster {
    /// The authority to trust, PEM.
    pub(super) fn authority(&self, base: &Path) -> Result<Option<Vec<u8>>, Error> {
        if self.insecure_skip_tls_verify {
            return Err(Error::config(
                "the kubeconfig says `insecure-skip-tls-verify`, which would let anybody pose as the control plane",
                "name its authority with `certificate-authority` instead, as in the kubeconfig that the control plane writes",
            ));
        }
        if self.proxy_url.as_ref().is_some_and(|url| !url.is_empty()) {
            return Err(refused("proxy-url", "name an address that is reached directly"));
        }
        content("certificate-authority", base, &self.certificate_authority, &self.certificate_authority_data)
    }
}

impl User {
    /// How this user shows who it is.
    pub(super) fn credentials(&self, base: &Path) -> Result<Credentials, Error> {
        const USE_A_TOKEN: &str = "give the user a `token` or a client certificate";
        for (name, is_set) in [
            ("exec", self.exec.is_some()),
            ("auth-provider", self.auth_provider.is_some()),
            ("username", self.username.is_some()),
        ] {
            if is_set {
                return Err(refused(name, USE_A_TOKEN));
            }
        }
        let chain =
            content("client-certificate", base, &self.client_certificate, &self.client_certificate_data)?;
        let key = content("client-key", base, &self.client_key, &self.client_key_data)?;
        match (chain, key) {
            (Some(chain), Some(key)) => return Ok(Credentials::Certificate { chain, key }),
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => {
                return Err(Error::config(
                    "the kubeconfig has a client certificate without its key, or a key without its certificate",
                    "use the kubeconfig as it was written",
                ));
            }
        }
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) if !token.is_empty() => Some(token.trim().to_owned()),
            (_, Some(file)) => Some(read(base, file)?.trim_ascii().to_vec())
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            (_, None) => None,
        };
        match token {
            Some(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) && !token.is_empty() => {
                Ok(Credentials::Token(token))
            }
            Some(_) => {
                Err(Error::config("the token in the kubeconfig is not one word", "use it as it was written"))
            }
            None => Ok(Credentials::None),
        }
    }
}

/// What a field holds, in itself or in a file; base64 in itself, as the format wants it.
fn content(
    name: &str,
    base: &Path,
    file: &Option<String>,
    data: &Option<String>,
) -> Result<Option<Vec<u8>>, Error> {
    if let Some(data) = data.as_ref().filter(|data| !data.is_empty()) {
        let packed: String = data.split_whitespace().collect();
        return STANDARD.decode(packed).map(Some).map_err(|_| {
            Error::config(
                format!("`{name}-data` in the kubeconfig is not base64"),
                "use the kubeconfig as it was written",
            )
        });
    }
    file.as_ref().filter(|file| !file.is_empty()).map(|file| read(base, file)).transpose()
}

fn read(base: &Path, file: &str) -> Result<Vec<u8>, Error> {
    let path = base.join(file);
    std::fs::read(&path).map_err(|error| {
        Error::config(
            format!("cannot read `{}`, which the kubeconfig names: {error}", path.display()),
            "use the kubeconfig where it was written, or one with everything in it",
        )
    })
}

fn refused(field: &str, hint: &str) -> Error {
    Error::config(format!("the kubeconfig uses `{field}`, which is not supported"), hint)
}
