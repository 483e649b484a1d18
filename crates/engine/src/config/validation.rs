//! What requests and answers of a rule must be like.

use std::sync::Arc;

use apis::check::Bounds;
use model::kinds::validation_policy::ValidationAction;

/// What requests and answers of a rule must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// Who says so, `namespace/name`; several where they come together, the nearest to the rule first.
    pub policies: Arc<str>,
    /// What becomes of requests that do not keep to the description; `None` when they are not judged by it.
    pub requests: Option<ValidationAction>,
    /// How answers are judged; `None` when they are not.
    pub answers: Option<AnswerValidation>,
    /// What bodies of requests may be like; `None` when nothing is said of them.
    pub bodies: Option<BodyBounds>,
    /// What describes the rule.
    pub described: Option<Described>,
    /// Why it cannot be said what is asked for. Nothing passes then.
    pub broken: Option<Arc<str>>,
}

/// How answers are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerValidation {
    /// What becomes of those that do not keep to the description.
    pub action: ValidationAction,
    /// How many in a hundred are looked at.
    pub percent: u8,
    /// Largest body that is looked at, in bytes.
    pub body_bytes_max: usize,
}

/// What bodies may be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyBounds {
    /// Most bytes of a body.
    pub bytes_max: usize,
    /// Whether that holds for bodies of every type, and not only for those that are looked into.
    pub of_every_type: bool,
    /// What those of JSON may hold.
    pub json: Bounds,
}

/// What describes a rule, and what stands before the paths of the description, without a slash at its end.
#[derive(Clone, Debug)]
pub enum Described {
    /// The rule carries one operation.
    Operation {
        /// The operation.
        operation: Arc<apis::Operation>,
        /// What stands before its path.
        base: Arc<str>,
    },
    /// The rule carries any of them.
    Operations {
        /// The operations, those first that are asked first.
        operations: Arc<[Arc<apis::Operation>]>,
        /// What stands before their paths.
        base: Arc<str>,
    },
}

impl PartialEq for Described {
    /// Two are equal when they are of the same description, by pointer.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Described::Operation { operation, base },
                Described::Operation { operation: other, base: below },
            ) => Arc::ptr_eq(operation, other) && base == below,
            (
                Described::Operations { operations, base },
                Described::Operations { operations: others, base: below },
            ) => Arc::ptr_eq(operations, others) && base == below,
            (Described::Operation { .. }, Described::Operations { .. })
            | (Described::Operations { .. }, Described::Operation { .. }) => false,
        }
    }
}

impl Eq for Described {}

impl Described {
    /// What stands before the paths of the description.
    #[must_use]
    pub fn base(&self) -> &Arc<str> {
        match self {
            Described::Operation { base, .. } | Described::Operations { base, .. } => base,
        }
    }

    /// The operation that a request asks for; of a rule that carries one it is that one, whatever the request says.
    /// Who may read may also ask what would be read (RFC 9110 section 9.3.2).
    #[must_use]
    pub fn operation(&self, method: &str, path: &str) -> Option<&Arc<apis::Operation>> {
        let (operations, base) = match self {
            Described::Operation { operation, .. } => return Some(operation),
            Described::Operations { operations, base } => (operations, base),
        };
        let path = path.strip_prefix(&**base).filter(|rest| rest.starts_with('/') || base.is_empty())?;
        let asked = |method: &str| {
            operations
                .iter()
                .find(|operation| *operation.method == *method && operation.template.matches(path).is_some())
        };
        asked(method).or_else(|| asked("GET").filter(|_| method == "HEAD"))
    }
}
