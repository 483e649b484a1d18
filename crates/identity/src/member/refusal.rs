//! Why a certificate is not taken for a member's. Each reason has a name that logs and alarms can rely on.

use std::fmt;

/// Why a certificate is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It is no X.509 certificate, or has bytes behind its end.
    NotX509,
    /// More certificates were shown than [`super::CHAIN_CERTIFICATES_MAX`].
    ChainTooLong,
    /// Its names cannot be read.
    NamesUnreadable,
    /// It has no URI among its names.
    IdentityMissing,
    /// It has more than one URI among its names: it could speak for several.
    IdentitiesMany,
    /// Its URI is not a SPIFFE ID in the one spelling there is, or is too long.
    IdentityMalformed,
    /// Several of its DNS names could be that of its replica.
    ReplicasMany,
    /// It is the certificate of an authority, or its key may sign certificates.
    IsAuthority,
    /// It may not be used on this side of a connection.
    WrongUsage,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// Nobody is trusted for its trust domain.
    TrustDomainUnknown,
    /// No path leads from it to a root of its own trust domain.
    Untrusted,
    /// It is sound, but somebody else's than the one that was called.
    OtherIdentity,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Refusal; 14] = [
        Refusal::NotX509,
        Refusal::ChainTooLong,
        Refusal::NamesUnreadable,
        Refusal::IdentityMissing,
        Refusal::IdentitiesMany,
        Refusal::IdentityMalformed,
        Refusal::ReplicasMany,
        Refusal::IsAuthority,
        Refusal::WrongUsage,
        Refusal::Expired,
        Refusal::NotYetValid,
        Refusal::TrustDomainUnknown,
        Refusal::Untrusted,
        Refusal::OtherIdentity,
    ];

    /// Its stable name, snake_case.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Refusal::NotX509 => "not_x509",
            Refusal::ChainTooLong => "chain_too_long",
            Refusal::NamesUnreadable => "names_unreadable",
            Refusal::IdentityMissing => "identity_missing",
            Refusal::IdentitiesMany => "identities_many",
            Refusal::IdentityMalformed => "identity_malformed",
            Refusal::ReplicasMany => "replicas_many",
            Refusal::IsAuthority => "is_authority",
            Refusal::WrongUsage => "wrong_usage",
            Refusal::Expired => "expired",
            Refusal::NotYetValid => "not_yet_valid",
            Refusal::TrustDomainUnknown => "trust_domain_unknown",
            Refusal::Untrusted => "untrusted",
            Refusal::OtherIdentity => "other_identity",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.reason())
    }
}

impl std::error::Error for Refusal {}
