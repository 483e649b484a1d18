//! Who a caller was found to be.
//!
//! Stages behind authentication look here and nowhere else. Names are borrowed from where they are kept (the config, the
//! connection, the cache of verified tokens), so that knowing who somebody is costs no allocation.

use std::rc::Rc;

use serde_json::{Map, Value};

/// Who a caller was found to be.
#[derive(Clone, Debug, Default)]
pub struct Principal<'c> {
    who: Who<'c>,
}

#[derive(Clone, Debug, Default)]
enum Who<'c> {
    /// Nobody was asked, or nobody showed anything.
    #[default]
    Nobody,
    /// Somebody by this name.
    Named(&'c str),
    /// Whom a token is about.
    Token(Rc<Token>),
}

/// A token that was verified.
#[derive(Debug)]
pub struct Token {
    /// The principal: `jwt:issuer#subject`.
    pub name: Box<str>,
    /// What it claims.
    pub claims: Map<String, Value>,
    /// Values for the fields that tell its claims, in the order of the method's list; `None` where there is none.
    pub told: Box<[Option<Box<[u8]>>]>,
}

impl<'c> Principal<'c> {
    /// Somebody by a name that begins with the method, or is a SPIFFE ID.
    #[must_use]
    pub fn named(name: &'c str) -> Principal<'c> {
        Principal { who: Who::Named(name) }
    }

    /// Whom a token is about.
    #[must_use]
    pub fn of_token(token: Rc<Token>) -> Principal<'c> {
        Principal { who: Who::Token(token) }
    }

    /// The name: `apiKey:…`, `basic:…`, `jwt:issuer#subject`, `cert:` with the SHA-256 of a certificate, or a SPIFFE
    /// ID. `None` for nobody.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.who {
            Who::Nobody => None,
            Who::Named(name) => Some(name),
            Who::Token(token) => Some(&token.name),
        }
    }

    /// The token, where one was shown.
    #[must_use]
    pub fn token(&self) -> Option<&Rc<Token>> {
        match &self.who {
            Who::Token(token) => Some(token),
            Who::Nobody | Who::Named(_) => None,
        }
    }

    /// What is claimed of the caller by whoever issued its token.
    #[must_use]
    pub fn claims(&self) -> Option<&Map<String, Value>> {
        self.token().map(|token| &token.claims)
    }
}
