//! Cross-origin resource sharing (Fetch standard, section "HTTP extensions"; CORS protocol).
//!
//! Preflights are answered here and never reach the upstream. On other responses our fields replace the
//! upstream's: two answers to one question would be ambiguous.

use std::borrow::Cow;
use std::sync::Arc;

use engine::Verdict;
use engine::config::{Cors, Filter, Rule};

use crate::exchange::Exchange;
use crate::filters::Flow;
use crate::message::{Known, Method};
use crate::respond::Answer;
use engine::HeaderView;

/// Does what the rule says of other sites, before anybody asks who the caller is: a preflight carries no credentials by
/// design, and a page may read why its request was refused.
pub fn first<'c>(exchange: &mut Exchange<'c>, rule: &'c Rule) -> Flow {
    match rule.filters.first() {
        Some(Filter::Cors(rules)) => on_request(exchange, rules),
        Some(_) | None => Flow::Continue,
    }
}

/// The filters of a rule that are left then. Their order has this one first.
#[must_use]
pub fn left(filters: &[Filter]) -> &[Filter] {
    match filters {
        [Filter::Cors(_), left @ ..] => left,
        all => all,
    }
}

/// Answers a preflight, or notes that the response is to carry cross-origin fields.
pub fn on_request<'c>(exchange: &mut Exchange<'c>, rules: &'c Cors) -> Flow {
    let headers = exchange.view().headers;
    let Some(origin) = headers.known(Known::Origin) else { return Flow::Continue };
    let allowed = allows_origin(rules, origin);
    if !is_preflight(exchange) {
        if allowed {
            exchange.cors = Some(rules);
        }
        return Flow::Continue;
    }
    // An origin that is not allowed gets an answer without permissions; the browser then refuses.
    let fields = if allowed { preflight_fields(exchange, rules, origin) } else { Vec::new() };
    let fields = fields.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect();
    Flow::Respond(Answer { status: 204, fields, content: Vec::new() })
}

/// Whether a request asks for permission to make another one. Who answers it also looks for an origin.
fn is_preflight(exchange: &Exchange<'_>) -> bool {
    exchange.request.head.method == Method::Options
        && exchange.view().headers.first(b"access-control-request-method").is_some()
}

/// Of a preflight: the rule of the request that it asks about, if that rule answers preflights. Rules say which methods
/// they are about, and few of them name OPTIONS.
#[must_use]
pub fn rule_asked_about<'c>(exchange: &Exchange<'c>) -> Option<&'c Rule> {
    if exchange.request.head.method != Method::Options {
        return None;
    }
    let headers = exchange.view().headers;
    headers.first(b"origin")?;
    match exchange.find_with(exchange.pinned, headers.first(b"access-control-request-method")?) {
        Verdict::Rule(rule) if answers_preflights(rule) => Some(rule),
        Verdict::Rule(_) | Verdict::NoMatch | Verdict::Misdirected => None,
    }
}

/// Whether a rule answers preflights itself.
fn answers_preflights(rule: &Rule) -> bool {
    rule.filters.iter().any(|filter| matches!(filter, Filter::Cors(_)))
}

fn preflight_fields(exchange: &Exchange<'_>, rules: &Cors, origin: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let headers = exchange.view().headers;
    let mut fields = vec![("access-control-allow-origin", shown_origin(rules, origin).to_vec())];
    if rules.allow_credentials {
        fields.push(("access-control-allow-credentials", b"true".to_vec()));
    }
    let method = headers.first(b"access-control-request-method");
    if let Some(methods) = shown_list(&rules.allow_methods, rules.allow_credentials, method) {
        fields.push(("access-control-allow-methods", methods));
    }
    let asked = headers.first(b"access-control-request-headers");
    if let Some(names) = shown_list(&rules.allow_headers, rules.allow_credentials, asked) {
        fields.push(("access-control-allow-headers", names));
    }
    fields.push(("access-control-max-age", rules.max_age_seconds.to_string().into_bytes()));
    fields.push(("vary", b"origin, access-control-request-method, access-control-request-headers".to_vec()));
    fields
}

/// With credentials the wildcard loses its meaning, so what was asked for is named instead.
fn shown_list(allowed: &[Arc<str>], credentials: bool, asked: Option<&[u8]>) -> Option<Vec<u8>> {
    if allowed.is_empty() {
        return None;
    }
    if allowed.iter().any(|name| &**name == "*") {
        return if credentials { asked.map(<[u8]>::to_vec) } else { Some(b"*".to_vec()) };
    }
    Some(allowed.join(", ").into_bytes())
}

fn shown_origin<'a>(rules: &Cors, origin: &'a [u8]) -> &'a [u8] {
    let any = rules.allow_origins.iter().any(|allowed| &**allowed == "*");
    if any && !rules.allow_credentials { b"*" } else { origin }
}

/// Whether a field of the upstream's is replaced by ours.
#[must_use]
pub fn is_ours(name: &[u8]) -> bool {
    name.starts_with(b"access-control-")
}

/// Puts the fields of an ordinary cross-origin response down.
pub fn emit_response_fields(rules: &Cors, exchange: &Exchange<'_>, emit: &mut impl FnMut(&[u8], &[u8])) {
    let Some(origin) = exchange.view().headers.known(Known::Origin) else { return };
    emit(b"access-control-allow-origin", shown_origin(rules, origin));
    if rules.allow_credentials {
        emit(b"access-control-allow-credentials", b"true");
    }
    if !rules.expose_headers.is_empty() {
        emit(b"access-control-expose-headers", rules.expose_headers.join(", ").as_bytes());
    }
    emit(b"vary", b"origin");
}

fn allows_origin(rules: &Cors, origin: &[u8]) -> bool {
    let origin = origin.to_ascii_lowercase();
    rules.allow_origins.iter().any(|allowed| fits(allowed.as_bytes(), &origin))
}

/// Exact, the single `*`, or a `*` that stands for the leftmost labels of the host.
fn fits(allowed: &[u8], origin: &[u8]) -> bool {
    if allowed == b"*" || allowed == origin {
        return true;
    }
    let Some(star) = memchr::memchr(b'*', allowed) else { return false };
    let (head, tail) = (&allowed[..star], &allowed[star + 1..]);
    origin.len() > head.len() + tail.len() && origin.starts_with(head) && origin.ends_with(tail) && {
        let middle = &origin[head.len()..origin.len() - tail.len()];
        middle.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_wildcard_stands_for_labels_of_the_host_and_for_nothing_else() {
        assert!(fits(b"https://*.example.com", b"https://a.example.com"));
        assert!(fits(b"https://*.example.com", b"https://a.b.example.com"));
        assert!(!fits(b"https://*.example.com", b"https://example.com"));
        assert!(!fits(b"https://*.example.com", b"http://a.example.com"));
        assert!(!fits(b"https://*.example.com", b"https://evil.test/.example.com"));
        assert!(!fits(b"https://*.example.com", b"https://a.example.com.evil.test"));
        assert!(fits(b"*", b"https://anything.test"));
    }
}
