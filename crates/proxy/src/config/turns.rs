//! Which of several control planes is asked.
//!
//! A proxy begins with any of them, so that many proxies spread, and keeps to the one that works. One that fails is
//! left for the next; when all have failed in turn, nobody is to be hurried any more.

use crate::state::random::Random;

use super::connect::ControlAddress;

/// The control planes that a proxy knows.
#[derive(Clone, Debug)]
pub struct Turns {
    /// At least one.
    controls: Vec<ControlAddress>,
    at: usize,
    /// How many have failed since one worked.
    failed: usize,
}

impl Turns {
    /// Begins with any of them.
    ///
    /// # Panics
    /// When there is none: whoever reads options asks for one.
    #[must_use]
    pub fn new(controls: &[ControlAddress]) -> Turns {
        assert!(!controls.is_empty(), "a proxy without a control plane is asked of nobody");
        let count = u32::try_from(controls.len()).unwrap_or(u32::MAX);
        Turns { controls: controls.to_vec(), at: Random::new().below(count) as usize, failed: 0 }
    }

    /// The one to ask.
    #[must_use]
    pub fn current(&self) -> &ControlAddress {
        &self.controls[self.at]
    }

    /// It works.
    pub fn works(&mut self) {
        self.failed = 0;
    }

    /// It does not: the next one is to be asked. Says whether all have failed in turn.
    pub fn fails(&mut self) -> bool {
        self.at = (self.at + 1) % self.controls.len();
        self.failed += 1;
        let all = self.failed >= self.controls.len();
        if all {
            self.failed = 0;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: u16) -> Vec<ControlAddress> {
        (1..=count)
            .map(|port| format!("https://control.example:{port}").parse().expect("an address"))
            .collect()
    }

    #[test]
    fn the_one_that_works_is_kept_to_and_each_that_fails_is_left_for_the_next() {
        let mut turns = Turns::new(&addresses(3));
        let first = turns.current().clone();
        turns.works();
        assert_eq!(*turns.current(), first);

        let mut asked = vec![first.clone()];
        for _ in 0..2 {
            assert!(!turns.fails(), "there is one more");
            asked.push(turns.current().clone());
        }
        assert!(turns.fails(), "all have failed");

        assert_eq!(*turns.current(), first);
        asked.sort_by_key(ToString::to_string);
        assert_eq!(asked, addresses(3));
    }

    #[test]
    fn who_knows_one_control_plane_asks_it_again_and_again() {
        let mut turns = Turns::new(&addresses(1));

        assert!(turns.fails() && turns.fails());
        assert_eq!(turns.current().to_string(), "https://control.example:1");
    }
}
