//! One transform, compiled: what is to be changed about a request and about each of its answers.

use std::borrow::Cow;
use std::sync::Arc;

use model::kinds::transform::{
    Move, OtherBodies, Part as WrittenPart, RequestTransform, ResponseTransform, Transform as Written,
};
use serde_json::Value;

use super::fields::{FieldEdits, Fields};
use super::pointer::{Pointer, Way, put, stands, take};
use super::steps::Steps;
use super::{Fault, Wrong};
use crate::operation::Statuses;
use crate::request::Request;
use crate::template::{Template, encoded};

/// Statuses for which an answer is changed when none are named.
const STATUSES_DEFAULT: &[Statuses] = &[Statuses::Class(2)];

/// What is changed about messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transform {
    pub(super) request: RequestPart,
    pub(super) responses: Box<[ResponsePart]>,
    /// Most bytes of a body on which steps are done.
    pub body_bytes_max: usize,
    /// What becomes of bodies that are no JSON where steps are to be done.
    pub other_bodies: OtherBodies,
}

/// What is changed about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestPart {
    /// Another method, in upper case.
    pub method: Option<Arc<str>>,
    /// The form of paths that are meant, and the path they become where that is another.
    pub path: Option<(Template, Option<Template>)>,
    pub moves: Box<[(Part, Part)]>,
    pub query: FieldEdits,
    pub headers: FieldEdits,
    /// Names of the head that are spoken of.
    pub spoken: Box<[Arc<str>]>,
    pub body: Steps,
}

/// What is changed about answers with some statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponsePart {
    statuses: Box<[Statuses]>,
    status: Option<u16>,
    moves: Box<[(Part, Part)]>,
    headers: FieldEdits,
    spoken: Box<[Arc<str>]>,
    body: Steps,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Path(Arc<str>),
    Query(Arc<str>),
    Header(Arc<str>),
    Body(Way),
}

/// What becomes of a request. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedRequest {
    /// The method.
    pub method: Option<Arc<str>>,
    /// The path below the base path, percent-encoded.
    pub path: Option<String>,
    /// The query without its question mark; empty for none.
    pub query: Option<String>,
    /// The head.
    pub headers: ChangedHead,
    /// The body, where steps were to be done on it.
    pub body: Option<Value>,
}

/// What becomes of a head: what is taken out of it, and then what is put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedHead {
    /// Names in lower case.
    pub removed: Vec<Arc<str>>,
    /// Names in lower case, with values.
    pub added: Vec<(String, String)>,
}

/// What becomes of an answer. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedResponse {
    /// The status.
    pub status: Option<u16>,
    /// The head.
    pub headers: ChangedHead,
    /// The body, where steps were to be done on it.
    pub body: Option<Value>,
}

impl Transform {
    /// Whether the body of a request has to be read.
    #[must_use]
    pub fn reads_request(&self) -> bool {
        !self.request.body.is_empty() || self.request.moves.iter().any(touches_body)
    }

    /// Whether the body of some answer has to be read.
    #[must_use]
    pub fn reads_responses(&self) -> bool {
        self.responses.iter().any(ResponsePart::reads_body)
    }

    /// What is changed about an answer with this status.
    #[must_use]
    pub fn response(&self, status: u16) -> Option<&ResponsePart> {
        self.responses.iter().find(|part| part.statuses.iter().any(|known| names(*known, status)))
    }

    /// What becomes of a request. `path` of what was sent is below the base path; `body` is the request's own, if it has
    /// one that is JSON.
    ///
    /// # Errors
    /// A value that cannot become what it has to.
    pub fn request(&self, sent: &Request<'_>, body: Option<Value>) -> Result<ChangedRequest, Fault> {
        let RequestPart { method, path, moves, query, headers, spoken, body: steps } = &self.request;
        let found = path.as_ref().and_then(|(from, _)| from.matches(sent.path)).unwrap_or_default();
        let is_meant = path.as_ref().is_some_and(|(from, _)| from.matches(sent.path).is_some());
        let mut message = Message {
            path: found.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect(),
            query: (!query.is_empty() || moves.iter().any(touches_query))
                .then(|| Fields::of_query(sent.query)),
            head: Fields::of_head(sent.headers, spoken),
            body,
        };
        message.go(moves)?;
        let path = match path {
            Some((_, Some(to))) if is_meant => Some(message.filled(to)?),
            Some(_) | None => None,
        };
        let Message { query: mut asked, mut head, mut body, .. } = message;
        if let Some(asked) = &mut asked {
            query.apply(asked);
        }
        headers.apply(&mut head);
        if let Some(body) = &mut body {
            steps.apply(body)?;
        }
        Ok(ChangedRequest {
            method: method.clone(),
            path,
            query: asked.map(Fields::into_query),
            headers: ChangedHead { removed: spoken.to_vec(), added: head.into_head() },
            body,
        })
    }
}

impl ResponsePart {
    /// Whether the body has to be read.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        !self.body.is_empty() || self.moves.iter().any(touches_body)
    }

    /// What becomes of an answer.
    ///
    /// # Errors
    /// A value that cannot become what it has to.
    pub fn answer(&self, headers: &[(&str, &str)], body: Option<Value>) -> Result<ChangedResponse, Fault> {
        let head = Fields::of_head(headers, &self.spoken);
        let mut message = Message { path: Vec::new(), query: None, head, body };
        message.go(&self.moves)?;
        let Message { mut head, mut body, .. } = message;
        self.headers.apply(&mut head);
        if let Some(body) = &mut body {
            self.body.apply(body)?;
        }
        let headers = ChangedHead { removed: self.spoken.to_vec(), added: head.into_head() };
        Ok(ChangedResponse { status: self.status, headers, body })
    }
}

/// A message as far as somebody speaks of it.
struct Message<'t> {
    path: Vec<(Cow<'t, str>, String)>,
    query: Option<Fields>,
    head: Fields,
    body: Option<Value>,
}

impl Message<'_> {
    /// Everything is taken before anything is put, so that two values may change places.
    fn go(&mut self, moves: &[(Part, Part)]) -> Result<(), Fault> {
        let taken: Vec<Option<Value>> = moves.iter().map(|(from, _)| self.take(from)).collect();
        for ((_, to), value) in moves.iter().zip(taken) {
            if let Some(value) = value {
                self.put(to, value)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, from: &Part) -> Option<Value> {
        match from {
            Part::Path(name) => {
                let (_, value) = self.path.iter().find(|(known, _)| **known == **name)?;
                Some(Value::String(value.clone()))
            }
            Part::Query(name) => self.query.as_mut()?.take(name).map(Value::String),
            Part::Header(name) => self.head.take(name).map(Value::String),
            Part::Body(way) => {
                let body = self.body.as_mut()?;
                stands(body, way).then(|| take(body, way)).flatten()
            }
        }
    }

    fn put(&mut self, to: &Part, value: Value) -> Result<(), Fault> {
        match to {
            Part::Body(way) => {
                let empty = || Value::Object(serde_json::Map::new());
                put(self.body.get_or_insert_with(empty), way, value);
            }
            Part::Path(name) => {
                let text = text(value)?;
                self.path.retain(|(known, _)| **known != **name);
                self.path.push((Cow::Owned(name.to_string()), text));
            }
            Part::Query(name) => {
                let text = text(value)?;
                if let Some(query) = &mut self.query {
                    query.put(name, text);
                }
            }
            Part::Header(name) => {
                let text = text(value)?;
                if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
                    return Err(Fault::new(format!("cannot stand in the header `{name}`")));
                }
                self.head.put(name, text);
            }
        }
        Ok(())
    }

    fn filled(&self, to: &Template) -> Result<String, Fault> {
        let value = |name: &str| self.path.iter().find(|(known, _)| **known == *name).map(|(_, value)| value);
        if let Some(absent) =
            to.parameters().find(|name| value(name).is_none_or(|value| is_no_segment(value)))
        {
            return Err(Fault::new(format!("has no value for `{absent}` of the path `{to}`")));
        }
        Ok(to.filled(|name| value(name).map(|value| encoded(value)).unwrap_or_default()))
    }
}

/// What would change the path beside its own segment.
fn is_no_segment(value: &str) -> bool {
    matches!(value, "" | "." | "..")
}

fn text(value: Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => {
            Err(Fault::new("is a list or an object and cannot stand outside of a body".to_owned()))
        }
    }
}

fn names(known: Statuses, status: u16) -> bool {
    match known {
        Statuses::One(one) => one == status,
        Statuses::Class(class) => u16::from(class) == status / 100,
        Statuses::Default => true,
    }
}

fn touches_body((from, to): &(Part, Part)) -> bool {
    matches!(from, Part::Body(_)) || matches!(to, Part::Body(_))
}

fn touches_query((from, to): &(Part, Part)) -> bool {
    matches!(from, Part::Query(_)) || matches!(to, Part::Query(_))
}

/// Compiles what was written. `own` is the form of the path where the transform is of one operation, with another
/// method and path that its requests get.
pub(super) fn compile(
    written: &Written,
    own: Option<(Template, Option<(Arc<str>, Template)>)>,
    place: &str,
    wrong: &mut Wrong,
) -> Transform {
    let nothing = RequestTransform::default();
    let request = written.request.as_ref().unwrap_or(&nothing);
    let at = format!("{place}/request");
    let mut part = request_part(request, &at, wrong);
    if let Some((template, other)) = own {
        if request.path.is_some() {
            wrong.add(format!("{at}/path"), "`to` of the operation says which path it becomes".to_owned());
        }
        let (method, to) = other.unzip();
        (part.method, part.path) = (method, Some((template, to)));
    }
    if let Some((from, Some(to))) = &part.path {
        for name in to.parameters().filter(|name| !is_filled(name, from, &part.moves)) {
            let what =
                format!("`{{{name}}}` has no value: it is no parameter of `{from}` and no move fills it");
            wrong.add(place.to_owned(), what);
        }
    }
    let responses = written
        .responses
        .iter()
        .enumerate()
        .map(|(index, response)| response_part(response, &format!("{place}/responses/{index}"), wrong));
    Transform { request: part, responses: responses.collect(), ..Transform::default() }
}

fn is_filled(name: &str, from: &Template, moves: &[(Part, Part)]) -> bool {
    from.parameters().any(|known| known == name)
        || moves.iter().any(|(_, to)| matches!(to, Part::Path(filled) if **filled == *name))
}

fn request_part(written: &RequestTransform, at: &str, wrong: &mut Wrong) -> RequestPart {
    let moves = moves(&written.moves, &format!("{at}/moves"), false, wrong);
    let headers = FieldEdits::of_head(&written.headers);
    forbidden(&headers, &moves, at, wrong);
    let path = written.path.as_ref().and_then(|path| {
        let mut read = |field: &str, text: &str| {
            let what = |what: String| format!("{} {what}", crate::problem::quoted(text));
            Template::parse(text).map_err(|fault| wrong.add(format!("{at}/path/{field}"), what(fault))).ok()
        };
        Some((read("from", &path.from)?, Some(read("to", &path.to)?)))
    });
    RequestPart {
        method: None,
        path,
        query: FieldEdits::of_query(&written.query),
        spoken: spoken(&headers, &moves),
        headers,
        body: Steps::compile(&written.body, &format!("{at}/body"), wrong),
        moves,
    }
}

fn response_part(written: &ResponseTransform, at: &str, wrong: &mut Wrong) -> ResponsePart {
    let moves = moves(&written.moves, &format!("{at}/moves"), true, wrong);
    let headers = FieldEdits::of_head(&written.headers);
    forbidden(&headers, &moves, at, wrong);
    let statuses: Box<[Statuses]> = match written.statuses.is_empty() {
        true => STATUSES_DEFAULT.into(),
        false => written
            .statuses
            .iter()
            .filter_map(|text| {
                let read = statuses(text);
                if read.is_none() {
                    wrong.add(
                        format!("{at}/statuses"),
                        format!("{} is neither like `404` nor like `4XX`", crate::problem::quoted(text)),
                    );
                }
                read
            })
            .collect(),
    };
    if matches!(written.status, Some(204 | 205 | 304)) {
        wrong
            .add(format!("{at}/status"), "has no body by its nature, and the answer may have one".to_owned());
    }
    ResponsePart {
        statuses,
        status: written.status,
        spoken: spoken(&headers, &moves),
        headers,
        body: Steps::compile(&written.body, &format!("{at}/body"), wrong),
        moves,
    }
}

fn statuses(text: &str) -> Option<Statuses> {
    if let Some(class) = text.strip_suffix("XX") {
        return class.parse().ok().filter(|class| (1..=5).contains(class)).map(Statuses::Class);
    }
    text.parse().ok().filter(|status| (100..600).contains(status)).map(Statuses::One)
}

fn moves(written: &[Move], at: &str, answers: bool, wrong: &mut Wrong) -> Box<[(Part, Part)]> {
    let mut part = |index: usize, field: &str, part: &WrittenPart| -> Option<Part> {
        let outside = matches!(part, WrittenPart::Path(_) | WrittenPart::Query(_));
        if answers && outside {
            wrong.add(format!("{at}/{index}/{field}"), "an answer has only a head and a body".to_owned());
            return None;
        }
        Some(match part {
            WrittenPart::Path(name) => Part::Path(name.clone()),
            WrittenPart::Query(name) => Part::Query(name.clone()),
            WrittenPart::Header(name) => Part::Header(name.to_ascii_lowercase().into()),
            WrittenPart::Body(text) => match Pointer::read(text).map(|pointer| pointer.way()) {
                Ok(Some(way)) => Part::Body(way),
                Ok(None) => {
                    wrong.add(
                        format!("{at}/{index}/{field}/body"),
                        "must lead to one place: `*` leads to several".to_owned(),
                    );
                    return None;
                }
                Err(what) => {
                    wrong.add(
                        format!("{at}/{index}/{field}/body"),
                        format!("{} {what}", crate::problem::quoted(text)),
                    );
                    return None;
                }
            },
        })
    };
    let both =
        |(index, one): (usize, &Move)| Some((part(index, "from", &one.from)?, part(index, "to", &one.to)?));
    written.iter().enumerate().filter_map(both).collect()
}

fn spoken(headers: &FieldEdits, moves: &[(Part, Part)]) -> Box<[Arc<str>]> {
    let moved = moves.iter().flat_map(|(from, to)| [from, to]).filter_map(|part| match part {
        Part::Header(name) => Some(name),
        Part::Path(_) | Part::Query(_) | Part::Body(_) => None,
    });
    let mut names: Vec<Arc<str>> = headers.names().chain(moved).cloned().collect();
    names.sort();
    names.dedup();
    names.into()
}

/// Fields that frame a message, or by which proxies speak to each other, are not for transforms to change.
fn forbidden(headers: &FieldEdits, moves: &[(Part, Part)], at: &str, wrong: &mut Wrong) {
    const OURS: &[&str] = &[
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    for name in spoken(headers, moves) {
        if OURS.contains(&&*name) {
            wrong.add(
                format!("{at}/headers"),
                format!("`{name}` frames the message and is not for a transform to change"),
            );
        }
    }
}
