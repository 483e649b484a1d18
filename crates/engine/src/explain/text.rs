//! An explanation for people.

use std::fmt;

use serde_json::Value;

use super::{Answer, Choice, Connection, Explanation, Outcome, Verb};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.question)?;
        if let Some(port) = self.port {
            line(f, "port", &format!("{port} ({})", self.scheme))?;
        }
        if let Some(listener) = &self.listener {
            line(f, "listener", &format!("{} for {}", listener.name, listener.hostname))?;
        }
        if let Some(host) = &self.host {
            line(f, "host", host)?;
        }
        match &self.outcome {
            Outcome::Rule(answer) => write!(f, "{answer}"),
            Outcome::Connection(connection) => write!(f, "{connection}"),
            Outcome::NotFound { nearest } => {
                line(f, "answer", "404, nothing matches")?;
                nearest.iter().try_for_each(|sentence| line(f, "", sentence))
            }
            Outcome::Misdirected { handshake } => {
                let text = format!("421, the server name of the handshake belongs to listener {handshake}");
                line(f, "answer", &text)
            }
            Outcome::NoPort { known } => {
                line(f, "answer", "connection refused, nobody listens there")?;
                line(
                    f,
                    "",
                    &format!(
                        "listening: {}",
                        if known.is_empty() { "nowhere".to_owned() } else { known.join(", ") }
                    ),
                )
            }
        }
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Connection { route, source, addresses, kept_out, authorization, backends, refused } = self;
        let source = source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
        line(f, "route", &format!("{route}{source}"))?;
        if !addresses.is_empty() {
            line(f, "addresses", &addresses.join(", "))?;
        }
        if let Some(policy) = kept_out {
            return line(f, "answer", &format!("the connection is reset, address_denied by {policy}"));
        }
        authorization.iter().try_for_each(|judgement| line(f, "policy", &judgement.to_string()))?;
        if authorization.as_ref().is_some_and(|judgement| !judgement.allowed) {
            return line(f, "answer", "the connection is reset");
        }
        backends.iter().try_for_each(|choice| choice.write(f))?;
        refused.iter().try_for_each(|reason| line(f, "answer", &format!("the connection is reset, {reason}")))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answer {
            route,
            rule,
            matched,
            name,
            source,
            because,
            filters,
            addresses,
            kept_out,
            transforms,
            authentication,
            authorizers,
            authorization,
            access,
            action,
        } = self;
        let mut place = format!("{route} rules[{rule}].matches[{matched}]");
        for (open, text, close) in [(" `", name, "`"), (" (", source, ")")] {
            if let Some(text) = text {
                place.push_str(&format!("{open}{text}{close}"));
            }
        }
        line(f, "rule", &place)?;
        line(f, "because", &sentence(because))?;
        if !addresses.is_empty() {
            line(f, "addresses", &addresses.join(", "))?;
        }
        if let Some(policy) = kept_out {
            return line(f, "answer", &format!("403 address_denied by {policy}"));
        }
        authentication.iter().try_for_each(|demand| line(f, "callers", &demand.to_string()))?;
        if authentication.as_ref().is_some_and(|demand| demand.unusable.is_some()) {
            return line(f, "answer", "500 authentication_invalid");
        }
        authorizers.iter().try_for_each(|asked| line(f, "asks", &asked.to_string()))?;
        authorization.iter().try_for_each(|judgement| line(f, "policy", &judgement.to_string()))?;
        if authorization.as_ref().is_some_and(|judgement| !judgement.allowed) {
            return line(f, "answer", "403 denied_by_policy");
        }
        access.iter().try_for_each(|right| line(f, "access", &right.to_string()))?;
        filters.iter().try_for_each(|filter| line(f, "filter", &filter.to_string()))?;
        transforms.iter().try_for_each(|origin| line(f, "changed", &format!("by {origin}")))?;
        match action {
            Verb::Forward(choices) => choices.iter().try_for_each(|choice| choice.write(f)),
            Verb::Redirect(redirect) => line(f, "answer", &format!("redirect {redirect}")),
            Verb::Mock { operation } => line(f, "mock", operation),
            Verb::Answer { status, reason } | Verb::Refuse { status, reason } => {
                line(f, "answer", &format!("{status} {reason}"))
            }
        }
    }
}

impl Choice {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = if self.endpoints.is_empty() {
            String::new()
        } else {
            format!(" at {}", self.endpoints.join(", "))
        };
        let refused =
            self.refused.as_deref().map(|text| format!(", answered with {text}")).unwrap_or_default();
        line(f, "backend", &format!("{} {}{endpoints}{refused}", self.share, self.target))?;
        self.filters.iter().try_for_each(|filter| line(f, "", &format!("filter {filter}")))
    }
}

fn line(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    let text: String = text
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    write!(f, "\n  {label:9} {text}")
}

/// `path prefix /cart, method GET, header x = y`.
fn sentence(because: &Value) -> String {
    let mut parts = Vec::new();
    for (kind, value) in because.as_object().into_iter().flatten() {
        match (kind.as_str(), value) {
            ("headers" | "query", Value::Array(fields)) => {
                let noun = if kind == "headers" { "header" } else { "query parameter" };
                parts.extend(fields.iter().map(|field| format!("{noun} {}", demand(field))));
            }
            ("method", Value::String(method)) => parts.push(format!("method {method}")),
            (kind, Value::String(path)) => parts.push(format!("path {kind} `{path}`")),
            (_, other) => parts.push(other.to_string()),
        }
    }
    parts.join(", ")
}

fn demand(field: &Value) -> String {
    let text = |name: &str| field.get(name).and_then(Value::as_str);
    let name = text("name").unwrap_or_default();
    match (text("exact"), text("pattern")) {
        (Some(value), _) => format!("{name} is `{value}`"),
        (None, Some(pattern)) => format!("{name} matches `{pattern}`"),
        (None, None) => format!("{name} is present"),
    }
}
