//! A body that can be sent again as far as it has come, as long as it stays small.
//!
//! While the first attempt sends a body it is kept; the next attempt is handed what was kept and then goes on with what
//! the client sends. A body that grows past its bound, or for which the worker has no room left, is let go of and can
//! be sent only once.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::failure::Failure;
use crate::stream::tee::{Copy, copied};
use crate::stream::{Next, Piece, Source, WholeBody};

/// What was kept of a body, and how much of it the attempt under way has been handed.
#[derive(Debug)]
pub struct Replay {
    kept: Copy,
    handed: usize,
    /// Whether more is to be kept: not once an answer is on its way.
    keeps: bool,
}

impl Replay {
    /// Keeps at most `bound` bytes.
    #[must_use]
    pub fn bounded(bound: usize) -> Replay {
        Replay { kept: Copy::bounded(bound, false), handed: 0, keeps: true }
    }

    /// Of a body all of which is here already.
    #[must_use]
    pub fn holding(body: WholeBody) -> Replay {
        Replay { kept: body.into_copy(), handed: 0, keeps: true }
    }

    /// Begins another attempt.
    pub fn rewind(&mut self) {
        self.handed = 0;
    }

    /// Whether all that has passed can be sent again.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.kept.over().is_none()
    }

    /// There will be no further attempt.
    pub fn settle(&mut self) {
        self.keeps = false;
    }

    fn next(&mut self) -> Option<Next> {
        let rest = self.kept.bytes().get(self.handed..).filter(|rest| !rest.is_empty());
        if let Some(rest) = rest {
            self.handed += rest.len();
            return Some(Next::Piece(Piece::Shared(Bytes::copy_from_slice(rest))));
        }
        self.kept.end_of_whole().map(|trailers| Next::End(trailers.map(copied)))
    }
}

/// Hands out what was kept and then what `source` does, which is kept as well.
pub struct Again<'s, S> {
    /// Where the rest of the body comes from.
    pub source: S,
    /// What was kept; `None` keeps nothing.
    pub replay: Option<&'s mut Replay>,
}

impl<S: Source> Source for Again<'_, S> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        let Some(replay) = &mut self.replay else { return self.source.poll_piece(cx) };
        if let Some(next) = replay.next() {
            return Poll::Ready(Ok(next));
        }
        let next = ready!(self.source.poll_piece(cx))?;
        if replay.keeps {
            replay.kept.note(&next);
            replay.handed = replay.kept.bytes().len();
        }
        Poll::Ready(Ok(next))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    struct Pieces(VecDeque<Next>);

    impl Source for Pieces {
        fn poll_piece(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
            self.0.pop_front().map_or(Poll::Pending, |next| Poll::Ready(Ok(next)))
        }
    }

    fn piece(bytes: &'static [u8]) -> Next {
        Next::Piece(Piece::Shared(Bytes::from_static(bytes)))
    }

    /// What an attempt is handed until it must wait, and whether that was all.
    fn handed(source: &mut Pieces, replay: &mut Replay) -> (Vec<u8>, bool) {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut again = Again { source, replay: Some(replay) };
        let mut all = Vec::new();
        loop {
            match again.poll_piece(&mut cx) {
                Poll::Ready(Ok(Next::Piece(piece))) => all.extend_from_slice(piece.bytes()),
                Poll::Ready(Ok(Next::Last(piece))) => {
                    all.extend_from_slice(piece.bytes());
                    return (all, true);
                }
                Poll::Ready(Ok(Next::End(_))) => return (all, true),
                Poll::Ready(Err(failure)) => panic!("{failure:?}"),
                Poll::Pending => return (all, false),
            }
        }
    }

    impl<S: Source> Source for &mut S {
        fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
            (**self).poll_piece(cx)
        }
    }

    #[test]
    fn each_attempt_is_handed_the_whole_body_however_much_had_come_before() {
        let mut source = Pieces(VecDeque::from([piece(b"one ")]));
        let mut replay = Replay::bounded(100);

        assert_eq!(handed(&mut source, &mut replay), (b"one ".to_vec(), false));
        replay.rewind();
        source.0.extend([piece(b"two "), Next::Last(Piece::Shared(Bytes::from_static(b"three")))]);
        assert_eq!(handed(&mut source, &mut replay), (b"one two three".to_vec(), true));
        replay.rewind();
        assert_eq!(handed(&mut source, &mut replay), (b"one two three".to_vec(), true));
    }

    #[test]
    fn a_body_past_its_bound_passes_and_cannot_be_sent_again() {
        let mut source = Pieces(VecDeque::from([piece(b"12345"), Next::End(None)]));
        let mut replay = Replay::bounded(4);

        assert_eq!(handed(&mut source, &mut replay), (b"12345".to_vec(), true));

        assert!(!replay.is_whole());
    }
}
