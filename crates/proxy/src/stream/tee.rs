//! A source that keeps a copy of what it hands out, as long as the copies of this worker stay small.
//!
//! Copying never waits: a body that would take more room than is left is let go of, and passes uncopied. A copy is
//! of the content, whichever way the original was framed, because whoever gets it may speak another version.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::buffer::Text;
use crate::codec::http1::Body;
use crate::failure::Failure;
use crate::message::Framing;
use crate::stream::room::{Purpose, Room};
use crate::stream::{Form, Next, Piece, Source, Trailers};

/// A copy of a body that is still moving.
#[derive(Debug)]
pub struct Copy {
    bytes: Vec<u8>,
    trailers: Option<Box<Trailers>>,
    /// How the bytes are handed out.
    form: Form,
    state: State,
    bound: usize,
    room: Room,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is more to come.
    Moving,
    /// The body has ended and all of it is here.
    Whole,
    /// There was more than could be kept.
    Over(Over),
}

/// Why a copy was let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// It would have more bytes than it may.
    Bound,
    /// The worker has no room left.
    Room,
}

/// A copy of a whole body; clones share its bytes.
#[derive(Clone, Debug)]
pub struct Whole {
    content: Bytes,
    trailers: Option<Rc<Trailers>>,
    _room: Rc<Room>,
}

impl Whole {
    /// Its content.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }
}

impl Copy {
    /// A copy of at most `bound` bytes; `bodiless` when there is nothing to copy.
    #[must_use]
    pub fn bounded(bound: usize, bodiless: bool) -> Copy {
        let mut copy = Copy::of(Purpose::Copies, bound);
        if bodiless {
            copy.state = State::Whole;
        }
        copy
    }

    /// The same for any purpose.
    pub(super) fn of(purpose: Purpose, bound: usize) -> Copy {
        let (form, state) = (Form::Content, State::Moving);
        Copy { bytes: Vec::new(), trailers: None, form, state, bound, room: Room::of(purpose) }
    }

    /// Says in which form a body with this framing will be handed out.
    pub fn expect(&mut self, form: Form, framing: Framing) {
        self.form = if framing == Framing::Chunked { form } else { Form::Content };
    }

    /// The copy, if there is one of the whole body.
    #[must_use]
    pub fn into_whole(mut self) -> Option<Whole> {
        if self.state != State::Whole {
            return None;
        }
        if self.form == Form::Raw {
            // It was checked when it passed; what cannot be decoded now is no copy.
            let length = Body::new(Framing::Chunked).decode_in_place(&mut self.bytes).ok()?.data;
            self.bytes.truncate(length);
        }
        let trailers = self.trailers.map(|trailers| Rc::new(*trailers));
        Some(Whole { content: self.bytes.into(), trailers, _room: Rc::new(self.room) })
    }

    /// Why nothing is kept, if nothing is.
    pub(super) fn over(&self) -> Option<Over> {
        match self.state {
            State::Over(why) => Some(why),
            State::Moving | State::Whole => None,
        }
    }

    /// Whether the body has ended and all of it is here.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// What has come so far.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The end of a body all of which is here, with its trailers.
    pub(super) fn end_of_whole(&self) -> Option<Option<&Trailers>> {
        (self.state == State::Whole).then_some(self.trailers.as_deref())
    }

    /// Puts other content in the place of a whole body's.
    pub(super) fn replace(&mut self, content: Vec<u8>) {
        self.bytes = content;
        self.trailers = None;
    }

    /// Takes in what passes.
    pub(super) fn note(&mut self, next: &Next) {
        match next {
            Next::Piece(piece) => self.take(piece.bytes()),
            Next::Last(piece) => {
                self.take(piece.bytes());
                self.end(None);
            }
            Next::End(trailers) => self.end(trailers.as_deref().map(copied)),
        }
    }

    /// Takes in some bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.over().is_some() {
            return;
        }
        if self.bytes.len() + bytes.len() > self.bound {
            self.let_go(Over::Bound);
        } else if self.room.takes(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.let_go(Over::Room);
        }
    }

    fn let_go(&mut self, why: Over) {
        self.state = State::Over(why);
        self.bytes = Vec::new();
        self.room.clear();
    }

    /// Takes in the end.
    pub(super) fn end(&mut self, trailers: Option<Box<Trailers>>) {
        self.trailers = trailers;
        if self.state == State::Moving {
            self.state = State::Whole;
        }
    }
}

pub(super) fn copied(trailers: &Trailers) -> Box<Trailers> {
    let mut text = Text::new();
    text.extend_from_slice(&trailers.text);
    Box::new(Trailers { text, fields: trailers.fields.clone() })
}

impl Source for Option<Whole> {
    fn poll_piece(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        let Some(whole) = self else { return Poll::Ready(Ok(Next::End(None))) };
        if !whole.content.is_empty() {
            return Poll::Ready(Ok(Next::Piece(Piece::Shared(std::mem::take(&mut whole.content)))));
        }
        let trailers = whole.trailers.take();
        Poll::Ready(Ok(Next::End(trailers.as_deref().map(copied))))
    }
}

/// Hands out what `source` does and copies it.
pub struct Tee<'s, S> {
    /// Where the body comes from.
    pub source: &'s mut S,
    /// Where its copy goes; `None` copies nothing.
    pub copy: Option<&'s mut Copy>,
}

impl<S: Source> Source for Tee<'_, S> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, Failure>> {
        let next = ready!(self.source.poll_piece(cx))?;
        if let Some(copy) = &mut self.copy {
            copy.note(&next);
        }
        Poll::Ready(Ok(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BODIES_HELD_BYTES_MAX;

    fn piece(bytes: &'static [u8]) -> Piece {
        Piece::Shared(Bytes::from_static(bytes))
    }

    #[test]
    fn a_copy_of_chunks_is_of_their_content() {
        let mut copy = Copy::bounded(100, false);
        copy.expect(Form::Raw, Framing::Chunked);

        copy.note(&Next::Piece(piece(b"5\r\nhel")));
        copy.note(&Next::Last(piece(b"lo\r\n3;x=y\r\nyou\r\n0\r\n\r\n")));

        assert_eq!(&copy.into_whole().expect("a copy").content[..], b"helloyou");
    }

    #[test]
    fn what_is_too_large_or_unfinished_is_no_copy_and_gives_its_room_back() {
        let before = Purpose::Copies.held();
        let mut over = Copy::bounded(4, false);
        over.note(&Next::Piece(piece(b"1234")));
        assert_eq!(Purpose::Copies.held(), before + 4);
        over.note(&Next::Last(piece(b"5")));
        assert_eq!(Purpose::Copies.held(), before);
        let mut unfinished = Copy::bounded(4, false);
        unfinished.note(&Next::Piece(piece(b"1234")));

        assert!(over.into_whole().is_none());
        assert!(unfinished.into_whole().is_none());
        assert_eq!(Purpose::Copies.held(), before);
    }

    #[test]
    fn copies_share_the_room_of_their_worker() {
        let mut hog = Room::of(Purpose::Copies);
        assert!(hog.takes(BODIES_HELD_BYTES_MAX - 1));
        let mut copy = Copy::bounded(100, false);

        copy.note(&Next::Last(piece(b"12")));

        assert!(copy.into_whole().is_none());
    }

    #[test]
    fn the_end_of_a_copy_is_that_of_the_original() {
        let mut copy = Copy::bounded(100, false);
        let mut trailers = Trailers::default();
        trailers.fields.push(crate::stream::http2::append(&mut trailers.text, b"x-sum", b"7"));
        copy.note(&Next::Piece(piece(b"hello")));
        copy.note(&Next::End(Some(Box::new(trailers))));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut whole = copy.into_whole();

        let Poll::Ready(Ok(Next::Piece(content))) = whole.poll_piece(&mut cx) else { panic!("the content") };
        assert_eq!(content.bytes(), b"hello");
        let Poll::Ready(Ok(Next::End(Some(trailers)))) = whole.poll_piece(&mut cx) else {
            panic!("trailers")
        };
        assert!(trailers.iter().eq([(&b"x-sum"[..], &b"7"[..])]));
    }
}
