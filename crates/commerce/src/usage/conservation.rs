//! Whether what is billed is what came in: two counts of the same requests, made apart, must agree.
//!
//! Every request to an operation is counted twice: once for who called what, and once for the listener by which it
//! came. The first count goes through names, subscriptions and plans; the second one knows nothing of them. Where their
//! sums differ, something was counted that did not come, or came and was not counted.

use super::Counts;

/// One of the two counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// By who called what.
    Usage,
    /// By listener.
    Listeners,
}

/// Both counts of a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conservation {
    /// By who called what.
    pub usage: Counts,
    /// By listener.
    pub listeners: Counts,
}

impl Conservation {
    /// Adds what one side has counted.
    pub fn add(&mut self, side: Side, counts: &Counts) {
        match side {
            Side::Usage => self.usage.add(counts),
            Side::Listeners => self.listeners.add(counts),
        }
    }

    /// By how many requests they differ; 0 is as it must be.
    #[must_use]
    pub fn error(&self) -> u64 {
        let apart = |(one, other): (&u64, &u64)| one.abs_diff(*other);
        // A request in the wrong class is missing in one and too much in another: it is one error.
        let classes = self.usage.0.iter().zip(&self.listeners.0).take(4).map(apart);
        let total = self.usage.all_requests().abs_diff(self.listeners.all_requests());
        total.max(classes.sum::<u64>().div_ceil(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_request_and_one_in_the_wrong_class_are_an_error_each() {
        let both = |usage: [u64; 6], listeners: [u64; 6]| Conservation {
            usage: Counts(usage),
            listeners: Counts(listeners),
        };

        assert_eq!(both([5, 1, 0, 2, 9, 9], [5, 1, 0, 2, 0, 0]).error(), 0);
        assert_eq!(both([4, 1, 0, 2, 0, 0], [5, 1, 0, 2, 0, 0]).error(), 1);
        assert_eq!(both([4, 2, 0, 2, 0, 0], [5, 1, 0, 2, 0, 0]).error(), 1);
    }
}
