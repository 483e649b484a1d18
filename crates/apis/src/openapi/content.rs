//! Bodies: what requests carry and what answers bring.

use std::sync::Arc;

use super::{Reader, parameters};
use crate::operation::{Body, Example, Form, Media, Response, Statuses};
use crate::problem::quoted;
use crate::source::Node;

/// The body of a request.
pub fn body<'a>(node: Node<'a>, reader: &mut Reader<'a>) -> Option<Body> {
    let node = reader.follow(node)?;
    if node.field("content").is_none() {
        reader.problem(
            node,
            "has no `content`",
            "add `content:` with a media type such as `application/json:`",
        );
    }
    Some(Body {
        required: node.value.get("required").and_then(serde_json::Value::as_bool).unwrap_or(false),
        description: reader.text(node, "description"),
        content: content(node, reader),
    })
}

/// An answer.
pub fn response<'a>(statuses: Statuses, node: Node<'a>, reader: &mut Reader<'a>) -> Response {
    Response {
        statuses,
        description: reader.text(node, "description"),
        headers: parameters::headers(node, reader),
        content: content(node, reader),
    }
}

fn content<'a>(node: Node<'a>, reader: &mut Reader<'a>) -> Arc<[Media]> {
    if let Some(known) = reader.contents.get(&node.address()) {
        return known.clone();
    }
    let mut found = Vec::new();
    for (range, node) in node.field("content").into_iter().flat_map(|content| content.fields()) {
        if !reader.takes_part(node) {
            break;
        }
        if !is_range(range) {
            let what = format!("{} is no media type", quoted(range));
            reader.problem(node, what, "write a type such as `application/json`");
            continue;
        }
        let schema = node.field("schema").map(|schema| reader.schema(schema));
        let examples = examples(node, reader);
        found.push(Media {
            range: range.to_ascii_lowercase().into(),
            schema,
            examples,
            fields: fields(node, reader),
        });
    }
    let found: Arc<[Media]> = found.into();
    reader.contents.insert(node.address(), found.clone());
    found
}

/// `type/subtype`, either of which may be `*`, and parameters behind.
fn is_range(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or("").trim();
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// `example` and `examples`, the single one first and without a name.
pub fn examples<'a>(node: Node<'a>, reader: &mut Reader<'a>) -> Arc<[Example]> {
    let single =
        node.field("example").map(|node| Example { name: None, summary: None, value: node.value.clone() });
    let mut found: Vec<Example> = single.into_iter().collect();
    for (name, node) in node.field("examples").into_iter().flat_map(|examples| examples.fields()) {
        let Some(node) = reader.follow(node) else { continue };
        // An example elsewhere (`externalValue`) is not fetched, and shows nothing.
        if let Some(value) = node.field("value") {
            let summary = reader.text(node, "summary");
            found.push(Example { name: Some(name.into()), summary, value: value.value.clone() });
        }
    }
    let found: Arc<[Example]> = found.into();
    reader.examples.insert(node.address(), found.clone());
    found
}

fn fields<'a>(node: Node<'a>, reader: &mut Reader<'a>) -> Box<[Form]> {
    let mut found = Vec::new();
    for (name, node) in node.field("encoding").into_iter().flat_map(|encoding| encoding.fields()) {
        let style = node.field("style").and_then(|node| parameters::style(node, reader)).map(|style| {
            let explode = node.value.get("explode").and_then(serde_json::Value::as_bool);
            (style, explode.unwrap_or(style == crate::operation::Style::Form))
        });
        let content = node.text_of("contentType").map(Into::into);
        found.push(Form { name: name.into(), content, style });
    }
    found.into()
}
