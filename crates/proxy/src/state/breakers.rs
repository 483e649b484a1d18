//! How much a cluster is given at a time: requests, connections, and requests that wait for a connection.
//!
//! Counted by each worker for itself; a limit is shared out among the workers, so that nothing is shared between
//! them. The counts outlive a change of configuration, because what they count does.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

use crate::state::budget::RetryCounts;

/// What one worker has under way at one cluster.
#[derive(Debug, Default)]
pub struct Breakers {
    /// Requests and retries of the last seconds.
    pub retries: RetryCounts,
    requests: Rc<Cell<u32>>,
    waiting: Rc<Cell<u32>>,
    connections: Rc<Connections>,
}

#[derive(Debug, Default)]
struct Connections {
    open: Cell<u32>,
    /// Told when a connection was closed or became idle.
    freed: Notify,
}

/// Holds a place under a limit for as long as it lives.
#[derive(Debug)]
pub struct Place(Rc<Cell<u32>>);

impl Place {
    fn take(count: &Rc<Cell<u32>>, limit: u32) -> Option<Place> {
        if count.get() >= limit {
            return None;
        }
        count.set(count.get() + 1);
        Some(Place(count.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A request that may share its connection: when it ends, one who waits looks again.
#[derive(Debug)]
pub struct Sharing(Rc<Connections>);

impl Drop for Sharing {
    fn drop(&mut self) {
        self.0.freed.notify_one();
    }
}

/// A connection that counts against a limit for as long as it is open.
#[derive(Debug)]
pub struct OpenConnection(Rc<Connections>);

impl OpenConnection {
    /// Tells one who waits that the connection has become idle.
    pub fn rests(&self) {
        self.0.freed.notify_one();
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        self.0.freed.notify_one();
    }
}

impl Breakers {
    /// A place for one more request.
    #[must_use]
    pub fn request(&self, limit: u32) -> Option<Place> {
        Place::take(&self.requests, limit)
    }

    /// A place among those who wait for a connection.
    #[must_use]
    pub fn wait(&self, limit: u32) -> Option<Place> {
        Place::take(&self.waiting, limit)
    }

    /// Room for one more connection.
    #[must_use]
    pub fn connection(&self, limit: u32) -> Option<OpenConnection> {
        let Connections { open, freed: _ } = &*self.connections;
        if open.get() >= limit {
            return None;
        }
        open.set(open.get() + 1);
        Some(OpenConnection(self.connections.clone()))
    }

    /// Tells one who waits when the request ends.
    #[must_use]
    pub fn share(&self) -> Sharing {
        Sharing(self.connections.clone())
    }

    /// Waits until a connection may have become free.
    pub async fn freed(&self) {
        self.connections.freed.notified().await;
    }
}

/// A worker's share of a limit of the process, rounded up so that each may do something.
#[must_use]
pub fn share(limit: u32, workers: u32) -> u32 {
    limit.div_ceil(workers.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_when_it_is_let_go_of() {
        let breakers = Breakers::default();

        let first = breakers.request(1);
        assert!(first.is_some() && breakers.request(1).is_none());
        drop(first);
        assert!(breakers.request(1).is_some());

        let open = breakers.connection(1);
        assert!(open.is_some() && breakers.connection(1).is_none());
        drop(open);
        assert!(breakers.connection(1).is_some());
    }

    #[test]
    fn workers_share_a_limit_and_none_is_left_with_nothing() {
        assert_eq!(share(10, 4), 3);
        assert_eq!(share(1, 4), 1);
        assert_eq!(share(8, 1), 8);
    }
}
