//! How soon what takes a right away is in force: from the command to the workers of each gateway, as gateways tell it.
//!
//! It is a promise of the product, so it is counted all the time and shown where an operator looks, and not only
//! measured by a test. Gateways count in buckets since they began; what is added here is what has come since they
//! were heard of first, so that a gateway that comes back is not counted twice.

use std::fmt::Write as _;

use discovery::reports::{REVOCATION_BOUNDS_MS, REVOCATION_BUCKETS};

/// Name of the metric.
const NAME: &str = "selvedge_revocation_seconds";

/// Revocations by how long they took, in the buckets of [`REVOCATION_BOUNDS_MS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    counts: [u64; REVOCATION_BUCKETS],
}

impl Revocations {
    /// What a gateway tells: how many took how long since its process began.
    #[must_use]
    pub fn told(counts: &[u64]) -> Revocations {
        let mut told = Revocations::default();
        told.counts.iter_mut().zip(counts).for_each(|(here, there)| *here = *there);
        told
    }

    /// Adds what a gateway has counted since it told the last time. One that counts less has begun anew.
    pub fn add(&mut self, before: &Revocations, now: &Revocations) {
        let has_begun_anew = now.counts.iter().zip(&before.counts).any(|(now, before)| now < before);
        for (at, sum) in self.counts.iter_mut().enumerate() {
            *sum += if has_begun_anew { now.counts[at] } else { now.counts[at] - before.counts[at] };
        }
    }

    /// How many were put into force; one counts for each gateway.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// So many milliseconds are enough for this part of them; `None` without any, or when the slowest is past all
    /// bounds.
    #[must_use]
    pub fn within_ms(&self, part: f64) -> Option<u64> {
        let wanted = (self.applied() as f64 * part).ceil().max(1.0) as u64;
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        REVOCATION_BOUNDS_MS.get(at?).copied()
    }

    /// The same as a histogram (Prometheus, text format 0.0.4).
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut text = format!(
            "# HELP {NAME} From the command that takes a right away to all workers of a gateway.\n# TYPE {NAME} histogram\n"
        );
        let mut seen = 0;
        for (count, bound) in self.counts.iter().zip(REVOCATION_BOUNDS_MS) {
            seen += count;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{NAME}_bucket{{le=\"{}\"}} {seen}", bound as f64 / 1_000.0);
        }
        let all = self.applied();
        let _ = writeln!(text, "{NAME}_bucket{{le=\"+Inf\"}} {all}\n{NAME}_count {all}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(usize, u64)]) -> Revocations {
        let mut counts = [0; REVOCATION_BUCKETS];
        pairs.iter().for_each(|(at, count)| counts[*at] = *count);
        Revocations { counts }
    }

    #[test]
    fn what_a_gateway_has_told_before_is_not_counted_again_and_a_new_start_is() {
        let mut sum = Revocations::default();
        sum.add(&of(&[(0, 5)]), &of(&[(0, 7), (3, 1)]));
        assert_eq!(sum, of(&[(0, 2), (3, 1)]));
        sum.add(&of(&[(0, 7), (3, 1)]), &of(&[(1, 1)]));
        assert_eq!((sum, sum.applied()), (of(&[(0, 2), (1, 1), (3, 1)]), 4));
        assert_eq!(Revocations::told(&[1, 2]), of(&[(0, 1), (1, 2)]));
    }

    #[test]
    fn a_part_of_them_is_within_the_bound_of_its_bucket() {
        assert_eq!(of(&[]).within_ms(0.99), None);
        let some = of(&[(0, 98), (4, 1), (6, 1)]);
        assert_eq!([0.5, 0.99, 1.0].map(|part| some.within_ms(part)), [Some(1), Some(20), Some(100)]);
        assert_eq!(of(&[(REVOCATION_BUCKETS - 1, 1)]).within_ms(0.5), None);
    }

    #[test]
    fn the_histogram_adds_up() {
        let text = of(&[(0, 2), (3, 1), (REVOCATION_BUCKETS - 1, 1)]).metrics();
        for line in [
            "_bucket{le=\"0.001\"} 2",
            "_bucket{le=\"0.01\"} 3",
            "_bucket{le=\"5\"} 3",
            "_bucket{le=\"+Inf\"} 4",
            "_count 4",
        ] {
            assert!(text.lines().any(|found| found == format!("{NAME}{line}")), "{line} in {text}");
        }
    }
}
