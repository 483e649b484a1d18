//! Buffers that are borrowed for as long as bytes are in them.
//!
//! An idle connection owns none: with tens of thousands of them that is the difference between megabytes and
//! gigabytes. Each worker keeps a last-in-first-out list of each size, so the next request gets the memory that
//! is still in the cache. Dropping a buffer returns it.

use std::cell::RefCell;

use crate::limits::{BODY_BUFFER_BYTES, BUFFERS_KEPT_MAX, HEAD_BUFFER_BYTES};

/// Bytes `start..end` of a fixed block of memory.
#[derive(Debug)]
pub struct Buffer {
    block: Option<Box<[u8]>>,
    /// First byte in use.
    pub start: usize,
    /// One past the last byte in use.
    pub end: usize,
}

struct Kept {
    head: Vec<Box<[u8]>>,
    body: Vec<Box<[u8]>>,
    text: Vec<Vec<u8>>,
}

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept { head: Vec::new(), body: Vec::new(), text: Vec::new() }) };
}

impl Buffer {
    /// An empty buffer large enough for any head (`HEAD_BUFFER_BYTES`).
    #[must_use]
    pub fn for_head() -> Buffer {
        let kept = KEPT.with_borrow_mut(|kept| kept.head.pop());
        Buffer::around(kept.unwrap_or_else(|| vec![0; HEAD_BUFFER_BYTES].into_boxed_slice()))
    }

    /// An empty buffer for a piece of a body (`BODY_BUFFER_BYTES`).
    #[must_use]
    pub fn for_body() -> Buffer {
        let kept = KEPT.with_borrow_mut(|kept| kept.body.pop());
        Buffer::around(kept.unwrap_or_else(|| vec![0; BODY_BUFFER_BYTES].into_boxed_slice()))
    }

    fn around(block: Box<[u8]>) -> Buffer {
        Buffer { block: Some(block), start: 0, end: 0 }
    }

    /// The whole block, in use or not.
    #[inline]
    pub fn block(&mut self) -> &mut [u8] {
        self.block.as_deref_mut().unwrap_or_default()
    }

    /// The bytes in use.
    #[inline]
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.block.as_deref().unwrap_or_default()[self.start..self.end]
    }

    /// The bytes in use, for changing in place.
    #[inline]
    pub fn filled_mut(&mut self) -> &mut [u8] {
        let (start, end) = (self.start, self.end);
        &mut self.block()[start..end]
    }

    /// Room behind the bytes in use.
    #[inline]
    pub fn room(&mut self) -> &mut [u8] {
        let end = self.end;
        &mut self.block()[end..]
    }

    /// Whether no more bytes fit behind those in use.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.end == self.block.as_deref().map_or(0, <[u8]>::len)
    }

    /// Number of bytes in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether no bytes are in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// A buffer that begins with a copy of what was left over in another one.
    ///
    /// # Panics
    /// When it does not fit, which cannot be: it came out of a buffer of that size.
    #[must_use]
    pub fn with_rest(bytes: &[u8]) -> Buffer {
        let mut buffer =
            if bytes.len() <= HEAD_BUFFER_BYTES / 2 { Buffer::for_head() } else { Buffer::for_body() };
        buffer.room()[..bytes.len()].copy_from_slice(bytes);
        buffer.end = bytes.len();
        buffer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(block) = self.block.take() else { return };
        // A thread that is ending has no list any more; the block is then simply freed.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            let list = if block.len() == HEAD_BUFFER_BYTES { &mut kept.head } else { &mut kept.body };
            if list.len() < BUFFERS_KEPT_MAX {
                list.push(block);
            }
        });
    }
}

/// Growable text on its way out (a head that is being written), borrowed from the worker in the same way.
#[derive(Debug)]
pub struct Text(Vec<u8>);

impl Text {
    /// An empty text that borrows nothing yet.
    #[must_use]
    pub fn empty() -> Text {
        Text(Vec::new())
    }

    /// An empty text with the capacity of whoever used it before.
    #[must_use]
    pub fn new() -> Text {
        Text(KEPT.with_borrow_mut(|kept| kept.text.pop()).unwrap_or_else(|| Vec::with_capacity(4096)))
    }
}

impl Default for Text {
    fn default() -> Self {
        Text::new()
    }
}

impl std::ops::Deref for Text {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl std::ops::DerefMut for Text {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        let mut text = std::mem::take(&mut self.0);
        if text.capacity() == 0 || text.capacity() > HEAD_BUFFER_BYTES * 2 {
            return;
        }
        text.clear();
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.text.len() < BUFFERS_KEPT_MAX {
                kept.text.push(text);
            }
        });
    }
}
