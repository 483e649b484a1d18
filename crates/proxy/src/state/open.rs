//! Requests under way that wait, so that a change can tell them to look at themselves again.
//!
//! A slot is taken when a request first has to wait. Whoever carries one request after the other lends its slot to each
//! of them, so that the waker in it is made once for a connection; the slot goes back when the connection ends. Slots
//! are reused, so that a worker in its steady state allocates none. Telling wakes everybody who waits once. Who it
//! concerns finds that out for itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

/// All waiting requests of one worker.
#[derive(Debug, Default)]
pub struct OpenRequests {
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<u32>>,
}

#[derive(Debug)]
struct Slot {
    waker: Option<Waker>,
    waits: bool,
    told: bool,
}

/// The place of a request among those that wait, and then of the next one.
#[derive(Debug)]
pub struct OpenRequest {
    all: Rc<OpenRequests>,
    index: Cell<u32>,
}

const NONE: u32 = u32::MAX;

impl OpenRequests {
    /// A place for a request that does not wait yet.
    #[must_use]
    pub fn request(self: &Rc<Self>) -> OpenRequest {
        OpenRequest { all: self.clone(), index: Cell::new(NONE) }
    }

    /// Wakes everybody who waits.
    pub fn tell(&self) {
        for slot in self.slots.borrow_mut().iter_mut().filter(|slot| slot.waits) {
            slot.told = true;
            if let Some(waker) = &slot.waker {
                waker.wake_by_ref();
            }
        }
    }

    fn enter(&self, waker: &Waker) -> u32 {
        let slot = Slot { waker: Some(waker.clone()), waits: true, told: false };
        let mut slots = self.slots.borrow_mut();
        match self.free.borrow_mut().pop() {
            Some(index) => {
                slots[index as usize] = slot;
                index
            }
            None => {
                slots.push(slot);
                (slots.len() - 1) as u32
            }
        }
    }
}

impl OpenRequest {
    /// Whether it was told since it was last asked. From now on its task is woken when it is.
    #[inline]
    #[must_use]
    pub fn is_told(&self, cx: &Context<'_>) -> bool {
        let index = self.index.get();
        if index == NONE {
            self.index.set(self.all.enter(cx.waker()));
            return false;
        }
        let slot = &mut self.all.slots.borrow_mut()[index as usize];
        match &mut slot.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            waker => *waker = Some(cx.waker().clone()),
        }
        slot.waits = true;
        std::mem::take(&mut slot.told)
    }

    /// The request is over; nobody waits here until the next one does.
    #[inline]
    pub fn rests(&self) {
        if let Some(slot) = self.all.slots.borrow_mut().get_mut(self.index.get() as usize) {
            slot.waits = false;
            slot.told = false;
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        if self.index.get() == NONE {
            return;
        }
        self.rests();
        self.all.slots.borrow_mut()[self.index.get() as usize].waker = None;
        self.all.free.borrow_mut().push(self.index.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_once_and_slots_are_used_again() {
        let all = Rc::new(OpenRequests::default());
        let cx = Context::from_waker(Waker::noop());
        let (one, two) = (all.request(), all.request());

        assert!(!one.is_told(&cx));
        all.tell();
        assert!(one.is_told(&cx) && !one.is_told(&cx));
        assert!(!two.is_told(&cx), "it had not waited");
        drop(one);
        let three = all.request();
        assert!(!three.is_told(&cx));
        assert_eq!(all.slots.borrow().len(), 2);
    }

    #[test]
    fn what_was_told_to_one_request_is_not_told_to_the_next_one_in_its_place() {
        let all = Rc::new(OpenRequests::default());
        let cx = Context::from_waker(Waker::noop());
        let place = all.request();

        assert!(!place.is_told(&cx));
        all.tell();
        place.rests();
        assert!(!place.is_told(&cx), "the one before was told");
        place.rests();
        all.tell();
        assert!(!place.is_told(&cx), "nobody waited");
        all.tell();
        assert!(place.is_told(&cx));
    }
}
