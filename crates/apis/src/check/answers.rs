//! Answers of a service, against what its description promises.

use super::styles::Texts;
use super::{Direction, Fault, Where, body, value};
use crate::operation::{Operation, Shape};
use crate::request::Request;

/// Everything that is wrong with an answer.
pub fn faults(operation: &Operation, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<Fault> {
    let Some(response) = operation.response(status) else {
        let what = format!("{status} is not described");
        return vec![Fault { place: Where::Status, pointer: String::new(), rule: "status", what }];
    };
    let head = Request { headers, ..Request::default() };
    let schemas = &operation.schemas;
    let texts = Texts { schemas, direction: Direction::Answer };
    let mut found = Vec::new();
    for header in &response.headers {
        let place = Where::Header(header.name.clone());
        match (head.header(&header.name), &header.shape) {
            (None, _) if header.required => {
                let what = "is missing".to_owned();
                found.push(Fault { place, pointer: String::new(), rule: "required", what });
            }
            (Some(text), Shape::Styled { style, explode }) => {
                if let Some(id) = header.schema {
                    let given = texts.styled(&text, *style, *explode, &header.name, header.schema);
                    found.extend(value(schemas, id, &given, Direction::Answer, &place));
                }
            }
            (None | Some(_), _) => {}
        }
    }
    found.extend(body_faults(operation, response, &head, body));
    found
}

fn body_faults(
    operation: &Operation,
    response: &crate::operation::Response,
    head: &Request<'_>,
    body: &[u8],
) -> Vec<Fault> {
    let fault =
        |what: String| vec![Fault { place: Where::Body, pointer: String::new(), rule: "content", what }];
    // The answer to a HEAD has no body, whatever its description says.
    if body.is_empty() || response.content.is_empty() || &*operation.method == "HEAD" {
        let missing = body.is_empty() && !response.content.is_empty() && &*operation.method != "HEAD";
        let described = response.content.iter().any(|media| media.schema.is_some());
        return if missing && described { fault("is missing".to_owned()) } else { Vec::new() };
    }
    let Some(given) = head.header("content-type") else {
        return fault("has no `content-type`".to_owned());
    };
    match body::find(&response.content, &given) {
        Some(media) => body::media_faults(&operation.schemas, media, &given, body, Direction::Answer),
        None => fault(format!("is of the type {}, which is not described", crate::problem::quoted(&given))),
    }
}
