//! Futures that are borrowed, like buffers.
//!
//! The future of a whole exchange is some kilobytes. Kept inside each connection it would make ten thousand idle
//! connections expensive; boxed anew for each request it would cost an allocation, and moved into a box that lies ready
//! it would be copied. So each worker keeps a list of boxes in which a future runs that carries one request after the
//! other: it is made once, waits for the next request in its [`Seat`], and lies where it is.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::limits::BUFFERS_KEPT_MAX;

/// Where a future in a box is handed its next request, and leaves what came of it.
pub struct Seat<J, R> {
    job: Cell<Option<J>>,
    done: Cell<Option<R>>,
}

/// What lies in it cannot be shown without taking it out.
impl<J, R> fmt::Debug for Seat<J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seat(…)")
    }
}

impl<J, R> Seat<J, R> {
    /// The next request. Whoever places one polls, so nobody has to be woken.
    pub async fn next(&self) -> J {
        poll_fn(|_| self.job.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// What came of the request.
    pub fn finish(&self, result: R) {
        self.done.set(Some(result));
    }
}

/// Boxes with futures of one kind.
#[derive(Debug)]
pub struct Exchanges<J, R, F> {
    free: RefCell<Vec<Runner<J, R, F>>>,
    make: fn(Rc<Seat<J, R>>) -> F,
}

#[derive(Debug)]
struct Runner<J, R, F> {
    seat: Rc<Seat<J, R>>,
    future: Pin<Box<F>>,
}

impl<J, R, F: Future<Output = Infallible>> Exchanges<J, R, F> {
    /// None yet; `make` makes a future that carries one request after the other.
    pub fn new(make: fn(Rc<Seat<J, R>>) -> F) -> Exchanges<J, R, F> {
        Exchanges { free: RefCell::default(), make }
    }

    /// Hands a request to a future, which is to be awaited.
    pub fn place(self: &Rc<Self>, job: J) -> Placed<J, R, F> {
        let kept = self.free.borrow_mut().pop();
        let runner = kept.unwrap_or_else(|| {
            let seat = Rc::new(Seat { job: Cell::new(None), done: Cell::new(None) });
            Runner { future: Box::pin((self.make)(seat.clone())), seat }
        });
        runner.seat.job.set(Some(job));
        Placed { runner: Some(runner), home: self.clone() }
    }
}

/// A request on its way in a borrowed box. Dropping it before its end ends the future in the box with it.
#[derive(Debug)]
pub struct Placed<J, R, F> {
    runner: Option<Runner<J, R, F>>,
    home: Rc<Exchanges<J, R, F>>,
}

impl<J, R, F> Unpin for Placed<J, R, F> {}

impl<J, R, F: Future<Output = Infallible>> Future for Placed<J, R, F> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        // Taken out for the time: what panics is not used again.
        let Some(mut runner) = self.runner.take() else { return Poll::Pending };
        let Poll::Pending = runner.future.as_mut().poll(cx);
        match runner.seat.done.take() {
            Some(result) => {
                let mut free = self.home.free.borrow_mut();
                if free.len() < BUFFERS_KEPT_MAX {
                    free.push(runner);
                }
                Poll::Ready(result)
            }
            None => {
                self.runner = Some(runner);
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Number = Seat<u32, u32>;

    async fn doubling(seat: Rc<Number>) -> Infallible {
        loop {
            let number = seat.next().await;
            tokio::task::yield_now().await;
            seat.finish(number * 2);
        }
    }

    #[tokio::test]
    async fn the_box_of_a_finished_request_is_used_for_the_next() {
        let exchanges = Rc::new(Exchanges::new(doubling));

        assert_eq!(exchanges.place(1).await, 2);
        assert_eq!(exchanges.free.borrow().len(), 1);
        assert_eq!(exchanges.place(2).await, 4);
        assert_eq!(exchanges.free.borrow().len(), 1);
    }

    #[tokio::test]
    async fn two_requests_at_once_have_a_box_each() {
        let exchanges = Rc::new(Exchanges::new(doubling));

        let both = futures_util::future::join(exchanges.place(3), exchanges.place(4)).await;

        assert_eq!(both, (6, 8));
        assert_eq!(exchanges.free.borrow().len(), 2);
    }

    struct Told(Rc<Cell<bool>>);

    impl Drop for Told {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    async fn waiting(seat: Rc<Seat<Told, ()>>) -> Infallible {
        loop {
            let _told = seat.next().await;
            std::future::pending::<()>().await;
        }
    }

    #[tokio::test]
    async fn a_cancelled_request_is_ended_at_once_and_its_box_is_not_used_again() {
        let ended = Rc::new(Cell::new(false));
        let exchanges = Rc::new(Exchanges::new(waiting));
        let mut placed = exchanges.place(Told(ended.clone()));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut placed).poll(&mut cx).is_pending());

        drop(placed);

        assert!(ended.get());
        assert!(exchanges.free.borrow().is_empty());
    }
}
