//! Bounds of everything that is read from a description or done with it.
//!
//! A description comes from a stranger. Each bound is hit *before* the memory or the time it protects is spent, and
//! what is past it is a [`Problem`](crate::Problem) that names it.

/// Most documents of one upload.
pub const DOCUMENTS_MAX: usize = 256;
/// Most bytes of all documents of an upload together.
pub const UPLOAD_BYTES_MAX: usize = 32 << 20;
/// Most values of one document, those repeated by aliases included.
pub const NODES_MAX: usize = 2_000_000;
/// Deepest nesting of lists and objects of one document.
pub const DEPTH_MAX: usize = model::yaml::DEPTH_MAX;
/// Longest chain of references that lead to references.
pub const REFERENCE_STEPS_MAX: usize = 32;
/// Deepest chain of schemas that judge the same value (`allOf`, `anyOf`, `oneOf`, `not`, `if`, `$ref`).
pub const SAME_VALUE_STEPS_MAX: usize = 64;
/// Most operations of one description.
pub const OPERATIONS_MAX: usize = 10_000;
/// Most parameters of one operation.
pub const PARAMETERS_MAX: usize = 256;
/// Most parameters, answers, headers and bodies of all operations together. References let a short text name many.
pub const PARTS_MAX: usize = 200_000;
/// Most problems that are kept; a hostile description must not fill the memory with messages.
pub const PROBLEMS_MAX: usize = 1_000;
/// Longest JSONPath, in characters.
pub const PATH_CHARS_MAX: usize = 4 << 10;
/// Deepest nesting of conditions in a JSONPath.
pub const PATH_DEPTH_MAX: usize = 32;
/// Most steps that following a JSONPath through one document may take.
pub const PATH_STEPS_MAX: usize = 4_000_000;
/// Most actions of one overlay.
pub const OVERLAY_ACTIONS_MAX: usize = 1_000;
/// Longest pattern, in bytes.
pub const PATTERN_BYTES_MAX: usize = 4 << 10;
/// Most bytes that one compiled pattern may take.
pub const PATTERN_MEMORY_BYTES_MAX: usize = 1 << 20;
/// Most steps that checking one value may take; alternatives of alternatives multiply.
pub const CHECK_STEPS_MAX: usize = 1_000_000;
/// Most faults that are told of one request or answer.
pub const FAULTS_MAX: usize = 64;
/// Deepest nesting of a body that is checked.
pub const BODY_DEPTH_MAX: usize = 64;
/// Most keys and elements of a body that is checked.
pub const BODY_NODES_MAX: usize = 100_000;
/// Most bytes of a body that is checked.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Deepest nesting of a value that is made up; what must be deeper is left empty where it may be.
pub const MADE_DEPTH_MAX: usize = 12;
/// Most values in one body that is made up.
pub const MADE_NODES_MAX: usize = 5_000;
/// Longest text that is made up to meet a `minLength`, in characters.
pub const MADE_TEXT_CHARS_MAX: u64 = 64 << 10;
/// Longest list that is made up to meet a `minItems`.
pub const MADE_ITEMS_MAX: u64 = 1_000;
/// Most steps of a pointer of a shim or a transform.
pub const SHIM_POINTER_STEPS_MAX: usize = 32;
/// Most bytes of a body that is changed, where a shim or a policy says nothing.
pub const SHIM_BODY_BYTES_DEFAULT: usize = 1 << 20;
/// Most bytes of a body that is changed, whatever a shim or a policy says.
pub const SHIM_BODY_BYTES_MAX: usize = 8 << 20;
/// Most messages that a proof tells of.
pub const SHIM_FAILED_MAX: usize = 200;
/// Most messages of one operation that a proof tells of.
pub const SHIM_FAILED_PER_OPERATION_MAX: usize = 5;
/// Most messages that a proof tries which nobody has asked for by a command.
pub const SHIM_PROOF_MESSAGES_MAX: usize = 20_000;
