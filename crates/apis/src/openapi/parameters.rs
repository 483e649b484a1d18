//! Parameters of operations and fields of answers.

use std::sync::Arc;

use serde_json::Value;

use super::{Reader, content};
use crate::limits::PARAMETERS_MAX;
use crate::operation::{Header, Parameter, Place, Shape, Style};
use crate::problem::quoted;
use crate::schema::SchemaId;
use crate::source::Node;

/// Fields of a head that are not parameters: what they say, the description says elsewhere.
const SAID_ELSEWHERE: [&str; 3] = ["accept", "content-type", "authorization"];

/// Parameters of an operation: those of its path, then its own, which stand in for those of the same name and place.
pub fn of_operation<'a>(item: Node<'a>, operation: Node<'a>, reader: &mut Reader<'a>) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    let shared = list(item, reader).into_iter().map(|node| (node, false));
    let own = list(operation, reader).into_iter().map(|node| (node, true));
    let mut own_places: Vec<(Arc<str>, Place)> = Vec::new();
    for (node, is_own) in shared.chain(own).collect::<Vec<_>>() {
        if found.len() > PARAMETERS_MAX || !reader.takes_part(node) {
            break;
        }
        let Some(parameter) = parameter(node, reader) else { continue };
        if parameter.place == Place::Header
            && SAID_ELSEWHERE.iter().any(|name| parameter.name.eq_ignore_ascii_case(name))
        {
            continue;
        }
        let place = (parameter.name.clone(), parameter.place);
        if is_own && own_places.contains(&place) {
            let what = format!("names the {} parameter `{}` twice", parameter.place, parameter.name);
            reader.problem(node, what, "remove one of the two");
            continue;
        }
        if is_own {
            own_places.push(place);
        }
        let same = |known: &&mut Parameter| known.name == parameter.name && known.place == parameter.place;
        match found.iter_mut().find(same) {
            Some(known) => *known = parameter,
            None => found.push(parameter),
        }
    }
    if found.len() > PARAMETERS_MAX {
        let what = format!("has more than {PARAMETERS_MAX} parameters");
        reader.problem(operation, what, "put some of them into the body");
    }
    found
}

fn list<'a>(node: Node<'a>, reader: &mut Reader<'a>) -> Vec<Node<'a>> {
    let Some(list) = node.field("parameters") else { return Vec::new() };
    if !list.value.is_array() {
        reader.problem(list, "must be a list", "write `- name: …` for each parameter");
    }
    list.items().collect()
}

fn parameter<'a>(node: Node<'a>, reader: &mut Reader<'a>) -> Option<Parameter> {
    let node = reader.follow(node)?;
    let name = node.text_of("name");
    let place = match node.text_of("in") {
        Some("path") => Some(Place::Path),
        Some("query") => Some(Place::Query),
        Some("header") => Some(Place::Header),
        Some("cookie") => Some(Place::Cookie),
        Some("body" | "formData") => {
            let fix = "OpenAPI 3 describes bodies in `requestBody`";
            reader.problem(node, "is a parameter of Swagger 2.0", fix);
            return None;
        }
        Some(other) => {
            let what = format!("stands in {}, which is no place", quoted(other));
            reader.problem(node, what, "write `in: path`, `query`, `header` or `cookie`");
            return None;
        }
        None => None,
    };
    let (Some(name), Some(place)) = (name, place) else {
        let fix = "write `name: limit` and `in: query`";
        reader.problem(node, "is a parameter without a `name` or a place", fix);
        return None;
    };
    let flag = |word: &str| node.value.get(word).and_then(Value::as_bool).unwrap_or(false);
    let (shape, schema) = shape(node, place, reader);
    Some(Parameter {
        name: name.into(),
        place,
        required: flag("required") || place == Place::Path,
        deprecated: flag("deprecated"),
        description: reader.text(node, "description"),
        shape,
        schema,
        examples: content::examples(node, reader),
        line: node.line(),
    })
}

fn shape<'a>(node: Node<'a>, place: Place, reader: &mut Reader<'a>) -> (Shape, Option<SchemaId>) {
    if let Some((range, media)) = node.field("content").and_then(|content| content.fields().next()) {
        let schema = media.field("schema").map(|schema| reader.schema(schema));
        return (Shape::Content(range.to_ascii_lowercase().into()), schema);
    }
    let usual = match place {
        Place::Path | Place::Header => Style::Simple,
        Place::Query | Place::Cookie => Style::Form,
    };
    let style = match node.field("style") {
        None => usual,
        Some(written) => style(written, reader).unwrap_or(usual),
    };
    let style = if style.fits(place) {
        style
    } else {
        let what = format!("has the style `{}`, which is not for a {place}", style.word());
        reader.problem(node, what, format!("write `style: {}`, or leave it out", usual.word()));
        usual
    };
    let explode = node.value.get("explode").and_then(Value::as_bool).unwrap_or(style == Style::Form);
    let schema = node.field("schema").map(|schema| reader.schema(schema));
    (Shape::Styled { style, explode }, schema)
}

/// The style that a word names.
pub fn style(node: Node<'_>, reader: &mut Reader<'_>) -> Option<Style> {
    let all = [
        Style::Matrix,
        Style::Label,
        Style::Simple,
        Style::Form,
        Style::SpaceDelimited,
        Style::PipeDelimited,
        Style::DeepObject,
    ];
    let found = all.into_iter().find(|style| node.text() == Some(style.word()));
    if found.is_none() {
        let near =
            model::suggest::did_you_mean(node.text().unwrap_or(""), all.iter().map(|style| style.word()));
        reader.problem(node, "is no style", near.unwrap_or_else(|| "write `style: form`".to_owned()));
    }
    found
}

/// Fields of the head of an answer.
pub fn headers<'a>(response: Node<'a>, reader: &mut Reader<'a>) -> Box<[Header]> {
    let mut found = Vec::new();
    for (name, node) in response.field("headers").into_iter().flat_map(|headers| headers.fields()) {
        // What is sent as `Content-Type` is the media type, not a field that somebody may choose.
        if name.eq_ignore_ascii_case("content-type") {
            continue;
        }
        let Some(node) = reader.follow(node) else { continue };
        if !reader.takes_part(node) {
            break;
        }
        let (shape, schema) = shape(node, Place::Header, reader);
        found.push(Header {
            name: name.into(),
            required: node.value.get("required").and_then(Value::as_bool).unwrap_or(false),
            description: reader.text(node, "description"),
            shape,
            schema,
            examples: content::examples(node, reader),
        });
    }
    found.into()
}
