//! Versions of APIs, and what can be asked of one: its reference, out of the description that it is served by.

use apis::check::Direction;
use apis::mock::make::{self, Look};
use apis::{Description, Document, Example, Media, Operation};
use serde_json::Value;

use super::{Meta, list, text};

/// A version of an API.
#[derive(Clone, Debug)]
pub struct ApiVersion {
    /// What all objects have.
    pub meta: Meta,
    /// Name of the API.
    pub api: String,
    /// What people call the version.
    pub label: String,
    /// How far along its life it is, and whether it is held.
    pub state: String,
    /// Name of the revision that describes it.
    pub revision: String,
    /// Its path.
    pub path: String,
    /// Where it is called: its path, behind its host where it names one.
    pub base: String,
}

impl ApiVersion {
    /// Reads one.
    #[must_use]
    pub fn of(object: &Value) -> ApiVersion {
        let spec = &object["spec"];
        let held = if spec["hold"] == Value::Bool(true) { ", held" } else { "" };
        ApiVersion {
            meta: Meta::of("APIVersion", object),
            api: text(&spec["api"]),
            label: text(&spec["label"]),
            state: format!("{}{held}", text(&spec["state"])),
            revision: text(&spec["revision"]),
            base: format!("{}{}", host(spec), path(spec)),
            path: path(spec),
        }
    }
}

fn host(spec: &Value) -> String {
    list(&spec["hostnames"]).map(text).find(|host| !host.starts_with('*')).unwrap_or_default()
}

fn path(spec: &Value) -> String {
    let path = match text(&spec["basePath"]) {
        path if path.is_empty() => format!("/{}", text(&spec["api"])),
        path => path.trim_end_matches('/').to_owned(),
    };
    match text(&spec["selector"]["path"]) {
        segments if segments.is_empty() => path,
        segments => format!("{path}/{}", segments.trim_matches('/')),
    }
}

/// What can be asked of a version.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    /// What the description calls the API.
    pub title: String,
    /// What it says of it.
    pub about: String,
    /// Its operations, in the order written.
    pub operations: Vec<Reading>,
    /// What is wrong with it; then there is nothing else.
    pub problems: Vec<String>,
}

/// An operation as people read of it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Its method.
    pub method: String,
    /// Its path, with the names of parameters.
    pub path: String,
    /// Its key, by which plans and bindings name it.
    pub key: String,
    /// One line.
    pub summary: String,
    /// More.
    pub about: String,
    /// Whether it should no longer be used.
    pub is_deprecated: bool,
    /// What it is given beside a body.
    pub parameters: Vec<Parameter>,
    /// Bodies that it takes.
    pub bodies: Vec<Shown>,
    /// What it answers.
    pub answers: Vec<Answered>,
    /// A request to try.
    pub curl: String,
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: &'static str,
    /// Whether it must be there.
    pub is_required: bool,
    /// What it is for.
    pub about: String,
    /// A value that will do.
    pub example: String,
}

/// A body of one media type.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The media type.
    pub media: String,
    /// A body that will do.
    pub example: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answered {
    /// `200`, `4XX`, `default`.
    pub status: String,
    /// What it means.
    pub about: String,
    /// Its bodies.
    pub bodies: Vec<Shown>,
}

impl Reference {
    /// Reads a revision; `base` is where its operations are called: a URL, or what is known of one.
    #[must_use]
    pub fn of(revision: &Value, base: &str) -> Reference {
        let document = |one: &Value| Document::new(text(&one["name"]), text(&one["content"]));
        let documents: Vec<Document> = list(&revision["spec"]["documents"]).map(document).collect();
        let overlays: Vec<Document> = list(&revision["spec"]["overlays"]).map(document).collect();
        match Description::read_overlaid(&documents, &overlays) {
            Ok(description) => Reference {
                title: description.title.to_string(),
                about: words(&description.about),
                operations: description.operations.iter().map(|one| Reading::of(one, base)).collect(),
                problems: Vec::new(),
            },
            Err(problems) => Reference {
                problems: problems.iter().map(ToString::to_string).collect(),
                ..Reference::default()
            },
        }
    }
}

impl Reading {
    fn of(operation: &Operation, base: &str) -> Reading {
        let parameters: Vec<Parameter> =
            operation.parameters.iter().map(|one| Parameter::of(one, operation)).collect();
        let content = operation.body.iter().flat_map(|body| body.content.iter());
        let bodies: Vec<Shown> = content.map(|media| shown(media, operation, Direction::Request)).collect();
        let answers = operation.responses.iter().map(|response| Answered {
            status: response.statuses.to_string(),
            about: words(&response.description),
            bodies: response.content.iter().map(|media| shown(media, operation, Direction::Answer)).collect(),
        });
        Reading {
            method: operation.method.to_string(),
            path: operation.template.to_string(),
            key: operation.key.to_string(),
            summary: words(&operation.summary),
            about: words(&operation.description),
            is_deprecated: operation.deprecated,
            answers: answers.collect(),
            curl: curl(operation, base, &parameters, bodies.first()),
            parameters,
            bodies,
        }
    }
}

impl Parameter {
    fn of(parameter: &apis::Parameter, operation: &Operation) -> Parameter {
        let made = parameter
            .schema
            .and_then(|id| make::value(&operation.schemas, id, Look::Plain, 0, Direction::Request));
        let example = first(&parameter.examples).or(made).map(|value| plain(&value));
        Parameter {
            name: parameter.name.to_string(),
            place: parameter.place.word(),
            is_required: parameter.required,
            about: words(&parameter.description),
            example: example.unwrap_or_default(),
        }
    }
}

fn shown(media: &Media, operation: &Operation, direction: Direction) -> Shown {
    let made = || media.schema.and_then(|id| make::value(&operation.schemas, id, Look::Plain, 0, direction));
    let example = first(&media.examples).or_else(made);
    let example = example.map(|value| serde_json::to_string_pretty(&value).unwrap_or_default());
    Shown { media: media.range.to_string(), example: example.unwrap_or_default() }
}

fn first(examples: &[Example]) -> Option<Value> {
    examples.first().map(|example| example.value.clone())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn words(written: &Option<std::sync::Arc<str>>) -> String {
    written.as_deref().unwrap_or_default().to_owned()
}

/// A request with everything that must be there.
fn curl(operation: &Operation, base: &str, parameters: &[Parameter], body: Option<&Shown>) -> String {
    let value = |name: &str| {
        let found = parameters.iter().find(|one| one.place == "path" && one.name == name);
        let text = found.map(|one| one.example.as_str()).filter(|text| !text.is_empty()).unwrap_or("1");
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let mut line = "curl".to_owned();
    if &*operation.method != "GET" {
        line.push_str(&format!(" -X {}", operation.method));
    }
    let needed =
        |place: &'static str| parameters.iter().filter(move |one| one.is_required && one.place == place);
    for header in needed("header") {
        line.push_str(&format!(" -H {}", quoted(&format!("{}: {}", header.name, header.example))));
    }
    if let Some(body) = body {
        line.push_str(&format!(" -H {}", quoted(&format!("content-type: {}", body.media))));
        let compact = serde_json::from_str::<Value>(&body.example).map(|value| value.to_string());
        line.push_str(&format!(" -d {}", quoted(&compact.unwrap_or_default())));
    }
    let query: Vec<String> = needed("query").map(|one| format!("{}={}", one.name, one.example)).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let host = match base {
        url if url.contains("://") => "",
        path if path.is_empty() || path.starts_with('/') => "http://127.0.0.1:8080",
        _ => "http://",
    };
    line.push_str(&format!(
        " {}",
        quoted(&format!("{host}{base}{}{query}", operation.template.filled(value)))
    ));
    line
}

/// A word of a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
