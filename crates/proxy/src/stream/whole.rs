//! A body that is taken in to its end before any of it goes on, because somebody must have seen all of it first.
//!
//! It is read piece by piece, so a sender is held back as always, and it is bounded twice: by what one body may have
//! and by what all such bodies of a worker may. What goes on afterwards is the same bytes or other ones; in both cases
//! it is content, which whoever sends it on puts into frames of its own.

use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::failure::Failure;
use crate::stream::room::Purpose;
use crate::stream::tee::{Copy, Over, copied};
use crate::stream::{Next, Piece, Source, Trailers};

/// A body that is being taken in.
#[derive(Debug)]
pub struct Intake(Copy);

/// Why a body was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// It has more bytes than it may.
    TooLarge,
    /// The worker holds as many bytes of other bodies as it may.
    NoRoom,
    /// It did not come to its end.
    Failed(Failure),
}

impl Intake {
    /// Takes in at most `bytes_max` bytes of content.
    #[must_use]
    pub fn bounded(bytes_max: usize) -> Intake {
        Intake(Copy::of(Purpose::Wholes, bytes_max))
    }

    /// Takes in what is there; ready when all of it is.
    ///
    /// # Errors
    /// Why it cannot be had. What was taken in of it is gone.
    pub fn poll(&mut self, cx: &mut Context<'_>, source: &mut impl Source) -> Poll<Result<(), Untaken>> {
        while !self.0.is_whole() {
            let next = ready!(source.poll_piece(cx)).map_err(Untaken::Failed)?;
            self.0.note(&next);
            match self.0.over() {
                None => {}
                Some(Over::Bound) => return Poll::Ready(Err(Untaken::TooLarge)),
                Some(Over::Room) => return Poll::Ready(Err(Untaken::NoRoom)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The body, once it was taken in.
    #[must_use]
    pub fn into_body(self) -> WholeBody {
        WholeBody { kept: self.0, changed: false, handed: false }
    }
}

/// A body all of which is here.
#[derive(Debug)]
pub struct WholeBody {
    kept: Copy,
    changed: bool,
    handed: bool,
}

impl WholeBody {
    /// Its content.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        self.kept.bytes()
    }

    /// Puts other content in its place, which then has a length of its own. Trailers that came with it speak of bytes
    /// that are no more, and go.
    pub fn replace(&mut self, content: Vec<u8>) {
        self.kept.replace(content);
        self.changed = true;
    }

    /// The length of its content, where it is not what was sent.
    #[must_use]
    pub fn changed_length(&self) -> Option<u64> {
        self.changed.then(|| self.kept.bytes().len() as u64)
    }

    /// A body that is made here.
    #[must_use]
    pub fn of(content: Vec<u8>) -> WholeBody {
        let mut kept = Copy::of(Purpose::Wholes, content.len());
        kept.end(None);
        kept.replace(content);
        WholeBody { kept, changed: false, handed: false }
    }

    /// What came behind it.
    #[must_use]
    pub fn trailers(&self) -> Option<&Trailers> {
        self.kept.end_of_whole().flatten()
    }

    /// To be kept for attempts.
    pub(super) fn into_copy(self) -> Copy {
        self.kept
    }

    /// One more, for a mirror, if the worker has room for it.
    #[must_use]
    pub fn copy(&self, bytes_max: usize) -> Copy {
        let mut copy = Copy::bounded(bytes_max, false);
        copy.take(self.content());
        copy.end(self.kept.end_of_whole().flatten().map(copied));
        copy
    }
}

impl Source for WholeBody {
    fn poll_piece(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        if !std::mem::replace(&mut self.handed, true) && !self.kept.bytes().is_empty() {
            let content = Bytes::copy_from_slice(self.kept.bytes());
            return Poll::Ready(Ok(Next::Piece(Piece::Shared(content))));
        }
        let trailers = self.kept.end_of_whole().flatten().map(copied);
        Poll::Ready(Ok(Next::End(trailers)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::task::Waker;

    use super::*;
    use crate::buffer::Text;
    use crate::limits::WHOLE_BODIES_BYTES_MAX;
    use crate::stream::Trailers;

    struct Pieces(VecDeque<Next>);

    impl Source for Pieces {
        fn poll_piece(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
            self.0.pop_front().map_or(Poll::Pending, |next| Poll::Ready(Ok(next)))
        }
    }

    fn pieces<const N: usize>(pieces: [Next; N]) -> Pieces {
        Pieces(VecDeque::from(pieces))
    }

    fn piece(bytes: &'static [u8]) -> Next {
        Next::Piece(Piece::Shared(Bytes::from_static(bytes)))
    }

    fn poll(intake: &mut Intake, source: &mut Pieces) -> Poll<Result<(), Untaken>> {
        intake.poll(&mut Context::from_waker(Waker::noop()), source)
    }

    fn trailers() -> Option<Box<Trailers>> {
        let mut text = Text::new();
        let field = crate::stream::http2::append(&mut text, b"x-sum", b"7");
        Some(Box::new(Trailers { text, fields: vec![field] }))
    }

    fn handed(body: &mut WholeBody) -> (Vec<u8>, bool) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut content = Vec::new();
        loop {
            match body.poll_piece(&mut cx) {
                Poll::Ready(Ok(Next::Piece(piece))) => content.extend_from_slice(piece.bytes()),
                Poll::Ready(Ok(Next::End(trailers))) => return (content, trailers.is_some()),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_body_is_taken_in_to_its_end_and_handed_on_as_it_came() {
        let mut source = pieces([piece(b"one ")]);
        let mut intake = Intake::bounded(100);

        assert_eq!(poll(&mut intake, &mut source), Poll::Pending);
        source.0.extend([piece(b"two"), Next::End(trailers())]);
        assert_eq!(poll(&mut intake, &mut source), Poll::Ready(Ok(())));
        let mut body = intake.into_body();

        assert_eq!((body.content(), body.changed_length()), (&b"one two"[..], None));
        assert_eq!(handed(&mut body), (b"one two".to_vec(), true));
    }

    #[test]
    fn other_bytes_have_a_length_of_their_own_and_no_trailers() {
        let mut source = pieces([piece(b"one"), Next::End(trailers())]);
        let mut intake = Intake::bounded(100);
        assert!(poll(&mut intake, &mut source).is_ready());
        let mut body = intake.into_body();

        body.replace(b"something else".to_vec());

        assert_eq!(body.changed_length(), Some(14));
        assert_eq!(handed(&mut body), (b"something else".to_vec(), false));
    }

    #[test]
    fn what_is_past_a_bound_is_not_kept() {
        let mut source = pieces([piece(b"1234"), piece(b"5"), piece(b"6")]);
        let mut intake = Intake::bounded(4);
        let held = Purpose::Wholes.held();

        assert_eq!(poll(&mut intake, &mut source), Poll::Ready(Err(Untaken::TooLarge)));

        assert_eq!(source.0.len(), 1, "no more is read than shows it");
        assert_eq!(Purpose::Wholes.held(), held);
    }

    #[test]
    fn bodies_share_the_room_of_their_worker_and_give_it_back() {
        let mut hog = crate::stream::room::Room::of(Purpose::Wholes);
        assert!(hog.takes(WHOLE_BODIES_BYTES_MAX - 1));
        let full = poll(&mut Intake::bounded(100), &mut pieces([piece(b"12")]));
        drop(hog);
        let free = poll(&mut Intake::bounded(100), &mut pieces([piece(b"12"), Next::End(None)]));

        assert_eq!(full, Poll::Ready(Err(Untaken::NoRoom)));
        assert_eq!(free, Poll::Ready(Ok(())));
        assert_eq!(Purpose::Wholes.held(), 0);
    }
}
