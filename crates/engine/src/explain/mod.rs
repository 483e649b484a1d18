//! Why a request goes where it goes, in the words of the files it came from.
//!
//! The same tables that serve requests are asked, so what is explained is what will happen. When nothing
//! matches, what came nearest is told: a 404 without a reason is the most common question about a gateway.

mod asked;
mod changes;
mod demand;
mod judgement;
mod nearest;
mod question;
mod right;
mod text;

pub use asked::Asked;
pub use changes::{Change, Changes, REQUESTS_MAX, changes};
pub use demand::Demand;
pub use judgement::{Judgement, Said};
pub use question::{Question, QuestionError};
pub use right::{PlanRight, ProductRight, Right};

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use serde_json::Value;

use crate::authorization::{Destination, Source};
use crate::config::{
    Action, AddressRule, Backends, Config, Port, Rule, Security, Target, TcpAction, keeps_out,
};
use crate::dump;
use crate::matching::{HostPattern, Listener, Verdict};
use crate::request::RequestView;
use question::Url;

/// What would happen to a request, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Method and URL as they were asked for.
    pub question: String,
    /// Socket that would take the request.
    pub port: Option<SocketAddr>,
    /// What it speaks, as the scheme of a URL.
    pub scheme: &'static str,
    /// Whether that socket speaks TLS.
    pub tls: bool,
    /// The listener with its hostname.
    pub listener: Option<Named>,
    /// The host pattern whose routes are asked.
    pub host: Option<String>,
    /// What happens.
    pub outcome: Outcome,
}

/// A listener.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// `namespace/gateway/listener`.
    pub name: String,
    /// Its hostname, `*` for any.
    pub hostname: String,
}

/// What happens to a request.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A rule answers.
    Rule(Box<Answer>),
    /// The connection carries bytes.
    Connection(Box<Connection>),
    /// Nothing matches: 404.
    NotFound {
        /// What came nearest, one sentence each.
        nearest: Vec<String>,
    },
    /// The server name of the handshake belongs to another listener than the host: 421.
    Misdirected {
        /// The listener that the server name selects.
        handshake: String,
    },
    /// Nobody listens there.
    NoPort {
        /// Sockets there are.
        known: Vec<String>,
    },
}

/// The rule that answers.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// `HTTPRoute namespace/name`.
    pub route: String,
    /// Position of the rule.
    pub rule: u16,
    /// Position of the match in the rule.
    pub matched: u16,
    /// Name of the rule.
    pub name: Option<String>,
    /// `file:line`.
    pub source: Option<String>,
    /// Why it matched.
    pub because: Value,
    /// Filters in the order they run.
    pub filters: Vec<Value>,
    /// Policies that say from where it may be asked for.
    pub addresses: Vec<String>,
    /// The policy that does not let the caller's address in.
    pub kept_out: Option<String>,
    /// Who changes its messages on their way, in the order in which requests pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<String>,
    /// How callers prove who they are; `None` when nobody is asked.
    pub authentication: Option<Demand>,
    /// Who else is asked whether it may pass, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorizers: Vec<Asked>,
    /// Whether it may be asked at all; `None` when no policy speaks of it.
    pub authorization: Option<Judgement>,
    /// What must have been subscribed to; `None` when nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<Right>,
    /// What answers.
    pub action: Verb,
}

/// Where a connection leads.
#[derive(Clone, Debug, Serialize)]
pub struct Connection {
    /// `TCPRoute namespace/name`, or the listener without one.
    pub route: String,
    /// `file:line`.
    pub source: Option<String>,
    /// Policies that say from where connections may come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// The policy that does not let the caller's address in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_out: Option<String>,
    /// What policies say of it; `None` when none is asked.
    pub authorization: Option<Judgement>,
    /// One of these backends; none when it is reset.
    pub backends: Vec<Choice>,
    /// Why it is reset, as in the log.
    pub refused: Option<String>,
}

/// What answers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// One of these backends.
    Forward(Vec<Choice>),
    /// A redirect.
    Redirect(Value),
    /// An answer that is always the same.
    Answer {
        /// Status.
        status: u16,
        /// Reason as in the log.
        reason: String,
    },
    /// An answer out of the description of an operation.
    Mock {
        /// Key of the operation.
        operation: String,
    },
    /// A refusal.
    Refuse {
        /// Status.
        status: u16,
        /// Reason as in the log.
        reason: String,
    },
}

/// One backend.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// Share, as `weight/total`.
    pub share: String,
    /// Name of the cluster, or why there is none.
    pub target: String,
    /// Endpoints and DNS names.
    pub endpoints: Vec<String>,
    /// What would be answered instead of asking an endpoint.
    pub refused: Option<String>,
    /// Filters for this backend only.
    pub filters: Vec<Value>,
}

/// Explains what would happen to a request.
///
/// # Errors
/// When the URL cannot be read.
pub fn explain(config: &Config, question: &Question<'_>) -> Result<Explanation, QuestionError> {
    let url = Url::parse(question.url)?;
    let mut explanation = Explanation {
        question: if url.bytes {
            question.url.to_owned()
        } else {
            format!("{} {}", question.method, question.url)
        },
        port: None,
        scheme: "",
        tls: false,
        listener: None,
        host: None,
        outcome: Outcome::NoPort { known: config.ports.iter().map(|port| shown(port)).collect() },
    };
    let ports = candidates(config, &url);
    let answers = |port: &&&Port| matches!(ask(port, question, &url), Verdict::Rule(_));
    let Some(port) = ports.iter().find(answers).or(ports.first()).copied() else {
        return Ok(explanation);
    };
    explanation.port = Some(socket(port));
    explanation.scheme = port.scheme();
    explanation.tls = url.tls;
    if url.bytes {
        explanation.outcome =
            Outcome::Connection(Box::new(connection(config, port, Some(&url.host), Some(&question.source))));
        return Ok(explanation);
    }
    if let Some((hostname, listener)) = listener(port, &url) {
        let hostname = hostname.to_string();
        explanation.listener = Some(Named { name: listener.name.to_string(), hostname });
        explanation.host = covering(listener.hosts.sorted(), &url.host).map(|(host, _)| host.to_string());
    }
    explanation.outcome = match ask(port, question, &url) {
        Verdict::Rule(rule) => Outcome::Rule(Box::new(answer(config, port, rule, question, &url))),
        Verdict::Misdirected => {
            Outcome::Misdirected { handshake: handshake(port, &url).unwrap_or_default().to_owned() }
        }
        Verdict::NoMatch => Outcome::NotFound { nearest: nearest::nearest(config, port, question, &url) },
    };
    Ok(explanation)
}

/// Ports that could be meant: those with the number and scheme of the URL, or, when it names no number and none
/// has the usual one, those with the scheme.
fn candidates<'c>(config: &'c Config, url: &Url) -> Vec<&'c Port> {
    let fits = |port: &&Port| {
        matches!(port.security, Security::Tls(_)) == url.tls && port.table().is_none() == url.bytes
    };
    let all = || config.ports.iter().map(AsRef::as_ref).filter(fits);
    let numbered: Vec<&Port> = all().filter(|port| port.address.port == url.port()).collect();
    if numbered.is_empty() && url.explicit_port.is_none() { all().collect() } else { numbered }
}

/// Where a connection to a port that carries bytes leads, given the name that its handshake asks for.
fn connection(config: &Config, port: &Port, name: Option<&str>, asks: Option<&Source<'_>>) -> Connection {
    let reset = |route: String, reason: &str| Connection {
        route,
        source: None,
        addresses: Vec::new(),
        kept_out: None,
        authorization: None,
        backends: Vec::new(),
        refused: Some(reason.to_owned()),
    };
    let carries = match &port.security {
        Security::Plain | Security::Mesh(_) => &port.carries,
        Security::Tls(tls) => match tls.select(name) {
            Some(host) => host.carries.as_ref().unwrap_or(&port.carries),
            None => return reset("none".to_owned(), "no listener has the name, so the handshake fails"),
        },
    };
    let Some(rule) = carries.rule() else { return reset("none".to_owned(), "the port carries requests") };
    let route = format!("{} {}", rule.origin.kind, rule.origin.route);
    let source = config.sources.at(rule.slot, &rule.origin);
    let authorization = rule.authorization.as_deref().zip(asks).map(|(authorization, asks)| {
        let server_name = name.filter(|_| matches!(port.security, Security::Tls(_)));
        Judgement::new(&authorization.connection(asks, &Destination { port: port.address.port, server_name }))
    });
    let address = asks.and_then(|asks| asks.address);
    let (addresses, kept_out) = kept(rule.addresses.as_deref(), address);
    match &rule.action {
        TcpAction::Forward(backends) => {
            let backends = choices(config, backends);
            Connection { route, source, addresses, kept_out, authorization, backends, refused: None }
        }
        TcpAction::Refuse { reason } => Connection { source, ..reset(route, reason) },
    }
}

/// Policies that say from where somebody may come, and the one that does not let this address in.
fn kept(rules: Option<&[AddressRule]>, address: Option<IpAddr>) -> (Vec<String>, Option<String>) {
    let rules = rules.unwrap_or_default();
    let by = address.and_then(|address| keeps_out(rules, Some(address)));
    let named = |rule: &AddressRule| rule.policy.to_string();
    (rules.iter().map(named).collect(), by.map(named))
}

fn ask<'c>(port: &'c Port, question: &Question<'_>, url: &Url) -> Verdict<'c> {
    port.table().map_or(Verdict::NoMatch, |table| table.find(&view(question, url), handshake(port, url)))
}

fn view<'a>(question: &Question<'a>, url: &'a Url) -> RequestView<'a, &'a [(String, String)]> {
    RequestView {
        method: question.method.as_bytes(),
        host: url.host.as_bytes(),
        path: url.path.as_bytes(),
        query: url.query.as_deref().map(str::as_bytes),
        headers: question.headers,
    }
}

/// The listener that a client's server name selects; clients send the host of the URL.
fn handshake<'c>(port: &'c Port, url: &Url) -> Option<&'c str> {
    match &port.security {
        Security::Plain | Security::Mesh(_) => None,
        Security::Tls(tls) => tls.select(Some(&url.host)).map(|host| &*host.listener),
    }
}

fn listener<'c>(port: &'c Port, url: &Url) -> Option<(HostPattern, &'c Listener)> {
    covering(port.table()?.listeners().sorted(), &url.host).map(|(pattern, listener)| (pattern, &**listener))
}

/// The most specific pattern that covers a host.
fn covering<'v, T>(patterns: Vec<(HostPattern, &'v T)>, host: &str) -> Option<(HostPattern, &'v T)> {
    let covering = patterns.into_iter().filter(|(pattern, _)| pattern.covers(host.as_bytes()));
    covering.max_by_key(|(pattern, _)| pattern.specificity())
}

fn answer(config: &Config, port: &Port, rule: &Rule, question: &Question<'_>, url: &Url) -> Answer {
    let entries = listener(port, url).and_then(|(_, listener)| covering(listener.hosts.sorted(), &url.host));
    let entry = entries.and_then(|(_, table)| table.entries().find(|entry| std::ptr::eq(&*entry.rule, rule)));
    let (addresses, kept_out) = kept(rule.addresses.as_deref(), question.source.address);
    Answer {
        route: format!("{} {}", rule.origin.kind, rule.origin.route),
        rule: rule.origin.rule,
        matched: rule.origin.matched,
        name: rule.origin.name.as_deref().map(str::to_owned),
        source: config.sources.of(rule),
        because: entry.map_or(Value::Null, dump::matched),
        filters: rule.filters.iter().map(dump::filter).collect(),
        addresses,
        kept_out,
        transforms: rule
            .transforms
            .iter()
            .flat_map(|all| all.iter())
            .map(|one| one.origin.to_string())
            .collect(),
        authentication: rule.authentication.as_deref().map(Demand::new),
        authorizers: rule
            .authorizers
            .iter()
            .flat_map(|all| all.iter())
            .map(|one| Asked::new(one, config))
            .collect(),
        authorization: rule.authorization.as_deref().map(|authorization| {
            let server_name = url.tls.then_some(url.host.as_str());
            let destination = Destination { port: port.address.port, server_name };
            Judgement::new(&authorization.request(&question.source, &destination, &view(question, url)))
        }),
        access: rule.access.as_deref().map(Right::new),
        action: match &rule.action {
            Action::Forward(backends) => Verb::Forward(choices(config, backends)),
            Action::Redirect(_) => Verb::Redirect(dump::rule(rule, &config.sources)["redirect"].take()),
            Action::Answer(answer) => {
                Verb::Answer { status: answer.status, reason: answer.reason.to_owned() }
            }
            Action::Mock(mock) => Verb::Mock { operation: mock.operation.key.to_string() },
            Action::Refuse { status, reason } => {
                Verb::Refuse { status: *status, reason: (*reason).to_owned() }
            }
        },
    }
}

fn choices(config: &Config, backends: &Backends) -> Vec<Choice> {
    let choice = |backend: &crate::config::Backend| {
        let (target, endpoints, refused) = destination(config, &backend.target);
        Choice {
            share: format!("{}/{}", backend.weight, backends.weight_total),
            target,
            endpoints,
            refused,
            filters: backend.filters.iter().map(dump::filter).collect(),
        }
    };
    backends.choices.iter().map(choice).collect()
}

fn destination(config: &Config, target: &Target) -> (String, Vec<String>, Option<String>) {
    match target {
        Target::Invalid { reason } => ("nowhere".to_owned(), Vec::new(), Some(format!("500 {reason}"))),
        Target::Redirect(redirect) => (format!("redirect {}", redirect.status), Vec::new(), None),
        Target::Cluster(slot) => {
            let Some(cluster) = config.cluster(*slot) else {
                return ("nowhere".to_owned(), Vec::new(), Some("500 backend_not_found".to_owned()));
            };
            let names = cluster.names.iter().map(|name| format!("{}:{}", name.name, name.port));
            let addresses = cluster.endpoints.iter().map(|endpoint| endpoint.address.to_string());
            let endpoints: Vec<String> = addresses.chain(names).collect();
            let empty = endpoints.is_empty().then(|| "503 no ready endpoint".to_owned());
            (
                cluster.name.to_string(),
                endpoints,
                cluster.refuse.map(|reason| format!("502 {reason}")).or(empty),
            )
        }
    }
}

fn socket(port: &Port) -> SocketAddr {
    SocketAddr::new(port.address.ip, port.address.port)
}

fn shown(port: &Port) -> String {
    format!("{}://{}", port.scheme(), socket(port))
}
