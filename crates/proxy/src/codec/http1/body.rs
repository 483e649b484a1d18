//! Where a body ends (RFC 9112 sections 6 and 7), found while it passes.
//!
//! A body is not copied to be understood: data is skipped by its length, and what was checked may be sent on as
//! it is. The chunk grammar is kept to the letter, because its loose ends (bare line feeds, white space,
//! extensions with line breaks in them) are where two readers find two ends (CVE-2025-55315).

use crate::failure::Failure;
use crate::limits::{CHUNK_EXTENSION_BYTES_MAX, CHUNK_SIZE_DIGITS_MAX};
use crate::message::Framing;

use super::alphabet::is_token_byte;

/// The chunk that ends a body without trailers, with the blank line behind it.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Writes the line in front of a chunk of `length` bytes; the chunk must be followed by CRLF. A length of 0
/// would end the body, so it must not be asked for: write [`LAST_CHUNK`] or trailers instead.
#[inline]
pub fn chunk_header(length: usize, room: &mut [u8; 18]) -> &[u8] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    debug_assert!(length > 0);
    let mut start = 16;
    let mut left = length;
    while start == 16 || left > 0 {
        start -= 1;
        room[start] = DIGITS[left & 15];
        left >>= 4;
    }
    room[16..].copy_from_slice(b"\r\n");
    &room[start..]
}

/// The body is not what its framing says; where it ends is unknown, and the connection cannot be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadBody;

impl BadBody {
    /// The failure when a client sent it.
    #[must_use]
    pub fn of_request(self) -> Failure {
        Failure::BadChunk
    }

    /// The failure when an upstream sent it.
    #[must_use]
    pub fn of_response(self) -> Failure {
        Failure::UpstreamProtocol
    }
}

/// What comes after the bytes that were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyState {
    /// More of the body.
    More,
    /// The trailer section of a chunked body: read it with [`super::parse_trailers`], then the message ends.
    Trailers,
    /// Nothing: the message has ended.
    Done,
}

/// What [`Body::advance`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes at the start of the input that belong to the body and may be sent on as they are, the line of the
    /// last chunk included. All of the input while the state is [`BodyState::More`].
    pub passed: usize,
    /// What follows them.
    pub state: BodyState,
}

/// What [`Body::decode_in_place`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes of content, moved to the start of the buffer.
    pub data: usize,
    /// Bytes of the input that were used up.
    pub consumed: usize,
    /// What follows them.
    pub state: BodyState,
}

/// Follows one body.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    stage: Stage,
    content: u64,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// So many bytes of content are left.
    Length(u64),
    Chunks(Chunk),
    UntilClose,
    Trailers,
    Done,
}

/// Where in a chunk we are.
#[derive(Clone, Copy, Debug)]
enum Chunk {
    Size { size: u64, digits: usize },
    Extension { size: u64, bytes: usize, place: Extension },
    SizeLineFeed { size: u64 },
    Data { left: u64 },
    DataReturn,
    DataLineFeed,
}

/// Where in the extensions we are: `*( ";" name [ "=" ( token / quoted-string ) ] )`. The white space that RFC
/// 9112 calls bad is bad.
#[derive(Clone, Copy, Debug)]
enum Extension {
    NameStart,
    Name,
    ValueStart,
    Value,
    Quoted,
    QuotedPair,
    QuotedEnd,
}

/// One step over the input: framing bytes, then content bytes.
struct Step {
    framing: usize,
    data: usize,
}

impl Body {
    /// A tracker for a body that is framed like this.
    #[must_use]
    pub fn new(framing: Framing) -> Body {
        let stage = match framing {
            Framing::None | Framing::Length(0) => Stage::Done,
            Framing::Length(length) => Stage::Length(length),
            Framing::Chunked => Stage::Chunks(Chunk::START),
            Framing::UntilClose => Stage::UntilClose,
        };
        Body { stage, content: 0 }
    }

    /// What comes next.
    #[inline]
    #[must_use]
    pub fn state(&self) -> BodyState {
        match self.stage {
            Stage::Length(_) | Stage::Chunks(_) | Stage::UntilClose => BodyState::More,
            Stage::Trailers => BodyState::Trailers,
            Stage::Done => BodyState::Done,
        }
    }

    /// Bytes of content so far, without framing: what a limit on bodies counts.
    #[must_use]
    pub fn content_bytes(&self) -> u64 {
        self.content
    }

    /// The trailer section was read: the message has ended.
    pub fn finish_trailers(&mut self) {
        debug_assert!(matches!(self.stage, Stage::Trailers));
        self.stage = Stage::Done;
    }

    /// The peer closed its side. Whether the body was whole; then it is done.
    pub fn close(&mut self) -> bool {
        if let Stage::UntilClose = self.stage {
            self.stage = Stage::Done;
        }
        matches!(self.stage, Stage::Done)
    }

    /// Looks at received bytes without changing them.
    ///
    /// # Errors
    /// [`BadBody`] when the chunks are malformed. Bytes of the same input before the mistake must not be sent
    /// on either.
    #[inline]
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Progress, BadBody> {
        let mut passed = 0;
        while passed < bytes.len() && self.state() == BodyState::More {
            let step = self.step(&bytes[passed..])?;
            passed += step.framing + step.data;
        }
        Ok(Progress { passed, state: self.state() })
    }

    /// Takes the framing out of received bytes, for a sink that has its own.
    ///
    /// # Errors
    /// [`BadBody`] when the chunks are malformed; the bytes are then in no defined state.
    pub fn decode_in_place(&mut self, bytes: &mut [u8]) -> Result<Decoded, BadBody> {
        let mut consumed = 0;
        let mut data = 0;
        while consumed < bytes.len() && self.state() == BodyState::More {
            let step = self.step(&bytes[consumed..])?;
            let start = consumed + step.framing;
            consumed = start + step.data;
            if start != data {
                bytes.copy_within(start..consumed, data);
            }
            data += step.data;
        }
        Ok(Decoded { data, consumed, state: self.state() })
    }

    /// Looks at received bytes that are to be passed on as they are, but for chunk extensions: those end here
    /// (RFC 9112 section 7.1.1), and what follows them moves up in place.
    ///
    /// # Errors
    /// The framing is malformed; the connection cannot be used any further.
    #[inline]
    pub fn pass_in_place(&mut self, bytes: &mut [u8]) -> Result<Decoded, BadBody> {
        let (mut consumed, mut kept) = (0, 0);
        while consumed < bytes.len() && self.state() == BodyState::More {
            let before = self.stage;
            let step = self.step(&bytes[consumed..])?;
            let data = consumed + step.framing;
            let framing = match before {
                Stage::Chunks(chunk) => without_extensions(chunk, &mut bytes[consumed..data]),
                Stage::Length(_) | Stage::UntilClose | Stage::Trailers | Stage::Done => step.framing,
            };
            if kept == consumed && framing == step.framing {
                kept += framing + step.data;
            } else {
                bytes.copy_within(consumed..consumed + framing, kept);
                bytes.copy_within(data..data + step.data, kept + framing);
                kept += framing + step.data;
            }
            consumed = data + step.data;
        }
        Ok(Decoded { data: kept, consumed, state: self.state() })
    }

    #[inline]
    fn step(&mut self, bytes: &[u8]) -> Result<Step, BadBody> {
        let step = match &mut self.stage {
            Stage::Length(left) => {
                let data = take(left, bytes.len());
                if *left == 0 {
                    self.stage = Stage::Done;
                }
                Step { framing: 0, data }
            }
            Stage::UntilClose => Step { framing: 0, data: bytes.len() },
            Stage::Chunks(chunk) => {
                let step = chunk.step(bytes)?;
                if chunk.is_last_line_read() {
                    self.stage = Stage::Trailers;
                }
                step
            }
            Stage::Trailers | Stage::Done => Step { framing: 0, data: 0 },
        };
        self.content += step.data as u64;
        Ok(step)
    }
}

/// Moves framing bytes that were understood over the extensions among them; returns how many are left.
#[inline]
fn without_extensions(mut chunk: Chunk, framing: &mut [u8]) -> usize {
    let inside = matches!(chunk, Chunk::Extension { .. });
    if !inside && memchr::memchr(b';', framing).is_none() {
        return framing.len();
    }
    let mut kept = 0;
    for index in 0..framing.len() {
        let byte = framing[index];
        chunk = chunk.after(byte).unwrap_or(chunk);
        if !matches!(chunk, Chunk::Extension { .. }) {
            framing[kept] = byte;
            kept += 1;
        }
    }
    kept
}

/// Takes up to `available` off `left`.
#[inline]
fn take(left: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
    *left -= taken as u64;
    taken
}

impl Chunk {
    const START: Chunk = Chunk::Size { size: 0, digits: 0 };

    /// Whether the line of the last chunk, whose size is zero, is complete.
    #[inline]
    fn is_last_line_read(&self) -> bool {
        matches!(self, Chunk::Data { left: 0 })
    }

    /// Framing byte by byte up to the next data, then as much of the data as is there.
    #[inline]
    fn step(&mut self, bytes: &[u8]) -> Result<Step, BadBody> {
        let mut framing = 0;
        while framing < bytes.len() && !self.is_last_line_read() {
            if let Chunk::Data { left } = self {
                let data = take(left, bytes.len() - framing);
                if *left == 0 {
                    *self = Chunk::DataReturn;
                }
                return Ok(Step { framing, data });
            }
            *self = self.after(bytes[framing])?;
            framing += 1;
        }
        Ok(Step { framing, data: 0 })
    }

    /// The state after one framing byte.
    #[inline]
    fn after(self, byte: u8) -> Result<Chunk, BadBody> {
        match (self, byte) {
            (Chunk::Size { size, digits }, b'\r') if digits > 0 => Ok(Chunk::SizeLineFeed { size }),
            (Chunk::Size { size, digits }, b';') if digits > 0 => {
                Ok(Chunk::Extension { size, bytes: 1, place: Extension::NameStart })
            }
            (Chunk::Size { size, digits }, _) if digits < CHUNK_SIZE_DIGITS_MAX => {
                let digit = char::from(byte).to_digit(16).ok_or(BadBody)?;
                Ok(Chunk::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
            }
            (Chunk::Extension { size, place, .. }, b'\r') if place.may_end() => {
                Ok(Chunk::SizeLineFeed { size })
            }
            (Chunk::Extension { size, bytes, place }, _) if bytes < CHUNK_EXTENSION_BYTES_MAX => {
                Ok(Chunk::Extension { size, bytes: bytes + 1, place: place.after(byte)? })
            }
            (Chunk::SizeLineFeed { size }, b'\n') => Ok(Chunk::Data { left: size }),
            (Chunk::DataReturn, b'\r') => Ok(Chunk::DataLineFeed),
            (Chunk::DataLineFeed, b'\n') => Ok(Chunk::START),
            _ => Err(BadBody),
        }
    }
}

impl Extension {
    /// Whether the line may end here.
    fn may_end(self) -> bool {
        matches!(self, Extension::Name | Extension::Value | Extension::QuotedEnd)
    }

    fn after(self, byte: u8) -> Result<Extension, BadBody> {
        match (self, byte) {
            (Extension::Name | Extension::Value | Extension::QuotedEnd, b';') => Ok(Extension::NameStart),
            (Extension::Name, b'=') => Ok(Extension::ValueStart),
            (Extension::ValueStart, b'"') => Ok(Extension::Quoted),
            (Extension::NameStart | Extension::Name, _) if is_token_byte(byte) => Ok(Extension::Name),
            (Extension::ValueStart | Extension::Value, _) if is_token_byte(byte) => Ok(Extension::Value),
            (Extension::Quoted, b'"') => Ok(Extension::QuotedEnd),
            (Extension::Quoted, b'\\') => Ok(Extension::QuotedPair),
            (Extension::Quoted | Extension::QuotedPair, b'\t' | b' '..=b'~' | 0x80..) => {
                Ok(Extension::Quoted)
            }
            _ => Err(BadBody),
        }
    }
}

#[cfg(test)]
mod tests;
