//! WebSocket (RFC 6455): a handshake and a peer that sends every message back.
//!
//! Written out instead of borrowed because it is small and because specs of the gateway want a peer whose every
//! byte is known. Messages are put together before they are sent back, so text can be checked to be UTF-8.

use aws_lc_rs::digest;
use base64::Engine;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};

use super::body::{self, Answer};

/// Longest message. Past it the connection is closed with 1009.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Section 5.5: the payload of control frames.
const CONTROL_BYTES_MAX: usize = 125;

/// Whether a request asks for the protocol, well or badly.
pub fn is_asked_for<B>(request: &Request<B>) -> bool {
    has_token(request.headers(), header::UPGRADE, "websocket")
}

/// Answers the handshake, and echoes on the connection once it is ours.
pub fn accept(mut request: Request<Incoming>) -> Response<Answer> {
    let accept = match accept_key(&request) {
        Ok(accept) => accept,
        Err(refusal) => return refused(refusal),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            // The connection may break at any time; its peer sees that, and nobody else would care.
            let _ended = Peer::new(TokioIo::new(upgraded)).run().await;
        }
    });
    let mut response = Response::new(body::whole(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// Section 4.2.1: what a client's handshake must hold.
fn accept_key<B>(request: &Request<B>) -> Result<HeaderValue, &'static str> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err("a WebSocket handshake is a GET");
    }
    if !has_token(headers, header::CONNECTION, "upgrade") {
        return Err("`Connection: upgrade` is missing");
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err("only `Sec-WebSocket-Version: 13` is spoken");
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or("`Sec-WebSocket-Key` is missing")?;
    let engine = base64::engine::general_purpose::STANDARD;
    if engine.decode(key.as_bytes()).map_or(0, |nonce| nonce.len()) != 16 {
        return Err("`Sec-WebSocket-Key` is not 16 bytes of base64");
    }
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(GUID);
    HeaderValue::from_str(&engine.encode(hash.finish())).map_err(|_| "`Sec-WebSocket-Key` is not text")
}

fn refused(why: &'static str) -> Response<Answer> {
    let mut response = Response::new(body::whole(format!("{why}\n")));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// Section 5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn parse(bits: u8) -> Option<Opcode> {
        match bits {
            0x0 => Some(Opcode::Continuation),
            0x1 => Some(Opcode::Text),
            0x2 => Some(Opcode::Binary),
            0x8 => Some(Opcode::Close),
            0x9 => Some(Opcode::Ping),
            0xa => Some(Opcode::Pong),
            _ => None,
        }
    }

    fn bits(self) -> u8 {
        match self {
            Opcode::Continuation => 0x0,
            Opcode::Text => 0x1,
            Opcode::Binary => 0x2,
            Opcode::Close => 0x8,
            Opcode::Ping => 0x9,
            Opcode::Pong => 0xa,
        }
    }

    fn is_control(self) -> bool {
        match self {
            Opcode::Close | Opcode::Ping | Opcode::Pong => true,
            Opcode::Continuation | Opcode::Text | Opcode::Binary => false,
        }
    }
}

/// Section 7.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CloseCode {
    ProtocolError = 1002,
    NotUtf8 = 1007,
    TooBig = 1009,
}

struct Frame {
    last: bool,
    opcode: Opcode,
    payload: Vec<u8>,
}

enum ReadError {
    Gone,
    Wrong(CloseCode),
}

impl From<std::io::Error> for ReadError {
    fn from(_: std::io::Error) -> Self {
        ReadError::Gone
    }
}

/// Our end of one connection.
struct Peer<S> {
    stream: BufStream<S>,
    /// The message that is being put together: its opcode and what has arrived of it.
    message: Option<(Opcode, Vec<u8>)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    fn new(stream: S) -> Peer<S> {
        Peer { stream: BufStream::new(stream), message: None }
    }

    async fn run(mut self) -> std::io::Result<()> {
        loop {
            let done = match self.read_frame().await {
                Ok(frame) => self.handle(frame).await?,
                Err(ReadError::Gone) => return Ok(()),
                Err(ReadError::Wrong(code)) => self.close(code).await?,
            };
            self.stream.flush().await?;
            if done {
                return self.stream.shutdown().await;
            }
        }
    }

    /// Acts on one frame; true when the connection is over.
    async fn handle(&mut self, frame: Frame) -> std::io::Result<bool> {
        match frame.opcode {
            Opcode::Ping => self.write_frame(Opcode::Pong, &frame.payload).await.map(|()| false),
            Opcode::Pong => Ok(false),
            Opcode::Close => self.answer_close(&frame.payload).await,
            Opcode::Text | Opcode::Binary if self.message.is_some() => {
                self.close(CloseCode::ProtocolError).await
            }
            Opcode::Text | Opcode::Binary => self.join(frame.opcode, Vec::new(), frame).await,
            Opcode::Continuation => match self.message.take() {
                Some((opcode, begun)) => self.join(opcode, begun, frame).await,
                None => self.close(CloseCode::ProtocolError).await,
            },
        }
    }

    async fn join(&mut self, opcode: Opcode, mut begun: Vec<u8>, frame: Frame) -> std::io::Result<bool> {
        if begun.len() + frame.payload.len() > MESSAGE_BYTES_MAX {
            return self.close(CloseCode::TooBig).await;
        }
        begun.extend_from_slice(&frame.payload);
        if !frame.last {
            self.message = Some((opcode, begun));
            return Ok(false);
        }
        if opcode == Opcode::Text && std::str::from_utf8(&begun).is_err() {
            return self.close(CloseCode::NotUtf8).await;
        }
        self.write_frame(opcode, &begun).await.map(|()| false)
    }

    /// Section 7.1.5: a close is answered with the code it gave, if that was one a peer may send.
    async fn answer_close(&mut self, payload: &[u8]) -> std::io::Result<bool> {
        let sound = match payload {
            [] => true,
            [_] => false,
            [high, low, reason @ ..] => {
                is_sendable(u16::from_be_bytes([*high, *low])) && std::str::from_utf8(reason).is_ok()
            }
        };
        if !sound {
            return self.close(CloseCode::ProtocolError).await;
        }
        self.write_frame(Opcode::Close, &payload[..payload.len().min(2)]).await.map(|()| true)
    }

    async fn close(&mut self, code: CloseCode) -> std::io::Result<bool> {
        self.write_frame(Opcode::Close, &(code as u16).to_be_bytes()).await.map(|()| true)
    }

    async fn read_frame(&mut self) -> Result<Frame, ReadError> {
        let [first, second] = [self.stream.read_u8().await?, self.stream.read_u8().await?];
        let wrong = ReadError::Wrong(CloseCode::ProtocolError);
        let Some(opcode) = Opcode::parse(first & 0x0f) else { return Err(wrong) };
        let (last, reserved, masked) = (first & 0x80 != 0, first & 0x70 != 0, second & 0x80 != 0);
        let length = match second & 0x7f {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            short => u64::from(short),
        };
        let control_too_long = opcode.is_control() && (length > CONTROL_BYTES_MAX as u64 || !last);
        if reserved || !masked || control_too_long {
            return Err(wrong);
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MESSAGE_BYTES_MAX {
            return Err(ReadError::Wrong(CloseCode::TooBig));
        }
        let mut mask = [0; 4];
        self.stream.read_exact(&mut mask).await?;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok(Frame { last, opcode, payload })
    }

    /// Servers do not mask (section 5.1).
    async fn write_frame(&mut self, opcode: Opcode, payload: &[u8]) -> std::io::Result<()> {
        self.stream.write_u8(0x80 | opcode.bits()).await?;
        match payload.len() {
            short @ 0..=125 => self.stream.write_u8(short as u8).await?,
            middle @ 126..=0xffff => {
                self.stream.write_u8(126).await?;
                self.stream.write_u16(middle as u16).await?;
            }
            long => {
                self.stream.write_u8(127).await?;
                self.stream.write_u64(long as u64).await?;
            }
        }
        self.stream.write_all(payload).await
    }
}

/// Section 7.4: codes that may stand in a close frame.
fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
