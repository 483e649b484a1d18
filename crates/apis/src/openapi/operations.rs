//! Paths and their operations.
//!
//! Two paths that answer the same requests cannot both be meant, so they are refused. Paths of which one is more literal
//! are told apart by an order (`/pets/mine` before `/pets/{id}`) and are fine.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Reader, content, parameters, security};
use crate::limits::OPERATIONS_MAX;
use crate::op_key::OpKey;
use crate::operation::{Operation, Parameter, Place, Response, Statuses};
use crate::problem::quoted;
use crate::source::Node;
use crate::template::Template;

/// Fields of a path that are operations.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/// Fields of a path that are something else.
const OTHERS: [&str; 5] = ["$ref", "summary", "description", "servers", "parameters"];

/// Reads all operations in the order written.
pub fn read<'a>(root: Node<'a>, reader: &mut Reader<'a>) -> Vec<Arc<Operation>> {
    let mut operations = Vec::new();
    let Some(paths) = root.field("paths") else {
        // OpenAPI 3.1 allows a description of components or webhooks alone; there is nothing to serve in it.
        reader.problem(root, "has no `paths`", "add `paths:` with the operations of the API");
        return operations;
    };
    let mut known: HashMap<OpKey, (u32, Arc<str>)> = HashMap::new();
    for (path, node) in paths.fields().filter(|(path, _)| !path.starts_with("x-")) {
        let template = match Template::parse(path) {
            Ok(template) => template,
            Err(what) => {
                reader.problem(node, what, "write a path such as `/pets/{id}`");
                continue;
            }
        };
        let Some(item) = reader.follow(node) else { continue };
        for (word, node) in item.fields() {
            if !METHODS.contains(&word) {
                odd_field(word, node, reader);
                continue;
            }
            let key = OpKey::rest(word, &template);
            if let Some((line, other)) = known.get(&key) {
                let what = format!("answers the same requests as `{other}` on line {line}");
                reader.problem(
                    node,
                    what,
                    "keep one of the two; names of parameters do not tell paths apart",
                );
                continue;
            }
            known.insert(key.clone(), (node.line(), path.into()));
            if operations.len() == OPERATIONS_MAX {
                let what = format!("has more than {OPERATIONS_MAX} operations");
                reader.problem(paths, what, "split the API into several");
                return operations;
            }
            operations.push(Arc::new(operation(root, item, node, key, &template, reader)));
        }
    }
    operations
}

fn odd_field(word: &str, node: Node<'_>, reader: &mut Reader<'_>) {
    if OTHERS.contains(&word) || word.starts_with("x-") {
        return;
    }
    let near = model::suggest::did_you_mean(word, METHODS.into_iter().chain(OTHERS));
    let fix = near.unwrap_or_else(|| format!("the methods are {}", METHODS.join(", ")));
    reader.warning(node, format!("{} is no method and is left out", quoted(word)), fix);
}

fn operation<'a>(
    root: Node<'a>,
    item: Node<'a>,
    node: Node<'a>,
    key: OpKey,
    template: &Template,
    reader: &mut Reader<'a>,
) -> Operation {
    let method: Arc<str> = key.as_str().split(' ').next().unwrap_or_default().into();
    let parameters = parameters::of_operation(item, node, reader);
    compare_with_path(&parameters, template, node, reader);
    let body = node.field("requestBody").and_then(|body| content::body(body, reader));
    let tags = node.field("tags").into_iter().flat_map(|tags| tags.items());
    Operation {
        id: reader.text(node, "operationId"),
        summary: reader.text(node, "summary"),
        description: reader.text(node, "description"),
        tags: tags.filter_map(|tag| tag.text().map(Into::into)).collect(),
        deprecated: node.value.get("deprecated").and_then(serde_json::Value::as_bool).unwrap_or(false),
        parameters: parameters.into(),
        body,
        responses: responses(node, reader),
        security: security::of_operation(root, node, reader),
        schemas: Arc::default(),
        file: reader.references.file_of(node),
        line: node.line(),
        template: template.clone(),
        method,
        key,
    }
}

/// Each name in the path is a parameter, and each parameter in the path has a name there.
fn compare_with_path(parameters: &[Parameter], template: &Template, node: Node<'_>, reader: &mut Reader<'_>) {
    let in_path = |name: &str| {
        parameters.iter().any(|parameter| parameter.place == Place::Path && *parameter.name == *name)
    };
    for name in template.parameters().filter(|name| !in_path(name)) {
        let what = format!("does not say what `{{{name}}}` of its path is");
        let fix = format!("add a parameter with `name: {name}` and `in: path`; until then it is any text");
        reader.warning(node, what, fix);
    }
    for parameter in parameters.iter().filter(|parameter| parameter.place == Place::Path) {
        if !template.parameters().any(|name| *name == *parameter.name) {
            let what = format!("has a parameter `{}` that is not in the path `{template}`", parameter.name);
            let fix = model::suggest::did_you_mean(&parameter.name, template.parameters());
            reader.warning(
                node,
                what,
                fix.unwrap_or_else(|| format!("write `{{{}}}` into the path", parameter.name)),
            );
        }
    }
}

fn responses<'a>(operation: Node<'a>, reader: &mut Reader<'a>) -> Box<[Response]> {
    let Some(node) = operation.field("responses") else {
        reader.warning(operation, "has no `responses`", "add `responses:` with what it answers");
        return Box::default();
    };
    let mut found = Vec::new();
    for (status, node) in node.fields().filter(|(status, _)| !status.starts_with("x-")) {
        let Some(statuses) = statuses(status) else {
            let what = format!("{} is no status", quoted(status));
            reader.problem(node, what, "write a status such as `200`, a class such as `4XX`, or `default`");
            continue;
        };
        if !reader.takes_part(node) {
            break;
        }
        if let Some(target) = reader.follow(node) {
            found.push(content::response(statuses, target, reader));
        }
    }
    found.into()
}

fn statuses(text: &str) -> Option<Statuses> {
    if text == "default" {
        return Some(Statuses::Default);
    }
    let digit = text.bytes().next().filter(u8::is_ascii_digit)?;
    if text.len() == 3 && text[1..].eq_ignore_ascii_case("xx") {
        return (b'1'..=b'5').contains(&digit).then(|| Statuses::Class(digit - b'0'));
    }
    let status = text.parse::<u16>().ok().filter(|status| (100..600).contains(status))?;
    Some(Statuses::One(status))
}
