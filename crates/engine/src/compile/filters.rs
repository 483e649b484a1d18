//! Filters from what was written to what runs.
//!
//! A filter that cannot work is never left out: its rule refuses instead, because a request that skips a filter
//! is a request its author did not allow.

use std::sync::Arc;

use model::kinds::HttpFilter;
use model::kinds::http_filter::{
    self, Fraction, Header, HeaderModifier, PathModifier, RequestMirror, RequestRedirect, UrlRewrite,
};

use super::references::{Resolution, Resolved};
use crate::config::{Cors, FieldBytes, Filter, HeaderEdits, Mirror, PathEdit, Redirect, Rewrite};
use crate::matching::PathMatch;
use crate::status::Reason;

/// Fields that frame a message or belong to one connection. Editing them would let requests be read in two ways.
const FRAMING_FIELDS: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What a filter's meaning depends on beside itself.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// The match the rule is compiled for.
    pub(super) path: &'a PathMatch,
    pub(super) resolved: &'a Resolved,
    /// Port and scheme of the listener.
    pub(super) side: ListenerSide,
}

/// What redirects need to know of the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListenerSide {
    pub(super) port: u16,
    pub(super) https: bool,
}

/// Filters of a rule or backend, in the order they run.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    pub(super) filters: Vec<Filter>,
    pub(super) redirect: Option<Redirect>,
}

/// Why a filter cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unworkable {
    /// [`Reason::InvalidKind`] when it is a reference that does not resolve.
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Unworkable {
    fn value(message: impl Into<String>) -> Self {
        Unworkable { reason: Reason::UnsupportedValue, message: message.into() }
    }
}

/// Whether the meaning of some filter depends on the listener.
pub(super) fn depend_on_listener(filters: &[HttpFilter]) -> bool {
    filters.iter().any(|filter| {
        matches!(filter, HttpFilter::RequestRedirect { request_redirect } if request_redirect.scheme.is_none())
    })
}

/// Compiles filters.
///
/// # Errors
/// The first one that cannot work.
pub(super) fn compile(filters: &[HttpFilter], around: Surroundings<'_>) -> Result<Compiled, Unworkable> {
    let mut compiled = Compiled::default();
    for filter in filters {
        match filter {
            HttpFilter::RequestHeaderModifier { request_header_modifier } => {
                compiled.filters.push(Filter::RequestHeaders(edits(request_header_modifier)?));
            }
            HttpFilter::ResponseHeaderModifier { response_header_modifier } => {
                compiled.filters.push(Filter::ResponseHeaders(edits(response_header_modifier)?));
            }
            HttpFilter::RequestMirror { request_mirror } => {
                compiled.filters.extend(mirror(request_mirror, around.resolved).map(Filter::Mirror));
            }
            HttpFilter::RequestRedirect { request_redirect } => {
                compiled.redirect = Some(redirect(request_redirect, around)?);
            }
            HttpFilter::UrlRewrite { url_rewrite } => {
                compiled.filters.push(Filter::Rewrite(rewrite(url_rewrite, around.path)?));
            }
            HttpFilter::Cors { cors } => compiled.filters.push(Filter::Cors(Arc::new(self::cors(cors)?))),
            HttpFilter::ExtensionRef { extension_ref } => {
                let message = format!("no filter of kind `{}` is known", extension_ref.kind);
                return Err(Unworkable { reason: Reason::InvalidKind, message });
            }
        }
    }
    let rewrites = compiled.filters.iter().any(|filter| matches!(filter, Filter::Rewrite(_)));
    if compiled.redirect.is_some() && rewrites {
        return Err(Unworkable::value("a rule cannot both redirect and rewrite"));
    }
    compiled.filters.sort_by_key(Filter::position);
    Ok(compiled)
}

fn edits(modifier: &HeaderModifier) -> Result<HeaderEdits, Unworkable> {
    let HeaderModifier { set, add, remove } = modifier;
    Ok(HeaderEdits {
        set: set.iter().map(field).collect::<Result<_, _>>()?,
        add: add.iter().map(field).collect::<Result<_, _>>()?,
        remove: remove.iter().map(|name| field_name(name)).collect::<Result<_, _>>()?,
    })
}

fn field(header: &Header) -> Result<FieldBytes, Unworkable> {
    let value = header.value.trim_matches([' ', '\t']);
    if value.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
        return Err(Unworkable::value(format!(
            "the value for header `{}` holds control characters",
            header.name
        )));
    }
    Ok((field_name(&header.name)?, value.as_bytes().into()))
}

fn field_name(name: &str) -> Result<Arc<[u8]>, Unworkable> {
    let lower = name.to_ascii_lowercase();
    if !is_token(&lower) {
        return Err(Unworkable::value(format!("`{name}` is not a header name")));
    }
    if FRAMING_FIELDS.contains(&&*lower) {
        let message = format!("header `{name}` belongs to the connection and cannot be edited");
        return Err(Unworkable::value(message));
    }
    Ok(lower.as_bytes().into())
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A mirror that leads nowhere copies nothing; the condition of the route tells.
fn mirror(mirror: &RequestMirror, resolved: &Resolved) -> Option<Mirror> {
    let target = match resolved.get(&mirror.backend_ref)? {
        resolution @ Resolution::Cluster(_) => resolution.target(),
        Resolution::Invalid(..) => return None,
    };
    let (numerator, denominator) = match (mirror.percent, mirror.fraction) {
        (_, Some(Fraction { numerator, denominator })) => (numerator, denominator.max(1)),
        (Some(percent), None) => (percent, 100),
        (None, None) => (1, 1),
    };
    Some(Mirror { target, numerator: numerator.min(denominator), denominator })
}

fn rewrite(rewrite: &UrlRewrite, path: &PathMatch) -> Result<Rewrite, Unworkable> {
    let edit = rewrite.path.as_ref().map(|modifier| path_edit(modifier, path)).transpose()?;
    Ok(Rewrite { hostname: rewrite.hostname.as_deref().map(hostname).transpose()?, path: edit })
}

fn hostname(text: &str) -> Result<Arc<str>, Unworkable> {
    let made_well =
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if text.is_empty() || !made_well {
        return Err(Unworkable::value(format!("`{text}` is not a host name")));
    }
    Ok(text.to_ascii_lowercase().into())
}

fn path_edit(modifier: &PathModifier, path: &PathMatch) -> Result<PathEdit, Unworkable> {
    match modifier {
        PathModifier::ReplaceFullPath { replace_full_path } => Ok(PathEdit::Full(rooted(replace_full_path)?)),
        PathModifier::ReplacePrefixMatch { replace_prefix_match } => match path {
            PathMatch::Prefix(text) => Ok(PathEdit::Prefix {
                matched: text.strip_suffix('/').unwrap_or(text).into(),
                replacement: rooted(replace_prefix_match)?,
            }),
            PathMatch::Exact(_) | PathMatch::Template(_) | PathMatch::Pattern(_) => {
                Err(Unworkable::value("`ReplacePrefixMatch` needs a match of type PathPrefix"))
            }
        },
    }
}

/// A path that may stand in a request line: it begins with `/` and holds neither blanks nor a query.
fn rooted(text: &str) -> Result<Arc<str>, Unworkable> {
    if text.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'?' | b'#')) {
        return Err(Unworkable::value(format!("`{}` is not a path", text.escape_debug())));
    }
    Ok(if text.starts_with('/') { text.into() } else { format!("/{text}").into() })
}

fn redirect(redirect: &RequestRedirect, around: Surroundings<'_>) -> Result<Redirect, Unworkable> {
    let RequestRedirect { scheme, hostname: host, path, port, status_code } = redirect;
    if !matches!(status_code, 301 | 302 | 303 | 307 | 308) {
        return Err(Unworkable::value(format!("{status_code} is not the status of a redirect")));
    }
    let https = match scheme.as_deref() {
        None => around.side.https,
        Some("http") => false,
        Some("https") => true,
        Some(other) => return Err(Unworkable::value(format!("scheme `{other}` cannot be redirected to"))),
    };
    let own = if https { 443 } else { 80 };
    let shown = port.unwrap_or(if scheme.is_some() { own } else { around.side.port });
    Ok(Redirect {
        status: *status_code,
        scheme: scheme.clone(),
        hostname: host.as_deref().map(hostname).transpose()?,
        port: (shown != own).then_some(shown),
        path: path.as_ref().map(|modifier| path_edit(modifier, around.path)).transpose()?,
    })
}

pub(super) fn cors(cors: &http_filter::Cors) -> Result<Cors, Unworkable> {
    let http_filter::Cors {
        allow_origins,
        allow_credentials,
        allow_methods,
        allow_headers,
        expose_headers,
        max_age,
    } = cors;
    if let Some(bad) = allow_origins.iter().find(|origin| origin.bytes().any(|byte| !byte.is_ascii_graphic()))
    {
        return Err(Unworkable::value(format!("`{}` is not an origin", bad.escape_debug())));
    }
    Ok(Cors {
        allow_origins: allow_origins.iter().map(|origin| origin.to_ascii_lowercase().into()).collect(),
        allow_credentials: allow_credentials.unwrap_or(false),
        allow_methods: tokens(allow_methods)?,
        allow_headers: tokens(allow_headers)?,
        expose_headers: tokens(expose_headers)?,
        max_age_seconds: *max_age,
    })
}

fn tokens(words: &[Arc<str>]) -> Result<Vec<Arc<str>>, Unworkable> {
    match words.iter().find(|word| !is_token(word)) {
        Some(bad) => Err(Unworkable::value(format!("`{}` is not a name", bad.escape_debug()))),
        None => Ok(words.to_vec()),
    }
}
