//! HTTP/1.0 and HTTP/1.1 (RFC 9112), written for a gateway.
//!
//! Every parser works in place on the caller's buffer and goes through each line once, however small the
//! pieces are in which it arrives: [`Resume`] keeps the position between calls. What comes out is the model in
//! [`crate::message`]; what is refused is a [`Failure`].

pub(crate) mod alphabet;
pub mod body;
mod controls;
mod fields;
pub mod request;
pub mod response;
mod target;
pub mod trailers;

use crate::failure::Failure;
use controls::Controls;
use target::NamedAuthority;

pub use body::{BadBody, Body, BodyState, Decoded, LAST_CHUNK, Progress, chunk_header};
pub use request::{Rules, parse_request};
pub use response::parse_response;
pub use trailers::{Sender, parse_trailers};

/// What came of parsing a head or a trailer section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// More bytes are needed. Nothing in the head may be used yet.
    Incomplete,
    /// The whole section was there.
    Complete {
        /// Bytes it took, its blank line included; what follows belongs to the body or the next message.
        length: usize,
    },
    /// It must not be carried. The connection cannot be used any further: where the message ends is unknown.
    Failed(Failure),
}

/// Where parsing goes on when more bytes have come.
///
/// One per connection and direction. Between calls that answer [`Parsed::Incomplete`], the buffer must keep the
/// bytes as the parser left them (it lowers names and shortens paths in place) at the same offsets, with new
/// ones added at the end only. Any other answer resets it for the next message.
#[derive(Debug, Default)]
pub struct Resume {
    /// Start of the line that is not complete yet.
    at: usize,
    /// Up to here that line is known to hold no control byte, hence no end; 0 when it was not looked at yet.
    /// Without it, a client that sends byte by byte would make us read a long line over and over.
    waited: usize,
    /// The first line is done.
    in_fields: bool,
    /// What the control fields have said so far.
    controls: Controls,
    /// Trailers seen, dropped ones included.
    trailers: usize,
    /// The authority of an absolute-form target.
    authority: Option<NamedAuthority>,
}

impl Resume {
    /// Whether a message has begun: some bytes of it were looked at and it was incomplete.
    #[must_use]
    pub fn is_midway(&self) -> bool {
        self.waited > 0
    }

    /// Whether the current line is worth parsing: it is new, or a control byte has come since the last look.
    #[inline]
    fn is_line_ready(&mut self, bytes: &[u8]) -> bool {
        if self.waited == 0 {
            return true;
        }
        self.waited = alphabet::text_end(bytes, self.waited);
        self.waited < bytes.len()
    }

    /// Notes that the current line is not complete.
    fn wait(&mut self, bytes: &[u8]) {
        self.waited = alphabet::text_end(bytes, self.waited.max(self.at));
    }

    /// Notes that the current line is done and the next one starts at `next`.
    #[inline]
    fn go_on(&mut self, next: usize) {
        self.at = next;
        self.waited = 0;
    }
}
