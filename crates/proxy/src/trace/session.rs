//! The span of a connection that carries bytes: one, written when it is over.
//!
//! Bytes have no place where a trace could be handed on, so each connection is a trace of its own at each proxy; who
//! called whom tells which belong together. The share of them is that of requests.

use super::new_span;
use super::proto::{attribute, numeric};
use super::span::{ATTRIBUTE, Frame, Kind, Named, address, failed, text};
use crate::buffer::Text;
use crate::session::Session;

/// Tells of a connection that is over, if it is among those that are told of.
pub fn finish(session: &Session) {
    let Some(tracing) = &session.settings.tracing else { return };
    let worker = &session.worker;
    if worker.random.below(tracing.denominator.max(1)) >= tracing.numerator {
        return;
    }
    worker.spans.write(tracing, |out| write(out, session));
}

fn write(out: &mut Vec<u8>, session: &Session) {
    let (worker, peer) = (&session.worker, &session.peer);
    let frame = Frame {
        kind: Kind::Server,
        span: new_span(&worker.random),
        parent: [0; 8],
        is_remote: false,
        began: worker.clock.unix(session.started),
        ended: worker.clock.unix(worker.clock.now()),
    };
    let (mut name, route) = (Text::new(), session.rule.origin.route.as_bytes());
    name.extend_from_slice(b"TCP ");
    name.extend_from_slice(route);
    let named = Named { trace: super::new_trace(&worker.random), state: &[], name: &name };
    frame.tell(out, &named, |out| {
        attribute(out, ATTRIBUTE, "network.transport", b"tcp");
        attribute(out, ATTRIBUTE, "client.address", &text(peer.address.ip()));
        address(out, ["network.peer.address", "network.peer.port"], peer.address);
        attribute(out, ATTRIBUTE, "selvedge.route", route);
        numeric(out, ATTRIBUTE, "selvedge.received_bytes", session.received_bytes);
        numeric(out, ATTRIBUTE, "selvedge.sent_bytes", session.sent_bytes);
        if let Some(caller) = &peer.counterpart {
            let identity = caller.verified.identity.as_str().as_bytes();
            attribute(out, ATTRIBUTE, "selvedge.source.identity", identity);
            if let Some(replica) = &caller.verified.replica {
                attribute(out, ATTRIBUTE, "selvedge.source.workload", replica.as_bytes());
            }
        }
        if let Some(upstream) = session.upstream {
            address(out, ["server.address", "server.port"], upstream);
        }
        if let Some(member) = &session.member {
            let identity = member.identity.as_str().as_bytes();
            attribute(out, ATTRIBUTE, "selvedge.destination.identity", identity);
            attribute(out, ATTRIBUTE, "selvedge.destination.workload", member.replica.as_bytes());
        }
        if let Some(failure) = session.failure() {
            failed(out, failure);
        }
    });
}
