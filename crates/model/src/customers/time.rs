//! What time alone does to customers: which move it makes next, and when.
//!
//! Said once, because several act on it: proxies by their own clocks, so that a right ends on time with every control
//! plane away; the control plane that leads, which writes it down for people and for whoever comes later; and the API,
//! which takes nothing back that is over already.

use crate::customers::lives::{CredentialState, SubscriptionState};
use crate::kinds::{Credential, Subscription};
use crate::units::Moment;

/// A move that time will make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due<State> {
    /// From when on it is made.
    pub at: Moment,
    /// The state then.
    pub to: State,
}

impl<State: Copy> Due<State> {
    /// The state that time has made of it by now, if it has.
    #[must_use]
    pub fn by(self, now: Moment) -> Option<State> {
        (self.at <= now).then_some(self.to)
    }
}

impl Subscription {
    /// The next move that time makes; `None` where time changes nothing.
    #[must_use]
    pub fn due(&self) -> Option<Due<SubscriptionState>> {
        let (at, to) = match self.status.state() {
            SubscriptionState::Scheduled => (self.spec.starts_at, SubscriptionState::Active),
            SubscriptionState::Ending => (self.status.ends_at, SubscriptionState::Closed),
            SubscriptionState::Active
            | SubscriptionState::Requested
            | SubscriptionState::Rejected
            | SubscriptionState::Closed => (None, SubscriptionState::Closed),
        };
        at.map(|at| Due { at, to })
    }
}

impl Credential {
    /// The next move that time makes; `None` where time changes nothing.
    #[must_use]
    pub fn due(&self) -> Option<Due<CredentialState>> {
        let at = self.spec.expires_at.filter(|_| self.status.state.is_good());
        at.map(|at| Due { at, to: CredentialState::Expired })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn subscription(state: SubscriptionState, start: i64, end: i64) -> Subscription {
        serde_json::from_value(json!({
            "spec": {
                "application": "a", "product": "p", "plan": "free", "startsAt": Moment(start).to_string(),
            },
            "status": { "state": state.as_str(), "endsAt": Moment(end).to_string() },
        }))
        .expect("a subscription")
    }

    fn credential(state: CredentialState, end: i64) -> Credential {
        serde_json::from_value(json!({
            "spec": { "application": "a", "expiresAt": Moment(end).to_string() },
            "status": { "state": state.as_str() },
        }))
        .expect("a credential")
    }

    proptest! {
        /// Time makes no move that a life cycle does not know, makes it at its moment and not before, and once only.
        #[test]
        fn time_moves_along_the_life_cycle_at_its_moment_and_once(
            state in proptest::sample::select(SubscriptionState::ALL),
            (start, end, now) in (0_i64..1000, 0_i64..1000, 0_i64..1000),
        ) {
            let before = subscription(state, start, end);
            let Some(due) = before.due() else {
                prop_assert!(!matches!(state, SubscriptionState::Scheduled | SubscriptionState::Ending));
                return Ok(());
            };
            prop_assert!(state.may_become(due.to).is_ok() && due.to != state);
            prop_assert_eq!(due.by(Moment(now)).is_some(), now >= due.at.0);
            let after = subscription(due.to, start, end);
            prop_assert_eq!(after.due(), None);
        }

        #[test]
        fn a_credential_ends_at_its_end_unless_it_was_ended_before(
            state in proptest::sample::select(CredentialState::ALL), (end, now) in (0_i64..1000, 0_i64..1000),
        ) {
            let due = credential(state, end).due();
            prop_assert_eq!(due.is_some(), state.is_good());
            let to = due.and_then(|due| due.by(Moment(now)));
            prop_assert_eq!(to, (state.is_good() && end <= now).then_some(CredentialState::Expired));
        }
    }

    #[test]
    fn what_names_no_moment_stays_as_it_is() {
        let never: Credential =
            serde_json::from_value(json!({ "spec": { "application": "a" } })).expect("one");
        assert_eq!(never.due(), None);
    }
}
