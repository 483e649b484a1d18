//! What a proxy could not take, one by one, in the error detail of its answer.

use prost::Message as _;

use crate::limits::{PROBLEM_BYTES_MAX, REJECTIONS_TOLD_MAX};
use crate::messages::{Any, INVALID_ARGUMENT, REJECTED_TYPE, Rejected, Status};
use crate::object::{ObjectName, TypeName, Version};

/// An object that a proxy could not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Which.
    pub object: ObjectName,
    /// The version that was rejected.
    pub version: Version,
    /// What is wrong with it, in a sentence.
    pub problem: String,
}

/// The error of an answer in which these were rejected; `None` when nothing was.
pub(crate) fn status(rejections: &[&Rejection]) -> Option<Status> {
    if rejections.is_empty() {
        return None;
    }
    let untold = rejections.len().saturating_sub(REJECTIONS_TOLD_MAX);
    let more = if untold > 0 { format!(", {untold} of them not named here") } else { String::new() };
    let message = format!("{} objects rejected{more}", rejections.len());
    let details = rejections.iter().take(REJECTIONS_TOLD_MAX).map(|rejection| detail(rejection)).collect();
    Some(Status { code: INVALID_ARGUMENT, message, details })
}

fn detail(rejection: &Rejection) -> Any {
    let Rejection { object, version, problem } = rejection;
    let rejected = Rejected {
        type_name: object.of.as_str().to_owned(),
        name: object.name.to_string(),
        version: version.to_string(),
        problem: cut(problem, PROBLEM_BYTES_MAX).to_owned(),
    };
    Any { type_url: REJECTED_TYPE.to_owned(), value: rejected.encode_to_vec().into() }
}

/// The rejections in the error of an answer. Details that are none of ours say nothing about an object and are
/// passed over.
#[must_use]
pub(crate) fn rejections(status: &Status) -> Vec<Rejection> {
    let ours = status.details.iter().filter(|any| any.type_url == REJECTED_TYPE).take(REJECTIONS_TOLD_MAX);
    ours.filter_map(|any| Rejected::decode(any.value.clone()).ok())
        .map(|rejected| Rejection {
            object: ObjectName { of: TypeName::new(&rejected.type_name), name: rejected.name.into() },
            version: Version::stated(&rejected.version),
            problem: cut(&rejected.problem, PROBLEM_BYTES_MAX).to_owned(),
        })
        .collect()
}

/// The beginning of a text, at most so many bytes of it.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(number: usize, problem: &str) -> Rejection {
        let object = ObjectName { of: TypeName::new("HTTPRoute"), name: format!("shop/r{number}").into() };
        Rejection { object, version: Version::stated("1"), problem: problem.to_owned() }
    }

    #[test]
    fn every_rejection_is_named_with_its_problem() {
        let two = [rejection(1, "no rules"), rejection(2, "ä")];

        let status = status(&two.iter().collect::<Vec<_>>()).expect("an error");

        assert_eq!(status.message, "2 objects rejected");
        assert_eq!(rejections(&status), two);
    }

    #[test]
    fn very_many_and_very_long_rejections_are_cut() {
        let long = "ä".repeat(PROBLEM_BYTES_MAX);
        let many: Vec<Rejection> =
            (0..REJECTIONS_TOLD_MAX + 3).map(|number| rejection(number, &long)).collect();

        let status = status(&many.iter().collect::<Vec<_>>()).expect("an error");

        assert_eq!(status.message, format!("{} objects rejected, 3 of them not named here", many.len()));
        let told = rejections(&status);
        assert_eq!(told.len(), REJECTIONS_TOLD_MAX);
        assert!(told.iter().all(|rejection| rejection.problem.len() <= PROBLEM_BYTES_MAX));
    }

    #[test]
    fn nothing_rejected_is_no_error() {
        assert_eq!(status(&[]), None);
    }
}
