//! Follows frame headers (RFC 9113 section 4.1) in a stream of bytes, without keeping a byte of payload.

/// Bytes of a frame header.
pub const HEAD_BYTES: usize = 9;

/// Frame types that matter to a guard (RFC 9113 section 6).
pub mod kind {
    /// Content.
    pub const DATA: u8 = 0;
    /// The beginning of a header block.
    pub const HEADERS: u8 = 1;
    /// Advice nobody needs any more.
    pub const PRIORITY: u8 = 2;
    /// The end of one stream, at once.
    pub const RST_STREAM: u8 = 3;
    /// Parameters.
    pub const SETTINGS: u8 = 4;
    /// A question that must be answered.
    pub const PING: u8 = 6;
    /// Room to send more.
    pub const WINDOW_UPDATE: u8 = 8;
    /// More of a header block.
    pub const CONTINUATION: u8 = 9;
}

/// `END_STREAM`, of DATA and HEADERS.
pub const END_STREAM: u8 = 1;
/// `ACK`, of SETTINGS and PING.
#[cfg(test)]
pub const ACK: u8 = 1;
/// `END_HEADERS`, of HEADERS and CONTINUATION.
pub const END_HEADERS: u8 = 4;

/// What a frame header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameHead {
    /// Bytes of payload.
    pub length: u32,
    /// See [`kind`].
    pub kind: u8,
    /// Their meaning depends on the kind.
    pub flags: u8,
}

impl FrameHead {
    fn parse(bytes: &[u8]) -> FrameHead {
        let length = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        FrameHead { length, kind: bytes[3], flags: bytes[4] }
    }

    /// Whether a flag is set.
    #[inline]
    #[must_use]
    pub fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A place in a stream of frames.
#[derive(Debug, Default)]
pub struct Follower {
    /// Bytes that belong to no frame header: the rest of a payload, or of the connection preface.
    skip: u32,
    partial: [u8; HEAD_BYTES],
    held: usize,
}

impl Follower {
    /// At the start of a stream in which `bytes` precede the first frame.
    #[must_use]
    pub fn behind(bytes: usize) -> Follower {
        Follower { skip: bytes as u32, ..Follower::default() }
    }

    /// Whether a payload has begun and not ended.
    #[inline]
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.skip > 0
    }

    /// Goes over the bytes that come next and shows every frame header that is complete.
    ///
    /// # Errors
    /// What `each` returned; nothing after that frame has been looked at.
    #[inline]
    pub fn follow<E>(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(FrameHead) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let count = bytes.len().min(self.skip as usize);
                self.skip -= count as u32;
                bytes = &bytes[count..];
                continue;
            }
            let head = if self.held == 0 && bytes.len() >= HEAD_BYTES {
                let head = FrameHead::parse(bytes);
                bytes = &bytes[HEAD_BYTES..];
                head
            } else {
                let count = bytes.len().min(HEAD_BYTES - self.held);
                self.partial[self.held..self.held + count].copy_from_slice(&bytes[..count]);
                self.held += count;
                bytes = &bytes[count..];
                if self.held < HEAD_BYTES {
                    return Ok(());
                }
                self.held = 0;
                FrameHead::parse(&self.partial)
            };
            self.skip = head.length;
            each(head)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![0, (length >> 8) as u8, length as u8, kind, flags, 0, 0, 0, 1];
        bytes.resize(HEAD_BYTES + length, 0xff);
        bytes
    }

    #[test]
    fn the_same_frames_are_seen_wherever_the_bytes_are_cut() {
        let mut stream = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let preface = stream.len();
        for (kind, length) in [(kind::SETTINGS, 0), (kind::HEADERS, 300), (kind::DATA, 1), (kind::PING, 8)] {
            stream.extend(frame(kind, END_HEADERS, length));
        }
        for size in 1..=stream.len() {
            let mut follower = Follower::behind(preface);
            let mut seen = Vec::new();
            for part in stream.chunks(size) {
                follower
                    .follow(part, |head| {
                        seen.push((head.kind, head.length));
                        Ok::<(), ()>(())
                    })
                    .unwrap();
            }
            assert_eq!(seen, [(4, 0), (1, 300), (0, 1), (6, 8)], "cut every {size} bytes");
            assert!(!follower.is_inside());
        }
    }
}
