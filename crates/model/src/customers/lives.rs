//! The life cycles of customers, each one table: in which state which event leads where.
//!
//! What is not in a table does not happen. The API writes states, not events (`status.state: Suspended`), so a table is
//! asked whether some event leads from the one to the other; the command line asks it what to offer.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::holds::Holds;
use crate::suggest;
use crate::violation::Problem;

/// Declares a life cycle: its states (the first is that of something new) and its moves.
macro_rules! life {
    (
        $(#[$doc:meta])* $life:ident of $what:literal {
            $($(#[$state_doc:meta])* $state:ident,)+
        } moves {
            $($from:ident => $event:literal => $to:ident;)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        pub enum $life {
            $($(#[$state_doc])* $state,)+
        }

        impl $life {
            /// Every state.
            pub const ALL: &'static [$life] = &[$($life::$state,)+];

            /// Every move: from where, by which event, to where.
            pub const MOVES: &'static [($life, &'static str, $life)] =
                &[$(($life::$from, $event, $life::$to),)+];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($life::$state => stringify!($state),)+ }
            }

            /// Where an event leads from here; `None` when it does not happen here.
            #[must_use]
            pub fn after(self, event: &str) -> Option<$life> {
                let found = Self::MOVES.iter().find(|(from, known, _)| *from == self && *known == event);
                found.map(|(_, _, to)| *to)
            }

            /// Whether anything leads from here to there. Staying is always possible.
            ///
            /// # Errors
            /// What is possible instead.
            pub fn may_become(self, next: $life) -> Result<(), Problem> {
                let leads = |(from, _, to): &($life, &str, $life)| *from == self && *to == next;
                if self == next || Self::MOVES.iter().any(leads) {
                    return Ok(());
                }
                let possible: Vec<&str> =
                    Self::MOVES.iter().filter(|(from, ..)| *from == self).map(|(.., to)| to.as_str()).collect();
                let remedy = match possible.is_empty() {
                    true => format!("{self} is for good; make a new one"),
                    false => format!("from {self} it can become {}", possible.join(" or ")),
                };
                Err(Problem::new(format!("{} that is {self} cannot become {next}", $what)).remedy(remedy))
            }
        }

        impl fmt::Display for $life {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $life {
            type Err = Problem;

            fn from_str(text: &str) -> Result<Self, Problem> {
                let known = || Self::ALL.iter().map(|state| state.as_str());
                Self::ALL.iter().copied().find(|state| state.as_str() == text).ok_or_else(|| {
                    let remedy = suggest::did_you_mean(text, known())
                        .unwrap_or_else(|| format!("use one of {}", known().collect::<Vec<_>>().join(", ")));
                    Problem::new(format!("`{text}` is no state of {}", $what)).remedy(remedy)
                })
            }
        }
    };
}

life! {
    /// The life of a team or of a developer.
    Membership of "a team or developer" {
        /// It is one.
        Active,
        /// It is one again when somebody says so; nothing of it may call meanwhile.
        Suspended,
        /// It was one.
        Closed,
    } moves {
        Active    => "suspend" => Suspended;
        Suspended => "resume"  => Active;
        Active    => "close"   => Closed;
        Suspended => "close"   => Closed;
    }
}

life! {
    /// The life of an application.
    ApplicationState of "an application" {
        /// It may call what it has subscribed to.
        Active,
        /// Somebody has to let it in first.
        Pending,
        /// It may not call until it is resumed.
        Suspended,
        /// It was one.
        Deleted,
    } moves {
        Pending   => "approve" => Active;
        Pending   => "delete"  => Deleted;
        Active    => "suspend" => Suspended;
        Suspended => "resume"  => Active;
        Active    => "delete"  => Deleted;
        Suspended => "delete"  => Deleted;
    }
}

life! {
    /// The life of a subscription. Holds stand beside it and are no states: see [`Holds`].
    SubscriptionState of "a subscription" {
        /// It may be used.
        Active,
        /// It waits for somebody's yes.
        Requested,
        /// Somebody said no.
        Rejected,
        /// It begins later.
        Scheduled,
        /// It may be used until its end, which is set.
        Ending,
        /// It is over.
        Closed,
    } moves {
        Requested => "approve"  => Active;
        Requested => "schedule" => Scheduled;
        Requested => "reject"   => Rejected;
        Requested => "cancel"   => Closed;
        Scheduled => "begin"    => Active;
        Scheduled => "cancel"   => Closed;
        Active    => "end"      => Ending;
        Active    => "cancel"   => Closed;
        Ending    => "renew"    => Active;
        Ending    => "close"    => Closed;
    }
}

life! {
    /// The life of a credential. What has an end is over then: [`super::time`] says when.
    CredentialState of "a credential" {
        /// It is good.
        Active,
        /// It is good until its end; another one takes its place.
        Rotating,
        /// Its owner has ended it.
        Revoked,
        /// Somebody else knows it.
        Compromised,
        /// Its end has come.
        Expired,
    } moves {
        Active   => "rotate"      => Rotating;
        Active   => "revoke"      => Revoked;
        Rotating => "revoke"      => Revoked;
        Active   => "compromise"  => Compromised;
        Rotating => "compromise"  => Compromised;
        Active   => "expire"      => Expired;
        Rotating => "expire"      => Expired;
    }
}

impl SubscriptionState {
    /// Whether it counts as the one subscription that an application can have to a product [S1].
    #[must_use]
    pub const fn is_live(self) -> bool {
        match self {
            SubscriptionState::Active
            | SubscriptionState::Requested
            | SubscriptionState::Scheduled
            | SubscriptionState::Ending => true,
            SubscriptionState::Rejected | SubscriptionState::Closed => false,
        }
    }

    /// Whether calls are let through in this state, if nothing holds them.
    #[must_use]
    pub const fn grants(self) -> bool {
        matches!(self, SubscriptionState::Active | SubscriptionState::Ending)
    }
}

impl CredentialState {
    /// Whether it may still be shown, as far as its state says.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, CredentialState::Active | CredentialState::Rotating)
    }
}

/// Whether a subscription may be used: it is active or ending, nothing holds it, and its application and
/// team are active.
#[must_use]
pub fn grants_access(
    subscription: SubscriptionState,
    holds: Holds,
    application: ApplicationState,
    team: Membership,
) -> bool {
    subscription.grants()
        && holds.is_empty()
        && application == ApplicationState::Active
        && team == Membership::Active
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::holds::{HOLDS, Hold};
    use super::*;

    /// A life of some events, as far as they happen.
    fn walk(events: &[usize]) -> Vec<CredentialState> {
        let words = ["rotate", "revoke", "compromise", "expire", "resume"];
        let mut lived = vec![CredentialState::Active];
        for event in events {
            let now = lived[lived.len() - 1];
            lived.push(now.after(words[event % words.len()]).unwrap_or(now));
        }
        lived
    }

    #[test]
    fn what_leads_nowhere_says_what_does() {
        let problem =
            SubscriptionState::Closed.may_become(SubscriptionState::Active).expect_err("it is over");
        assert_eq!(problem.problem, "a subscription that is Closed cannot become Active");
        assert_eq!(problem.remedy.as_deref(), Some("Closed is for good; make a new one"));
        let problem = ApplicationState::Suspended.may_become(ApplicationState::Pending).expect_err("no way");
        assert_eq!(problem.remedy.as_deref(), Some("from Suspended it can become Active or Deleted"));
    }

    #[test]
    fn every_state_can_be_reached_from_the_first_or_is_a_beginning() {
        let beginnings = [SubscriptionState::Active, SubscriptionState::Requested];
        for state in SubscriptionState::ALL {
            let reached = SubscriptionState::MOVES.iter().any(|(.., to)| to == state);
            assert!(reached || beginnings.contains(state), "{state}");
        }
    }

    #[test]
    fn a_word_of_a_state_is_read_back_and_a_slip_gets_a_hint() {
        for state in SubscriptionState::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
        }
        let problem = "Activ".parse::<SubscriptionState>().expect_err("no such state");
        assert_eq!(problem.remedy.as_deref(), Some("did you mean `Active`?"));
    }

    proptest! {
        #[test]
        fn a_revocation_is_for_good(events in proptest::collection::vec(0_usize..5, 0..12)) {
            let lived = walk(&events);
            if let Some(at) = lived.iter().position(|state| !state.is_good()) {
                prop_assert!(lived[at..].iter().all(|state| *state == lived[at]));
            }
        }

        #[test]
        fn access_needs_everything_at_once(
            subscription in proptest::sample::select(SubscriptionState::ALL),
            held in proptest::sample::subsequence(HOLDS.to_vec(), 0..=4),
            application in proptest::sample::select(ApplicationState::ALL),
            team in proptest::sample::select(Membership::ALL),
        ) {
            let holds: Holds = held.iter().copied().collect();
            let granted = grants_access(subscription, holds, application, team);

            prop_assert_eq!(
                granted,
                matches!(subscription, SubscriptionState::Active | SubscriptionState::Ending)
                    && held.is_empty()
                    && application == ApplicationState::Active
                    && team == Membership::Active
            );
            prop_assert!(!grants_access(subscription, holds.with(Hold::Security), application, team));
        }
    }
}
