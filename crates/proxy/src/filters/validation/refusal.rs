//! Which failure a request is that is refused for what is wrong with it.

use apis::check::{Fault, Where};
use engine::config::Validation;

use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::findings::Findings;

/// Notes what is wrong with a request.
///
/// # Errors
/// It is refused: with the status of what is wrong first with it, its type, its form, and then what it says.
pub(super) fn of_request<'c>(
    exchange: &mut Exchange<'c>,
    validation: &'c Validation,
    faults: &[Fault],
    refused: bool,
) -> Result<(), Failure> {
    let metrics = &exchange.worker.metrics;
    let counter = if refused { &metrics.requests_refused } else { &metrics.requests_reported };
    counter.add(1);
    exchange.findings = Some(Box::new(Findings::new(&validation.policies, "request", faults, refused)));
    if refused { Err(failure(faults)) } else { Ok(()) }
}

fn failure(faults: &[Fault]) -> Failure {
    let is_type =
        |fault: &Fault| fault.place == Where::Body && matches!(fault.rule, "encoding" | "mediaType");
    let is_of_body =
        |fault: &Fault| fault.place == Where::Body && !matches!(fault.rule, "content" | "limit" | "unique");
    if faults.iter().any(is_type) {
        Failure::MediaTypeUnsupported
    } else if faults.iter().all(is_of_body) {
        Failure::RequestInvalid
    } else {
        Failure::RequestMalformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(place: Where, rule: &'static str, what: &str) -> Fault {
        Fault { place, pointer: "/a".to_owned(), rule, what: what.to_owned() }
    }

    #[test]
    fn the_status_is_that_of_what_is_wrong_first() {
        let name = Where::Parameter(apis::Place::Query, "limit".into());
        let of_body = fault(Where::Body, "type", "is no number");
        let of_query = fault(name, "type", "is no number");
        let of_type = fault(Where::Body, "mediaType", "is of a media type that is not described");
        let no_json = fault(Where::Body, "content", "is no JSON");
        let too_deep = fault(Where::Body, "limit", "is too deep");

        assert_eq!(failure(std::slice::from_ref(&of_body)), Failure::RequestInvalid);
        assert_eq!(failure(&[of_body.clone(), of_query]), Failure::RequestMalformed);
        assert_eq!(failure(&[no_json]), Failure::RequestMalformed);
        assert_eq!(failure(&[too_deep]), Failure::RequestMalformed);
        assert_eq!(failure(&[of_body, of_type]), Failure::MediaTypeUnsupported);
    }
}
