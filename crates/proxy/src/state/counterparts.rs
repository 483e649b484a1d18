//! Every open connection of the mesh, so that trust can be taken back from it.
//!
//! Looked at once a second. A connection whose other end is no longer believed, or for which we cannot vouch ourselves
//! any more, takes no further request and is cut after `MESH_DISTRUST_SECONDS`. One that is merely out of date (the
//! certificate it was opened with was renewed or has expired) takes no further request and is never cut.

use std::cell::RefCell;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use identity::Member;

use crate::counterpart::Counterpart;
use crate::limits::MESH_DISTRUST_SECONDS;

/// The connections of one worker.
#[derive(Debug, Default)]
pub struct Counterparts {
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<usize>>,
}

#[derive(Debug)]
struct Slot {
    socket: RawFd,
    counterpart: Option<Rc<Counterpart>>,
    direction: Direction,
    /// Looks left until it is cut; `None` while it is believed.
    left: Option<u32>,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The other end.
    Inbound,
    /// We did: the other end is chosen anew with the next connection, so this one gives way to a renewed certificate.
    Outbound,
}

/// Keeps a connection in the register. It must be dropped before its socket is closed: keep it in a field declared
/// above the socket's.
#[derive(Debug)]
pub struct Known {
    index: usize,
    owner: Rc<Counterparts>,
    /// Who is at the other end.
    pub counterpart: Rc<Counterpart>,
}

impl Counterparts {
    /// Takes a connection into the register.
    #[must_use]
    pub fn register(
        self: &Rc<Self>,
        counterpart: Rc<Counterpart>,
        socket: RawFd,
        direction: Direction,
    ) -> Known {
        let slot = Slot { socket, counterpart: Some(counterpart.clone()), direction, left: None };
        let mut slots = self.slots.borrow_mut();
        let index = match self.free.borrow_mut().pop() {
            Some(index) => {
                slots[index] = slot;
                index
            }
            None => {
                slots.push(slot);
                slots.len() - 1
            }
        };
        Known { index, owner: self.clone(), counterpart }
    }

    /// A second has passed; it is `unix` since the Unix epoch.
    pub fn tick(&self, member: &Member, unix: Duration) {
        if self.slots.borrow().is_empty() {
            return; // Whoever has nothing to do with a mesh pays nothing for it.
        }
        let standing = member.standing();
        let own = standing.svid_at(unix);
        for slot in self.slots.borrow_mut().iter_mut() {
            let Some(counterpart) = &slot.counterpart else { continue };
            let believed = own.is_some() && counterpart.verified.is_trusted_by(&standing.bundles);
            if !believed {
                counterpart.retire();
                slot.wind_down();
                continue;
            }
            slot.left = None;
            let renewed = slot.direction == Direction::Outbound
                && own.is_some_and(|own| !Arc::ptr_eq(own, &counterpart.shown));
            if renewed || !counterpart.verified.is_valid_at(unix) {
                counterpart.retire();
            }
        }
    }
}

impl Slot {
    fn wind_down(&mut self) {
        match self.left {
            None => self.left = Some(MESH_DISTRUST_SECONDS),
            Some(0) => {
                // The other side may have been faster; then there is nothing left to end.
                let _ = os::shutdown(self.socket, os::End::Both);
            }
            Some(left) => self.left = Some(left - 1),
        }
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        self.owner.slots.borrow_mut()[self.index].counterpart = None;
        self.owner.free.borrow_mut().push(self.index);
    }
}
