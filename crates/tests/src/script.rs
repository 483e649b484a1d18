//! What an upstream does with a request, step by step.

use std::sync::Arc;

use crate::gate::Gate;
use crate::recorded::Recorded;

/// One thing an upstream does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads the request's body to its end (done at the end of a script anyway, unless it closed).
    ReadBody,
    /// Treats what comes next as a new request, as a careless upstream does after an early answer.
    ForgetBody,
    /// Writes exactly these bytes.
    Send(Vec<u8>),
    /// Writes these bytes so many times.
    Repeat(Vec<u8>, usize),
    /// Does nothing until the gate opens, not even read.
    Wait(Gate),
    /// Opens a gate that somebody else waits at.
    Open(Gate),
    /// Closes both directions in good order.
    Close,
    /// Ends the connection with a reset.
    Reset,
    /// Reads and keeps what comes until the peer closes.
    Hang,
    /// Sends back whatever comes, until the peer closes.
    Echo,
}

/// Steps in order.
pub type Script = Vec<Step>;

/// Chooses the script for a request whose head has arrived.
pub type Handler = Arc<dyn Fn(&Recorded) -> Script + Send + Sync>;

/// A whole plain answer: read the body, then send `status` with `headers` and `body`.
#[must_use]
pub fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Script {
    vec![Step::ReadBody, Step::Send(response(status, headers, body))]
}

/// The bytes of a response with a `Content-Length`.
#[must_use]
pub fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// The honest upstream: 200 with the request line as the body, so that an answer names its own question.
#[must_use]
pub fn honest(request: &Recorded) -> Script {
    let body = request.line();
    let body = if request.method == "HEAD" { "" } else { body.as_str() };
    answer("200 OK", &[("Content-Type", "text/plain")], body.as_bytes())
}
