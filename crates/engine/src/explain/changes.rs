//! Which requests are decided differently after a change.
//!
//! Nobody can try every request, but every match that some rule asks for can be tried: for each of them one request is
//! made that just fulfils it, and both configs are asked. So a route that shadows another shows up at the requests that
//! it takes away, not only at its own name. Regular expressions are not solved; a match with one is looked up by
//! what it demands.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::{Choice, Connection, choices, connection};
use crate::config::{Action, Config, Port, Rule, Security};
use crate::dump;
use crate::matching::{Entry, HostPattern, HostTable, Listener, PathMatch, ValueMatch, Verdict};
use crate::request::RequestView;

/// Most requests that are tried. Past it the answer says that it is not whole.
pub const REQUESTS_MAX: usize = 20_000;

/// What stands for "anything" where a pattern leaves it open.
const ANYTHING: &str = "any";

/// Requests that are decided differently.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Changes {
    /// Each with what decided it and what decides it.
    pub changes: Vec<Change>,
    /// Whether some requests were not tried because there were too many.
    pub truncated: bool,
}

/// One kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `GET http://shop.example:8080/cart/*`
    pub request: String,
    /// What became of it.
    pub before: String,
    /// What becomes of it.
    pub after: String,
}

/// Compares two configs of one compiler, which shares what did not change between them.
#[must_use]
pub fn changes(before: &Config, after: &Config) -> Changes {
    let sides = Sides { before, after, clusters_differ: clusters_differ(before, after) };
    let addresses: BTreeSet<_> = before.ports.iter().chain(&after.ports).map(|port| port.address).collect();
    let mut found = Changes::default();
    let mut tried = 0;
    for address in addresses {
        let port_of = |config: &'_ Config| -> Option<Arc<Port>> {
            config.ports.iter().find(|port| port.address == address).cloned()
        };
        let pair = Pair { before: port_of(before), after: port_of(after) };
        sides.port(&pair, &mut found, &mut tried);
        sides.connections(&pair, &mut found);
    }
    found
}

/// The same place in both configs.
struct Pair<T> {
    before: Option<T>,
    after: Option<T>,
}

struct Sides<'c> {
    before: &'c Config,
    after: &'c Config,
    clusters_differ: bool,
}

fn clusters_differ(before: &Config, after: &Config) -> bool {
    let same = |(left, right): (&Option<Arc<_>>, &Option<Arc<_>>)| match (left, right) {
        (Some(left), Some(right)) => Arc::ptr_eq(left, right),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    before.clusters.len() != after.clusters.len() || !before.clusters.iter().zip(&after.clusters).all(same)
}

impl Sides<'_> {
    fn port(&self, port: &Pair<Arc<Port>>, found: &mut Changes, tried: &mut usize) {
        let listeners = |port: &'_ Option<Arc<Port>>| -> Vec<(HostPattern, Arc<Listener>)> {
            let sorted =
                port.as_ref().and_then(|port| Some(port.table()?.listeners().sorted())).unwrap_or_default();
            sorted.into_iter().map(|(pattern, listener)| (pattern, Arc::clone(listener))).collect()
        };
        let (before, after) = (listeners(&port.before), listeners(&port.after));
        let patterns: BTreeSet<&HostPattern> = before.iter().chain(&after).map(|(name, _)| name).collect();
        for pattern in patterns {
            let at = |list: &[(HostPattern, Arc<Listener>)]| -> Vec<(HostPattern, Arc<HostTable>)> {
                let listener = list.iter().find(|(known, _)| known == pattern).map(|(_, listener)| listener);
                let hosts = listener.map(|listener| listener.hosts.sorted()).unwrap_or_default();
                hosts.into_iter().map(|(host, table)| (host, Arc::clone(table))).collect()
            };
            let (before, after) = (at(&before), at(&after));
            let hosts: BTreeSet<&HostPattern> = before.iter().chain(&after).map(|(host, _)| host).collect();
            for host in hosts {
                let table = |list: &[(HostPattern, Arc<HostTable>)]| {
                    list.iter().find(|(known, _)| known == host).map(|(_, table)| Arc::clone(table))
                };
                let tables = Pair { before: table(&before), after: table(&after) };
                self.host(port, host, &tables, found, tried);
            }
        }
    }

    /// Of a port that carries bytes: where connections for each name lead.
    fn connections(&self, port: &Pair<Arc<Port>>, found: &mut Changes) {
        let both = || port.before.iter().chain(&port.after).filter(|port| port.table().is_none());
        let Some(shown) = both().next_back() else { return };
        let names = both().flat_map(|port| match &port.security {
            Security::Tls(tls) => tls.hosts.iter().map(|host| host.hostname.clone()).collect(),
            Security::Plain | Security::Mesh(_) => vec![None],
        });
        for name in names.collect::<BTreeSet<_>>() {
            let host = name.as_deref().map(|name| name.replacen('*', ANYTHING, 1));
            let ask = |config: &Config, port: &Option<Arc<Port>>| match port {
                None => "nobody listens".to_owned(),
                Some(port) => leads(&connection(config, port, host.as_deref(), None)),
            };
            let (before, after) = (ask(self.before, &port.before), ask(self.after, &port.after));
            if before != after {
                let place = shown.address;
                let request = match &name {
                    Some(name) => format!("{}://{name}:{}", shown.scheme(), place.port),
                    None => format!("{}://{}:{}", shown.scheme(), place.ip, place.port),
                };
                found.changes.push(Change { request, before, after });
            }
        }
    }

    fn host(
        &self,
        port: &Pair<Arc<Port>>,
        host: &HostPattern,
        tables: &Pair<Arc<HostTable>>,
        found: &mut Changes,
        tried: &mut usize,
    ) {
        if let Pair { before: Some(before), after: Some(after) } = tables
            && Arc::ptr_eq(before, after)
            && !self.clusters_differ
        {
            return;
        }
        let mut known: Vec<Value> = Vec::new();
        let entries = [&tables.before, &tables.after].into_iter().flatten().flat_map(|table| table.entries());
        for entry in entries {
            let demanded = dump::matched(entry);
            if known.contains(&demanded) {
                continue;
            }
            *tried += 1;
            if *tried > REQUESTS_MAX {
                found.truncated = true;
                return;
            }
            let (before, after) = match Sample::of(entry, host) {
                Some(sample) => (sample.ask(self.before, &port.before), sample.ask(self.after, &port.after)),
                None => (
                    same_match(self.before, &tables.before, &demanded),
                    same_match(self.after, &tables.after, &demanded),
                ),
            };
            if before.whole != after.whole {
                let port = port.after.as_ref().or(port.before.as_ref());
                let request = port.map(|port| label(entry, host, port)).unwrap_or_default();
                found.changes.push(told(request, before, after));
            }
            known.push(demanded);
        }
    }
}

/// What decides a request, as text and in full.
#[derive(Clone, Debug)]
struct Decision {
    text: String,
    /// Everything that a client could notice, and who is asked; positions in files are not in it.
    whole: Value,
}

impl Decision {
    fn answer(text: &str) -> Decision {
        Decision { text: text.to_owned(), whole: Value::String(text.to_owned()) }
    }
}

fn told(request: String, before: Decision, after: Decision) -> Change {
    let same = before.text == after.text;
    let after = if same { format!("{}, with other settings", after.text) } else { after.text };
    Change { request, before: before.text, after }
}

/// A request that fulfils a match and asks for nothing else.
struct Sample {
    method: String,
    host: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
}

impl Sample {
    /// `None` when a regular expression would have to be solved.
    fn of(entry: &Entry, host: &HostPattern) -> Option<Sample> {
        let exact = |value: &ValueMatch| match value {
            ValueMatch::Exact(text) => Some(text.to_string()),
            ValueMatch::Unreadable(_) => Some(ANYTHING.to_owned()),
            ValueMatch::Pattern(_) => None,
        };
        let path = match &entry.path {
            PathMatch::Exact(text) => text.to_string(),
            PathMatch::Prefix(text) => format!("{}/{ANYTHING}", text.trim_end_matches('/')),
            PathMatch::Template(template) => template.text().replace("{}", ANYTHING),
            PathMatch::Pattern(_) => return None,
        };
        let mut headers = Vec::new();
        for field in &entry.requirements.headers {
            headers.push((field.name.to_string(), exact(&field.value)?));
        }
        let mut query = Vec::new();
        for field in &entry.requirements.query {
            query.push(format!("{}={}", escaped(&field.name), escaped(&exact(&field.value)?)));
        }
        Some(Sample {
            method: entry.requirements.method.as_deref().unwrap_or("GET").to_owned(),
            host: match host {
                HostPattern::Any => format!("{ANYTHING}.invalid"),
                HostPattern::Wildcard(suffix) => format!("{ANYTHING}{suffix}"),
                HostPattern::Exact(name) => name.to_string(),
            },
            path,
            query: (!query.is_empty()).then(|| query.join("&")),
            headers,
        })
    }

    fn ask(&self, config: &Config, port: &Option<Arc<Port>>) -> Decision {
        let Some(port) = port else {
            return Decision::answer("nobody listens");
        };
        let request = RequestView {
            method: self.method.as_bytes(),
            host: self.host.as_bytes(),
            path: self.path.as_bytes(),
            query: self.query.as_deref().map(str::as_bytes),
            headers: self.headers.as_slice(),
        };
        match port.table().map(|table| table.find(&request, None)) {
            Some(Verdict::Rule(rule)) => decision(config, rule),
            Some(Verdict::NoMatch | Verdict::Misdirected) | None => no_rule(),
        }
    }
}

/// Bytes of a query that would end a name or value, escaped (RFC 3986 section 2.1).
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn same_match(config: &Config, table: &Option<Arc<HostTable>>, demanded: &Value) -> Decision {
    let entry = table.as_ref().and_then(|table| {
        table.entries().find(|entry| dump::matched(entry) == *demanded).map(|entry| Arc::clone(&entry.rule))
    });
    entry.map_or_else(no_rule, |rule| decision(config, &rule))
}

fn no_rule() -> Decision {
    Decision::answer("404, no rule matches")
}

fn decision(config: &Config, rule: &Rule) -> Decision {
    let mut of_backends = Vec::new();
    let action = match &rule.action {
        Action::Forward(backends) => {
            let choices = choices(config, backends);
            let shown: Vec<String> = choices.iter().map(|choice| shown(choice, choices.len())).collect();
            of_backends = choices.into_iter().map(|choice| Value::Array(choice.filters)).collect();
            shown.join(", ")
        }
        Action::Redirect(redirect) => format!("redirect {}", redirect.status),
        Action::Answer(answer) => format!("{} {}", answer.status, answer.reason),
        Action::Mock(_) => "mock".to_owned(),
        Action::Refuse { status, reason } => format!("{status} {reason}"),
    };
    let origin = &rule.origin;
    let mut whole = dump::rule(rule, &config.sources);
    if let Value::Object(map) = &mut whole {
        let place = ["slot", "source", "rule", "matched", "name", "forward"];
        map.retain(|name, _| !place.contains(&name.as_str()));
        map.insert("action".to_owned(), action.as_str().into());
        map.insert("filters of backends".to_owned(), Value::Array(of_backends));
    }
    let text = format!("{} {} rules[{}]: {action}", origin.kind, origin.route, origin.rule);
    Decision { text, whole }
}

fn leads(connection: &Connection) -> String {
    let Connection { route, source: _, addresses: _, kept_out: _, authorization: _, backends, refused } =
        connection;
    let backends: Vec<String> = backends.iter().map(|choice| shown(choice, backends.len())).collect();
    format!("{route}: {}", refused.clone().unwrap_or_else(|| backends.join(", ")))
}

fn shown(choice: &Choice, of: usize) -> String {
    let share = if of == 1 { String::new() } else { format!(" {}", choice.share) };
    match &choice.refused {
        None => format!("{}{share}", choice.target),
        Some(refused) => format!("{}{share} ({refused})", choice.target),
    }
}

/// A match as a request line.
fn label(entry: &Entry, host: &HostPattern, port: &Port) -> String {
    let (scheme, usual) = match port.security {
        Security::Plain | Security::Mesh(_) => ("http", 80),
        Security::Tls(_) => ("https", 443),
    };
    let host = host.text().unwrap_or_else(|| "*".to_owned());
    let number = if port.address.port == usual { String::new() } else { format!(":{}", port.address.port) };
    let path = match &entry.path {
        PathMatch::Exact(text) => text.to_string(),
        PathMatch::Template(template) => template.text().to_string(),
        PathMatch::Prefix(text) => format!("{}/*", text.trim_end_matches('/')),
        PathMatch::Pattern(pattern) => format!(" path ~ {}", pattern.text()),
    };
    let method = entry.requirements.method.as_deref().map(|method| format!("{method} ")).unwrap_or_default();
    let demands = dump::matched(entry);
    let fields = |kind: &str, word: &str| -> String {
        let list = demands[kind].as_array().cloned().unwrap_or_default();
        let one = |field: &Value| {
            let value = ["exact", "pattern", "unreadable"].iter().find_map(|kind| field[*kind].as_str());
            let name = field["name"].as_str().unwrap_or_default();
            format!(" {word} {name}={}", value.unwrap_or_default())
        };
        list.iter().map(one).collect()
    };
    let (headers, query) = (fields("headers", "header"), fields("query", "query"));
    format!("{method}{scheme}://{host}{number}{path}{headers}{query}")
}
