//! A client that writes and reads bare frames, so that it can say what no library would.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::HOST;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub const PROTOCOL_ERROR: u32 = 1;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// One frame.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM and GOAWAY.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A frame as bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![size[1], size[2], size[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block without compression: literals that are not indexed (RFC 7541 section 6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            length(text.len(), &mut bytes);
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

fn length(length: usize, bytes: &mut Vec<u8>) {
    if length < 127 {
        return bytes.push(length as u8);
    }
    bytes.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        bytes.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    bytes.push(rest as u8);
}

/// The pseudo-fields of a request, then more fields.
pub fn request<'a>(method: &'a str, path: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![(":method", method), (":scheme", "http"), (":authority", HOST), (":path", path)];
    fields.extend_from_slice(more);
    fields
}

/// The client.
pub struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// Connects, and says nothing.
    pub fn connect(address: SocketAddr) -> Raw {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
        Raw { stream }
    }

    /// Connects and opens the connection with these settings.
    pub fn open(address: SocketAddr, settings: &[(u16, u32)]) -> Raw {
        let mut raw = Raw::connect(address);
        let mut payload = Vec::new();
        // No dynamic table: a status is then always spelled out.
        for (name, value) in [(1, 0)].iter().chain(settings) {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        raw.send(&frame(SETTINGS, 0, 0, &payload));
        raw
    }

    /// Sends bytes; `false` when the other side takes no more.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a request without a body.
    pub fn get(&mut self, stream: u32, fields: &[(&str, &str)]) {
        self.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(fields)));
    }

    /// Nothing more is sent.
    pub fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write); // The other side may have closed first.
    }

    /// The next frame, or `None` at the end of the connection.
    pub fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.fill(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
        let mut payload = vec![0; length as usize];
        self.fill(&mut payload)?;
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    fn fill(&mut self, room: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(room) {
            Ok(()) => Some(()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the proxy says nothing"),
            Err(_) => None,
        }
    }

    /// The next frame of a kind.
    pub fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Every frame up to the end of the connection; the code of the last GOAWAY.
    pub fn farewell(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next() {
            if frame.kind == GOAWAY {
                code = Some(frame.code());
            }
        }
        code
    }

    /// Reads until a stream ends: its status when it was answered, its code when it was reset.
    pub fn outcome(&mut self, stream: u32) -> Outcome {
        let mut status = None;
        while let Some(frame) = self.next() {
            assert_ne!(frame.kind, GOAWAY, "the connection ends: {frame:?}");
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                HEADERS => status = status.or_else(|| Some(read_status(&frame.payload))),
                RST_STREAM if status.is_none() => return Outcome::Reset(frame.code()),
                RST_STREAM => return Outcome::Answered(status.unwrap_or_default()),
                _ => {}
            }
            if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0 {
                return Outcome::Answered(status.unwrap_or_default());
            }
        }
        panic!("the connection ended before stream {stream} did");
    }
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered(u16),
    Reset(u32),
}

/// The status at the start of a header block: an index of the static table, or a literal of digits.
fn read_status(block: &[u8]) -> u16 {
    let block = if block[0] & 0xe0 == 0x20 { &block[1..] } else { block };
    const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block[0] {
        index @ 0x88..=0x8e => INDEXED[usize::from(index - 0x88)],
        _ if block[1] & 0x80 == 0 => std::str::from_utf8(&block[2..5]).unwrap().parse().unwrap(),
        _ => huffman_digits(&block[2..]),
    }
}

/// Three digits of the HPACK Huffman code: five bits for 0 to 2, six for the others.
fn huffman_digits(bytes: &[u8]) -> u16 {
    let bits = u32::from_be_bytes([bytes[0], bytes[1], *bytes.get(2).unwrap_or(&0xff), 0xff]);
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let five = bits << at >> 27;
        let six = bits << at >> 26;
        let (digit, taken) = if five <= 2 { (five, 5) } else { (six - 0x19 + 3, 6) };
        at += taken;
        status = status * 10 + digit as u16;
    }
    status
}
