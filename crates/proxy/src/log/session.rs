//! The line of a connection that carried bytes, written when it is over: the same keys as of a request where they mean
//! the same.

use std::time::Duration;

use super::line::{Moment, number, string, write_display, write_time};
use crate::session::Session;

/// Appends the line of a session.
pub fn write(out: &mut Vec<u8>, moment: &mut Moment, began: Duration, lasted: Duration, session: &Session) {
    out.extend_from_slice(b"{\"time\":\"");
    write_time(out, moment, began);
    out.extend_from_slice(b"\",\"client\":\"");
    write_display(out, session.peer.address);
    if let Some(caller) = &session.peer.counterpart {
        string(out, b",\"source_identity\":", caller.verified.identity.as_str().as_bytes());
        if let Some(replica) = &caller.verified.replica {
            string(out, b",\"source_workload\":", replica.as_bytes());
        }
    }
    string(out, b",\"protocol\":", b"TCP");
    if let Some(listener) = &session.peer.listener {
        string(out, b",\"listener\":", listener.as_bytes());
    }
    if let Some(failure) = session.failure() {
        string(out, b",\"failure\":", failure.facts().code.as_bytes());
    }
    string(out, b",\"route\":", session.rule.origin.route.as_bytes());
    out.extend_from_slice(&session.decided);
    if let Some(upstream) = session.upstream {
        out.extend_from_slice(b",\"upstream\":\"");
        write_display(out, upstream);
        number(out, b",\"attempts\":", u64::from(session.attempts));
    }
    number(out, b",\"received_bytes\":", session.received_bytes);
    number(out, b",\"sent_bytes\":", session.sent_bytes);
    number(out, b",\"duration_us\":", lasted.as_micros() as u64);
    out.extend_from_slice(b"}\n");
}
