//! Which operation a request asks for, when nobody has found out before.
//!
//! A gateway knows the operation by its rule; this is for those who have a description and nothing else.

use std::sync::Arc;

use super::Answer;
use crate::description::Description;
use crate::operation::Operation;

/// The operation of a method and a path below the base path of the API.
///
/// # Errors
/// The answer to a request that asks for none: 404, or 405 when the path has other methods.
pub fn route<'d>(
    description: &'d Description,
    method: &str,
    path: &str,
) -> Result<&'d Arc<Operation>, Answer> {
    find(&description.operations, method, path)
}

/// The same, of operations without a description.
pub(crate) fn find<'d>(
    operations: &'d [Arc<Operation>],
    method: &str,
    path: &str,
) -> Result<&'d Arc<Operation>, Answer> {
    let mut found: Vec<&Arc<Operation>> =
        operations.iter().filter(|operation| operation.template.matches(path).is_some()).collect();
    found.sort_by(|left, right| left.template.precedence(&right.template));
    if let Some(operation) = found.iter().find(|operation| operation.method.eq_ignore_ascii_case(method)) {
        return Ok(operation);
    }
    if found.is_empty() {
        return Err(Answer::problem(404, "no such path", "the description has no such path"));
    }
    let mut methods: Vec<&str> = found.iter().map(|operation| &*operation.method).collect();
    methods.dedup();
    let mut answer = Answer::problem(405, "no such method", "the path has other methods");
    answer.headers.push(("allow".to_owned(), methods.join(", ")));
    Err(answer)
}
