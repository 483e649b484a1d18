//! A credential, as far as a proxy has to know it: whose it is, and whether it is good.

use super::ApplicationId;

/// What an application shows to be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Whose it is.
    pub application: ApplicationId,
    /// What kind of text its fingerprint was made of.
    pub kind: CredentialKind,
    /// Where it is in its life.
    pub state: CredentialState,
    /// When it ends by itself, in seconds since 1970.
    pub expires: Option<u64>,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// A text that we made.
    ApiKey,
    /// An identity of the mesh.
    Spiffe,
    /// A certificate of the client's own.
    Certificate,
}

/// Where a credential is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialState {
    /// It is good.
    Active,
    /// It is good until it expires; another one has taken its place.
    Rotating,
    /// Its owner has ended it.
    Revoked,
    /// Somebody else knows it.
    Compromised,
}

/// Why a credential is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It was revoked.
    Revoked,
    /// It was reported as known to others.
    Compromised,
    /// Its time is over.
    Expired,
}

impl Credential {
    /// Whether it is good at a moment, in seconds since 1970.
    ///
    /// # Errors
    /// Why not. What was revoked stays revoked, whatever its time says.
    pub fn usable(&self, now: u64) -> Result<(), Unusable> {
        match self.state {
            CredentialState::Revoked => Err(Unusable::Revoked),
            CredentialState::Compromised => Err(Unusable::Compromised),
            CredentialState::Active | CredentialState::Rotating => match self.expires {
                Some(end) if end <= now => Err(Unusable::Expired),
                Some(_) | None => Ok(()),
            },
        }
    }
}

/// A credential in 16 bytes, so that a million of them with their fingerprints take 40 MB.
#[derive(Clone, Copy)]
pub(super) struct Packed {
    application: ApplicationId,
    /// Seconds since 1970; what ends later than 2106 is kept as [`NEVER`].
    expires: u32,
    kind: CredentialKind,
    state: CredentialState,
}

/// No end that we would live to see.
const NEVER: u32 = u32::MAX;

impl From<Credential> for Packed {
    fn from(credential: Credential) -> Packed {
        let Credential { application, kind, state, expires } = credential;
        let expires = expires.map_or(NEVER, |end| u32::try_from(end).unwrap_or(NEVER));
        Packed { application, expires, kind, state }
    }
}

impl From<Packed> for Credential {
    fn from(packed: Packed) -> Credential {
        let Packed { application, expires, kind, state } = packed;
        Credential { application, kind, state, expires: (expires != NEVER).then_some(expires.into()) }
    }
}
