//! What is done to requests and responses on their way, and in which order.

use std::sync::Arc;

use super::{Cors, HeaderEdits, Target};

/// Everything that may be done to a request or response on its way, one variant a kind. The order of the
/// variants is the order in which they run on the request ([`Filter::ORDER`]); responses run it backwards.
#[derive(Clone, Debug)]
pub enum Filter {
    /// Cross-origin resource sharing (answers preflights itself).
    Cors(Arc<Cors>),
    /// Set, add, remove request header fields.
    RequestHeaders(HeaderEdits),
    /// Replace host or path for the upstream.
    Rewrite(Rewrite),
    /// Send a copy elsewhere and ignore what comes back.
    Mirror(Mirror),
    /// Set, add, remove response header fields.
    ResponseHeaders(HeaderEdits),
}

impl Filter {
    /// Names in the order they run on the request.
    pub const ORDER: [&'static str; 5] = ["cors", "request_headers", "rewrite", "mirror", "response_headers"];

    /// Position in [`Filter::ORDER`].
    #[must_use]
    pub fn position(&self) -> usize {
        match self {
            Filter::Cors(_) => 0,
            Filter::RequestHeaders(_) => 1,
            Filter::Rewrite(_) => 2,
            Filter::Mirror(_) => 3,
            Filter::ResponseHeaders(_) => 4,
        }
    }
}

/// URL rewrite towards the upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// New `Host`.
    pub hostname: Option<Arc<str>>,
    /// New path.
    pub path: Option<PathEdit>,
}

/// How a path is replaced; the query is always kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathEdit {
    /// The whole path.
    Full(Arc<str>),
    /// The prefix that the rule matched, by whole segments; never leaves `//` or nothing.
    Prefix {
        /// The matched prefix, without a trailing slash (empty for `/`).
        matched: Arc<str>,
        /// What replaces it.
        replacement: Arc<str>,
    },
}

impl PathEdit {
    /// The new path for `path`, appended to `out`.
    pub fn write(&self, path: &[u8], out: &mut Vec<u8>) {
        match self {
            PathEdit::Full(new) => out.extend_from_slice(new.as_bytes()),
            PathEdit::Prefix { matched, replacement } => {
                // A transform may have led the path elsewhere; there is no prefix to replace then.
                let Some(rest) = path.strip_prefix(matched.as_bytes()) else {
                    return out.extend_from_slice(path);
                };
                let head = replacement.as_bytes().strip_suffix(b"/").unwrap_or(replacement.as_bytes());
                out.extend_from_slice(head);
                if !rest.is_empty() && !rest.starts_with(b"/") {
                    out.push(b'/');
                }
                out.extend_from_slice(rest);
                if head.is_empty() && rest.is_empty() {
                    out.push(b'/');
                }
            }
        }
    }
}

/// A redirect answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// New scheme; the request's own when absent.
    pub scheme: Option<Arc<str>>,
    /// New host; the request's own when absent.
    pub hostname: Option<Arc<str>>,
    /// Port to show, already computed (scheme's own and listener's rules applied); `None` leaves it out.
    pub port: Option<u16>,
    /// New path; the request's own when absent.
    pub path: Option<PathEdit>,
}

/// Where copies of requests go, and how many of them.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// Destination of the copies.
    pub target: Target,
    /// Share of requests copied, `numerator / denominator`.
    pub numerator: u32,
    /// See `numerator`; at least one.
    pub denominator: u32,
}
