//! Who asks, as people write it.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use engine::authorization::Source;
use model::Resources;
use model::kinds::{Mesh, Workload};
use model::resources::Typed;
use model::spiffe::SpiffeId;

/// A caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// As it was written.
    pub text: String,
    address: Option<IpAddr>,
    identity: Option<SpiffeId>,
    replica: Option<String>,
}

/// A caller as it was written, before anybody knows the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// An address.
    Address(IpAddr),
    /// An identity.
    Identity(SpiffeId),
    /// A workload, or else a service account.
    Place {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
}

impl Caller {
    /// Somebody with an identity.
    #[must_use]
    pub fn identified(text: String, identity: SpiffeId) -> Caller {
        Caller { text, address: None, identity: Some(identity), replica: None }
    }

    /// A workload of the mesh.
    #[must_use]
    pub fn workload(workload: Typed<'_, Workload>, resources: &Resources) -> Caller {
        let place = workload.resource.key.place();
        let (namespace, spec) = (workload.resource.namespace(), &workload.content.spec);
        let identity =
            SpiffeId::of_service_account(&trust_domain(resources), namespace, &spec.service_account);
        Caller {
            text: place.clone(),
            address: Some(spec.address),
            identity: identity.ok(),
            replica: Some(place),
        }
    }

    /// Somebody without one.
    #[must_use]
    pub fn nobody() -> Caller {
        Caller {
            text: "anybody without an identity".to_owned(),
            address: None,
            identity: None,
            replica: None,
        }
    }

    /// As policies see it.
    #[must_use]
    pub fn source(&self) -> Source<'_> {
        Source {
            address: self.address,
            identity: self.identity.as_ref(),
            replica: self.replica.as_deref(),
            ..Source::default()
        }
    }
}

impl Named {
    /// Who that is among these resources.
    #[must_use]
    pub fn among(&self, resources: &Resources) -> Caller {
        match self {
            Named::Address(address) => Caller {
                text: format!("ip:{address}"),
                address: Some(*address),
                identity: None,
                replica: None,
            },
            Named::Identity(identity) => Caller::identified(identity.as_str().to_owned(), identity.clone()),
            Named::Place { namespace, name } => match resources.find::<Workload>(namespace, name) {
                Some(workload) => Caller::workload(workload, resources),
                None => {
                    let identity = SpiffeId::of_service_account(&trust_domain(resources), namespace, name);
                    Caller {
                        text: format!("{namespace}/{name}"),
                        identity: identity.ok(),
                        ..Caller::nobody()
                    }
                }
            },
        }
    }
}

/// Beginning of the identities of the mesh.
#[must_use]
pub fn trust_domain(resources: &Resources) -> Arc<str> {
    let mesh = resources.all::<Mesh>().next();
    mesh.map_or_else(
        || Mesh::default().trust_domain("default"),
        |mesh| mesh.content.trust_domain(mesh.resource.key.name.as_str()),
    )
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(address) = text.strip_prefix("ip:") {
            let address = address.parse().map_err(|_| format!("`{address}` is not an IP address"))?;
            return Ok(Named::Address(address));
        }
        if text.starts_with("spiffe://") {
            return text.parse().map(Named::Identity).map_err(|problem: model::Problem| problem.problem);
        }
        let wrong =
            || format!("`{text}` names nobody: write `namespace/name`, a SPIFFE ID, or `ip:` and an address");
        let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
        SpiffeId::of_service_account("any", namespace, name).map_err(|_| wrong())?;
        Ok(Named::Place { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_a_name_an_identity_or_an_address() {
        let among = |text: &str| text.parse::<Named>().unwrap().among(&Resources::new());

        let caller = among("shop/web");
        let identity = caller.source().identity.map(SpiffeId::as_str);
        assert_eq!(identity, Some("spiffe://default.mesh.local/ns/shop/sa/web"));
        assert!(among("ip:10.0.0.1").source().address.is_some());
        assert!(among("spiffe://a/ns/b/sa/c").source().identity.is_some());
        for wrong in ["shop", "ip:x", "spiffe://A/b", "a/b/c", ""] {
            assert!(wrong.parse::<Named>().is_err(), "{wrong}");
        }
    }
}
