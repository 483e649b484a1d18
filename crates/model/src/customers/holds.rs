//! Why a subscription is stopped, by whom: a set, because reasons do not replace each other.
//!
//! Were a hold a state, paying a bill would lift what security had stopped. In a set each side adds and removes its
//! own reason, in any order, and access comes back only when the set is empty.

use std::fmt;
use std::str::FromStr;

use crate::suggest;
use crate::violation::Problem;

/// One reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Hold {
    /// The provider of the API has stopped it.
    Provider = 1,
    /// The consumer has stopped it.
    Consumer = 2,
    /// A bill is not paid.
    Billing = 4,
    /// Something looks like an attack.
    Security = 8,
}

/// Every reason.
pub const HOLDS: [Hold; 4] = [Hold::Provider, Hold::Consumer, Hold::Billing, Hold::Security];

impl Hold {
    /// The word for it, as it is written in a Subscription.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Hold::Provider => "Provider",
            Hold::Consumer => "Consumer",
            Hold::Billing => "Billing",
            Hold::Security => "Security",
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Hold {
    type Err = Problem;

    /// Reads the word in any case: people type `security`.
    fn from_str(text: &str) -> Result<Self, Problem> {
        HOLDS.into_iter().find(|hold| hold.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let known = HOLDS.map(Hold::as_str);
            let remedy = suggest::did_you_mean(text, known);
            Problem::new(format!("`{text}` is not a hold"))
                .remedy(remedy.unwrap_or_else(|| format!("use one of {}", known.join(", "))))
        })
    }
}

/// A set of reasons; empty when nothing stops the subscription.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Holds(u8);

impl Holds {
    /// Nothing is held.
    pub const NONE: Holds = Holds(0);

    /// Whether nothing is held.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this reason is among them.
    #[must_use]
    pub const fn has(self, hold: Hold) -> bool {
        self.0 & hold as u8 != 0
    }

    /// The set with one reason more.
    #[must_use]
    pub const fn with(self, hold: Hold) -> Holds {
        Holds(self.0 | hold as u8)
    }

    /// The set without one reason; all others stay.
    #[must_use]
    pub const fn without(self, hold: Hold) -> Holds {
        Holds(self.0 & !(hold as u8))
    }

    /// The reasons, in the order of [`HOLDS`].
    pub fn iter(self) -> impl Iterator<Item = Hold> {
        HOLDS.into_iter().filter(move |hold| self.has(*hold))
    }

    /// The set as a number, for the wire.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of a number. Bits that we do not know still hold: a newer control plane has a reason of which we have
    /// not heard, and a doubt denies.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Holds {
        Holds(bits)
    }
}

impl FromIterator<Hold> for Holds {
    fn from_iter<I: IntoIterator<Item = Hold>>(holds: I) -> Holds {
        holds.into_iter().fold(Holds::NONE, Holds::with)
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, hold) in self.iter().enumerate() {
            let before = if at == 0 { "" } else { ", " };
            write!(f, "{before}{hold}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holds({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Somebody adds (`true`) or removes their reason.
    fn steps() -> impl Strategy<Value = Vec<(Hold, bool)>> {
        proptest::collection::vec((proptest::sample::select(HOLDS.to_vec()), any::<bool>()), 0..12)
    }

    fn after(steps: &[(Hold, bool)]) -> Holds {
        steps.iter().fold(Holds::NONE, |holds, (hold, add)| match add {
            true => holds.with(*hold),
            false => holds.without(*hold),
        })
    }

    proptest! {
        #[test]
        fn holds_of_different_sides_commute(steps in steps()) {
            // Sorting by side keeps the order within each side and changes it between sides.
            let mut sorted = steps.clone();
            sorted.sort_by_key(|(hold, _)| *hold);

            prop_assert_eq!(after(&steps), after(&sorted));
        }

        #[test]
        fn paying_a_bill_never_lifts_what_security_has_stopped(steps in steps()) {
            let held = after(&steps).with(Hold::Security).without(Hold::Billing);

            prop_assert!(held.has(Hold::Security));
            prop_assert!(!held.is_empty());
        }
    }

    #[test]
    fn a_reason_of_which_we_have_not_heard_holds() {
        assert!(!Holds::from_bits(64).is_empty());
    }

    #[test]
    fn a_word_is_read_in_any_case_and_a_slip_gets_a_hint() {
        assert_eq!("security".parse(), Ok(Hold::Security));
        let problem = "securty".parse::<Hold>().expect_err("no such hold");
        assert!(format!("{problem:?}").contains("Security"), "{problem:?}");
    }
}
