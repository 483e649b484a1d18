//! What proxies report, folded into the conditions.
//!
//! The engine says what should be; only whoever binds sockets knows what is. Each report replaces the one before,
//! so an address that has become usable heals its Gateway without anybody remembering that it was broken.

use engine::config::BindAddress;
use engine::status::{Conditions, StatusAddress};
use model::ResourceKey;

use crate::snapshot::Snapshot;

/// What became of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindResult {
    /// The address.
    pub address: BindAddress,
    /// Why it could not be bound, if it could not.
    pub error: Option<String>,
}

/// The conditions of a snapshot with these results in them.
#[must_use]
pub fn fold(snapshot: &Snapshot, results: &[BindResult]) -> Conditions {
    let mut conditions = snapshot.conditions.clone();
    for gateway in gateways_that_failed(snapshot, results) {
        let wanted = snapshot.addresses_of(&gateway);
        let of_gateway = || results.iter().filter(|result| wanted.contains(&result.address));
        let why: Vec<String> = of_gateway()
            .filter_map(|result| {
                let error = result.error.as_ref()?;
                Some(format!("cannot listen on {}: {error}", socket(result.address)))
            })
            .collect();
        let bound = of_gateway().filter(|result| result.error.is_none()).map(|result| result.address.ip);
        conditions.address_not_usable(&gateway, shown(bound), &why.join("; "));
    }
    conditions
}

/// `127.0.0.1:80`, with brackets where IPv6 needs them.
#[must_use]
pub fn socket(address: BindAddress) -> String {
    std::net::SocketAddr::new(address.ip, address.port).to_string()
}

fn gateways_that_failed(snapshot: &Snapshot, results: &[BindResult]) -> Vec<ResourceKey> {
    let failed = results.iter().filter(|result| result.error.is_some());
    let mut gateways: Vec<ResourceKey> =
        failed.flat_map(|result| snapshot.gateways_on(result.address)).collect();
    gateways.sort();
    gateways.dedup();
    gateways
}

fn shown(bound: impl Iterator<Item = std::net::IpAddr>) -> Vec<StatusAddress> {
    let mut ips: Vec<_> = bound.collect();
    ips.sort();
    ips.dedup();
    ips.into_iter().map(|ip| StatusAddress { kind: "IPAddress", value: ip.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::files::SourceFile;
    use crate::plane::{ControlPlane, Options};

    const TWO_GATEWAYS: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: selvedge }
spec: { controllerName: selvedge.dev/gateway-controller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: left }
spec:
  gatewayClassName: selvedge
  addresses: [{ type: IPAddress, value: 127.0.0.2 }, { type: IPAddress, value: 127.0.0.3 }]
  listeners: [{ name: http, protocol: HTTP, port: 8080 }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: right }
spec:
  gatewayClassName: selvedge
  listeners: [{ name: http, protocol: HTTP, port: 8080 }]
";

    fn result(ip: [u8; 4], error: Option<&str>) -> BindResult {
        let address = BindAddress { ip: ip.into(), port: 8080 };
        BindResult { address, error: error.map(str::to_owned) }
    }

    #[test]
    fn an_address_that_cannot_be_bound_is_told_at_its_gateway_and_at_no_other() {
        let mut plane = ControlPlane::new(Options { bind: Ipv4Addr::LOCALHOST.into() });
        let file = SourceFile { name: "test.yaml".into(), text: TWO_GATEWAYS.into() };
        let snapshot = plane.apply(&[file]).expect("sound");
        let fine = [result([127, 0, 0, 2], None), result([127, 0, 0, 1], None)];

        let broken = fold(&snapshot, &[&fine[..], &[result([127, 0, 0, 3], Some("in use"))]].concat());

        let said = broken.to_string();
        let told = "Programmed=False/AddressNotUsable: cannot listen on 127.0.0.3:8080: in use";
        assert!(said.contains(told), "{said}");
        assert!(said.contains("ok  Gateway default/right"), "{said}");

        let healed = fold(&snapshot, &[&fine[..], &[result([127, 0, 0, 3], None)]].concat());
        assert!(healed.all_good(), "{healed}");
    }
}
