//! Coarse alarms for tasks: what [`super::deadlines`] is for sockets.
//!
//! Streams of an HTTP/2 connection share one socket, so a stream that waits too long cannot be ended by ending
//! the socket; its task must be woken. A timer of the runtime for each wait would cost more than the wait is
//! worth: an alarm is an entry in a list of this thread, looked over once a second.

use std::cell::RefCell;
use std::task::{Context, Poll, Waker};

#[derive(Default)]
struct Alarms {
    now: u32,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Slot {
    due: u32,
    waker: Option<Waker>,
}

thread_local! {
    static ALARMS: RefCell<Alarms> = RefCell::default();
}

/// One wait. Takes up no entry until it is first polled.
#[derive(Debug, Default)]
pub struct Alarm {
    index: Option<u32>,
}

impl Alarm {
    /// Waits until `seconds` have passed since the first poll after [`Alarm::rest`].
    pub fn poll(&mut self, seconds: u32, cx: &Context<'_>) -> Poll<()> {
        ALARMS.with_borrow_mut(|alarms| match self.index {
            None => {
                self.index = Some(alarms.take(seconds, cx.waker()));
                Poll::Pending
            }
            Some(index) => {
                let now = alarms.now;
                let slot = &mut alarms.slots[index as usize];
                if slot.due <= now {
                    return Poll::Ready(());
                }
                match &mut slot.waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => slot.waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        })
    }

    /// Something has happened: the next poll begins a new wait.
    #[inline]
    pub fn rest(&mut self) {
        let Some(index) = self.index.take() else { return };
        // A thread that is ending has no list any more.
        let _ = ALARMS.try_with(|alarms| {
            let mut alarms = alarms.borrow_mut();
            alarms.slots[index as usize] = Slot { due: u32::MAX, waker: None };
            alarms.free.push(index);
        });
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.rest();
    }
}

impl Alarms {
    fn take(&mut self, seconds: u32, waker: &Waker) -> u32 {
        // One second more: the current one has partly passed.
        let due = self.now.saturating_add(seconds).saturating_add(1);
        let slot = Slot { due, waker: Some(waker.clone()) };
        match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        }
    }

    fn pass(&mut self) -> Vec<Waker> {
        self.now += 1;
        let now = self.now;
        self.slots.iter_mut().filter(|slot| slot.due <= now).filter_map(|slot| slot.waker.take()).collect()
    }
}

/// One second has passed on this thread: wakes whoever has waited long enough.
pub fn tick() {
    // Woken outside of the borrow: a waker may do anything.
    for waker in ALARMS.with_borrow_mut(Alarms::pass) {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    struct Count(AtomicU32);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn an_alarm_wakes_its_task_once_it_is_due_and_not_before() {
        let woken = Arc::new(Count(AtomicU32::new(0)));
        let waker = Waker::from(woken.clone());
        let cx = Context::from_waker(&waker);
        let mut alarm = Alarm::default();

        assert!(alarm.poll(2, &cx).is_pending());
        tick();
        tick();
        assert_eq!(woken.0.load(Relaxed), 0);
        assert!(alarm.poll(2, &cx).is_pending());
        tick();
        assert_eq!(woken.0.load(Relaxed), 1);
        assert!(alarm.poll(2, &cx).is_ready());
    }

    #[test]
    fn a_rest_begins_the_wait_anew_and_gives_the_entry_back() {
        let cx = Context::from_waker(Waker::noop());
        let mut alarm = Alarm::default();
        let entries = || ALARMS.with_borrow(|alarms| alarms.slots.len());

        for _ in 0..10 {
            assert!(alarm.poll(1, &cx).is_pending());
            tick();
            alarm.rest();
        }

        assert_eq!(entries(), 1);
    }
}
