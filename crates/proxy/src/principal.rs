//! Who a caller was found to be.
//!
//! Stages behind authentication look here and nowhere else. Names are borrowed from where they are kept (the config,
//! the connection, the cache of verified tokens), so that knowing who somebody is costs no allocation.

use std::rc::Rc;

use engine::customers::{Application, ApplicationId, CredentialKind, Customers};

use serde_json::{Map, Value};

use crate::state::Shared;

/// Who a caller was found to be.
#[derive(Clone, Debug, Default)]
pub struct Principal<'c> {
    who: Who<'c>,
    application: Option<Known>,
    unknown: Option<Unknown>,
}

/// Why it is not known for which application somebody calls, though it is known who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Nobody has told yet who the customers are.
    Customers,
    /// No application is recognised by what the caller is.
    Credential,
    /// The application or its team is suspended.
    Suspended,
}

/// An application among the customers that were known when the request came.
#[derive(Clone, Debug)]
struct Known {
    customers: Shared<Customers>,
    id: ApplicationId,
    by: CredentialKind,
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
    /// The application.
    Application,
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
        Principal { who: Who::Named(name), ..Principal::default() }
    }

    /// Whom a token is about.
    #[must_use]
    pub fn of_token(token: Rc<Token>) -> Principal<'c> {
        Principal { who: Who::Token(token), ..Principal::default() }
    }

    /// An application, by a key of its own.
    #[must_use]
    pub fn of_application(customers: Shared<Customers>, id: ApplicationId) -> Principal<'c> {
        let by = CredentialKind::ApiKey;
        Principal { who: Who::Application, application: Some(Known { customers, id, by }), unknown: None }
    }

    /// The same caller, known to call for an application too.
    #[must_use]
    pub fn calling_for(
        self,
        customers: Shared<Customers>,
        id: ApplicationId,
        by: CredentialKind,
    ) -> Principal<'c> {
        Principal { application: Some(Known { customers, id, by }), ..self }
    }

    /// The same caller, of whom it is not known for which application it calls.
    #[must_use]
    pub fn calling_for_nobody(self, unknown: Unknown) -> Principal<'c> {
        Principal { unknown: Some(unknown), ..self }
    }

    /// Why it is not known for which application it calls.
    #[must_use]
    pub fn unknown(&self) -> Option<Unknown> {
        self.unknown
    }

    /// The application that it calls for.
    #[must_use]
    pub fn application(&self) -> Option<&Application> {
        let Known { customers, id, by: _ } = self.application.as_ref()?;
        customers.application(*id).map(AsRef::as_ref)
    }

    /// By what kind of credential the application was recognised.
    #[must_use]
    pub fn recognised_by(&self) -> Option<CredentialKind> {
        self.application.as_ref().map(|known| known.by)
    }

    /// The name: `apiKey:…`, `basic:…`, `jwt:issuer#subject`, `cert:` with the SHA-256 of a certificate, a SPIFFE ID,
    /// or `namespace/name` of the application whose key was shown. `None` for nobody.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.who {
            Who::Nobody => None,
            Who::Named(name) => Some(name),
            Who::Token(token) => Some(&token.name),
            Who::Application => self.application().map(|application| &*application.name),
        }
    }

    /// The token, where one was shown.
    #[must_use]
    pub fn token(&self) -> Option<&Rc<Token>> {
        match &self.who {
            Who::Token(token) => Some(token),
            Who::Nobody | Who::Named(_) | Who::Application => None,
        }
    }

    /// What is claimed of the caller by whoever issued its token.
    #[must_use]
    pub fn claims(&self) -> Option<&Map<String, Value>> {
        self.token().map(|token| &token.claims)
    }
}
