//! What rules have that an API was lowered to: which operation they carry, and answers that need no upstream.

use std::sync::Arc;

/// Stable index of an operation of a version, for what is counted and limited. A roll-back or a renamed parameter keeps
/// it; never reused for another operation while the compiler lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationSlot(pub u32);

/// An operation of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// `GET /pets/{}`.
    pub key: Arc<str>,
    /// Stable index.
    pub slot: OperationSlot,
    /// The APIVersion, `namespace/name`.
    pub version: Arc<str>,
    /// Whether calls are counted here: at Gateways and beside providers, but not beside who calls.
    pub is_counted: bool,
}

impl Operation {
    /// The same beside who calls, who may be anybody: what is said there about usage would be nobody's word.
    #[must_use]
    pub fn uncounted(&self) -> Operation {
        let (key, version) = (self.key.clone(), self.version.clone());
        Operation { key, slot: self.slot, version, is_counted: false }
    }
}

/// An answer that is the same for every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedAnswer {
    /// Status code.
    pub status: u16,
    /// Reason for the log, stable snake_case.
    pub reason: &'static str,
    /// Fields beyond those of every answer; names in lower case.
    pub fields: Vec<(&'static str, Arc<str>)>,
    /// Content.
    pub content: Arc<str>,
}

/// An operation that is answered out of its description.
#[derive(Clone, Debug)]
pub struct Mock {
    /// The operation.
    pub operation: Arc<apis::Operation>,
    /// Everything that stands before its path, without a slash at its end.
    pub base: Arc<str>,
    /// Whether values are made up where the description has examples.
    pub dynamic: bool,
}
