//! Requests that keep to the description: the least, the most, and drawn by chance.

use serde_json::{Map, Value};

use super::{Case, Credential, Expected, shown};
use crate::check::{Direction, is_json};
use crate::mock::make::{self, Look};
use crate::operation::{Operation, Parameter, Place, Scheme, Shape, Style};
use crate::template::encoded;

/// How many requests are drawn by chance for each operation.
const DRAWN: u64 = 3;

/// A request in parts, before it becomes text.
#[derive(Clone)]
pub struct Draft {
    pub parameters: Vec<(Parameter, Value)>,
    pub body: Option<(String, Vec<u8>)>,
    pub headers: Vec<Credential>,
    pub query: Vec<(String, String)>,
}

/// A request with what must be there; nothing when no value was found for some of it.
pub fn draft(operation: &Operation, credentials: &[Credential], seed: u64) -> Option<Draft> {
    with(operation, credentials, Look::Plain, seed, |parameter| parameter.required)
}

fn with(
    operation: &Operation,
    credentials: &[Credential],
    look: Look,
    seed: u64,
    wanted: impl Fn(&Parameter) -> bool,
) -> Option<Draft> {
    let mut draft =
        Draft { parameters: Vec::new(), body: None, headers: credentials.to_vec(), query: Vec::new() };
    for parameter in operation.parameters.iter().filter(|parameter| wanted(parameter)) {
        draft.parameters.push((parameter.clone(), sendable(operation, parameter, look, seed)?));
    }
    let content = operation.body.as_ref().map(|body| &*body.content).unwrap_or_default();
    let readable = content.iter().find(|media| is_json(&media.range));
    if let Some(media) = readable {
        let made = |id| make::value(&operation.schemas, id, look, seed, Direction::Request);
        let shown =
            media.examples.first().filter(|_| look == Look::Plain).map(|example| example.value.clone());
        let value = match (shown, media.schema) {
            (Some(shown), _) => shown,
            (None, Some(id)) => made(id)?,
            (None, None) => Value::Object(Map::new()),
        };
        draft.body = Some((media.range.to_string(), value.to_string().into_bytes()));
    } else if operation.body.as_ref().is_some_and(|body| body.required) {
        return None; // a body of a type that nobody here can write
    }
    if credentials.is_empty() {
        show(operation, &mut draft);
    }
    Some(draft)
}

/// A value that survives being written as text: an empty text in a path would be another path.
fn sendable(operation: &Operation, parameter: &Parameter, look: Look, seed: u64) -> Option<Value> {
    let shown =
        parameter.examples.first().filter(|_| look == Look::Plain).map(|example| example.value.clone());
    if shown.is_some() {
        return shown;
    }
    let Some(id) = parameter.schema else { return Some(Value::String("string".to_owned())) };
    let fits =
        |value: &Value| parameter.place != Place::Path || !matches!(text(value).as_str(), "" | "." | "..");
    let made = |turn: u64| {
        let look = if turn == 0 { look } else { Look::Drawn };
        make::value(&operation.schemas, id, look, seed.wrapping_add(turn), Direction::Request)
    };
    (0..8).find_map(|turn| made(turn).filter(fits))
}

fn show(operation: &Operation, draft: &mut Draft) {
    for (scheme, value) in shown(operation) {
        match scheme {
            Scheme::ApiKey { place: Place::Header, name } => draft.headers.push((name.to_string(), value)),
            Scheme::ApiKey { place: Place::Query, name } => draft.query.push((name.to_string(), value)),
            Scheme::ApiKey { place: Place::Cookie, name } => {
                draft.headers.push(("cookie".to_owned(), format!("{name}={value}")));
            }
            Scheme::ApiKey { place: Place::Path, .. } | Scheme::MutualTls => {}
            Scheme::Http(_) | Scheme::OAuth2 | Scheme::OpenIdConnect => {
                draft.headers.push(("authorization".to_owned(), value));
            }
        }
    }
}

/// The least, everything, and some by chance.
pub fn cases(operation: &Operation, base: &Draft, seed: u64) -> Vec<Case> {
    let mut found = vec![base.case(operation, "with what must be there", Expected::Taken)];
    let credentials = &base.headers[..];
    let whole = with(operation, credentials, Look::Plain, seed, |_| true);
    found.extend(whole.map(|draft| draft.keeping(base).case(operation, "with everything", Expected::Taken)));
    for turn in 1..=DRAWN {
        let drawn = with(operation, credentials, Look::Drawn, seed.wrapping_add(turn), |_| true);
        let name = format!("drawn by chance ({turn})");
        found.extend(drawn.map(|draft| draft.keeping(base).case(operation, &name, Expected::Taken)));
    }
    found.dedup_by(|left, right| {
        (&left.target, &left.headers, &left.body) == (&right.target, &right.headers, &right.body)
    });
    found
}

impl Draft {
    /// With what the other shows in its query.
    fn keeping(mut self, other: &Draft) -> Draft {
        self.query.clone_from(&other.query);
        self
    }

    /// As a request.
    pub fn case(&self, operation: &Operation, name: &str, expected: Expected) -> Case {
        let of = |place| self.parameters.iter().filter(move |(parameter, _)| parameter.place == place);
        let path = operation.template.filled(|name| {
            let value = of(Place::Path).find(|(parameter, _)| *parameter.name == *name);
            value.map_or_else(|| "string".to_owned(), |(parameter, value)| styled(parameter, value))
        });
        let mut query: Vec<String> =
            of(Place::Query).flat_map(|(parameter, value)| in_query(parameter, value)).collect();
        query.extend(self.query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))));
        let mut headers = self.headers.clone();
        for (parameter, value) in of(Place::Header) {
            headers.push((parameter.name.to_string(), plain(parameter, value)));
        }
        let cookies: Vec<String> = of(Place::Cookie)
            .map(|(parameter, value)| format!("{}={}", parameter.name, styled(parameter, value)))
            .collect();
        if !cookies.is_empty() {
            headers.push(("cookie".to_owned(), cookies.join("; ")));
        }
        let (kind, body) = self.body.clone().unwrap_or_default();
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), kind));
        }
        let target = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
        Case {
            operation: operation.key.clone(),
            name: name.to_owned(),
            method: operation.method.to_string(),
            target,
            headers,
            body,
            expected,
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A percent-encoded value in the style of a path or a cookie.
fn styled(parameter: &Parameter, value: &Value) -> String {
    let (style, explode) = match &parameter.shape {
        Shape::Styled { style, explode } => (*style, *explode),
        Shape::Content(_) => return encoded(&value.to_string()),
    };
    let word = |value: &Value| encoded(&text(value));
    let name = encoded(&parameter.name);
    let join = |separator: &str| match value {
        Value::Array(list) => list.iter().map(word).collect::<Vec<_>>().join(separator),
        Value::Object(map) => {
            let between = if explode { "=" } else { "," };
            let pairs: Vec<String> = map
                .iter()
                .map(|(name, value)| format!("{}{between}{}", encoded(name), word(value)))
                .collect();
            pairs.join(separator)
        }
        value => word(value),
    };
    match style {
        Style::Label => format!(".{}", join(if explode { "." } else { "," })),
        Style::Matrix => match value {
            Value::Array(list) if explode => {
                list.iter().map(|value| format!(";{name}={}", word(value))).collect()
            }
            Value::Object(_) if explode => format!(";{}", join(";")),
            _ => format!(";{name}={}", join(",")),
        },
        Style::Simple | Style::Form | Style::SpaceDelimited | Style::PipeDelimited | Style::DeepObject => {
            join(",")
        }
    }
}

/// A value in the head, which is not percent-encoded.
fn plain(parameter: &Parameter, value: &Value) -> String {
    let joined = match (&parameter.shape, value) {
        (Shape::Content(_), value) => value.to_string(),
        (_, Value::Array(list)) => list.iter().map(text).collect::<Vec<_>>().join(","),
        (Shape::Styled { explode, .. }, Value::Object(map)) => {
            let between = if *explode { "=" } else { "," };
            map.iter()
                .map(|(name, value)| format!("{name}{between}{}", text(value)))
                .collect::<Vec<_>>()
                .join(",")
        }
        (_, value) => text(value),
    };
    joined.chars().filter(|c| !c.is_control()).collect()
}

/// Pairs of the query.
fn in_query(parameter: &Parameter, value: &Value) -> Vec<String> {
    let name = encoded(&parameter.name);
    let (style, explode) = match &parameter.shape {
        Shape::Styled { style, explode } => (*style, *explode),
        Shape::Content(_) => return vec![format!("{name}={}", query_word(&value.to_string()))],
    };
    let word = |value: &Value| query_word(&text(value));
    match value {
        Value::Array(list) if explode => list.iter().map(|value| format!("{name}={}", word(value))).collect(),
        Value::Object(map) if style == Style::DeepObject => map
            .iter()
            .map(|(inner, value)| format!("{name}[{}]={}", query_word(inner), word(value)))
            .collect(),
        Value::Object(map) if explode => {
            map.iter().map(|(inner, value)| format!("{}={}", query_word(inner), word(value))).collect()
        }
        Value::Array(list) => {
            let separator = match style {
                Style::SpaceDelimited => "%20",
                Style::PipeDelimited => "%7C",
                _ => ",",
            };
            vec![format!("{name}={}", list.iter().map(word).collect::<Vec<_>>().join(separator))]
        }
        Value::Object(map) => {
            let pairs = map.iter().map(|(inner, value)| format!("{},{}", query_word(inner), word(value)));
            vec![format!("{name}={}", pairs.collect::<Vec<_>>().join(","))]
        }
        value => vec![format!("{name}={}", word(value))],
    }
}

/// In a query a `&`, a `+` and a `=` would mean something.
fn query_word(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
