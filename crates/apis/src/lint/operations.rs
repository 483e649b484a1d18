//! Operations by themselves.

use super::{Desk, rules};
use crate::description::Description;
use crate::operation::{Operation, Shape, Statuses};

pub fn look(operation: &Operation, description: &Description, desk: &mut Desk) {
    let place = (&operation.file, operation.line);
    if operation.id.is_none() {
        desk.add(
            &rules::OPERATION_ID,
            place,
            &operation.key,
            "has no `operationId`",
            "add `operationId: listPets`",
        );
    }
    if operation.summary.is_none() && operation.description.is_none() {
        desk.add(
            &rules::SUMMARY,
            place,
            &operation.key,
            "has neither summary nor description",
            "add `summary:`",
        );
    }
    for tag in operation.tags.iter().filter(|_| !description.tags.is_empty()) {
        if !description.tags.iter().any(|known| known.name == *tag) {
            let near = model::suggest::did_you_mean(tag, description.tags.iter().map(|known| &*known.name));
            let what = format!("has the tag {}, which is not among `tags`", crate::problem::quoted(tag));
            desk.add(
                &rules::TAG_KNOWN,
                place,
                &operation.key,
                what,
                near.unwrap_or_else(|| "add it there".to_owned()),
            );
        }
    }
    let writes = matches!(&*operation.method, "POST" | "PUT" | "PATCH" | "DELETE");
    if writes && operation.security.is_open() {
        let fix = "add `security:`; if it is meant so, leave the rule out";
        desk.add(&rules::SECURITY, place, &operation.key, "can be called by anybody", fix);
    }
    if operation.body.is_some() && matches!(&*operation.method, "GET" | "HEAD" | "DELETE") {
        let what = format!("describes a body of a {}", operation.method);
        desk.add(&rules::BODY_UNEXPECTED, place, &operation.key, what, "use parameters, or POST");
    }
    for parameter in &operation.parameters {
        let place = (&operation.file, parameter.line);
        let subject = format!("{} {} parameter {}", operation.key, parameter.place, parameter.name);
        if parameter.schema.is_none() && matches!(parameter.shape, Shape::Styled { .. }) {
            desk.add(
                &rules::PARAMETER_SCHEMA,
                place,
                &subject,
                "has no schema",
                "add `schema: { type: string }`",
            );
        }
        if parameter.description.is_none() {
            desk.add(&rules::PARAMETER_WORDS, place, &subject, "has no description", "add `description:`");
        }
    }
    answers(operation, desk);
}

fn answers(operation: &Operation, desk: &mut Desk) {
    let place = (&operation.file, operation.line);
    let of = |least: u16, most: u16| {
        operation.responses.iter().any(|response| match response.statuses {
            Statuses::One(status) => (least..=most).contains(&status),
            Statuses::Class(class) => (least / 100..=most / 100).contains(&u16::from(class)),
            Statuses::Default => true,
        })
    };
    if !of(100, 399) {
        desk.add(
            &rules::SUCCESS,
            place,
            &operation.key,
            "describes no answer when all goes well",
            "add `'200':`",
        );
    }
    if !of(400, 599) {
        desk.add(&rules::FAILURE, place, &operation.key, "describes no failure", "add `default:` or `4XX:`");
    }
    for response in &operation.responses {
        let subject = format!("{} answer {}", operation.key, response.statuses);
        if response.description.is_none() {
            desk.add(&rules::ANSWER_WORDS, place, &subject, "has no description", "add `description:`");
        }
        let empty =
            matches!(response.statuses, Statuses::Class(1) | Statuses::One(100..=199 | 204 | 205 | 304));
        if empty && !response.content.is_empty() {
            desk.add(
                &rules::ANSWER_EMPTY,
                place,
                &subject,
                "describes a body",
                "take `content:` away, or use 200",
            );
        }
    }
}
