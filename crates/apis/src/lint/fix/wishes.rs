//! What should be done to an upload: one function for each rule that has a remedy.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::rules;
use super::{Change, Fix, Left, Wish};
use crate::description::Description;
use crate::jsonpath::Step;
use crate::lint::Rule;
use crate::op_key::OpKey;
use crate::problem::quoted;
use crate::source::{Node, Upload};
use crate::template::{Part, Segment, Template};

/// Methods under which a path has operations.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/// Names below which stand values and not descriptions of values.
const VALUES: [&str; 5] = ["example", "examples", "default", "const", "enum"];

/// An operation as it is written.
struct Written<'a> {
    key: OpKey,
    method: &'a str,
    template: Template,
    node: Node<'a>,
    steps: Vec<Step>,
}

struct Maker<'a, 'l> {
    upload: &'a Upload,
    wishes: Vec<Wish>,
    left: &'l mut Vec<Left>,
}

/// Everything that could be mended, in the order of the documents.
pub fn of(upload: &Upload, description: &Description, left: &mut Vec<Left>) -> Vec<Wish> {
    let mut maker = Maker { upload, wishes: Vec::new(), left };
    for document in 0..upload.trees.len() {
        let root = upload.root(document);
        let operations = operations(root);
        maker.identifiers(&operations, description);
        operations.iter().for_each(|operation| maker.answers(operation));
        maker.tags(root, &operations);
        maker.choices(root, &mut Vec::new());
    }
    maker.wishes
}

/// The operations that stand in a document itself.
fn operations(root: Node<'_>) -> Vec<Written<'_>> {
    let mut found = Vec::new();
    for (path, item) in root.field("paths").into_iter().flat_map(|paths| paths.fields()) {
        let Ok(template) = Template::parse(path) else { continue };
        for (method, node) in item.fields().filter(|(name, _)| METHODS.contains(name)) {
            let steps = steps(&["paths", path, method]);
            let (key, template) = (OpKey::rest(method, &template), template.clone());
            found.push(Written { key, method, template, node, steps });
        }
    }
    found
}

impl Maker<'_, '_> {
    fn fix(&self, rule: &'static Rule, node: Node<'_>, subject: impl ToString, what: String) -> Fix {
        let file: Arc<str> = self.upload.trees[node.document].name.clone();
        Fix { rule, file, line: node.line(), subject: subject.to_string(), what }
    }

    fn wish(&mut self, fix: Fix, document: usize, target: Vec<Step>, change: Change) {
        self.wishes.push(Wish { document, fix, target, change });
    }

    /// Operations without a name get one of their method and path.
    fn identifiers(&mut self, operations: &[Written<'_>], description: &Description) {
        let known = description.operations.iter().filter_map(|operation| operation.id.as_deref());
        let mut known: HashSet<String> = known.map(str::to_owned).collect();
        for operation in operations.iter().filter(|operation| operation.node.field("operationId").is_none()) {
            let base = identifier(operation.method, &operation.template);
            let numbered = (2_u32..).map(|number| format!("{base}{number}"));
            let name = std::iter::once(base.clone()).chain(numbered).find(|name| !known.contains(name));
            let name = name.unwrap_or(base);
            known.insert(name.clone());
            let what = format!("is named `{name}`");
            let fix = self.fix(&rules::OPERATION_ID, operation.node, &operation.key, what);
            let change = Change::Field("operationId", Value::String(name));
            self.wish(fix, operation.node.document, operation.steps.clone(), change);
        }
    }

    /// Answers without a description get the meaning of their status; those that have no body lose it.
    fn answers(&mut self, operation: &Written<'_>) {
        let responses = operation.node.field("responses");
        for (status, answer) in responses.into_iter().flat_map(|responses| responses.fields()) {
            if !answer.value.is_object() || answer.field("$ref").is_some() {
                continue;
            }
            let subject = format!("{} answer {status}", operation.key);
            let target = [&operation.steps[..], &steps(&["responses", status])].concat();
            let number: Option<u16> = status.parse().ok();
            if answer.field("description").is_none() {
                let Some(phrase) = number.and_then(phrase) else {
                    let fix =
                        self.fix(&rules::ANSWER_WORDS, answer, &subject, "would be described".to_owned());
                    let why = "its status has no meaning that everybody knows";
                    self.left.push(Left { fix, why });
                    continue;
                };
                let what = format!("is described: {phrase}");
                let fix = self.fix(&rules::ANSWER_WORDS, answer, &subject, what);
                let change = Change::Field("description", Value::from(phrase));
                self.wish(fix, answer.document, target.clone(), change);
            }
            let is_empty = matches!(number, Some(100..=199 | 204 | 205 | 304));
            let content = answer.field("content").filter(|_| is_empty);
            if let Some(content) = content.filter(|content| content.value != &json!({})) {
                let what = "has no `content` any more".to_owned();
                let fix = self.fix(&rules::ANSWER_EMPTY, content, &subject, what);
                self.wish(
                    fix,
                    answer.document,
                    [&target[..], &steps(&["content"])].concat(),
                    Change::Removal,
                );
            }
        }
    }

    /// Tags of operations that are not listed are, unless they are as good as misspelt.
    fn tags(&mut self, root: Node<'_>, operations: &[Written<'_>]) {
        let Some(listed) = root.field("tags").filter(|tags| tags.items().next().is_some()) else { return };
        let mut known: Vec<&str> = listed.items().filter_map(|tag| tag.text_of("name")).collect();
        for operation in operations {
            let tags = operation.node.field("tags");
            for tag in tags.into_iter().flat_map(|tags| tags.items()).filter_map(|tag| tag.text()) {
                if known.contains(&tag) {
                    continue;
                }
                let what = format!("{} is listed", quoted(tag));
                let fix = self.fix(&rules::TAG_KNOWN, operation.node, &operation.key, what);
                if model::suggest::did_you_mean(tag, known.iter().copied()).is_some() {
                    self.left.push(Left { fix, why: "another tag is spelt nearly the same" });
                    continue;
                }
                known.push(tag);
                let change = Change::Element(json!({ "name": tag }));
                self.wish(fix, root.document, steps(&["tags"]), change);
            }
        }
    }

    /// A choice that stands twice stands once.
    fn choices(&mut self, node: Node<'_>, way: &mut Vec<Step>) {
        let is_schema = node.field("type").is_some() || node.field("enum").is_some();
        if let Some(list) = node.field("enum").filter(|_| is_schema) {
            let mut seen = HashSet::new();
            for (position, choice) in list.items().enumerate() {
                if seen.insert(choice.value.to_string()) {
                    continue;
                }
                let what = format!("{} stands once", quoted(&choice.value.to_string()));
                let fix = self.fix(&rules::CHOICES_UNIQUE, choice, "schema", what);
                let target = [&way[..], &[Step::Name("enum".to_owned()), Step::Index(position)]].concat();
                self.wish(fix, choice.document, target, Change::Removal);
            }
        }
        for (name, inner) in node.fields() {
            if !VALUES.contains(&name) && !name.starts_with("x-") {
                way.push(Step::Name(name.to_owned()));
                self.choices(inner, way);
                way.pop();
            }
        }
        for (position, inner) in node.items().enumerate() {
            way.push(Step::Index(position));
            self.choices(inner, way);
            way.pop();
        }
    }
}

fn steps(names: &[&str]) -> Vec<Step> {
    names.iter().map(|name| Step::Name((*name).to_owned())).collect()
}

/// `getPetsByPetIdToys`
fn identifier(method: &str, template: &Template) -> String {
    let mut name = method.to_owned();
    for segment in template.segments() {
        match segment {
            Segment::Literal(text) => push_words(&mut name, text),
            Segment::Parameter(parameter) => {
                name.push_str("By");
                push_words(&mut name, parameter);
            }
            Segment::Mixed(parts) => {
                for part in parts.iter() {
                    match part {
                        Part::Literal(text) | Part::Parameter(text) => push_words(&mut name, text),
                    }
                }
            }
        }
    }
    name
}

/// Adds the words of a text, each with a capital.
fn push_words(name: &mut String, text: &str) {
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
}

/// What a status says, in the words of its registry (RFC 9110, 6585 and 8470).
fn phrase(status: u16) -> Option<&'static str> {
    Some(match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        425 => "Too Early",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => return None,
    })
}
