//! Who is logged in: a session here, and in the browser nothing but its name.
//!
//! The token stays on this side, so a page that was tricked into telling its cookie has not told the token, and
//! logging out ends what the cookie was good for. Sessions are kept by the digest of their name: how long a look-up
//! takes says nothing about names. They are in memory; after a restart people log in again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;

/// Most sessions at once. The one that was not used for longest makes room for a new one, and only who has a good
/// token makes a new one.
pub const SESSIONS_MAX: usize = 1_024;
/// How long a session lasts that nobody uses. A page that renews itself is no use.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long it lasts at most.
pub const LIFE: Duration = Duration::from_secs(12 * 3_600);

/// Random bytes of a name.
const NAME_BYTES: usize = 32;

type Key = [u8; 32];

/// The sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    table: Mutex<HashMap<Key, Session>>,
}

struct Session {
    token: Arc<str>,
    began: SystemTime,
    used: SystemTime,
}

impl std::fmt::Debug for Session {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("began", &self.began)
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

impl Session {
    fn has_ended(&self, now: SystemTime) -> bool {
        // A clock that was set back ends nothing early.
        let since = |then| now.duration_since(then).unwrap_or_default();
        since(self.used) >= IDLE || since(self.began) >= LIFE
    }
}

impl Sessions {
    /// A new session; its name, or `None` when the machine has no randomness.
    pub fn begin(&self, token: &str, now: SystemTime) -> Option<String> {
        let mut bytes = [0; NAME_BYTES];
        rand::fill(&mut bytes).ok()?;
        let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut table = self.lock();
        table.retain(|_, session| !session.has_ended(now));
        if table.len() >= SESSIONS_MAX {
            let oldest = table.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key);
            oldest.and_then(|key| table.remove(&key));
        }
        table.insert(key(&name), Session { token: token.into(), began: now, used: now });
        Some(name)
    }

    /// The token of a session. `is_use` says whether a person asks, or a page by itself.
    pub fn token(&self, name: &str, is_use: bool, now: SystemTime) -> Option<Arc<str>> {
        let mut table = self.lock();
        let key = key(name);
        if table.get(&key)?.has_ended(now) {
            table.remove(&key);
            return None;
        }
        let session = table.get_mut(&key)?;
        if is_use {
            session.used = now;
        }
        Some(Arc::clone(&session.token))
    }

    /// Ends a session.
    pub fn end(&self, name: &str) {
        self.lock().remove(&key(name));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Session>> {
        // Nothing that runs under the lock panics half-way through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(name: &str) -> Key {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, name.as_bytes()).as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_a_page_that_renews_itself_is_no_use() {
        let sessions = Sessions::default();
        let used = sessions.begin("a", NOW).expect("a name");
        let renewed = sessions.begin("b", NOW).expect("a name");
        let half = NOW + IDLE / 2;

        assert_eq!(sessions.token(&used, true, half).as_deref(), Some("a"));
        assert_eq!(sessions.token(&renewed, false, half).as_deref(), Some("b"));

        assert_eq!(sessions.token(&used, true, NOW + IDLE).as_deref(), Some("a"));
        assert_eq!(sessions.token(&renewed, true, NOW + IDLE), None);
    }

    #[test]
    fn a_session_ends_in_the_end_and_at_once_when_asked() {
        let sessions = Sessions::default();
        let name = sessions.begin("a", NOW).expect("a name");
        let step = IDLE / 2;
        let mut now = NOW;
        while now + step < NOW + LIFE {
            now += step;
            assert!(sessions.token(&name, true, now).is_some());
        }
        assert!(sessions.token(&name, true, NOW + LIFE).is_none());

        let name = sessions.begin("a", NOW).expect("a name");
        sessions.end(&name);
        assert!(sessions.token(&name, true, NOW).is_none());
    }

    #[test]
    fn the_session_that_was_not_used_for_longest_makes_room() {
        let sessions = Sessions::default();
        let first = sessions.begin("first", NOW).expect("a name");
        let second = sessions.begin("second", NOW).expect("a name");
        let later = NOW + Duration::from_secs(1);
        sessions.token(&first, true, later);
        for _ in 2..=SESSIONS_MAX {
            sessions.begin("others", later).expect("a name");
        }

        assert!(sessions.token(&first, true, later).is_some());
        assert!(sessions.token(&second, true, later).is_none());
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
    }

    #[test]
    fn names_cannot_be_guessed_and_tokens_are_not_printed() {
        let sessions = Sessions::default();
        let (one, other) = (sessions.begin("hidden", NOW), sessions.begin("hidden", NOW));

        assert_ne!(one, other);
        assert_eq!(one.map(|name| name.len()), Some(64));
        assert!(!format!("{sessions:?}").contains("hidden"));
    }
}
