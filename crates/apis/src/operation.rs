//! What one call of an API is: everything that routes, documents, mocks, checks and tests need to know of it.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::op_key::OpKey;
use crate::schema::{SchemaId, Schemas};
use crate::template::Template;

/// One operation of an API.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its stable name.
    pub key: OpKey,
    /// The method of HTTP, in upper case.
    pub method: Arc<str>,
    /// The path below the base path of the API.
    pub template: Template,
    /// `operationId`.
    pub id: Option<Arc<str>>,
    /// One line.
    pub summary: Option<Arc<str>>,
    /// More lines, in Markdown.
    pub description: Option<Arc<str>>,
    /// Groups it belongs to.
    pub tags: Box<[Arc<str>]>,
    /// Should not be used any more.
    pub deprecated: bool,
    /// Parameters outside of the body, those of the path included.
    pub parameters: Box<[Parameter]>,
    /// The body of a request.
    pub body: Option<Body>,
    /// Answers, in the order written.
    pub responses: Box<[Response]>,
    /// What a caller has to show.
    pub security: Security,
    /// The schemas that its parts refer to by number.
    pub schemas: Arc<Schemas>,
    /// Name of the document it stands in.
    pub file: Arc<str>,
    /// Line of that document, from 1.
    pub line: u32,
}

impl Operation {
    /// The answer for a status, the most specific first: `404`, then `4XX`, then `default`.
    #[must_use]
    pub fn response(&self, status: u16) -> Option<&Response> {
        let of =
            |statuses: Statuses| self.responses.iter().find(move |response| response.statuses == statuses);
        of(Statuses::One(status))
            .or_else(|| of(Statuses::Class(u8::try_from(status / 100).unwrap_or(0))))
            .or_else(|| of(Statuses::Default))
    }
}

impl Operation {
    /// Schemas that its parts name.
    pub fn schema_ids(&self) -> impl Iterator<Item = SchemaId> {
        let parameters = self.parameters.iter().filter_map(|parameter| parameter.schema);
        let body = self.body.iter().flat_map(|body| body.content.iter());
        let answers = self.responses.iter().flat_map(|response| response.content.iter());
        let headers = self.responses.iter().flat_map(|response| response.headers.iter());
        let content = body.chain(answers).filter_map(|media| media.schema);
        parameters.chain(content).chain(headers.filter_map(|header| header.schema))
    }
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// A field of the head.
    Header,
    /// A cookie.
    Cookie,
}

impl Place {
    /// The word of OpenAPI.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
            Place::Cookie => "cookie",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A value that a caller sends beside the body.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name; that of a header in the case it was written.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// Whether it must be there.
    pub required: bool,
    /// Should not be used any more.
    pub deprecated: bool,
    /// A description, in Markdown.
    pub description: Option<Arc<str>>,
    /// How its text becomes a value.
    pub shape: Shape,
    /// What the value is; absent, anything.
    pub schema: Option<SchemaId>,
    /// Values to show.
    pub examples: Arc<[Example]>,
    /// Line of its document, from 1.
    pub line: u32,
}

/// How the text of a parameter becomes a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// By a style of OpenAPI.
    Styled {
        /// The style.
        style: Style,
        /// Whether each element or property stands alone.
        explode: bool,
    },
    /// As a body of this media type would.
    Content(Arc<str>),
}

/// How lists and objects are written into text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// `;color=blue`
    Matrix,
    /// `.blue`
    Label,
    /// `blue,black`
    Simple,
    /// `color=blue&color=black`
    Form,
    /// `blue black`
    SpaceDelimited,
    /// `blue|black`
    PipeDelimited,
    /// `color[R]=100`
    DeepObject,
}

impl Style {
    /// The word of OpenAPI.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Style::Matrix => "matrix",
            Style::Label => "label",
            Style::Simple => "simple",
            Style::Form => "form",
            Style::SpaceDelimited => "spaceDelimited",
            Style::PipeDelimited => "pipeDelimited",
            Style::DeepObject => "deepObject",
        }
    }

    /// Whether it may be used there.
    #[must_use]
    pub fn fits(self, place: Place) -> bool {
        match place {
            Place::Path => matches!(self, Style::Matrix | Style::Label | Style::Simple),
            Place::Header => self == Style::Simple,
            Place::Cookie => self == Style::Form,
            Place::Query => {
                matches!(self, Style::Form | Style::SpaceDelimited | Style::PipeDelimited | Style::DeepObject)
            }
        }
    }
}

/// A value to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Its name among several.
    pub name: Option<Arc<str>>,
    /// One line about it.
    pub summary: Option<Arc<str>>,
    /// The value.
    pub value: Value,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// Whether it must be there.
    pub required: bool,
    /// A description, in Markdown.
    pub description: Option<Arc<str>>,
    /// What it may be, in the order written.
    pub content: Arc<[Media]>,
}

/// A body of one media type.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// Type or range in lower case, with its parameters: `application/json`, `text/*`.
    pub range: Arc<str>,
    /// What it holds; absent, anything.
    pub schema: Option<SchemaId>,
    /// Values to show.
    pub examples: Arc<[Example]>,
    /// How fields of a form are written.
    pub fields: Box<[Form]>,
}

/// How one field of a form is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// Its name.
    pub name: Arc<str>,
    /// The media type of its part.
    pub content: Option<Arc<str>>,
    /// How a list or an object is written, and whether it is exploded.
    pub style: Option<(Style, bool)>,
}

/// Statuses that an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Statuses {
    /// `404`
    One(u16),
    /// `4XX`
    Class(u8),
    /// All that no other answer is for.
    Default,
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statuses::One(status) => write!(f, "{status}"),
            Statuses::Class(class) => write!(f, "{class}XX"),
            Statuses::Default => f.write_str("default"),
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The statuses it is for.
    pub statuses: Statuses,
    /// A description, in Markdown.
    pub description: Option<Arc<str>>,
    /// Fields of its head.
    pub headers: Box<[Header]>,
    /// What its body may be; none: no body.
    pub content: Arc<[Media]>,
}

/// A field of the head of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Its name, in the case it was written.
    pub name: Arc<str>,
    /// Whether it must be there.
    pub required: bool,
    /// A description, in Markdown.
    pub description: Option<Arc<str>>,
    /// How its text becomes a value.
    pub shape: Shape,
    /// What the value is; absent, anything.
    pub schema: Option<SchemaId>,
    /// Values to show.
    pub examples: Arc<[Example]>,
}

/// What a caller has to show: one of several alternatives. Without any, nothing; an empty alternative is "nothing" too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Security {
    /// The alternatives, in the order written.
    pub alternatives: Box<[Box<[Requirement]>]>,
}

impl Security {
    /// Whether nothing need be shown.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.alternatives.is_empty() || self.alternatives.iter().any(|all| all.is_empty())
    }
}

/// One thing a caller has to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// Name of the scheme in the description.
    pub name: Arc<str>,
    /// What it is.
    pub scheme: Arc<Scheme>,
    /// Scopes or roles.
    pub scopes: Box<[Arc<str>]>,
}

/// A way to show who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A key in a header, in the query or in a cookie.
    ApiKey {
        /// Where.
        place: Place,
        /// The name there.
        name: Arc<str>,
    },
    /// A scheme of `Authorization`, in lower case: `basic`, `bearer`.
    Http(Arc<str>),
    /// OAuth 2.0.
    OAuth2,
    /// OpenID Connect.
    OpenIdConnect,
    /// A client certificate.
    MutualTls,
}
