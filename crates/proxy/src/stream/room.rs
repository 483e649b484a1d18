//! Memory for bodies that are held longer than a piece takes to pass, counted by worker.
//!
//! Copies and bodies taken in whole have an account each: a copy is let go of when there is no room, a request is
//! refused, and what nobody waits for must not be why somebody is.

use std::cell::Cell;

use crate::limits::{BODIES_HELD_BYTES_MAX, WHOLE_BODIES_BYTES_MAX};

/// What bodies are held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be sent once more, to a mirror or another endpoint.
    Copies,
    /// To be looked at as a whole before any of it goes on.
    Wholes,
}

thread_local! {
    static HELD: [Cell<usize>; 2] = const { [Cell::new(0), Cell::new(0)] };
}

impl Purpose {
    fn bytes_max(self) -> usize {
        match self {
            Purpose::Copies => BODIES_HELD_BYTES_MAX,
            Purpose::Wholes => WHOLE_BODIES_BYTES_MAX,
        }
    }

    fn account(self) -> usize {
        match self {
            Purpose::Copies => 0,
            Purpose::Wholes => 1,
        }
    }

    /// Bytes held for it.
    #[cfg(test)]
    pub(super) fn held(self) -> usize {
        HELD.with(|held| held[self.account()].get())
    }
}

/// Room that a body takes of its worker's, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    purpose: Purpose,
    bytes: usize,
}

impl Room {
    /// No room yet.
    pub(super) fn of(purpose: Purpose) -> Room {
        Room { purpose, bytes: 0 }
    }

    /// Takes more, if there is some.
    pub(super) fn takes(&mut self, count: usize) -> bool {
        HELD.with(|held| {
            let account = &held[self.purpose.account()];
            let sum = account.get() + count;
            if sum > self.purpose.bytes_max() {
                return false;
            }
            account.set(sum);
            self.bytes += count;
            true
        })
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // A thread that is ending counts no more.
        let _ = HELD.try_with(|held| {
            let account = &held[self.purpose.account()];
            account.set(account.get() - bytes);
        });
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.clear();
    }
}
