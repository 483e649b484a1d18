//! Futures that are borrowed, like buffers.
//!
//! The future of a whole exchange is some kilobytes. Kept inside each connection it would make ten thousand idle
//! connections expensive; boxed anew for each request it would cost an allocation. So each worker keeps a list
//! of boxes and sets the next request's future into the one used last.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::limits::BUFFERS_KEPT_MAX;

type Slot<F> = Pin<Box<Option<F>>>;

/// Boxes for futures of one kind.
#[derive(Debug)]
pub struct Exchanges<F> {
    free: RefCell<Vec<Slot<F>>>,
}

impl<F> Default for Exchanges<F> {
    fn default() -> Self {
        Exchanges { free: RefCell::default() }
    }
}

impl<F: Future> Exchanges<F> {
    /// Sets a future into a box and hands it out to be awaited.
    pub fn place(self: &Rc<Self>, future: F) -> Placed<F> {
        let slot = match self.free.borrow_mut().pop() {
            Some(mut slot) => {
                slot.set(Some(future));
                slot
            }
            None => Box::pin(Some(future)),
        };
        Placed { slot: Some(slot), home: self.clone() }
    }
}

/// A future in a borrowed box.
#[derive(Debug)]
pub struct Placed<F> {
    slot: Option<Slot<F>>,
    home: Rc<Exchanges<F>>,
}

impl<F> Unpin for Placed<F> {}

impl<F: Future> Future for Placed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.slot.as_mut().and_then(|slot| slot.as_mut().as_pin_mut()) {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Placed<F> {
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take() else { return };
        slot.set(None); // Ends the future here, whether it finished, was cancelled or panicked.
        let mut free = self.home.free.borrow_mut();
        if free.len() < BUFFERS_KEPT_MAX {
            free.push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn the_box_of_a_finished_future_is_used_for_the_next() {
        let exchanges = Rc::new(Exchanges::default());
        let make = |number: u32| async move { number };

        assert_eq!(exchanges.place(make(1)).await, 1);
        assert_eq!(exchanges.free.borrow().len(), 1);
        assert_eq!(exchanges.place(make(2)).await, 2);
        assert_eq!(exchanges.free.borrow().len(), 1);
    }

    #[tokio::test]
    async fn a_cancelled_future_is_ended_at_once() {
        struct Told(Rc<Cell<bool>>);
        impl Drop for Told {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        let ended = Rc::new(Cell::new(false));
        let told = Told(ended.clone());
        let exchanges = Rc::new(Exchanges::default());
        let mut placed = exchanges.place(async move {
            let _told = told;
            std::future::pending::<()>().await;
        });
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut placed).poll(&mut cx).is_pending());

        drop(placed);

        assert!(ended.get());
    }
}
