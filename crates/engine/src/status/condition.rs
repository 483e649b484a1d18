//! Conditions in the words of the Gateway API: a closed vocabulary, so that a typing slip cannot become a
//! reason that nobody waits for.

use serde::{Serialize, Serializer};

/// Declares a list of words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the words are defined by the Gateway API")]
        pub enum $name { $($variant),+ }

        impl $name {
            /// The word as it stands in a status.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

words! {
    /// What a condition speaks of.
    ConditionType {
        Accepted,
        Programmed,
        ResolvedRefs,
        Conflicted,
        PartiallyInvalid,
        InsecureFrontendValidationMode,
        ShimProved,
    }
}

words! {
    /// Whether it holds.
    ConditionStatus { True, False, Unknown }
}

words! {
    /// Why it does or does not, in one word.
    Reason {
        Accepted,
        AddressNotUsable,
        BackendNotFound,
        ConfigurationChanged,
        Conflicted,
        HostnameConflict,
        Incomplete,
        Invalid,
        InvalidCACertificateKind,
        InvalidCACertificateRef,
        InvalidCertificateRef,
        InvalidClientCertificateRef,
        InvalidKind,
        InvalidParameters,
        InvalidRouteKinds,
        ListenersNotValid,
        NoConflicts,
        NoMatchingListenerHostname,
        NoMatchingParent,
        NoValidCACertificate,
        NotAllowedByListeners,
        Pending,
        Programmed,
        ProtocolConflict,
        Proved,
        RefNotPermitted,
        Refuted,
        ResolvedRefs,
        TargetNotFound,
        UnsupportedAddress,
        UnsupportedProtocol,
        UnsupportedValue,
    }
}

/// One condition of an object. There is no time in it, because the engine has no clock: who publishes it keeps
/// `lastTransitionTime`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it speaks of.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// Generation of the object that was looked at.
    pub observed_generation: u64,
}

impl Condition {
    /// A condition that holds.
    #[must_use]
    pub fn yes(kind: ConditionType, reason: Reason, generation: u64) -> Self {
        Condition::new(kind, ConditionStatus::True, reason, String::new(), generation)
    }

    /// A condition that does not hold, with the sentence that says why.
    #[must_use]
    pub fn no(kind: ConditionType, reason: Reason, message: impl Into<String>, generation: u64) -> Self {
        Condition::new(kind, ConditionStatus::False, reason, message.into(), generation)
    }

    /// Any condition.
    #[must_use]
    pub fn new(
        kind: ConditionType,
        status: ConditionStatus,
        reason: Reason,
        message: String,
        generation: u64,
    ) -> Self {
        Condition { kind, status, reason, message, observed_generation: generation }
    }

    /// The same with a message.
    #[must_use]
    pub fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Whether this is what one hopes to see.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let hoped = match self.kind {
            ConditionType::Accepted
            | ConditionType::Programmed
            | ConditionType::ResolvedRefs
            | ConditionType::ShimProved => ConditionStatus::True,
            ConditionType::Conflicted
            | ConditionType::PartiallyInvalid
            | ConditionType::InsecureFrontendValidationMode => ConditionStatus::False,
        };
        self.status == hoped && self.reason != Reason::ListenersNotValid
    }
}
