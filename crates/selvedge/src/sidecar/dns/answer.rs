//! What a question gets: an answer of ours, or somebody else's.
//!
//! The zone `svc.<trust domain>` is ours alone, also for what is not in it: a name of the mesh is never asked of
//! strangers. The shorter names (`cart.shop`, `cart`) could be real names elsewhere, so they are ours only when such a
//! Service can be reached. No sockets in here.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, SOA, SRV};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::super::names::{Names, Reachable, ReachablePort};
use super::limits::{ANSWER_BYTES_MAX, TTL_SECONDS};

/// What becomes of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// This is said.
    Answer(Box<Message>),
    /// Others are asked.
    Forward,
}

/// Decides about a question. `forwards` says whether others may be asked at all.
#[must_use]
pub fn decide(question: &Message, names: &Names, forwards: bool) -> Outcome {
    let refuse = |code| Outcome::Answer(Box::new(reply(question, code, forwards)));
    if question.metadata.op_code != OpCode::Query {
        return refuse(ResponseCode::NotImp);
    }
    if question.version() > 0 {
        return refuse(ResponseCode::BADVERS);
    }
    let [query] = question.queries.as_slice() else { return refuse(ResponseCode::FormErr) };
    match place(query, names) {
        Place::Elsewhere if forwards => Outcome::Forward,
        Place::Elsewhere => refuse(ResponseCode::Refused),
        Place::Nowhere => {
            let mut answer = reply(question, ResponseCode::NXDomain, forwards);
            answer.add_authority(soa(zone_name(names).unwrap_or_default()));
            Outcome::Answer(Box::new(answer))
        }
        Place::Zone => match zone_name(names) {
            Some(zone) => Outcome::Answer(Box::new(of_zone(question, query, zone, forwards))),
            None => refuse(ResponseCode::ServFail),
        },
        Place::Service { reachable, port } => {
            let answer = of_service(question, query, names, reachable, port, forwards);
            answer.map_or_else(|| refuse(ResponseCode::ServFail), |answer| Outcome::Answer(Box::new(answer)))
        }
    }
}

/// The answer to what cannot be read, when enough of it can be to say so; nothing to what is no question.
#[must_use]
pub fn unreadable(bytes: &[u8]) -> Option<Message> {
    let [first, second, flags, ..] = *bytes else { return None };
    let is_question = bytes.len() >= 12 && flags & 0x80 == 0;
    let id = u16::from_be_bytes([first, second]);
    is_question.then(|| Message::error_msg(id, OpCode::Query, ResponseCode::FormErr))
}

/// Says that nobody could be asked.
#[must_use]
pub fn failed(question: &Message) -> Message {
    let mut answer = reply(question, ResponseCode::ServFail, true);
    answer.metadata.authoritative = false;
    answer
}

/// Where a name leads.
enum Place<'n> {
    /// To a Service, or to one of its ports.
    Service { reachable: &'n Reachable, port: Option<&'n ReachablePort> },
    /// To our zone itself or a namespace in it: there is such a name, and nothing at it.
    Zone,
    /// Into our zone, to nothing.
    Nowhere,
    /// To others.
    Elsewhere,
}

fn place<'n>(query: &Query, names: &'n Names) -> Place<'n> {
    if !matches!(query.query_class(), DNSClass::IN | DNSClass::ANY) {
        return Place::Elsewhere;
    }
    let labels: Option<Vec<String>> =
        query.name().iter().map(|label| String::from_utf8(label.to_ascii_lowercase()).ok()).collect();
    // What is no text may still stand in our zone, where it is nothing.
    let Some(labels) = labels else {
        let ours = zone_name(names).is_some_and(|zone| zone.zone_of(query.name()));
        return if ours { Place::Nowhere } else { Place::Elsewhere };
    };
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let zone = names.zone();
    let zone: Vec<&str> = zone.split('.').collect();
    if let Some(inside) = labels.strip_suffix(zone.as_slice()) {
        return in_zone(inside, names);
    }
    let (prefix, rest) = split_service_prefix(&labels);
    let found = match *rest {
        [service] => names.find(&names.namespace, service),
        [service, namespace] | [service, namespace, "svc"] => names.find(namespace, service),
        _ => None,
    };
    match found {
        Some(reachable) => service_place(reachable, prefix),
        None => Place::Elsewhere,
    }
}

fn in_zone<'n>(inside: &[&str], names: &'n Names) -> Place<'n> {
    let (prefix, rest) = split_service_prefix(inside);
    match *rest {
        [] if prefix.is_none() => Place::Zone,
        [namespace] if prefix.is_none() => {
            let known = names.services.iter().any(|reachable| &*reachable.namespace == namespace);
            if known { Place::Zone } else { Place::Nowhere }
        }
        [service, namespace] => match names.find(namespace, service) {
            Some(reachable) => service_place(reachable, prefix),
            None => Place::Nowhere,
        },
        _ => Place::Nowhere,
    }
}

/// `_port._tcp` in front of a name (RFC 2782).
fn split_service_prefix<'l, 't>(labels: &'l [&'t str]) -> (Option<(&'t str, &'t str)>, &'l [&'t str]) {
    match labels {
        [port, protocol, rest @ ..] if port.starts_with('_') && protocol.starts_with('_') => {
            (Some((&port[1..], &protocol[1..])), rest)
        }
        rest => (None, rest),
    }
}

fn service_place<'n>(reachable: &'n Reachable, prefix: Option<(&str, &str)>) -> Place<'n> {
    match prefix {
        None => Place::Service { reachable, port: None },
        Some((wanted, "tcp")) => match reachable.ports.iter().find(|port| &*port.name == wanted) {
            Some(port) => Place::Service { reachable, port: Some(port) },
            None => Place::Nowhere,
        },
        Some(_) => Place::Nowhere,
    }
}

fn of_zone(question: &Message, query: &Query, zone: Name, forwards: bool) -> Message {
    let mut answer = reply(question, ResponseCode::NoError, forwards);
    let record = soa(zone.clone());
    match query.query_type() == RecordType::SOA && *query.name() == zone {
        true => answer.add_answer(record),
        false => answer.add_authority(record),
    };
    answer
}

fn of_service(
    question: &Message,
    query: &Query,
    names: &Names,
    reachable: &Reachable,
    port: Option<&ReachablePort>,
    forwards: bool,
) -> Option<Message> {
    let mut answer = reply(question, ResponseCode::NoError, forwards);
    let address = |owner: Name| Record::from_rdata(owner, TTL_SECONDS, RData::A(A(reachable.address)));
    let asked = query.name().clone();
    match query.query_type() {
        RecordType::A | RecordType::ANY if port.is_none() => {
            answer.add_answer(address(asked));
        }
        RecordType::SRV => {
            let target = absolute(&reachable.full_name(names))?;
            for port in reachable.ports.iter().filter(|each| port.is_none_or(|wanted| wanted == *each)) {
                let record = RData::SRV(SRV::new(0, 0, port.port, target.clone()));
                answer.add_answer(Record::from_rdata(asked.clone(), TTL_SECONDS, record));
            }
            answer.add_additional(address(target));
        }
        // There is such a name and no such record, AAAA above all: only IPv4 has a loopback network.
        _ => {
            let zone = zone_name(names)?;
            let owner = if zone.zone_of(&asked) { zone } else { asked };
            answer.add_authority(soa(owner));
        }
    }
    Some(answer)
}

fn reply(question: &Message, code: ResponseCode, forwards: bool) -> Message {
    let mut answer = Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = forwards;
    answer.metadata.authoritative = matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
    answer.metadata.response_code = code;
    answer.add_queries(question.queries.iter().cloned());
    if question.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(ANSWER_BYTES_MAX).set_rcode_high(code.high());
        answer.set_edns(edns);
    }
    answer
}

/// The record that says for how long there is nothing (RFC 2308).
fn soa(owner: Name) -> Record {
    let seconds = i32::try_from(TTL_SECONDS).unwrap_or(i32::MAX);
    let data = SOA::new(owner.clone(), owner.clone(), 1, seconds, seconds, seconds, TTL_SECONDS);
    Record::from_rdata(owner, TTL_SECONDS, RData::SOA(data))
}

fn zone_name(names: &Names) -> Option<Name> {
    absolute(&names.zone())
}

fn absolute(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

#[cfg(test)]
mod tests;
