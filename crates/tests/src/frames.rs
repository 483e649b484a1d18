//! A client that writes HTTP/2 frames one by one, lawful or not.
//!
//! A library would refuse to send most attacks, so frames are made here by hand (RFC 9113 section 4.1).

use std::net::SocketAddr;

use crate::client::RawClient;
use crate::hpack;

/// Frame types of RFC 9113 section 6.
pub mod kind {
    /// DATA
    pub const DATA: u8 = 0;
    /// HEADERS
    pub const HEADERS: u8 = 1;
    /// PRIORITY
    pub const PRIORITY: u8 = 2;
    /// RST_STREAM
    pub const RST_STREAM: u8 = 3;
    /// SETTINGS
    pub const SETTINGS: u8 = 4;
    /// PING
    pub const PING: u8 = 6;
    /// GOAWAY
    pub const GOAWAY: u8 = 7;
    /// WINDOW_UPDATE
    pub const WINDOW_UPDATE: u8 = 8;
    /// CONTINUATION
    pub const CONTINUATION: u8 = 9;
}

/// END_STREAM on DATA and HEADERS; ACK on SETTINGS and PING.
pub const END_STREAM: u8 = 1;
/// END_HEADERS on HEADERS and CONTINUATION.
pub const END_HEADERS: u8 = 4;

/// A frame as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Type.
    pub kind: u8,
    /// Flags.
    pub flags: u8,
    /// Stream, 0 for the connection.
    pub stream: u32,
    /// Payload.
    pub payload: Vec<u8>,
}

/// The bytes of a frame.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a payload fits its length field").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// How an exchange on one stream ended, as the client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A response with this status.
    Answered(u16, Vec<u8>),
    /// RST_STREAM with this code.
    Reset(u32),
    /// GOAWAY with this code.
    GoneAway(u32),
    /// The connection ended without a GOAWAY.
    Closed,
}

/// An HTTP/2 connection under full control.
pub struct FrameClient {
    client: RawClient,
}

impl FrameClient {
    /// Connects with prior knowledge, sends preface and empty SETTINGS.
    pub async fn connect(address: SocketAddr) -> FrameClient {
        FrameClient::connect_with(address, &[]).await
    }

    /// Connects with prior knowledge, sends preface and these settings.
    pub async fn connect_with(address: SocketAddr, settings: &[(u16, u32)]) -> FrameClient {
        FrameClient::over(RawClient::connect(address).await, settings).await
    }

    /// As [`FrameClient::connect_with`], over a connection that is open.
    pub async fn over(client: RawClient, settings: &[(u16, u32)]) -> FrameClient {
        let mut frames = FrameClient { client };
        frames.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        frames.send(kind::SETTINGS, 0, 0, &payload).await;
        frames
    }

    /// Writes a frame; that the peer may have closed already shows when its frames are read.
    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.raw(&frame(kind, flags, stream, payload)).await;
    }

    /// Writes bytes.
    pub async fn raw(&mut self, bytes: &[u8]) {
        self.client.send(bytes).await;
    }

    /// Writes bytes; `false` when the peer no longer takes them.
    pub async fn try_raw(&mut self, bytes: &[u8]) -> bool {
        self.client.try_send(bytes).await.is_ok()
    }

    /// A whole request without a body.
    pub async fn get(&mut self, stream: u32, host: &str, target: &str) {
        let block = request("GET", host, target, &[]);
        self.send(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block).await;
    }

    /// The next frame; `None` when the connection ended.
    ///
    /// # Errors
    /// When nothing comes in time.
    pub async fn next(&mut self) -> Result<Option<Frame>, String> {
        let head = match self.client.exactly(9).await {
            Ok(head) => head,
            Err(problem) if problem.contains("ended") => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        let payload = match self.client.exactly(length).await {
            Ok(payload) => payload,
            Err(problem) if problem.contains("ended") => return Ok(None),
            Err(problem) => return Err(problem),
        };
        Ok(Some(Frame { kind: head[3], flags: head[4], stream, payload }))
    }

    /// Reads until it is known what became of `stream`.
    ///
    /// # Errors
    /// When nothing becomes of it in time.
    pub async fn outcome(&mut self, stream: u32) -> Result<Outcome, String> {
        let mut answered = None;
        let mut body = Vec::new();
        loop {
            let Some(frame) = self.next().await? else { return Ok(Outcome::Closed) };
            let code = |at: usize| {
                frame
                    .payload
                    .get(at..at + 4)
                    .map_or(0, |four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
            };
            match frame.kind {
                kind::GOAWAY if answered.is_none() => return Ok(Outcome::GoneAway(code(4))),
                kind::RST_STREAM if frame.stream == stream && answered.is_none() => {
                    return Ok(Outcome::Reset(code(0)));
                }
                kind::HEADERS if frame.stream == stream && answered.is_none() => {
                    answered = Some(hpack::status(&frame.payload).ok_or("a response without a status")?);
                }
                kind::DATA if frame.stream == stream => body.extend_from_slice(&frame.payload),
                _ => {}
            }
            let about_it = frame.stream == stream && matches!(frame.kind, kind::HEADERS | kind::DATA);
            if let Some(status) = answered
                && ((about_it && frame.flags & END_STREAM != 0) || frame.kind == kind::RST_STREAM)
            {
                return Ok(Outcome::Answered(status, body));
            }
        }
    }

    /// Reads until the peer gives the connection up: the code of its GOAWAY, or `None` for a bare close.
    ///
    /// # Errors
    /// When it does not.
    pub async fn given_up(&mut self) -> Result<Option<u32>, String> {
        while let Some(frame) = self.next().await? {
            if frame.kind == kind::GOAWAY && frame.payload.len() >= 8 {
                let code: [u8; 4] = frame.payload[4..8].try_into().expect("four bytes");
                return Ok(Some(u32::from_be_bytes(code)));
            }
        }
        Ok(None)
    }

    /// A PING round trip: the connection lives and everything sent before was read.
    ///
    /// # Errors
    /// When no acknowledgement comes.
    pub async fn lives(&mut self) -> Result<(), String> {
        self.send(kind::PING, 0, 0, b"stillup?").await;
        while let Some(frame) = self.next().await? {
            if frame.kind == kind::PING && frame.flags & END_STREAM != 0 && frame.payload == b"stillup?" {
                return Ok(());
            }
        }
        Err("the connection was closed".to_owned())
    }
}

/// The header block of a request.
#[must_use]
pub fn request(method: &str, host: &str, target: &str, more: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut fields: Vec<(&[u8], &[u8])> = vec![
        (b":method", method.as_bytes()),
        (b":scheme", b"http"),
        (b":authority", host.as_bytes()),
        (b":path", target.as_bytes()),
    ];
    fields.extend_from_slice(more);
    hpack::literals(&fields)
}
