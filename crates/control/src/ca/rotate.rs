//! How one root takes the place of another without anybody being turned away.
//!
//! First everybody learns to trust the new root, then it signs, then everybody's certificate is renewed under it, and
//! only then the old one goes. Each step waits for what proxies report, not for a time; a time is only the least that a
//! step takes, because a report may be a moment old. Pure: what is known comes in, what is wanted goes out.

use std::time::{Duration, SystemTime};

use identity::member::CLOCK_LEEWAY_SECONDS;

use super::root::Root;
use super::state::{RETIRED_MAX, ROOTS_MAX, Retired, Rotation, Sessions, Stage, State};

/// What is known of the proxies when a step is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Live proxies that do not run on the newest bundle yet.
    pub without_bundle: Vec<String>,
    /// Live members, and the key identifier of the issuer of the certificate that each shows.
    pub holders: Vec<(String, String)>,
}

/// How long a stage takes at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The first one: until every proxy that is alive has reported once more.
    pub spreading_min: Duration,
    /// The second one. When other control planes have proxies that this one cannot see, a whole lifetime of a
    /// certificate: after it none of the old root is left, whoever has seen it.
    pub moving_min: Duration,
    /// No stage ends earlier: who leads since a moment ago sees few of the proxies that are alive.
    pub not_before: SystemTime,
    /// Longest life of a certificate: past it a root that has retired stands by nothing any more.
    pub lifetime: Duration,
}

/// Added to the lifetime of certificates: clocks of members may differ.
const LEEWAY: Duration = Duration::from_secs(2 * CLOCK_LEEWAY_SECONDS);

/// Why a change of roots does not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// One at a time.
    #[error(
        "a rotation is under way already, to root `{0}`; `selvedge mesh rotate --status` shows how far it is"
    )]
    UnderWay(String),
    /// There are too many.
    #[error("{ROOTS_MAX} roots are trusted already; distrust one that nobody needs")]
    TooMany,
    /// There is no such root.
    #[error("no trusted root is called `{0}`; `selvedge get trustbundle -o yaml` lists them")]
    Unknown(String),
    /// Nobody would be trusted any more.
    #[error("`{0}` is the only root: begin a rotation first, or say that every workload shall join anew")]
    Only(String),
}

impl State {
    /// Begins to replace all roots by this one.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn begin(&mut self, root: Root, sessions: Sessions, now: SystemTime) -> Result<(), Refused> {
        if let Some(rotation) = &self.rotation {
            return Err(Refused::UnderWay(rotation.to.clone()));
        }
        if self.roots.len() >= ROOTS_MAX {
            return Err(Refused::TooMany);
        }
        let (to, stage, since) = (root.id.clone(), Stage::Spreading, seconds(now));
        self.rotation = Some(Rotation { to, stage, since, sessions });
        self.retired.retain(|retired| retired.id != root.id);
        if self.root(&root.id).is_none() {
            self.roots.push(root);
        }
        Ok(())
    }

    /// Takes the step that is due, if one is. Says whether it did.
    pub fn advance(&mut self, seen: &Seen, pace: Pace, now: SystemTime) -> bool {
        let Some(rotation) = self.rotation.clone() else { return false };
        let Rotation { to, stage, since, sessions } = rotation;
        let least = match stage {
            Stage::Spreading => pace.spreading_min,
            Stage::Moving => pace.moving_min,
        };
        let least = i64::try_from(least.as_secs()).unwrap_or(i64::MAX);
        let is_early = now < pace.not_before || seconds(now) < since.saturating_add(least);
        if is_early || !self.waits_for(seen).is_empty() {
            return false;
        }
        match stage {
            Stage::Spreading => {
                self.signing.clone_from(&to);
                let (stage, since) = (Stage::Moving, seconds(now));
                self.rotation = Some(Rotation { to, stage, since, sessions });
            }
            Stage::Moving => {
                let old: Vec<Root> = self.roots.extract_if(.., |root| root.id != to).collect();
                if sessions == Sessions::Stay {
                    self.retire(old, seconds(now + pace.lifetime + LEEWAY));
                }
                self.rotation = None;
            }
        }
        true
    }

    fn retire(&mut self, old: Vec<Root>, until: i64) {
        self.retired.extend(old.into_iter().map(|Root { id, anchor, .. }| Retired { id, anchor, until }));
        let too_many = self.retired.len().saturating_sub(RETIRED_MAX);
        self.retired.drain(..too_many);
    }

    /// Forgets retired roots that stand by nothing any more. Says whether there was one.
    pub fn forget(&mut self, now: SystemTime) -> bool {
        let before = self.retired.len();
        self.retired.retain(|retired| retired.until > seconds(now));
        self.retired.len() < before
    }

    /// The proxies that the present stage waits for.
    #[must_use]
    pub fn waits_for(&self, seen: &Seen) -> Vec<String> {
        match &self.rotation {
            None => Vec::new(),
            Some(Rotation { stage: Stage::Spreading, .. }) => seen.without_bundle.clone(),
            Some(Rotation { stage: Stage::Moving, to, .. }) => {
                let left =
                    seen.holders.iter().filter(|(_, issuer)| issuer != to && self.root(issuer).is_some());
                left.map(|(name, _)| name.clone()).collect()
            }
        }
    }

    /// Ends the trust in a root at once, also in one that has retired. When it is the one that signs, another takes
    /// over: the one that was to follow it, any other that is trusted, or `next`.
    ///
    /// # Errors
    /// See [`Refused`]; without `next` the only root stays.
    pub fn distrust(&mut self, id: &str, next: Option<Root>) -> Result<(), Refused> {
        let retired = self.retired.iter().position(|retired| retired.id == id);
        if let Some(at) = retired {
            self.retired.remove(at);
            return Ok(());
        }
        let root = self.root(id).ok_or_else(|| Refused::Unknown(id.to_owned()))?;
        if self.roots.len() == 1 {
            let next = next.ok_or_else(|| Refused::Only(root.id.clone()))?;
            let retired = std::mem::take(&mut self.retired);
            *self = State { retired, ..State::of(&self.trust_domain, next) };
            return Ok(());
        }
        self.roots.retain(|root| root.id != id);
        let rotation = self.rotation.take();
        let to = rotation.as_ref().map(|rotation| rotation.to.clone()).filter(|to| self.root(to).is_some());
        if self.signing == id {
            let left = self.roots.last().map(|root| root.id.clone());
            self.signing = to.clone().or(left).unwrap_or_default();
        }
        // What was under way goes on, unless it has come to its end or lost its goal.
        self.rotation = rotation.filter(|_| to.is_some() && self.roots.len() > 1).map(|rotation| Rotation {
            stage: if self.signing == rotation.to { Stage::Moving } else { rotation.stage },
            ..rotation
        });
        Ok(())
    }
}

fn seconds(now: SystemTime) -> i64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        spreading_min: Duration::from_secs(4),
        moving_min: Duration::from_secs(4),
        not_before: SystemTime::UNIX_EPOCH,
        lifetime: Duration::from_secs(3_600),
    };

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    fn root() -> Root {
        Root::make("bank.example", at(0), Duration::from_secs(1_000_000)).expect("made")
    }

    fn begun() -> (State, String, String) {
        begun_with(Sessions::Stay)
    }

    fn begun_with(sessions: Sessions) -> (State, String, String) {
        let mut state = State::of("bank.example", root());
        let old = state.signing.clone();
        let new = root();
        let to = new.id.clone();
        state.begin(new, sessions, at(0)).expect("nothing is under way");
        (state, old, to)
    }

    #[test]
    fn the_new_root_signs_only_when_everybody_knows_it_and_the_old_one_goes_only_when_nobody_needs_it() {
        let (mut state, old, new) = begun();
        let holders = vec![("cart-1".to_owned(), old.clone())];
        let mut seen = Seen { without_bundle: vec!["cart-1".to_owned()], holders };

        assert!(!state.advance(&seen, PACE, at(1_000)), "cart-1 has not got the bundle");
        assert_eq!((state.signing.as_str(), state.roots.len()), (old.as_str(), 2));

        seen.without_bundle.clear();
        assert!(!state.advance(&seen, PACE, at(3)), "somebody may report in a moment");
        assert!(state.advance(&seen, PACE, at(4)));
        assert_eq!((state.signing.as_str(), state.roots.len()), (new.as_str(), 2));

        assert!(!state.advance(&seen, PACE, at(1_000)), "cart-1 still shows a certificate of the old root");
        assert_eq!(state.waits_for(&seen), ["cart-1"]);

        seen.holders = vec![("cart-1".to_owned(), new.clone())];
        assert!(state.advance(&seen, PACE, at(1_000)));
        assert_eq!((state.roots.len(), &state.rotation), (1, &None));
        assert_eq!(state.signer().map(|root| &root.id), Some(&new));
    }

    #[test]
    fn no_stage_ends_while_whoever_leads_cannot_know_yet_who_is_alive() {
        let (mut state, ..) = begun();
        let pace = Pace { not_before: at(100), ..PACE };

        assert!(!state.advance(&Seen::default(), pace, at(99)));
        assert!(state.advance(&Seen::default(), pace, at(100)));
    }

    /// The end of a rotation that nobody has to be waited for.
    fn ended(state: &mut State) {
        for due in [4, 8] {
            assert!(state.advance(&Seen::default(), PACE, at(due)));
        }
    }

    #[test]
    fn a_root_that_goes_in_good_order_retires_until_its_last_certificate_has_ended() {
        let (mut state, old, new) = begun();
        ended(&mut state);

        let retired: Vec<&str> = state.retired.iter().map(|retired| &*retired.id).collect();
        assert_eq!((retired, state.roots.len()), (vec![old.as_str()], 1));
        assert_eq!(state.distrust(&new, None), Err(Refused::Only(new)), "a retired root signs for nobody");
        let last = 8 + 3_600 + 120;
        assert!(!state.forget(at(last - 1)));
        assert!(state.forget(at(last)));
        assert_eq!(state.retired, []);
    }

    #[test]
    fn a_root_whose_key_others_may_have_does_not_retire_and_a_retired_one_can_be_distrusted() {
        let (mut state, ..) = begun_with(Sessions::End);
        ended(&mut state);
        assert_eq!((state.roots.len(), &*state.retired), (1, &[][..]));

        let (mut state, old, _) = begun();
        ended(&mut state);
        state.distrust(&old, None).expect("it has retired");
        assert_eq!((state.roots.len(), &*state.retired), (1, &[][..]));
    }

    #[test]
    fn one_rotation_is_under_way_at_a_time() {
        let (mut state, _, new) = begun();

        assert_eq!(state.begin(root(), Sessions::Stay, at(1)), Err(Refused::UnderWay(new)));
        assert_eq!(state.roots.len(), 2);
    }

    #[test]
    fn a_root_that_is_distrusted_is_gone_at_once_and_another_signs() {
        let (mut state, old, new) = begun();

        state.distrust(&old, None).expect("another one is there");

        assert_eq!((state.signing.as_str(), state.roots.len(), &state.rotation), (new.as_str(), 1, &None));
        assert_eq!(state.distrust("nobody", None), Err(Refused::Unknown("nobody".to_owned())));
    }

    #[test]
    fn a_new_root_that_is_distrusted_ends_its_rotation() {
        let (mut state, old, new) = begun();

        state.distrust(&new, None).expect("the old one is there");

        assert_eq!((state.signing.as_str(), state.roots.len(), &state.rotation), (old.as_str(), 1, &None));
    }

    #[test]
    fn the_only_root_goes_only_when_another_one_is_given() {
        let mut state = State::of("bank.example", root());
        let (only, next) = (state.signing.clone(), root());

        assert_eq!(state.distrust(&only, None), Err(Refused::Only(only.clone())));
        state.distrust(&only, Some(next.clone())).expect("another one was given");

        assert_eq!((state.roots, state.signing), (vec![next.clone()], next.id));
    }
}
