//! Reading and writing of messages: strict at the edge, one view for everything that follows.
//!
//! A gateway and its upstream must never disagree about where a message ends or what it asks for. So these
//! parsers refuse whatever two implementations are known to read differently, instead of guessing well. There
//! is no I/O and no clock in here: bytes in, a head or a verdict out, and no allocation once the vectors that
//! the caller reuses have grown.

mod block;
pub mod canonical;
pub mod http1;
pub mod http2;
