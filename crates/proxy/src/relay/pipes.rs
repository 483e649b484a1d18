//! Pipes of a worker, lent to tunnels for as long as many bytes move.
//!
//! A pipe is a piece of the kernel's memory that a tunnel needs only while it is busy. It is given back empty, so that
//! nobody's bytes are ever met by somebody else; one that still holds some is closed instead.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use os::Pipe;

use crate::limits::{PIPE_BYTES, PIPE_BYTES_MIN, PIPES_KEPT_MAX, PIPES_LENT_MAX};

#[derive(Default)]
struct Pool {
    kept: Vec<Pipe>,
    lent: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// A pipe that goes back when it is dropped.
#[derive(Debug)]
pub struct Lent(Option<Pipe>);

/// A pipe, unless too many are lent already, the system has no descriptors left or would give one that is not worth
/// it. Bytes are then copied instead.
pub fn lend() -> Option<Lent> {
    POOL.with_borrow_mut(|pool| {
        if pool.lent >= PIPES_LENT_MAX {
            return None;
        }
        let pipe = match pool.kept.pop() {
            Some(pipe) => pipe,
            None => Pipe::new(PIPE_BYTES).ok().filter(|pipe| pipe.capacity() >= PIPE_BYTES_MIN)?,
        };
        pool.lent += 1;
        Some(Lent(Some(pipe)))
    })
}

impl Deref for Lent {
    type Target = Pipe;

    fn deref(&self) -> &Pipe {
        self.0.as_ref().expect("a pipe is there until it is given back")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Pipe {
        self.0.as_mut().expect("a pipe is there until it is given back")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let pipe = self.0.take();
        // A thread that is ending has no list any more; the pipe is then simply closed.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            pool.lent -= 1;
            if let Some(pipe) = pipe.filter(|pipe| pipe.held() == 0)
                && pool.kept.len() < PIPES_KEPT_MAX
            {
                pool.kept.push(pipe);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_pipes_are_lent_than_the_bound_and_they_come_back() {
        let lent: Vec<Lent> = std::iter::from_fn(lend).take(PIPES_LENT_MAX + 1).collect();

        assert!(lent.len() <= PIPES_LENT_MAX);
        assert!(lend().is_none() || lent.len() < PIPES_LENT_MAX);
        drop(lent);
        assert!(lend().is_some());
        POOL.with_borrow(|pool| assert!(pool.lent == 0 && pool.kept.len() <= PIPES_KEPT_MAX));
    }
}
