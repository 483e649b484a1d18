//! Following a collection over lost connections.
//!
//! A watch is a stream of lines that may end at any moment; the revision of the last line is where the next one goes
//! on. When the server no longer knows what came after it, everything is listed again, and whoever follows is told
//! so, because objects may have gone without a word.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::address::Collection;
use crate::client::{Client, with_kind};
use crate::error::{Error, Problem};
use crate::object::Object;
use crate::options::{ListOptions, Listed};
use crate::status::Status;

/// Longest line: one object.
const LINE_BYTES_MAX: usize = 16 << 20;
/// Connections that may fail one after the other before it is an error.
const FAILURES_MAX: u32 = 8;
/// Shortest life of a stream that ended in order.
const LIFE_MIN: Duration = Duration::from_secs(1);
/// Pause before the second attempt; it doubles with each one.
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It is new, or new to the selection.
    Added(Object),
    /// It is now this.
    Modified(Object),
    /// It is gone; this is how it was.
    Deleted(Object),
    /// Everything there is. What is not in it is gone.
    Relisted(Listed),
}

/// Follows a collection.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    collection: Collection,
    options: ListOptions,
    revision: String,
    body: Option<Stream>,
    buffer: BytesMut,
    ready: VecDeque<Event>,
    failures: u32,
}

/// A stream, and when it began: one that ends at once is a failure, and must not be followed in a circle.
#[derive(Debug)]
struct Stream {
    body: Incoming,
    began: Instant,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    object: Value,
}

impl Watch {
    pub(crate) fn new(client: Client, collection: Collection, options: ListOptions, from: &str) -> Watch {
        Watch {
            client,
            collection,
            options,
            revision: from.to_owned(),
            body: None,
            buffer: BytesMut::new(),
            ready: VecDeque::new(),
            failures: 0,
        }
    }

    /// The revision up to which everything has been told.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Waits for the next event. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the server refuses, or cannot be reached several times in a row.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            match self.receive().await {
                Ok(()) => {}
                Err(Error::Status(status)) if status.is_gone() => self.list_again().await?,
                Err(error) if error.is_passing() && self.failures < FAILURES_MAX => {
                    self.body = None;
                    let pause = PAUSE_FIRST * 2u32.pow(self.failures.min(6));
                    self.failures += 1;
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes in what comes next: a piece of the stream, or the stream itself.
    async fn receive(&mut self) -> Result<(), Error> {
        let Some(stream) = &mut self.body else {
            self.buffer.clear();
            let body = self.client.follow(&self.collection, &self.options, &self.revision).await?;
            self.body = Some(Stream { body, began: Instant::now() });
            return Ok(());
        };
        match stream.body.frame().await {
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    self.buffer.extend_from_slice(bytes);
                }
                self.take_lines()
            }
            // The end of a stream is no failure: servers end them after some minutes.
            None if stream.began.elapsed() >= LIFE_MIN => {
                self.body = None;
                Ok(())
            }
            None => Err(Error::Connect(Problem::new(
                format!("{} ends every watch at once", self.client.endpoint().server),
                "the log of the control plane says more",
            ))),
            Some(Err(error)) => Err(Error::unreachable(&self.client.endpoint().server, &error)),
        }
    }

    fn take_lines(&mut self) -> Result<(), Error> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(end);
            self.buffer.advance(1);
            if !line.trim_ascii().is_empty() {
                self.take_line(&line)?;
            }
        }
        if self.buffer.len() > LINE_BYTES_MAX {
            return Err(Error::answer(format!(
                "a line of a watch has more than {} MiB",
                LINE_BYTES_MAX >> 20
            )));
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), Error> {
        let Line { kind, object } = serde_json::from_slice(line)
            .map_err(|fault| Error::answer(format!("a line of a watch makes no sense: {fault}")))?;
        if kind == "ERROR" {
            self.body = None;
            let code = object["code"].as_u64().and_then(|code| u16::try_from(code).ok());
            let code = code.and_then(|code| http::StatusCode::from_u16(code).ok());
            let code = code.unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
            return Err(Error::Status(Box::new(Status::read(code, object.to_string().as_bytes()))));
        }
        self.failures = 0;
        let object = with_kind(object, &self.collection);
        if !object.resource_version().is_empty() {
            object.resource_version().clone_into(&mut self.revision);
        }
        match kind.as_str() {
            "ADDED" => self.ready.push_back(Event::Added(object)),
            "MODIFIED" => self.ready.push_back(Event::Modified(object)),
            "DELETED" => self.ready.push_back(Event::Deleted(object)),
            "BOOKMARK" => {}
            other => return Err(Error::answer(format!("a watch told of `{other}`"))),
        }
        Ok(())
    }

    async fn list_again(&mut self) -> Result<(), Error> {
        self.body = None;
        let listed = self.client.list(&self.collection, &self.options).await?;
        listed.resource_version.clone_into(&mut self.revision);
        self.ready.push_back(Event::Relisted(listed));
        Ok(())
    }
}
