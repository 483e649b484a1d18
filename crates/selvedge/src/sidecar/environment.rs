//! Names for an application that resolves none: variables of its environment, and the same in files.
//!
//! Two spellings. `<NAMESPACE>_<SERVICE>_HOST`, `_PORT` and `_URL` exist for every Service; those of Kubernetes
//! (`<SERVICE>_SERVICE_HOST`) for Services of the workload's own namespace, so that what was written for it runs as it
//! is. Every variable leads to the sidecar. Where two Services would claim one variable, neither gets it: the wrong
//! Service is worse than none.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::names::{Names, Reachable};

/// Variables, sorted, and what could not be said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// By name.
    pub set: BTreeMap<String, String>,
    /// Variables that nobody got, with who wanted them.
    pub ambiguous: BTreeMap<String, Vec<String>>,
}

impl Variables {
    /// The variables of all Services.
    #[must_use]
    pub fn of(names: &Names) -> Variables {
        let mut claims: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for reachable in &names.services {
            let whose = format!("{}/{}", reachable.namespace, reachable.service);
            for (variable, value) in of_service(names, reachable) {
                claims.entry(variable).or_default().push((whose.clone(), value));
            }
        }
        let mut variables = Variables::default();
        for (variable, mut claimed) in claims {
            match claimed.pop() {
                Some((_, value)) if claimed.is_empty() => drop(variables.set.insert(variable, value)),
                last => {
                    let everybody = claimed.into_iter().chain(last).map(|(whose, _)| whose).collect();
                    variables.ambiguous.insert(variable, everybody);
                }
            }
        }
        variables
    }

    /// As a file that shells and service managers read: no value needs quotes.
    #[must_use]
    pub fn file(&self) -> String {
        let mut text = String::from("# Services that can be reached, kept up to date by the sidecar.\n");
        for (variable, value) in &self.set {
            let _ = writeln!(text, "{variable}={value}"); // A String takes everything.
        }
        text
    }
}

/// Every name with its address, in the form of `/etc/hosts`.
#[must_use]
pub fn hosts(names: &Names) -> String {
    let mut text = String::from("# Services that can be reached, kept up to date by the sidecar.\n");
    for reachable in &names.services {
        let Reachable { namespace, service, address, .. } = reachable;
        let _ = write!(text, "{address} {} {service}.{namespace}", reachable.full_name(names));
        let _ = if names.is_own(reachable) { writeln!(text, " {service}") } else { writeln!(text) };
    }
    text
}

fn of_service(names: &Names, reachable: &Reachable) -> BTreeMap<String, String> {
    let Reachable { namespace, service, address, ports } = reachable;
    let mut found = BTreeMap::new();
    let long = spelled(&format!("{namespace}_{service}"));
    let short = names.is_own(reachable).then(|| format!("{}_SERVICE", spelled(service)));
    for prefix in short.iter().chain([&long]) {
        found.insert(format!("{prefix}_HOST"), address.to_string());
        if let Some(first) = ports.first() {
            found.insert(format!("{prefix}_PORT"), first.port.to_string());
        }
        for port in ports.iter().filter(|port| !port.name.is_empty()) {
            found.insert(format!("{prefix}_PORT_{}", spelled_inside(&port.name)), port.port.to_string());
        }
    }
    let url = |speaks: super::names::Speaks, port: u16| format!("{}://{address}:{port}", speaks.scheme());
    if let Some(first) = ports.first() {
        found.insert(format!("{long}_URL"), url(first.speaks, first.port));
    }
    for port in ports.iter().filter(|port| !port.name.is_empty()) {
        found.insert(format!("{long}_URL_{}", spelled_inside(&port.name)), url(port.speaks, port.port));
    }
    found
}

/// A name as variables spell it; one that begins with a digit gets a `_` in front, as shells require.
fn spelled(name: &str) -> String {
    let spelled = spelled_inside(name);
    if spelled.starts_with(|first: char| first.is_ascii_digit()) { format!("_{spelled}") } else { spelled }
}

fn spelled_inside(name: &str) -> String {
    name.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::names::tests::shop;
    use super::super::names::{ReachablePort, Speaks};
    use super::*;

    #[test]
    fn every_service_has_its_variables_and_those_of_the_own_namespace_also_the_ones_of_kubernetes() {
        let expected = "\
# Services that can be reached, kept up to date by the sidecar.
CART_SERVICE_HOST=127.128.7.1
CART_SERVICE_PORT=8080
CART_SERVICE_PORT_ADMIN_API=9090
CART_SERVICE_PORT_HTTP=8080
DATA_POSTGRES_HOST=127.130.4.9
DATA_POSTGRES_PORT=5432
DATA_POSTGRES_URL=tcp://127.130.4.9:5432
SHOP_CART_HOST=127.128.7.1
SHOP_CART_PORT=8080
SHOP_CART_PORT_ADMIN_API=9090
SHOP_CART_PORT_HTTP=8080
SHOP_CART_URL=http://127.128.7.1:8080
SHOP_CART_URL_ADMIN_API=http://127.128.7.1:9090
SHOP_CART_URL_HTTP=http://127.128.7.1:8080
";
        assert_eq!(Variables::of(&shop()).file(), expected);
    }

    #[test]
    fn a_variable_that_two_services_would_claim_is_given_to_neither_and_said() {
        let mut names = shop();
        let port = ReachablePort { name: "".into(), port: 80, speaks: Speaks::Http };
        for (namespace, service) in [("a", "b-c"), ("a-b", "c")] {
            let (namespace, service, address) = (namespace.into(), service.into(), Ipv4Addr::LOCALHOST);
            names.services.push(Reachable { namespace, service, address, ports: vec![port.clone()] });
        }

        let variables = Variables::of(&names);

        assert!(!variables.set.contains_key("A_B_C_HOST"));
        assert_eq!(variables.ambiguous["A_B_C_HOST"], ["a/b-c", "a-b/c"]);
        assert!(variables.set.contains_key("SHOP_CART_HOST"));
    }

    #[test]
    fn a_name_that_begins_with_a_digit_is_still_a_variable() {
        assert_eq!(spelled("3d-prints"), "_3D_PRINTS");
    }

    #[test]
    fn hosts_have_every_name_and_the_short_one_where_it_is_meant() {
        let expected = "\
# Services that can be reached, kept up to date by the sidecar.
127.130.4.9 postgres.data.svc.bank.example postgres.data
127.128.7.1 cart.shop.svc.bank.example cart.shop cart
";
        assert_eq!(hosts(&shop()), expected);
    }
}
