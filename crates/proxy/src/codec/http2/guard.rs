//! What one client may make us do on one HTTP/2 connection.
//!
//! Every rule here is about frames that cost the sender almost nothing and the receiver something: resets after
//! the work has begun, questions that must be answered, windows opened by a byte. The library below knows no
//! such budgets, or keeps them for the life of a connection, where an honest one that lives long would run out.
//!
//! Honest clients earn what they spend: a reset costs nothing as long as most requests are answered, and a
//! window update or a ping costs nothing while content flows to the client.

use super::frames::{END_HEADERS, END_STREAM, Follower, FrameHead, kind};
use crate::limits::{
    HTTP2_BUDGET_SECONDS, HTTP2_CONTROL_FRAMES_MAX, HTTP2_CREDIT_FRAMES_MAX, HTTP2_EARLY_FRAMES_MAX,
    HTTP2_HEADER_BLOCK_BYTES_MAX, HTTP2_RESETS_MAX,
};

/// The client's connection preface (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A budget was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abuse;

/// The budgets of one connection.
#[derive(Debug)]
pub struct Guard {
    received: Follower,
    sent: Follower,
    /// A header block has begun and its last frame has not.
    block_open: bool,
    /// The frame whose payload is coming in belongs to a header block.
    in_block: bool,
    block_bytes: u32,
    /// Frames before the first request; stops counting then.
    early: u32,
    begun: bool,
    /// The second in which the current budgets began.
    since: u32,
    resets: u32,
    answered: u32,
    control: u32,
    credit: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Guard {
            received: Follower::behind(PREFACE.len()),
            sent: Follower::default(),
            block_open: false,
            in_block: false,
            block_bytes: 0,
            early: 0,
            begun: false,
            since: 0,
            resets: 0,
            answered: 0,
            control: 0,
            credit: 0,
        }
    }
}

impl Guard {
    /// Looks over what the client sent. `now` is in seconds.
    ///
    /// # Errors
    /// A budget is exceeded; the bytes must not be processed.
    pub fn received(&mut self, bytes: &[u8], now: u32) -> Result<(), Abuse> {
        if now.saturating_sub(self.since) >= HTTP2_BUDGET_SECONDS {
            self.since = now;
            self.resets = 0;
            self.answered = 0;
            self.control = 0;
        }
        let mut follower = std::mem::take(&mut self.received);
        let result = follower.follow(bytes, |head| self.frame(head));
        self.received = follower;
        result
    }

    /// Looks over what was sent to the client.
    pub fn sent(&mut self, bytes: &[u8]) {
        let mut follower = std::mem::take(&mut self.sent);
        let _: Result<(), Abuse> = follower.follow(bytes, |head| {
            self.earn(head);
            Ok(())
        });
        self.sent = follower;
    }

    /// Whether the client's first frame has come.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.early > 0 || self.begun
    }

    /// Whether part of a request head has come, and the rest has not.
    #[must_use]
    pub fn is_inside_head(&self) -> bool {
        self.block_open || (self.in_block && self.received.is_inside())
    }

    fn frame(&mut self, head: FrameHead) -> Result<(), Abuse> {
        self.in_block = matches!(head.kind, kind::HEADERS | kind::CONTINUATION);
        if !self.begun {
            self.early += 1;
            if self.early > HTTP2_EARLY_FRAMES_MAX {
                return Err(Abuse);
            }
        }
        match head.kind {
            kind::HEADERS => {
                self.begun = true;
                self.block_bytes = 0;
                self.block(head)
            }
            kind::CONTINUATION => self.block(head),
            kind::RST_STREAM => self.reset(),
            kind::DATA if head.length == 0 && !head.has(END_STREAM) => self.spend(),
            kind::PRIORITY | kind::SETTINGS | kind::PING | kind::WINDOW_UPDATE => self.spend(),
            kind::DATA => Ok(()),
            // Unknown types must be ignored (section 5.5), which is work as well.
            _ => self.spend(),
        }
    }

    fn block(&mut self, head: FrameHead) -> Result<(), Abuse> {
        self.block_open = !head.has(END_HEADERS);
        self.block_bytes = self.block_bytes.saturating_add(head.length);
        if self.block_bytes > HTTP2_HEADER_BLOCK_BYTES_MAX { Err(Abuse) } else { Ok(()) }
    }

    fn reset(&mut self) -> Result<(), Abuse> {
        self.resets += 1;
        let allowed = HTTP2_RESETS_MAX as u32 + self.answered / 4;
        if self.resets > allowed { Err(Abuse) } else { Ok(()) }
    }

    fn spend(&mut self) -> Result<(), Abuse> {
        if self.credit > 0 {
            self.credit -= 1;
            return Ok(());
        }
        self.control += 1;
        if self.control > HTTP2_CONTROL_FRAMES_MAX as u32 { Err(Abuse) } else { Ok(()) }
    }

    /// A client that receives content has reason to open windows, measure the path and reorder priorities: two
    /// updates for each frame of content, some more for long ones, a handful for each answer. A frame with less
    /// than five bytes of content, which is less than one gRPC message, earns nothing.
    fn earn(&mut self, head: FrameHead) {
        let earned = match head.kind {
            kind::DATA if head.length >= 5 => 2 + head.length / 2048,
            kind::HEADERS => 4,
            _ => 0,
        };
        self.credit = (self.credit + earned).min(HTTP2_CREDIT_FRAMES_MAX);
        if matches!(head.kind, kind::DATA | kind::HEADERS) && head.has(END_STREAM) {
            self.answered += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::http2::frames::ACK;

    fn frame(kind: u8, flags: u8, length: u32) -> Vec<u8> {
        let size = length.to_be_bytes();
        let mut bytes = vec![size[1], size[2], size[3], kind, flags, 0, 0, 0, 1];
        bytes.resize(9 + length as usize, 0);
        bytes
    }

    fn begun() -> Guard {
        let mut guard = Guard::default();
        guard.received(PREFACE, 0).unwrap();
        guard.received(&frame(kind::HEADERS, END_HEADERS | END_STREAM, 20), 0).unwrap();
        guard
    }

    fn accepted(guard: &mut Guard, frame: &[u8], now: u32) -> usize {
        (0..100_000).take_while(|_| guard.received(frame, now).is_ok()).count()
    }

    #[test]
    fn each_cheap_frame_has_a_budget_that_is_restored_with_time() {
        for (kind, flags, length) in [
            (kind::PING, 0, 8),
            (kind::SETTINGS, 0, 0),
            (kind::PRIORITY, 0, 5),
            (kind::WINDOW_UPDATE, 0, 4),
            (kind::DATA, 0, 0),
        ] {
            let mut guard = begun();
            let frame = frame(kind, flags, length);
            for now in [0, HTTP2_BUDGET_SECONDS] {
                for _ in 0..HTTP2_CONTROL_FRAMES_MAX {
                    guard.received(&frame, now).unwrap();
                }
            }
            assert_eq!(guard.received(&frame, HTTP2_BUDGET_SECONDS), Err(Abuse), "kind {kind}");
        }
    }

    #[test]
    fn resets_end_a_connection_unless_most_requests_are_answered() {
        let reset = frame(kind::RST_STREAM, 0, 4);
        assert_eq!(accepted(&mut begun(), &reset, 0), HTTP2_RESETS_MAX);

        let mut guard = begun();
        for _ in 0..4000 {
            guard.sent(&frame(kind::HEADERS, END_HEADERS | END_STREAM, 10));
        }
        assert_eq!(accepted(&mut guard, &reset, 0), HTTP2_RESETS_MAX + 1000);
    }

    #[test]
    fn a_client_that_is_sent_content_may_open_windows_for_it() {
        let mut guard = begun();
        let update = frame(kind::WINDOW_UPDATE, 0, 4);
        for _ in 0..100_000 {
            guard.sent(&frame(kind::DATA, 0, 25)); // a small gRPC message
            guard.received(&update, 0).unwrap(); // for the stream
            guard.received(&update, 0).unwrap(); // for the connection
        }
    }

    #[test]
    fn windows_opened_by_a_byte_at_a_time_use_the_budget_up() {
        let mut guard = begun();
        let update = frame(kind::WINDOW_UPDATE, 0, 4);
        let accepted = (0..100_000)
            .take_while(|_| {
                guard.sent(&frame(kind::DATA, 0, 1));
                guard.received(&update, 0).is_ok()
            })
            .count();
        assert_eq!(accepted, HTTP2_CONTROL_FRAMES_MAX);
    }

    #[test]
    fn an_answer_to_a_ping_earns_no_ping() {
        let mut guard = begun();
        let ping = frame(kind::PING, 0, 8);
        let accepted = (0..100_000)
            .take_while(|_| {
                guard.sent(&frame(kind::PING, ACK, 8));
                guard.received(&ping, 0).is_ok()
            })
            .count();
        assert_eq!(accepted, HTTP2_CONTROL_FRAMES_MAX);
    }

    #[test]
    fn a_header_block_is_bounded_however_it_is_cut_up() {
        let mut guard = begun();
        guard.received(&frame(kind::HEADERS, END_STREAM, 100), 0).unwrap();
        let more = frame(kind::CONTINUATION, 0, 1000);
        let bound = (HTTP2_HEADER_BLOCK_BYTES_MAX as usize - 100) / 1000;
        assert_eq!(accepted(&mut guard, &more, 0), bound);
    }

    #[test]
    fn an_unfinished_head_is_seen_as_such() {
        let mut guard = begun();
        assert!(!guard.is_inside_head());
        let whole = frame(kind::HEADERS, END_STREAM, 100);
        guard.received(&whole[..50], 0).unwrap();
        assert!(guard.is_inside_head());
        guard.received(&whole[50..], 0).unwrap();
        assert!(guard.is_inside_head());
        guard.received(&frame(kind::CONTINUATION, END_HEADERS, 10), 0).unwrap();
        assert!(!guard.is_inside_head());
    }

    #[test]
    fn frames_before_the_first_request_are_few() {
        let mut guard = Guard::default();
        guard.received(PREFACE, 0).unwrap();
        let unknown = frame(0x77, 0, 3);
        assert_eq!(accepted(&mut guard, &unknown, 0), HTTP2_EARLY_FRAMES_MAX as usize);
    }
}
