//! The client's side of an exchange, in every version of HTTP.

mod http1;
mod http2;

use std::task::{Context, Poll};

pub use http1::{Http1Downstream, Http1Server, serve as serve_http1, server as http1_server};
pub use http2::{Http2Downstream, serve as serve_http2};

use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::message::{Framing, ResponseHead};
use crate::respond::Answer;
use crate::stream::{Form, Next, Piece, Sink, Source, Trailers};

/// Where a request came from and its answer goes.
#[derive(Debug)]
pub enum Downstream {
    /// An HTTP/1 connection.
    Http1(Box<Http1Downstream>),
    /// A stream of an HTTP/2 connection.
    Http2(Box<Http2Downstream>),
}

macro_rules! each {
    ($downstream:expr, $it:ident => $call:expr) => {
        match $downstream {
            Downstream::Http1($it) => $call,
            Downstream::Http2($it) => $call,
        }
    };
}

impl Downstream {
    /// Asks for the request's body in one form, and says in which it will be handed out.
    pub fn set_form(&mut self, form: Form) -> Form {
        match self {
            Downstream::Http1(downstream) => {
                downstream.set_form(form);
                form
            }
            Downstream::Http2(_) => Form::Content,
        }
    }

    /// Waits for the request's body as the rule says, now that it is known.
    pub fn set_body_wait(&mut self, exchange: &Exchange<'_>) {
        each!(self, downstream => downstream.set_body_wait(exchange));
    }

    /// Tells a client that waits for it that its body is wanted (RFC 9110 section 10.1.1). It leaves with the
    /// first flush.
    pub fn invite_body(&mut self, exchange: &Exchange<'_>) {
        each!(self, downstream => downstream.invite_body(exchange));
    }

    /// Lets no more of the request's body come than so many bytes.
    ///
    /// # Errors
    /// It has said that more will come.
    pub fn bound_body(&mut self, exchange: &Exchange<'_>, bytes_max: u64) -> Result<(), Failure> {
        if let Framing::Length(length) = exchange.request.head.framing
            && length > bytes_max
        {
            return Err(Failure::BodyTooLarge);
        }
        each!(self, downstream => downstream.bound_body(bytes_max));
        Ok(())
    }

    /// Waits until the client has given this request up.
    pub fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        each!(self, downstream => downstream.poll_given_up(cx))
    }

    /// Prepares an upstream's answer and says in which form its body is wanted.
    pub fn begin(&mut self, exchange: &Exchange<'_>, head: &ResponseHead, bytes: &[u8], from: Form) -> Form {
        each!(self, downstream => downstream.begin(exchange, head, bytes, from))
    }

    /// Prepares an answer of our own, whole.
    pub fn answer(&mut self, exchange: &Exchange<'_>, answer: Answer) {
        each!(self, downstream => downstream.answer(exchange, answer));
    }

    /// Breaks an answer off that can not be finished, so that the client cannot take it for whole.
    pub fn abort(&mut self) {
        each!(self, downstream => downstream.abort());
    }

    /// Bytes of the request's body received so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        each!(self, downstream => downstream.received())
    }

    /// Bytes written of the answer so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        each!(self, downstream => downstream.written())
    }
}

impl Source for Downstream {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        each!(self, downstream => downstream.poll_piece(cx))
    }
}

impl Sink for Downstream {
    fn push(&mut self, piece: Piece) {
        each!(self, downstream => downstream.push(piece));
    }

    fn finish(&mut self, trailers: Option<Box<Trailers>>) {
        each!(self, downstream => Sink::finish(&mut **downstream, trailers));
    }

    fn is_blocked(&self) -> bool {
        each!(self, downstream => downstream.is_blocked())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        each!(self, downstream => downstream.poll_flush(cx))
    }
}
