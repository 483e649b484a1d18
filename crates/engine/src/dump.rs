//! The config as JSON, for `GET /config` and for golden files.
//!
//! Written out by hand rather than derived: a field that is added to a type does not appear here by itself, so
//! a key can never be dumped by accident. Values of fields whose names speak of credentials are hidden, because
//! routes are used to add them.

mod access;
mod addresses;
mod authentication;
mod authorizers;
mod mesh;
mod rates;
mod resilience;
mod transform;
mod validation;

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::authorization::{Authorization, DefaultAction};
use crate::config::{
    Action, Backend, Carries, ClientValidation, ClientValidationMode, Cluster, Collector, CollectorProtocol,
    Config, Cors, Filter, HeaderEdits, Limits, Mirror, PathEdit, PathPolicy, Port, Redirect, Rewrite, Rule,
    Security, Settings, Sources, Target, TcpAction, TcpLimits, TcpRule, TlsPort, Tracing, UnderscorePolicy,
    UpstreamProtocol,
};
use crate::matching::{Entry, FieldMatch, HostTable, Listener, PathMatch, ValueMatch};

/// The whole config without any secret material.
#[must_use]
pub fn dump(config: &Config) -> Value {
    let clusters = config.clusters.iter().flatten().map(|cluster| self::cluster(cluster));
    let mut object = json!({
        "epoch": config.epoch,
        "ports": config.ports.iter().map(|port| self::port(port, &config.sources)).collect::<Vec<_>>(),
        "clusters": clusters.collect::<Vec<_>>(),
    });
    if !config.names.is_empty() {
        object["names"] = config.names.iter().map(mesh::name).collect();
    }
    object
}

fn port(port: &Port, sources: &Sources) -> Value {
    let listeners = port.table().map(|table| table.listeners().sorted()).unwrap_or_default();
    let mut object = json!({
        "address": std::net::SocketAddr::new(port.address.ip, port.address.port).to_string(),
        "tls": tls(&port.security, sources),
        "settings": settings(&port.settings),
        "listeners": listeners.iter().map(|(hostname, found)| listener(hostname.text(), found, sources)).collect::<Vec<_>>(),
    });
    if let Security::Mesh(door) = &port.security {
        object["mesh"] = mesh::door(door);
    }
    if let Carries::Tcp(rule) = &port.carries {
        object["connections"] = tcp_rule(rule, sources);
    }
    if let Security::Tls(TlsPort { hosts: _, client_validation: Some(validation) }) = &port.security {
        object["client_validation"] = client_validation(validation);
    }
    object
}

fn client_validation(validation: &ClientValidation) -> Value {
    let ClientValidation { roots, mode } = validation;
    let mode = match mode {
        ClientValidationMode::ValidOnly => "valid_only",
        ClientValidationMode::InsecureFallback => "insecure_fallback",
    };
    json!({ "roots": roots.len(), "mode": mode })
}

fn tls(security: &Security, sources: &Sources) -> Value {
    match security {
        Security::Plain | Security::Mesh(_) => Value::Null,
        Security::Tls(tls) => tls
            .hosts
            .iter()
            .map(|host| {
                let names: Vec<&str> = host.certificates.iter().map(|pair| &*pair.name).collect();
                let mut shown =
                    json!({ "hostname": host.hostname, "listener": host.listener, "certificates": names });
                if let Some(Carries::Tcp(rule)) = &host.carries {
                    shown["connections"] = tcp_rule(rule, sources);
                }
                shown
            })
            .collect(),
    }
}

fn settings(settings: &Settings) -> Value {
    let Settings { trusted_hops, path_policy, underscores, access_log, caller_header, limits, tcp, tracing } =
        settings;
    let Limits {
        request_body_bytes_max,
        idle_timeout,
        head_timeout,
        body_idle_timeout,
        upstream_idle_timeout,
        write_stall_timeout,
        connections_max,
    } = limits;
    let TcpLimits { idle_timeout: tcp_idle, lifetime, connect_timeout } = tcp;
    let path_policy = match path_policy {
        PathPolicy::Reject => "reject",
        PathPolicy::Redirect => "redirect",
        PathPolicy::Decode => "decode",
        PathPolicy::Keep => "keep",
    };
    let underscores = match underscores {
        UnderscorePolicy::Reject => "reject",
        UnderscorePolicy::Drop => "drop",
        UnderscorePolicy::Keep => "keep",
    };
    let mut object = json!({
        "trusted_hops": trusted_hops,
        "path_policy": path_policy,
        "underscores": underscores,
        "access_log": access_log,
        "request_body_bytes_max": request_body_bytes_max,
        "idle_timeout_ms": millis(*idle_timeout),
        "head_timeout_ms": millis(*head_timeout),
        "body_idle_timeout_ms": millis(*body_idle_timeout),
        "upstream_idle_timeout_ms": millis(*upstream_idle_timeout),
        "write_stall_timeout_ms": millis(*write_stall_timeout),
        "connections_max": connections_max,
        "tcp_idle_timeout_ms": millis(*tcp_idle),
        "tcp_lifetime_ms": millis(*lifetime),
        "tcp_connect_timeout_ms": millis(*connect_timeout),
    });
    if *caller_header {
        object["caller_header"] = true.into();
    }
    if let Some(Tracing { collector, numerator, denominator, resource }) = tracing.as_deref() {
        let resource: Map<String, Value> =
            resource.iter().map(|(key, value)| ((*key).to_owned(), (**value).into())).collect();
        let share = format!("{numerator}/{denominator}");
        let Collector { endpoint, protocol, tls: _, headers: _, credential: _, refuse } = &**collector;
        object["tracing"] = json!({ "endpoint": **endpoint, "share": share, "resource": resource });
        if *protocol == CollectorProtocol::Grpc {
            object["tracing"]["protocol"] = "grpc".into();
        }
        if *refuse {
            object["tracing"]["refused"] = true.into();
        }
    }
    object
}

fn listener(hostname: Option<String>, listener: &Listener, sources: &Sources) -> Value {
    let hosts: Map<String, Value> = listener
        .hosts
        .sorted()
        .into_iter()
        .map(|(host, table)| (host.to_string(), host_table(table, sources)))
        .collect();
    json!({ "name": listener.name, "hostname": hostname, "hosts": hosts })
}

fn host_table(table: &HostTable, sources: &Sources) -> Value {
    table.entries().map(|entry| self::entry(entry, sources)).collect()
}

fn entry(entry: &Entry, sources: &Sources) -> Value {
    let mut object = Map::new();
    object.insert("match".into(), matched(entry));
    if let Value::Object(rule) = rule(&entry.rule, sources) {
        object.extend(rule);
    }
    object.into()
}

/// What a request must be to match.
pub(crate) fn matched(entry: &Entry) -> Value {
    let mut object = Map::new();
    let (kind, text) = match &entry.path {
        PathMatch::Exact(text) => ("exact", text),
        PathMatch::Prefix(text) => ("prefix", text),
        PathMatch::Template(template) => ("template", template.text()),
        PathMatch::Pattern(pattern) => ("pattern", pattern.text()),
    };
    object.insert(kind.into(), json!(text));
    if let Some(method) = &entry.requirements.method {
        object.insert("method".into(), json!(method));
    }
    for (name, fields) in [("headers", &entry.requirements.headers), ("query", &entry.requirements.query)] {
        if !fields.is_empty() {
            object.insert(name.into(), fields.iter().map(field).collect());
        }
    }
    object.into()
}

fn field(field: &FieldMatch) -> Value {
    let (kind, text) = match &field.value {
        ValueMatch::Exact(text) => ("exact", text),
        ValueMatch::Pattern(pattern) => ("pattern", pattern.text()),
        ValueMatch::Unreadable(text) => ("unreadable", text),
    };
    json!({ "name": field.name, kind: shown(&field.name, text) })
}

/// A value, unless its name says that it is a credential.
fn shown(name: &str, value: &str) -> String {
    const SPEAKING: [&str; 8] =
        ["auth", "cookie", "credential", "key", "passw", "secret", "session", "token"];
    let name = name.to_ascii_lowercase();
    if SPEAKING.iter().any(|word| name.contains(word)) {
        return format!("(hidden, {} bytes)", value.len());
    }
    value.to_owned()
}

/// One rule.
pub(crate) fn rule(rule: &Rule, sources: &Sources) -> Value {
    let Rule {
        slot,
        origin,
        filters,
        action,
        timeouts,
        retry,
        fault,
        addresses,
        rates,
        authentication,
        authorizers,
        authorization,
        transforms,
        access,
        validation,
        operation,
    } = rule;
    let mut object = Map::new();
    object.insert("slot".into(), json!(slot.0));
    object.insert("route".into(), json!(format!("{}/{}", origin.kind, origin.route)));
    object.insert("rule".into(), json!(origin.rule));
    object.insert("matched".into(), json!(origin.matched));
    if let Some(name) = &origin.name {
        object.insert("name".into(), json!(name));
    }
    if let Some(source) = sources.of(rule) {
        object.insert("source".into(), json!(source));
    }
    if !filters.is_empty() {
        object.insert("filters".into(), filters.iter().map(filter).collect());
    }
    resilience::timeouts(timeouts, &mut object);
    object.extend(retry.as_ref().map(|retry| ("retry".to_owned(), resilience::retry(retry))));
    object.extend(fault.as_ref().map(|fault| ("fault".to_owned(), resilience::fault(fault))));
    object.extend(addresses.as_ref().map(|all| ("addresses".to_owned(), addresses::all(all))));
    object.extend(rates.as_ref().map(|rates| ("rates".to_owned(), rates.iter().map(rates::limit).collect())));
    if let Some(authentication) = authentication {
        object.insert("authentication".into(), authentication::whole(authentication));
    }
    if let Some(authorizers) = authorizers {
        let all = authorizers.iter().map(|one| authorizers::one(one));
        object.insert("authorizers".into(), all.collect());
    }
    if let Some(authorization) = authorization {
        object.insert("authorization".into(), self::authorization(authorization));
    }
    if let Some(access) = access {
        object.insert("access".into(), access::whole(access));
    }
    if let Some(transforms) = transforms {
        let all = transforms.iter().map(|one| transform::transform(one));
        object.insert("transforms".into(), all.collect());
    }
    if let Some(validation) = validation {
        object.insert("validation".into(), validation::whole(validation));
    }
    if let Some(operation) = operation {
        object.insert("operation".into(), json!({ "key": operation.key, "slot": operation.slot.0 }));
    }
    let (name, value) = self::action(action);
    object.insert(name.into(), value);
    object.into()
}

/// The rule of connections that carry bytes.
pub(crate) fn tcp_rule(rule: &TcpRule, sources: &Sources) -> Value {
    let TcpRule { slot, origin, action, addresses, authorization } = rule;
    let (name, value) = match action {
        TcpAction::Forward(backends) => ("forward", backends.choices.iter().map(backend).collect()),
        TcpAction::Refuse { reason } => ("refuse", json!({ "reason": reason })),
    };
    let mut object = json!({ "slot": slot.0, "route": format!("{}/{}", origin.kind, origin.route) });
    if let Some(source) = sources.at(*slot, origin) {
        object["source"] = json!(source);
    }
    if let Some(addresses) = addresses {
        object["addresses"] = addresses::all(addresses);
    }
    if let Some(authorization) = authorization {
        object["authorization"] = self::authorization(authorization);
    }
    object[name] = value;
    object
}

/// Names of the policies that decide, and what decides when none does.
fn authorization(authorization: &Authorization) -> Value {
    let default = match authorization.default_action() {
        DefaultAction::Allow => "Allow",
        DefaultAction::Deny => "Deny",
    };
    let policies = authorization.policies().map(|policy| {
        let rules = policy.rules().iter().map(|rule| &rule.name).collect::<Vec<_>>();
        json!({ "name": policy.name, "action": policy.action.as_str(), "rules": rules, "enforces": policy.enforces })
    });
    json!({ "policies": policies.collect::<Vec<_>>(), "default": default })
}

fn action(action: &Action) -> (&'static str, Value) {
    match action {
        Action::Forward(backends) => ("forward", backends.choices.iter().map(backend).collect()),
        Action::Redirect(redirect) => ("redirect", self::redirect(redirect)),
        Action::Answer(answer) => ("answer", json!({ "status": answer.status, "reason": answer.reason })),
        Action::Mock(mock) => ("mock", json!({ "operation": mock.operation.key.as_str() })),
        Action::Refuse { status, reason } => ("refuse", json!({ "status": status, "reason": reason })),
    }
}

fn backend(backend: &Backend) -> Value {
    let mut object = Map::new();
    object.insert("weight".into(), json!(backend.weight));
    object.insert("target".into(), target(&backend.target));
    if !backend.filters.is_empty() {
        object.insert("filters".into(), backend.filters.iter().map(filter).collect());
    }
    object.into()
}

fn target(target: &Target) -> Value {
    match target {
        Target::Cluster(slot) => json!({ "cluster": slot.0 }),
        Target::Redirect(redirect) => json!({ "redirect": self::redirect(redirect) }),
        Target::Invalid { reason } => json!({ "invalid": reason }),
    }
}

fn redirect(redirect: &Redirect) -> Value {
    let Redirect { status, scheme, hostname, port, path } = redirect;
    let path = path.as_ref().map(path_edit);
    json!({ "status": status, "scheme": scheme, "hostname": hostname, "port": port, "path": path })
}

/// One filter under its name in [`Filter::ORDER`].
pub(crate) fn filter(filter: &Filter) -> Value {
    let value = match filter {
        Filter::Cors(cors) => self::cors(cors),
        Filter::RequestHeaders(edits) | Filter::ResponseHeaders(edits) => self::edits(edits),
        Filter::Rewrite(Rewrite { hostname, path }) => {
            json!({ "hostname": hostname, "path": path.as_ref().map(path_edit) })
        }
        Filter::Mirror(Mirror { target, numerator, denominator }) => {
            json!({ "target": self::target(target), "share": format!("{numerator}/{denominator}") })
        }
    };
    json!({ Filter::ORDER[filter.position()]: value })
}

fn path_edit(edit: &PathEdit) -> Value {
    match edit {
        PathEdit::Full(path) => json!({ "full": path }),
        PathEdit::Prefix { matched, replacement } => json!({ "prefix": matched, "replacement": replacement }),
    }
}

fn edits(edits: &HeaderEdits) -> Value {
    let HeaderEdits { set, add, remove } = edits;
    let fields = |list: &[crate::config::FieldBytes]| -> Value {
        list.iter().map(|(name, value)| json!([text(name), shown(&text(name), &text(value))])).collect()
    };
    json!({ "set": fields(set), "add": fields(add), "remove": remove.iter().map(|name| text(name)).collect::<Vec<_>>() })
}

fn cors(cors: &Cors) -> Value {
    let Cors {
        allow_origins,
        allow_credentials,
        allow_methods,
        allow_headers,
        expose_headers,
        max_age_seconds,
    } = cors;
    json!({
        "allow_origins": allow_origins,
        "allow_credentials": allow_credentials,
        "allow_methods": allow_methods,
        "allow_headers": allow_headers,
        "expose_headers": expose_headers,
        "max_age_seconds": max_age_seconds,
    })
}

/// One cluster.
pub(crate) fn cluster(cluster: &Cluster) -> Value {
    let Cluster {
        slot,
        name,
        protocol,
        tls,
        endpoints,
        names,
        refuse,
        connect_timeout,
        credential,
        resilience: said,
    } = cluster;
    let protocol = match protocol {
        UpstreamProtocol::Http1 => "http1",
        UpstreamProtocol::Http2 => "http2",
        UpstreamProtocol::Auto => "auto",
    };
    let tls = tls.as_ref().map(|tls| {
        json!({
            "hostname": tls.hostname,
            "subject_alt_names": tls.subject_alt_names,
            "roots": if tls.roots.is_empty() { json!("system") } else { json!(tls.roots.len()) },
            "client_certificate": tls.client_certificate.as_ref().map(|pair| &pair.name),
        })
    });
    let names = names.iter().map(|endpoint| format!("{}:{}", endpoint.name, endpoint.port));
    let mut object = json!({
        "slot": slot.0,
        "name": name,
        "protocol": protocol,
        "tls": tls,
        "endpoints": endpoints.iter().map(mesh::endpoint).collect::<Vec<_>>(),
        "names": names.collect::<Vec<_>>(),
        "refuse": refuse,
        "connect_timeout_ms": millis(*connect_timeout),
    });
    if let Some(credential) = credential {
        let field = String::from_utf8_lossy(&credential.field);
        object["credential"] = json!({ "field": field, "known": credential.value.is_some() });
    }
    if let Some(said) = said {
        object["resilience"] = resilience::cluster(said);
    }
    object
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_that_a_route_adds_or_asks_for_is_not_dumped() {
        let pair = |name: &str, value: &str| (name.as_bytes().into(), value.as_bytes().into());
        let set = vec![
            pair("authorization", "Bearer hunter2"),
            pair("x-api-key", "hunter2"),
            pair("x-team", "shop"),
        ];
        let dumped =
            filter(&Filter::RequestHeaders(HeaderEdits { set, ..HeaderEdits::default() })).to_string();
        let demand = FieldMatch { name: "X-Token".into(), value: ValueMatch::Exact("hunter2".into()) };

        assert!(!dumped.contains("hunter2") && dumped.contains("shop"), "{dumped}");
        assert!(!field(&demand).to_string().contains("hunter2"));
    }
}
