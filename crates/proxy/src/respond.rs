//! What a client is told: the upstream's answer with its fields edited, or an answer of our own.
//!
//! Both kinds pass through [`visit_fields`], so that a response filter, the request id and cross-origin fields
//! are on every answer. Failures become problem details (RFC 9457), or a gRPC status for gRPC callers.

use std::borrow::Cow;
use std::fmt::Write as _;

use engine::config::Abort;

use crate::authorizer::grpc_status;
use crate::buffer::Text;
use crate::emit::{emit_edits, emit_length, is_replaced, put, put_all};
use crate::exchange::Exchange;
use crate::failure::{Facts, Failure};
use crate::filters::{access, authentication, cors, quotas, rates};
use crate::message::{Field, Known, ResponseHead};

/// Every field of an upstream's answer that goes to the client, but for those that frame the message.
pub fn visit_fields(
    exchange: &Exchange<'_>,
    head: &ResponseHead,
    bytes: &[u8],
    mut emit: impl FnMut(&[u8], &[u8]),
) {
    let sieve = Sieve::new(exchange);
    for field in head.fields.iter().filter(|field| sieve.lets_by(field, bytes)) {
        emit(field.name.of(bytes), field.value.of(bytes));
    }
    visit_own(exchange, head, bytes, &mut emit);
}

/// The same for HTTP/1.
pub fn write_fields(exchange: &Exchange<'_>, head: &ResponseHead, bytes: &[u8], out: &mut Text) {
    let sieve = Sieve::new(exchange);
    put_all(out, head.fields.iter().filter(|field| sieve.lets_by(field, bytes)), bytes);
    visit_own(exchange, head, bytes, &mut |name, value| put(out, name, value));
}

fn visit_own(
    exchange: &Exchange<'_>,
    head: &ResponseHead,
    bytes: &[u8],
    emit: &mut impl FnMut(&[u8], &[u8]),
) {
    if let Some(length) = exchange.answer_length {
        emit_length(length, emit);
    }
    let has = |name: &[u8]| head.fields.iter().any(|field| field.name.of(bytes) == name);
    finish_fields(exchange, has, emit);
}

/// Which of an upstream's fields go on.
struct Sieve<'e, 'c> {
    exchange: &'e Exchange<'c>,
    edited: bool,
    is_limited: bool,
    /// Whether nothing is said of fields by anybody but the protocol.
    is_coarse: bool,
}

impl<'e, 'c> Sieve<'e, 'c> {
    fn new(exchange: &'e Exchange<'c>) -> Sieve<'e, 'c> {
        let edited = exchange.response_edits.iter().any(Option::is_some);
        let is_limited = exchange.told_rate.is_some() || exchange.told_quota.is_some();
        let is_coarse = !edited
            && !is_limited
            && exchange.cors.is_none()
            && exchange.heard.is_none()
            && exchange.answer_length.is_none();
        Sieve { exchange, edited, is_limited, is_coarse }
    }

    #[inline]
    fn lets_by(&self, field: &Field, bytes: &[u8]) -> bool {
        passes(field.known) && (self.is_coarse || self.lets_by_name(field, field.name.of(bytes)))
    }

    fn lets_by_name(&self, field: &Field, name: &[u8]) -> bool {
        let exchange = self.exchange;
        !((self.edited && is_replaced(&exchange.response_edits, name))
            || (exchange.cors.is_some() && cors::is_ours(name))
            || (self.is_limited && rates::is_ours(name))
            || exchange.heard.as_ref().is_some_and(|heard| heard.replaces(name))
            || (exchange.answer_length.is_some() && field.known == Known::ContentLength))
    }
}

/// The fields we put on every answer, beside those that it `has`.
fn finish_fields(exchange: &Exchange<'_>, has: impl Fn(&[u8]) -> bool, emit: &mut impl FnMut(&[u8], &[u8])) {
    emit_edits(&exchange.response_edits, emit);
    if let Some(rules) = exchange.cors {
        cors::emit_response_fields(rules, exchange, emit);
    }
    if let Some(heard) = &exchange.heard {
        heard.told_beside(has).for_each(|told| emit(&told.name, &told.value));
    }
    if let Some(told) = &exchange.told_rate {
        rates::emit_response_fields(told, emit);
    }
    if let Some(told) = &exchange.told_quota {
        quotas::emit_response_fields(told, emit);
    }
    emit(b"x-request-id", exchange.request_id());
}

/// Whether a field of the upstream's goes on to the client.
fn passes(known: Known) -> bool {
    match known {
        Known::Connection
        | Known::TransferEncoding
        | Known::Upgrade
        | Known::HopByHop
        | Known::Listed
        | Known::RequestId
        | Known::Http2Settings => false,
        Known::Other
        | Known::Host
        | Known::ContentLength
        | Known::Te
        | Known::Trailer
        | Known::Expect
        | Known::ForwardedFor
        | Known::ForwardedProto
        | Known::ForwardedHost
        | Known::Vouched
        | Known::Trace
        | Known::ContentType
        | Known::UserAgent
        | Known::Hop
        | Known::GrpcTimeout
        | Known::Origin => true,
    }
}

/// An answer of our own.
#[derive(Debug, Default)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Fields beyond those of every answer; names in lower case.
    pub fields: Vec<(Cow<'static, str>, Vec<u8>)>,
    /// Content; empty is written as no content at all.
    pub content: Vec<u8>,
}

impl Answer {
    /// The answer to a failure, in the terms of who asked.
    #[must_use]
    pub fn to_failure(exchange: &Exchange<'_>, failure: Failure) -> Answer {
        let mut facts = failure.facts();
        match exchange.abort.filter(|_| failure == Failure::FaultInjected) {
            Some(Abort::Status(status)) => facts.status = status,
            Some(Abort::Grpc(status)) => facts.grpc = status,
            None => {}
        }
        if let Some(heard) = exchange.heard.as_ref().filter(|_| failure == Failure::AuthorizerFailed) {
            facts.status = heard.status_on_error;
            facts.grpc = grpc_status(heard.status_on_error);
        }
        if exchange.is_grpc() {
            return Answer {
                status: 200,
                fields: vec![
                    ("content-type".into(), b"application/grpc".to_vec()),
                    ("grpc-status".into(), facts.grpc.to_string().into_bytes()),
                    ("grpc-message".into(), format!("{}: {}", facts.code, facts.sentence).into_bytes()),
                ],
                content: Vec::new(),
            };
        }
        let id = std::str::from_utf8(exchange.request_id()).unwrap_or_default();
        let mut fields = vec![("content-type".into(), b"application/problem+json".to_vec())];
        authentication::emit_challenges(exchange, failure, |challenge| {
            fields.push(("www-authenticate".into(), challenge));
        });
        let mut more = String::new();
        access::refusal(exchange, failure, &mut more);
        if let Some(told) = exchange.told_rate.as_ref().filter(|_| failure == Failure::RateLimited) {
            fields.push(("retry-after".into(), rates::refusal(told, &mut more)));
        }
        if let Some(retry_after) = quotas::refusal(exchange, failure, &mut more) {
            fields.push(("retry-after".into(), retry_after));
        }
        if let Some(admitted) = access::outgrown(exchange, failure) {
            access::upgrades(admitted, &mut more);
        }
        if let Some(findings) = &exchange.findings {
            more.push_str(&findings.members);
        }
        Answer { status: facts.status, fields, content: problem(facts, Some(id), &more).into_bytes() }
    }

    /// Every field that goes to the client, but for those that frame the message.
    pub fn visit_fields(&self, exchange: &Exchange<'_>, mut emit: impl FnMut(&[u8], &[u8])) {
        for (name, value) in &self.fields {
            emit(name.as_bytes(), value);
        }
        if let Some(failure) = exchange.outcome.failure {
            access::emit_upgrade(exchange, failure, &mut emit);
        }
        let has = |name: &[u8]| self.fields.iter().any(|(known, _)| known.as_bytes() == name);
        finish_fields(exchange, has, &mut emit);
    }
}

/// Problem details for a failure (RFC 9457). The type is a stable name, not an address: nothing needs to be
/// reachable to understand it. `more` are members beside the usual ones, each with a comma before it.
#[must_use]
pub fn problem(facts: Facts, request_id: Option<&str>, more: &str) -> String {
    let mut text = String::with_capacity(256);
    // Codes and sentences are our own and need no escaping; ids hold neither quotation marks nor backslashes.
    let _ = write!(
        text,
        "{{\"type\":\"urn:selvedge:failure:{code}\",\"title\":\"{title}\",\"status\":{status},\"code\":\"{code}\",\"detail\":\"{detail}\"",
        code = facts.code,
        title = reason(facts.status),
        status = facts.status,
        detail = facts.sentence,
    );
    if let Some(id) = request_id {
        let _ = write!(text, ",\"requestId\":\"{id}\"");
    }
    text.push_str(more);
    text.push_str("}\n");
    text
}

/// The reason phrase of a status (RFC 9110 section 15); empty for one without a registered phrase.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("")
}

/// Writes a status line (RFC 9112 section 4).
pub fn write_status(status: u16, reason: &[u8], out: &mut Text) {
    out.extend_from_slice(b"HTTP/1.1 ");
    let digits =
        [b'0' + (status / 100) as u8, b'0' + (status / 10 % 10) as u8, b'0' + (status % 10) as u8, b' '];
    out.extend_from_slice(&digits);
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_makes_a_problem_document_that_parses() {
        for failure in Failure::ALL {
            let document: serde_json::Value =
                serde_json::from_str(&problem(failure.facts(), Some("id"), ",\"limit\":\"a\"")).unwrap();

            assert_eq!(document["code"], failure.facts().code);
            assert_eq!(document["status"], failure.facts().status);
            assert_eq!(document["requestId"], "id");
        }
    }
}
