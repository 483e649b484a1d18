//! What was verified lately and need not be verified again: tokens and passwords, by names that tell nothing of them.
//!
//! Each worker has its own. When it is full the older half is forgotten at once, which costs nothing a request could
//! notice, and what is in use moves to the younger half whenever it is asked for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use identity::keyed_hash::{HashName, KeyedHash};
use identity::token::Flaw;
use model::jwk::KeySet;
use tokio::sync::Semaphore;

use crate::limits::{
    INTROSPECTED_INACTIVE_MAX, INTROSPECTED_MAX, PASSWORD_CHECKS_MAX, PASSWORDS_VERIFIED_MAX,
    TOKENS_VERIFIED_MAX,
};
use crate::principal::Token;

/// Everything that was verified.
#[derive(Debug)]
pub struct Verified {
    /// Gives the names.
    pub hash: KeyedHash,
    /// Tokens.
    pub tokens: Recent<Rc<VerifiedToken>>,
    /// Tokens of which their issuers have said that they count.
    pub introspected: Recent<Rc<IntrospectedToken>>,
    /// Tokens that do not, why, and until when nobody asks again.
    pub inactive: Recent<(Flaw, Instant)>,
    /// Passwords.
    pub passwords: Recent<()>,
    /// Who may verify a password now.
    pub checks: Rc<Semaphore>,
    /// Passwords that wait to be verified.
    pub waiting: Cell<usize>,
}

/// A token that was verified.
#[derive(Debug)]
pub struct VerifiedToken {
    /// The token.
    pub token: Rc<Token>,
    /// By which keys: with others it must be verified again.
    pub keys: Arc<KeySet>,
    /// From when on it does not count; seconds since the Unix epoch.
    pub ends: u64,
}

/// A token of which its issuer has said that it counts.
#[derive(Debug)]
pub struct IntrospectedToken {
    /// The token.
    pub token: Rc<Token>,
    /// From when on its issuer is asked again.
    pub until: Instant,
    /// From when on it does not count; seconds since the Unix epoch.
    pub ends: u64,
}

impl Default for Verified {
    fn default() -> Self {
        Verified {
            hash: KeyedHash::new(),
            tokens: Recent::new(TOKENS_VERIFIED_MAX),
            introspected: Recent::new(INTROSPECTED_MAX),
            inactive: Recent::new(INTROSPECTED_INACTIVE_MAX),
            passwords: Recent::new(PASSWORDS_VERIFIED_MAX),
            checks: Rc::new(Semaphore::new(PASSWORD_CHECKS_MAX)),
            waiting: Cell::new(0),
        }
    }
}

/// Values by name, a bounded number of them.
#[derive(Debug)]
pub struct Recent<V> {
    halves: RefCell<Halves<V>>,
    half: usize,
}

#[derive(Debug)]
struct Halves<V> {
    younger: HashMap<HashName, V, foldhash::fast::RandomState>,
    older: HashMap<HashName, V, foldhash::fast::RandomState>,
}

impl<V: Clone> Recent<V> {
    fn new(most: usize) -> Recent<V> {
        let halves = Halves { younger: HashMap::default(), older: HashMap::default() };
        Recent { halves: RefCell::new(halves), half: (most / 2).max(1) }
    }

    /// A value.
    pub fn get(&self, name: &HashName) -> Option<V> {
        let halves = &mut *self.halves.borrow_mut();
        if let Some(value) = halves.younger.get(name) {
            return Some(value.clone());
        }
        let value = halves.older.remove(name)?;
        halves.put(*name, value.clone(), self.half);
        Some(value)
    }

    /// Remembers a value.
    pub fn put(&self, name: HashName, value: V) {
        self.halves.borrow_mut().put(name, value, self.half);
    }
}

impl<V> Halves<V> {
    fn put(&mut self, name: HashName, value: V, half: usize) {
        if self.younger.len() >= half {
            std::mem::swap(&mut self.younger, &mut self.older);
            self.younger.clear();
        }
        self.younger.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_outlives_what_is_not_and_there_is_never_too_much() {
        let recent = Recent::new(8);
        let name = |number: u8| [number; 32];
        recent.put(name(0), 0);
        for number in 1..100 {
            recent.put(name(number), number);
            assert_eq!(recent.get(&name(0)), Some(0), "after {number}");
            let halves = recent.halves.borrow();
            assert!(halves.younger.len() + halves.older.len() <= 8);
        }
        assert_eq!(recent.get(&name(50)), None);
    }
}
