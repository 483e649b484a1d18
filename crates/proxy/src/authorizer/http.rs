//! The question as a request like the client's, and what its answer means: 200 is a yes, a 5xx says nothing, and
//! anything else is what the client is answered.

use std::sync::Arc;

use crate::exchange::Exchange;
use crate::heard::{How, Told};
use crate::message::names::classify;
use crate::message::{Known, Method, Version};
use crate::upstream::send::{visit_fields, write_host, write_target};

use super::answer::Refusal;
use super::call::{Question, Reply};
use super::verdict::{Consent, Edit, Fault, Verdict, is_ours};

/// Fields of an answer by whom they are for.
#[derive(Debug)]
pub(super) struct Passed<'a> {
    pub(super) to_upstream: &'a [Arc<[u8]>],
    /// `None` for all.
    pub(super) to_client: Option<&'a [Arc<[u8]>]>,
    pub(super) to_client_on_success: &'a [Arc<[u8]>],
}

/// What clients are told of every refusal, because without it the status would mean nothing.
const ALWAYS_TOLD: [&[u8]; 3] = [b"www-authenticate", b"location", b"content-type"];

/// The request.
pub(super) fn question(
    exchange: &Exchange<'_>,
    prefix: &str,
    shown: &[Arc<[u8]>],
    body: Option<&[u8]>,
) -> Question {
    let head = &exchange.request.head;
    let mut target = prefix.as_bytes().to_vec();
    write_target(exchange, &mut target);
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    let (path, query) = (parts.next().unwrap_or_default().to_vec(), parts.next().map(<[u8]>::to_vec));
    let mut host = Vec::new();
    write_host(exchange, &mut host);
    let mut fields = Vec::new();
    visit_fields(exchange, None, |name, value| {
        if is_shown(name, shown) {
            fields.push((name.to_vec(), value.to_vec()));
        }
    });
    // Who is believed about the client is judged anew when the question leaves, from what came in.
    for field in head.fields.iter().filter(|field| is_of_forwarding(field.known)) {
        let of = |span: crate::message::Span| span.of(&exchange.request.text).to_vec();
        fields.push((of(field.name), of(field.value)));
    }
    let is_told_a_length = body.is_some() || !matches!(head.method, Method::Get | Method::Head);
    Question {
        version: Version::Http11,
        method: (head.method, head.method_token.of(&exchange.request.text).to_vec()),
        target: (path, query),
        host,
        fields,
        content: is_told_a_length.then(|| body.unwrap_or_default().to_vec()),
    }
}

fn is_shown(name: &[u8], shown: &[Arc<[u8]>]) -> bool {
    let known = classify(name);
    !is_ours(name)
        && !is_of_forwarding(known)
        && known != Known::Trace
        && (name == b"authorization" || shown.iter().any(|known| **known == *name))
}

fn is_of_forwarding(known: Known) -> bool {
    matches!(known, Known::ForwardedFor | Known::ForwardedProto | Known::ForwardedHost)
}

/// What an answer means.
pub(super) fn verdict(reply: &Reply, passed: &Passed<'_>) -> Result<Verdict, Fault> {
    let status = reply.head.status;
    let own = reply.head.fields.iter().map(|field| (field.known, field.name, field.value));
    let own = own.filter(|(known, ..)| *known != Known::Listed);
    let fields = own.map(|(_, name, value)| (name.of(&reply.text), value.of(&reply.text)));
    let among = |names: &[Arc<[u8]>], name: &[u8]| names.iter().any(|known| **known == *name);
    match status {
        200 => {
            let edits = fields
                .clone()
                .filter(|(name, _)| among(passed.to_upstream, name))
                .map(|(name, value)| Edit { name: name.to_vec(), value: value.to_vec(), adds: false });
            let told = fields.clone().filter(|(name, _)| among(passed.to_client_on_success, name)).map(
                |(name, value)| Told {
                    name: name.into(),
                    value: value.into(),
                    how: if name == b"set-cookie" { How::Add } else { How::Set },
                },
            );
            Ok(Verdict::Allow(Consent { edits: edits.collect(), told: told.collect(), ..Consent::default() }))
        }
        500.. => Err(Fault::Status),
        ..=199 => Err(Fault::Malformed),
        _ => {
            let is_told = |name: &[u8]| {
                passed.to_client.is_none_or(|names| among(names, name) || ALWAYS_TOLD.contains(&name))
            };
            let fields = fields.filter(|(name, _)| is_told(name));
            Ok(Verdict::Deny(Refusal {
                status,
                fields: fields.map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
                content: reply.body.content().to_vec(),
            }))
        }
    }
}
