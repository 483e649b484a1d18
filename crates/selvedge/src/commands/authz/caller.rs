//! Who asks, as people write it.

use std::net::IpAddr;
use std::str::FromStr;

use engine::authorization::Source;
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

/// Trust domain of names without one, as long as no Mesh says otherwise.
pub const TRUST_DOMAIN: &str = "default.mesh.local";

impl Caller {
    /// Somebody with an identity.
    #[must_use]
    pub fn identified(text: String, identity: SpiffeId) -> Caller {
        Caller { text, address: None, identity: Some(identity), replica: None }
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
        Source { address: self.address, identity: self.identity.as_ref(), replica: self.replica.as_deref() }
    }
}

impl FromStr for Caller {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(address) = text.strip_prefix("ip:") {
            let address = address.parse().map_err(|_| format!("`{address}` is not an IP address"))?;
            return Ok(Caller {
                text: text.to_owned(),
                address: Some(address),
                identity: None,
                replica: None,
            });
        }
        if text.starts_with("spiffe://") {
            let identity = text.parse().map_err(|problem: model::Problem| problem.problem)?;
            return Ok(Caller::identified(text.to_owned(), identity));
        }
        let wrong =
            || format!("`{text}` names nobody: write `namespace/name`, a SPIFFE ID, or `ip:` and an address");
        let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
        let identity = SpiffeId::of_service_account(TRUST_DOMAIN, namespace, name).map_err(|_| wrong())?;
        Ok(Caller { replica: Some(text.to_owned()), ..Caller::identified(text.to_owned(), identity) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_a_name_an_identity_or_an_address() {
        let caller: Caller = "shop/web".parse().unwrap();
        let identity = caller.source().identity.map(SpiffeId::as_str);
        assert_eq!(identity, Some("spiffe://default.mesh.local/ns/shop/sa/web"));
        assert_eq!(caller.source().replica, Some("shop/web"));
        assert!("ip:10.0.0.1".parse::<Caller>().unwrap().source().address.is_some());
        assert!("spiffe://a/ns/b/sa/c".parse::<Caller>().unwrap().source().replica.is_none());
        for wrong in ["shop", "ip:x", "spiffe://A/b", "a/b/c", ""] {
            assert!(wrong.parse::<Caller>().is_err(), "{wrong}");
        }
    }
}
