//! Coarse deadlines: one slot a connection, swept once a second.
//!
//! A timer entry per request would cost more than parsing it. Idle, head, body and write deadlines need no
//! precision, so each connection owns one slot with the second at which it is due. When it is, the kernel is
//! told to end the connection; its owner sees end of file and asks the slot why.

use std::cell::{Cell, RefCell};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

use os::End;

use crate::state::ports::PortState;

/// All deadlines of one worker.
#[derive(Debug, Default)]
pub struct Deadlines {
    now: Cell<u32>,
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<u32>>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    socket: RawFd,
    due: u32,
    end: End,
    fired: bool,
    /// Address of the port's state while the connection waits for a request; 0 while it carries one.
    idle: usize,
}

const NEVER: u32 = u32::MAX;

/// A bound of time in the seconds that deadlines count, rounded up: what was asked for is granted in full.
#[must_use]
pub fn whole_seconds(bound: Duration) -> u32 {
    let part = u64::from(bound.subsec_nanos() > 0);
    u32::try_from(bound.as_secs().saturating_add(part)).unwrap_or(NEVER)
}

/// A connection's deadline. Dropping it takes the socket out of the register, so it must be dropped before the
/// socket is closed: keep it in a field declared above the socket's (fields drop in order of declaration).
#[derive(Debug)]
pub struct Deadline {
    index: u32,
    owner: Rc<Deadlines>,
}

impl Deadlines {
    /// A slot for a socket, with no deadline yet.
    #[must_use]
    pub fn register(self: &Rc<Self>, socket: RawFd) -> Deadline {
        let slot = Slot { socket, due: NEVER, end: End::Both, fired: false, idle: 0 };
        let mut slots = self.slots.borrow_mut();
        let index = match self.free.borrow_mut().pop() {
            Some(index) => {
                slots[index as usize] = slot;
                index
            }
            None => {
                slots.push(slot);
                (slots.len() - 1) as u32
            }
        };
        Deadline { index, owner: self.clone() }
    }

    /// Seconds since this worker started.
    #[must_use]
    pub fn now(&self) -> u32 {
        self.now.get()
    }

    /// One second has passed: ends what is due.
    pub fn tick(&self) {
        let now = self.now.get() + 1;
        self.now.set(now);
        self.end_where(|slot| slot.due <= now);
        super::alarms::tick();
    }

    /// Ends every connection of one port that waits for a new request.
    pub fn end_idle_of(&self, port: &Rc<PortState>) {
        let port = Rc::as_ptr(port) as usize;
        self.end_where(|slot| slot.idle == port);
    }

    fn end_where(&self, due: impl Fn(&Slot) -> bool) {
        for slot in self.slots.borrow_mut().iter_mut() {
            if slot.socket >= 0 && !slot.fired && due(slot) {
                slot.fired = true;
                // The peer may have been faster; then there is nothing left to end.
                let _ = os::shutdown(slot.socket, slot.end);
            }
        }
    }
}

impl Deadline {
    /// Nothing is due until another deadline is set.
    pub fn none(&self) {
        let slot = &mut self.owner.slots.borrow_mut()[self.index as usize];
        slot.due = NEVER;
        slot.idle = 0;
    }

    /// Ends reading when `seconds` have passed: an answer can still be given.
    pub fn reading(&self, seconds: u32) {
        self.set(seconds, End::Reading, 0);
    }

    /// Ends the connection when `seconds` have passed.
    pub fn moving(&self, seconds: u32) {
        self.set(seconds, End::Both, 0);
    }

    /// The connection waits for a new request and may be closed at any time without harm.
    pub fn idle(&self, seconds: u32, port: &Rc<PortState>) {
        self.set(seconds, End::Reading, Rc::as_ptr(port) as usize);
    }

    fn set(&self, seconds: u32, end: End, idle: usize) {
        let due = self.owner.now.get().saturating_add(seconds).saturating_add(1);
        let slot = &mut self.owner.slots.borrow_mut()[self.index as usize];
        slot.due = due;
        slot.end = end;
        slot.idle = idle;
    }

    /// Whether this deadline ended the connection.
    #[must_use]
    pub fn fired(&self) -> bool {
        self.owner.slots.borrow()[self.index as usize].fired
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let slot = &mut self.owner.slots.borrow_mut()[self.index as usize];
        slot.socket = -1;
        slot.due = NEVER;
        slot.idle = 0;
        self.owner.free.borrow_mut().push(self.index);
    }
}
