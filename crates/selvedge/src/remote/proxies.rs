//! The proxies that a control plane knows, as it tells of them (`docs/status-api.md`).

use client::{Client, Collection, Error, ListOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{failure, kinds};
use crate::exit::{Exit, Failure};

/// What is known of the proxies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proxies {
    /// The last write that the control plane has seen.
    pub epoch: u64,
    /// The proxies, by name.
    pub all: Vec<Proxy>,
}

/// How soon what takes a right away is in force at gateways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Revocations {
    /// How many were put into force, one for each gateway.
    pub applied: u64,
    /// So many milliseconds are enough for 99 of 100, from the command to all workers.
    pub p99_milliseconds: Option<u64>,
    /// And for all of them.
    pub slowest_milliseconds: Option<u64>,
}

impl Revocations {
    /// Asks for them; `None` from a server that does not tell, or where there was none.
    pub async fn read_if_told(client: &Client) -> Option<Revocations> {
        let planes =
            client.list(&Collection::everywhere(kinds::CONTROL_PLANE), &ListOptions::default()).await.ok()?;
        let told = planes.objects.first()?.0.pointer("/status/revocations")?;
        serde_json::from_value(told.clone()).ok().filter(|told: &Revocations| told.applied > 0)
    }

    /// One line.
    pub fn sentence(&self) -> String {
        let within = |bound: Option<u64>| match bound {
            Some(milliseconds) => format!("within {milliseconds} ms"),
            None => "later than 5 s".to_owned(),
        };
        let (p99, slowest) = (within(self.p99_milliseconds), within(self.slowest_milliseconds));
        format!("99 of 100 in force {p99}, all {slowest} ({} told)", self.applied)
    }
}

/// One proxy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Proxy {
    /// What it calls itself.
    #[serde(skip)]
    pub name: String,
    /// Its version.
    pub version: String,
    /// Gateways it serves, `namespace/name`.
    pub gateways: Vec<String>,
    /// Whether its stream stands.
    pub connected: bool,
    /// Everything up to this write that concerns it is in use.
    pub applied_epoch: u64,
    /// Seconds since it was last heard of.
    pub last_seen_seconds: f64,
    /// Seconds that the oldest change waits which it has not applied; 0 when there is none.
    pub behind_seconds: f64,
    /// Objects it could not use.
    pub rejections: Vec<Rejection>,
    /// Addresses it listens on, or cannot.
    pub addresses: Vec<Address>,
    /// The certificate by which it is known in the mesh, if it is a member.
    pub certificate: Option<Certificate>,
}

/// The certificate of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Certificate {
    /// Who it says the proxy is.
    pub identity: String,
    /// Key identifier of its issuer.
    pub issuer: String,
    /// Its last moment, RFC 3339.
    pub not_after: String,
    /// Why the last attempt to renew it failed; empty when it did not.
    pub problem: String,
}

/// An object that a proxy could not use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rejection {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Why.
    pub message: String,
}

/// An address of a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Address {
    /// `127.0.0.1:8080`
    pub address: String,
    /// Why it cannot be listened on; empty when it is.
    pub error: String,
}

impl Rejection {
    /// `HTTPRoute shop/cart`.
    pub fn subject(&self) -> String {
        match self.namespace.as_str() {
            "" => format!("{} {}", self.kind, self.name),
            namespace => format!("{} {namespace}/{}", self.kind, self.name),
        }
    }
}

impl Proxies {
    /// Asks for them. A server that does not tell of any is none that could be waited for.
    pub async fn read(client: &Client) -> Result<Proxies, Failure> {
        Proxies::read_if_told(client).await?.ok_or_else(|| {
            Failure::new(
                Exit::Unreachable,
                "this control plane does not tell about its proxies",
                "it may be of another version, or a Kubernetes API server; `selvedge version` shows both",
            )
        })
    }

    /// Asks for them; `None` from a server that does not tell of any.
    pub async fn read_if_told(client: &Client) -> Result<Option<Proxies>, Failure> {
        match client.list(&Collection::everywhere(kinds::PROXY), &ListOptions::default()).await {
            Ok(listed) => {
                let all =
                    listed.objects.into_iter().map(|object| proxy(object.0)).collect::<Result<_, _>>()?;
                Ok(Some(Proxies { epoch: listed.resource_version.parse().unwrap_or(0), all }))
            }
            Err(Error::Status(status)) if status.is_not_found() => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    /// Those with a stream that stands.
    pub fn connected(&self) -> impl Iterator<Item = &Proxy> {
        self.all.iter().filter(|proxy| proxy.connected)
    }
}

fn proxy(mut object: Value) -> Result<Proxy, Failure> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let status = object.get_mut("status").map(Value::take).unwrap_or_default();
    let read = serde_json::from_value::<Option<Proxy>>(status);
    read.map(|proxy| Proxy { name: name.clone(), ..proxy.unwrap_or_default() }).map_err(|fault| {
        Failure::new(
            Exit::Unreachable,
            format!("what is told of proxy `{name}` makes no sense: {fault}"),
            "is the control plane of another version? `selvedge version` shows both",
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_proxy_is_read_as_it_is_documented() {
        let page = include_str!("../../../../docs/status-api.md");
        let (_, rest) = page.split_once("```json\n").expect("an example");
        let (example, _) = rest.split_once("```").expect("its end");
        let list: Value = serde_json::from_str(example).expect("JSON");

        let read = proxy(list["items"][0].clone()).expect("a proxy");

        assert_eq!(read.name, "edge-1");
        assert!(read.connected && read.applied_epoch == 1280 && read.behind_seconds > 0.0);
        assert_eq!(read.rejections[0].subject(), "HTTPRoute shop/cart");
        assert_eq!(read.addresses.len(), 2);
    }

    #[test]
    fn what_is_not_told_is_not_guessed() {
        let read = proxy(json!({ "metadata": { "name": "a" } })).expect("a proxy");
        assert_eq!((read.connected, read.applied_epoch), (false, 0));
        assert!(proxy(json!({ "metadata": {}, "status": { "connected": "maybe" } })).is_err());
    }
}
