//! An answer that goes on, a line at a time.

use bytes::{Buf as _, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::error::Error;

/// Longest line.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Lines of an answer, as they come.
#[derive(Debug)]
pub struct Lines {
    server: String,
    body: Incoming,
    buffer: BytesMut,
}

impl Lines {
    pub(crate) fn new(server: &str, body: Incoming) -> Lines {
        Lines { server: server.to_owned(), body, buffer: BytesMut::new() }
    }

    /// The next line without its end; `None` when the answer is over.
    ///
    /// # Errors
    /// When the connection breaks, or a line is too long to be one.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(Error::answer(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        self.buffer.extend_from_slice(bytes);
                    }
                }
                Some(Err(error)) => return Err(Error::unreachable(&self.server, &error)),
                None => return Ok(None),
            }
        }
    }
}
