//! Generated requests against the mock of the same description: the good ones are taken, the bad ones are refused.

mod shims;

use apis::cases::{self, Answered, Case, Expected};
use apis::mock::{self, Answer};
use apis::{Description, Document};

fn petstore() -> Description {
    let document = Document::new("petstore.yaml", include_str!("descriptions/petstore.yaml"));
    Description::read(&[document]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn answer(description: &Description, case: &Case) -> Answer {
    let (path, query) = case.target.split_once('?').unwrap_or((&case.target, ""));
    let headers: Vec<(&str, &str)> =
        case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sent = apis::Request { path, query, headers: &headers, body: &case.body };
    match mock::route(description, &case.method, path) {
        Ok(operation) => mock::answer(operation, &mock::Request { sent, seed: 1 }),
        Err(answer) => answer,
    }
}

#[test]
fn a_mock_takes_every_good_case_and_refuses_every_bad_one() {
    let description = petstore();
    let all = cases::of(&description, &[], 1);

    for case in &all {
        let answer = answer(&description, case);
        let headers: Vec<(&str, &str)> =
            answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let operation = description.operation(case.operation.as_str()).expect("its operation");
        let answered = Answered { status: answer.status, headers: &headers, body: &answer.body };
        let faults = case.verdict(operation, answered);
        assert_eq!(faults, [], "{} {}: {} {}", case.operation, case.name, case.method, case.target);
        let good = case.expected == Expected::Taken;
        assert_eq!(
            good,
            (200..300).contains(&answer.status),
            "{} {}: {}",
            case.operation,
            case.name,
            answer.status
        );
    }
    let bad = all.iter().filter(|case| case.expected == Expected::Refused).count();
    assert!(all.len() - bad >= 12 && bad >= 30, "{} good, {bad} bad", all.len() - bad);
}

#[test]
fn every_rule_of_a_description_has_a_case_that_breaks_it() {
    let all = cases::of(&petstore(), &[], 1);
    for name in [
        "query parameter limit below its minimum",
        "query parameter limit above its maximum",
        "query parameter limit of another type",
        "header parameter x-trace of another form",
        "path parameter petId below its minimum",
        "body missing",
        "body that is no JSON",
        "body of a type that is not described",
        "body without name",
        "body with name that is too short",
        "body with name that is too long",
        "body with kind that is no choice",
        "without credentials",
    ] {
        assert!(all.iter().any(|case| case.name == name), "{name}");
    }
}

#[test]
fn the_same_seed_makes_the_same_cases() {
    let description = petstore();
    assert_eq!(cases::of(&description, &[], 3), cases::of(&description, &[], 3));
    assert_ne!(cases::of(&description, &[], 3), cases::of(&description, &[], 4));
}

#[test]
fn an_answer_that_breaks_its_promise_is_a_fault() {
    let description = petstore();
    let operation = description.operation("GET /pets/{}").expect("there");
    let all = cases::of_operation(operation, &[], 1);
    let case = |expected| all.iter().find(|case| case.expected == expected).expect("one");
    let json = [("content-type", "application/json")];
    let of = |case: &Case, status, body: &str| {
        !case.verdict(operation, Answered { status, headers: &json, body: body.as_bytes() }).is_empty()
    };

    let good = case(Expected::Taken);
    assert!(!of(good, 200, r#"{"id": 1, "name": "Rex", "kind": "dog"}"#));
    assert!(of(good, 200, r#"{"id": 0, "name": "Rex", "kind": "dog"}"#));
    assert!(of(good, 202, "{}"), "not described");
    assert!(of(good, 500, "{}"), "the server failed");
    let bad = case(Expected::Refused);
    assert!(of(bad, 200, r#"{"id": 1, "name": "Rex", "kind": "dog"}"#));
    assert!(of(bad, 500, "{}"));
    assert!(!of(bad, 400, "{}"));
}
