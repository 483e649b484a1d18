//! The workload as its sidecar registers it: an object like one written by hand, made of a command line.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use proxy::Locality;
use serde_json::{Map, Value, json};

/// Says that a sidecar vouches for the object, which goes when nobody does any more.
const REGISTERED_BY: (&str, &str) = ("mesh.selvedge.dev/registered-by", "sidecar");
/// Where a sidecar takes what the mesh sends, when nothing is said.
pub const MESH_PORT: u16 = 15_443;

/// One replica of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Namespace and name.
    pub name: WorkloadName,
    /// Where others reach it.
    pub address: IpAddr,
    /// Port at that address where the sidecar takes what the mesh sends.
    pub mesh_port: u16,
    /// Half of its identity.
    pub service_account: String,
    /// Labels, by which Services select it.
    pub labels: BTreeMap<String, String>,
    /// Where the application's ports are open; its loopback when nothing is said.
    pub application: Option<IpAddr>,
    /// Ports of the application.
    pub ports: Vec<WorkloadPort>,
    /// Where it stands, as far as somebody said.
    pub locality: Option<Locality>,
    /// Whether the application is told who calls.
    pub caller_header: bool,
}

/// `namespace/name` of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadName {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl FromStr for WorkloadName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write NAMESPACE/NAME, such as shop/cart-1".to_owned();
        let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
        namespace.parse::<model::Namespace>().map_err(|problem| problem.problem)?;
        name.parse::<model::Name>().map_err(|problem| problem.problem)?;
        Ok(WorkloadName { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A port of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadPort {
    /// Its name, which a Service's `targetPort` may use.
    pub name: String,
    /// The number that others use.
    pub port: u16,
    /// What is spoken.
    pub protocol: &'static str,
    /// The port of the application itself.
    pub target: u16,
}

/// What can be spoken, as objects write it.
const PROTOCOLS: [&str; 4] = ["HTTP", "HTTP2", "GRPC", "TCP"];

impl FromStr for WorkloadPort {
    type Err = String;

    /// Reads `NAME:PORT[:PROTOCOL][:TARGET]`. The protocol is HTTP when nothing is said, the target the same port.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no port; write NAME:PORT[:PROTOCOL][:TARGET], such as http:8080 or db:5432:tcp, \
                 with one of {} as protocol",
                PROTOCOLS.join(", ")
            )
        };
        let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        name.parse::<model::Name>().map_err(|_| wrong())?;
        let port = parts.next().and_then(number).ok_or_else(wrong)?;
        let (mut protocol, mut target) = (PROTOCOLS[0], port);
        let rest: Vec<&str> = parts.collect();
        let known = |text: &str| PROTOCOLS.into_iter().find(|known| known.eq_ignore_ascii_case(text));
        match *rest.as_slice() {
            [] => {}
            [one] => match (known(one), number(one)) {
                (Some(found), _) => protocol = found,
                (None, Some(found)) => target = found,
                (None, None) => return Err(wrong()),
            },
            [one, two] => {
                protocol = known(one).ok_or_else(wrong)?;
                target = number(two).ok_or_else(wrong)?;
            }
            _ => return Err(wrong()),
        }
        Ok(WorkloadPort { name: name.to_owned(), port, protocol, target })
    }
}

impl Workload {
    /// Where the application's first port is open.
    #[must_use]
    pub fn first_port(&self) -> Option<SocketAddr> {
        let address = self.application.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Some(SocketAddr::from((address, self.ports.first()?.target)))
    }

    /// What is wrong with it as a whole: every clash, each in a sentence.
    #[must_use]
    pub fn clashes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, port) in self.ports.iter().enumerate() {
            let before = &self.ports[..at];
            if before.iter().any(|other| other.name == port.name) {
                found.push(format!("two ports are called `{}`", port.name));
            }
            if before.iter().any(|other| other.port == port.port) {
                found.push(format!("two ports have the number {}", port.port));
            }
            if port.target == self.mesh_port {
                found.push(format!(
                    "port `{}` is at {}, where the sidecar takes what the mesh sends",
                    port.name, self.mesh_port
                ));
            }
        }
        found
    }

    /// The object that is asked for.
    #[must_use]
    pub fn object(&self) -> Value {
        let port = |port: &WorkloadPort| {
            json!({
                "name": port.name, "port": port.port, "protocol": port.protocol, "targetPort": port.target,
            })
        };
        let mut labels: Map<String, Value> =
            self.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        labels.insert(REGISTERED_BY.0.to_owned(), json!(REGISTERED_BY.1));
        let mut spec = json!({
            "address": self.address,
            "serviceAccount": self.service_account,
            "sidecar": { "port": self.mesh_port },
            "ports": self.ports.iter().map(port).collect::<Vec<_>>(),
        });
        // What is not said stays with whoever wrote the object by hand.
        if let Some(locality) = &self.locality {
            spec["locality"] = place(locality);
        }
        let mut application = Map::new();
        application.extend(self.application.map(|address| ("address".to_owned(), json!(address))));
        application.extend(self.caller_header.then(|| ("callerHeader".to_owned(), json!(true))));
        if !application.is_empty() {
            spec["application"] = application.into();
        }
        json!({
            "apiVersion": "mesh.selvedge.dev/v1alpha1",
            "kind": "Workload",
            "metadata": { "namespace": self.name.namespace, "name": self.name.name, "labels": labels },
            "spec": spec,
        })
    }
}

fn place(Locality { region, zone }: &Locality) -> Value {
    let parts = [("region", region), ("zone", zone)].into_iter().filter(|(_, said)| !said.is_empty());
    parts.map(|(name, said)| (name.to_owned(), json!(said))).collect::<Map<_, _>>().into()
}

/// Reads `NAME=VALUE` of a label.
///
/// # Errors
/// It is none, and what to write.
pub fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as app=cart".to_owned()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A cart of a shop.
    pub fn cart() -> Workload {
        Workload {
            name: "shop/cart-1".parse().expect("a name"),
            address: [10, 0, 0, 7].into(),
            mesh_port: MESH_PORT,
            service_account: "cart".into(),
            labels: [("app".to_owned(), "cart".to_owned())].into(),
            application: None,
            ports: vec!["http:8080".parse().expect("a port")],
            locality: None,
            caller_header: false,
        }
    }

    #[test]
    fn a_port_is_read_with_as_much_as_is_said() {
        let read =
            |text: &str| text.parse::<WorkloadPort>().map(|port| (port.port, port.protocol, port.target));
        assert_eq!(read("http:8080"), Ok((8080, "HTTP", 8080)));
        assert_eq!(read("db:5432:tcp"), Ok((5432, "TCP", 5432)));
        assert_eq!(read("http:80:8080"), Ok((80, "HTTP", 8080)));
        assert_eq!(read("api:9000:grpc:9001"), Ok((9000, "GRPC", 9001)));
        for wrong in
            ["", "http", "http:", "http:0", "http:70000", "Http:80", "a:1:udp", "a:1:http:2:3", ":80"]
        {
            let said = read(wrong).expect_err(wrong);
            assert!(said.contains("NAME:PORT"), "{said}");
        }
    }

    #[test]
    fn what_clashes_is_said_all_at_once() {
        let mut workload = cart();
        workload.ports.push("http:8080:15443".parse().expect("a port"));
        assert_eq!(workload.clashes().len(), 3, "{:?}", workload.clashes());
        assert!(cart().clashes().is_empty());
    }

    #[test]
    fn the_object_says_where_it_stands_and_what_the_application_is_told_only_if_somebody_said_so() {
        let silent = cart().object();
        let said = Workload { locality: "north/a".parse().ok(), caller_header: true, ..cart() }.object();
        let zone = Workload { locality: "a".parse().ok(), ..cart() }.object();

        assert_eq!(
            (&silent["spec"]["locality"], &silent["spec"]["application"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(said["spec"]["locality"], json!({ "region": "north", "zone": "a" }));
        assert_eq!(said["spec"]["application"], json!({ "callerHeader": true }));
        assert_eq!(zone["spec"]["locality"], json!({ "zone": "a" }));
    }

    #[test]
    fn the_object_says_that_it_goes_with_its_sidecar() {
        let object = cart().object();
        assert_eq!(object["metadata"]["labels"]["mesh.selvedge.dev/registered-by"], "sidecar");
        assert_eq!(object["metadata"]["labels"]["app"], "cart");
        assert_eq!(object["spec"]["sidecar"]["port"], 15443);
        assert_eq!(object["spec"]["ports"][0]["targetPort"], 8080);
        assert!(object["spec"].get("application").is_none());
    }

    #[test]
    fn an_application_that_is_not_at_the_loopback_is_looked_for_where_it_is() {
        let workload = Workload { application: Some([127, 20, 0, 3].into()), ..cart() };

        assert_eq!(workload.first_port(), Some(([127, 20, 0, 3], 8080).into()));
        assert_eq!(workload.object()["spec"]["application"]["address"], "127.20.0.3");
    }
}
