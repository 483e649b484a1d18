//! A source that keeps a copy of what it hands out, as long as the copy stays small.

use std::task::{Context, Poll, ready};

use crate::failure::Failure;
use crate::stream::{Next, Source};

/// A copy of a body.
#[derive(Debug, Default)]
pub struct Copy {
    /// The bytes so far, in the form they were handed out.
    pub bytes: Vec<u8>,
    /// The body has ended and all of it is here.
    pub whole: bool,
    /// There was more than the bound; what is here is of no use.
    pub over: bool,
    bound: usize,
}

impl Copy {
    /// A copy of at most `bound` bytes.
    #[must_use]
    pub fn bounded(bound: usize) -> Copy {
        Copy { bound, ..Copy::default() }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.over || self.bytes.len() + bytes.len() > self.bound {
            self.over = true;
            self.bytes = Vec::new();
            return;
        }
        self.bytes.extend_from_slice(bytes);
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
            match &next {
                Next::Piece(piece) => copy.take(piece.bytes()),
                Next::Last(piece) => {
                    copy.take(piece.bytes());
                    copy.whole = !copy.over;
                }
                Next::End(_) => copy.whole = !copy.over,
            }
        }
        Poll::Ready(Ok(next))
    }
}
