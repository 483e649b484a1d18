//! A `curl` line that works.
//!
//! It is made from a rule the user wrote and then asked of the engine itself: only a request that the running
//! configuration would forward is shown. Rules that need least come first.
#![allow(
    clippy::disallowed_methods,
    reason = "real time enters the program in its binary: is this certificate valid today?"
)]

use std::fmt::Write as _;

use control::Snapshot;
use engine::config::{Action, Backends, BindAddress, Port, Security, Target};
use engine::{RequestView, Verdict};
use model::kinds::http_route::{HttpMatch, HttpRoute, Method, PathMatchType, ValueMatch, ValueMatchType};

use crate::clock;
use crate::shell::{host_of, quoted, reachable};

/// Most requests that are tried; a configuration of 100,000 routes must not delay the start.
const CANDIDATES_MAX: usize = 1_000;

/// A request made from a match.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    method: Method,
    host: Option<String>,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
}

/// The line for the first rule of the configuration that can be called on one of these addresses.
#[must_use]
pub fn line(snapshot: &Snapshot, bound: &[BindAddress]) -> Option<String> {
    let mut candidates: Vec<Candidate> = snapshot
        .resources
        .http_routes()
        .flat_map(|route| of_route(route.content))
        .take(CANDIDATES_MAX)
        .collect();
    candidates.sort_by_key(Candidate::demands);
    let ports = || snapshot.config.ports.iter().filter(|port| bound.contains(&port.address));
    candidates.iter().find_map(|candidate| {
        let port = ports().find(|port| answers(snapshot, port, candidate))?;
        Some(candidate.line(port))
    })
}

fn of_route(route: &HttpRoute) -> Vec<Candidate> {
    let mut hosts: Vec<Option<String>> =
        route.spec.hostnames.iter().map(|host| Some(concrete(host.as_str()))).collect();
    if hosts.is_empty() {
        hosts.push(None);
    }
    let matches = route.spec.rules.iter().filter(|rule| !rule.backend_refs.is_empty()).flat_map(|rule| {
        let any = rule.matches.is_empty().then(|| Candidate::new(None));
        any.into_iter().chain(rule.matches.iter().filter_map(of_match))
    });
    let matches: Vec<Candidate> = matches.collect();
    hosts
        .iter()
        .flat_map(|host| matches.iter().map(|found| Candidate { host: host.clone(), ..found.clone() }))
        .collect()
}

/// A request that a match admits; `None` where an expression would have to be guessed at.
fn of_match(found: &HttpMatch) -> Option<Candidate> {
    let path = match found.path.match_type {
        PathMatchType::Exact | PathMatchType::PathPrefix => found.path.value.to_string(),
        PathMatchType::RegularExpression => return None,
    };
    let query = exact(&found.query_params)?;
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Some(Candidate {
        method: found.method.unwrap_or(Method::Get),
        path,
        query: (!query.is_empty()).then(|| query.join("&")),
        headers: exact(&found.headers)?,
        ..Candidate::new(None)
    })
}

fn exact(matches: &[ValueMatch]) -> Option<Vec<(String, String)>> {
    matches
        .iter()
        .map(|one| match one.match_type {
            ValueMatchType::Exact => Some((one.name.to_string(), one.value.to_string())),
            ValueMatchType::RegularExpression => None,
        })
        .collect()
}

/// A name that a pattern covers.
fn concrete(pattern: &str) -> String {
    pattern.replace('*', "any")
}

/// Whether the running configuration would forward it to somebody who is there.
fn answers(snapshot: &Snapshot, port: &Port, candidate: &Candidate) -> bool {
    let address = host_of(port.address.ip);
    let host = candidate.host.clone().unwrap_or(address);
    let listener = match &port.security {
        Security::Plain => None,
        Security::Tls(tls) => match tls.select(candidate.host.as_deref()) {
            Some(host) if !host.certificates.is_empty() => Some(host.listener.as_ref()),
            Some(_) | None => return false,
        },
        // Only members of the mesh get in there.
        Security::Mesh(_) => return false,
    };
    let Some(table) = port.table() else { return false };
    let view = RequestView {
        method: candidate.method.as_str().as_bytes(),
        host: host.as_bytes(),
        path: candidate.path.as_bytes(),
        query: candidate.query.as_deref().map(str::as_bytes),
        headers: candidate.headers.as_slice(),
    };
    match table.find(&view, listener) {
        Verdict::Rule(rule) => match &rule.action {
            Action::Forward(backends) => is_served(snapshot, backends),
            Action::Mock(_) => true,
            Action::Redirect(_) | Action::Answer(_) | Action::Refuse { .. } => false,
        },
        Verdict::NoMatch | Verdict::Misdirected => false,
    }
}

/// Whether every backend that may be chosen has somebody behind it.
fn is_served(snapshot: &Snapshot, backends: &Backends) -> bool {
    let mut chosen = backends.choices.iter().filter(|choice| choice.weight > 0).peekable();
    chosen.peek().is_some()
        && chosen.all(|choice| match &choice.target {
            Target::Cluster(slot) => snapshot
                .config
                .cluster(*slot)
                .is_some_and(|cluster| !cluster.endpoints.is_empty() || !cluster.names.is_empty()),
            Target::Redirect(_) | Target::Invalid { .. } => false,
        })
}

impl Candidate {
    fn new(host: Option<String>) -> Candidate {
        Candidate { method: Method::Get, host, path: "/".to_owned(), query: None, headers: Vec::new() }
    }

    /// How much must be typed: what the line is chosen by.
    fn demands(&self) -> (bool, usize, bool, bool) {
        (self.method != Method::Get, self.headers.len(), self.query.is_some(), self.host.is_some())
    }

    fn line(&self, port: &Port) -> String {
        let ip = reachable(port.address.ip);
        let mut line = "curl".to_owned();
        match self.method {
            Method::Get => {}
            Method::Head => line.push_str(" -I"),
            other => self.write(&mut line, format_args!(" -X {}", other.as_str())),
        }
        let authority = match (&port.security, &self.host) {
            (Security::Plain | Security::Mesh(_), Some(host)) => {
                self.write(&mut line, format_args!(" -H {}", quoted(&format!("Host: {host}"))));
                host_of(ip)
            }
            (Security::Tls(tls), Some(host)) => {
                if !is_trusted(tls, host) {
                    line.push_str(" -k");
                }
                let target = host_of(ip);
                self.write(&mut line, format_args!(" --resolve {host}:{}:{target}", port.address.port));
                host.clone()
            }
            (Security::Plain | Security::Mesh(_), None) => host_of(ip),
            (Security::Tls(_), None) => {
                line.push_str(" -k");
                host_of(ip)
            }
        };
        for (name, value) in &self.headers {
            self.write(&mut line, format_args!(" -H {}", quoted(&format!("{name}: {value}"))));
        }
        let scheme = match port.security {
            Security::Plain | Security::Mesh(_) => "http",
            Security::Tls(_) => "https",
        };
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let url = format!("{scheme}://{authority}:{}{}{query}", port.address.port, self.path);
        self.write(&mut line, format_args!(" {}", quoted(&url)));
        line
    }

    fn write(&self, line: &mut String, text: std::fmt::Arguments<'_>) {
        line.write_fmt(text).expect("a String takes everything");
    }
}

/// Whether a client that trusts the system's roots would accept what is shown for this name.
fn is_trusted(tls: &engine::config::TlsPort, host: &str) -> bool {
    let shown = tls.select(Some(host)).and_then(|host| host.certificates.first());
    shown.is_some_and(|pair| identity::client::is_publicly_trusted(pair, host, clock::now()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use control::files::SourceFile;
    use control::{ControlPlane, Options};

    use super::*;

    const GATEWAY: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: selvedge }
spec: { controllerName: selvedge.dev/gateway-controller }
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Backend
metadata: { name: cart }
spec: { endpoints: [\"127.0.0.1:9001\"] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: selvedge
  listeners:
    - LISTENER
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: cart }
spec:
  parentRefs: [{ name: edge }]
  hostnames: HOSTS
  rules:
    - matches: [MATCH]
      backendRefs: [{ group: mesh.selvedge.dev, kind: Backend, name: BACKEND }]
";
    const HTTP: &str = "{ name: http, protocol: HTTP, port: 8080 }";

    /// The line for a route with these parts.
    fn of(listener: &str, hosts: &str, found: &str, backend: &str) -> Option<String> {
        let text = GATEWAY
            .replace("LISTENER", listener)
            .replace("HOSTS", hosts)
            .replace("MATCH", found)
            .replace("BACKEND", backend);
        let mut control = ControlPlane::new(Options { bind: Ipv4Addr::UNSPECIFIED.into() });
        let file = SourceFile { name: "test.yaml".into(), text: text.into() };
        let snapshot = control.apply(&[file]).unwrap_or_else(|violations| panic!("{violations}"));
        let bound: Vec<BindAddress> = snapshot.config.ports.iter().map(|port| port.address).collect();
        line(&snapshot, &bound)
    }

    #[test]
    fn a_line_holds_what_the_rule_asks_for_and_no_more() {
        let path = "{ path: { type: PathPrefix, value: /cart } }";
        assert_eq!(of(HTTP, "[]", path, "cart").as_deref(), Some("curl http://127.0.0.1:8080/cart"));
        assert_eq!(
            of(HTTP, "[shop.example]", path, "cart").as_deref(),
            Some("curl -H 'Host: shop.example' http://127.0.0.1:8080/cart")
        );
        let all = "{ method: POST, path: { type: Exact, value: /cart }, \
                   headers: [{ name: x-beta, value: \"it's\" }], queryParams: [{ name: dry, value: \"1\" }] }";
        assert_eq!(
            of(HTTP, "[\"*.shop.example\"]", all, "cart").as_deref(),
            Some(
                r"curl -X POST -H 'Host: any.shop.example' -H 'x-beta: it'\''s' 'http://127.0.0.1:8080/cart?dry=1'"
            )
        );
    }

    #[test]
    fn a_rule_that_leads_nowhere_or_wants_guessing_gives_no_line() {
        assert_eq!(of(HTTP, "[]", "{ path: { type: PathPrefix, value: / } }", "nobody"), None);
        assert_eq!(of(HTTP, "[]", "{ path: { type: RegularExpression, value: /a+ } }", "cart"), None);
    }

    #[test]
    fn a_listener_with_a_certificate_of_its_own_making_is_called_without_verifying() {
        let made = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).expect("a certificate");
        let quoted = |pem: String| format!("{pem:?}");
        let secret = format!(
            "{{ name: https, protocol: HTTPS, port: 8443, tls: {{ certificateRefs: [{{ name: pair }}] }} }}
---
apiVersion: v1
kind: Secret
metadata: {{ name: pair }}
type: kubernetes.io/tls
stringData: {{ tls.crt: {}, tls.key: {} }}",
            quoted(made.cert.pem()),
            quoted(made.signing_key.serialize_pem())
        );
        assert_eq!(
            of(&secret, "[shop.example]", "{ path: { type: PathPrefix, value: / } }", "cart").as_deref(),
            Some("curl -k --resolve shop.example:8443:127.0.0.1 https://shop.example:8443/")
        );
    }
}
