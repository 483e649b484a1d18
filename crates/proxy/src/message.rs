//! One message model for every version of HTTP.
//!
//! A head is a list of offsets into the buffer it was read into. HTTP/1 fills it by parsing in place, HTTP/2
//! by writing its fields into a buffer first; everything after that (routing, filters, limits, logs, the way
//! upstream) sees the same thing. There is no header map: requests have a dozen fields, each is classified
//! once, and a short walk over them is cheaper than hashing.

pub mod names;

use std::cell::RefCell;
use std::ops::{Deref, DerefMut, Range};

use crate::limits::BUFFERS_KEPT_MAX;

/// A piece of a head's buffer. 32-bit offsets: a head is bounded by `REQUEST_HEAD_BYTES_MAX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from offsets within a buffer.
    #[inline]
    #[must_use]
    pub fn new(start: usize, end: usize) -> Span {
        debug_assert!(start <= end && end <= u32::MAX as usize);
        Span { start: start as u32, end: end as u32 }
    }

    /// The text of this span in its buffer.
    #[inline]
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.range()]
    }

    /// As a range of `usize`.
    #[inline]
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Number of bytes.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// One header field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name, in lower case (parsing lowers it in place).
    pub name: Span,
    /// Value without surrounding white space.
    pub value: Span,
    /// What the name means to a proxy.
    pub known: Known,
}

/// A head's fields. The list is borrowed from the worker, so that a request in the steady state allocates none.
#[derive(Debug)]
pub struct Fields(Vec<Field>);

thread_local! {
    static KEPT: RefCell<Vec<Vec<Field>>> = const { RefCell::new(Vec::new()) };
}

impl Default for Fields {
    fn default() -> Self {
        Fields(KEPT.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(32)))
    }
}

impl Clone for Fields {
    fn clone(&self) -> Fields {
        let mut fields = Fields::default();
        fields.extend_from_slice(&self.0);
        fields
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        let mut list = std::mem::take(&mut self.0);
        list.clear();
        // A thread that is ending has no lists any more; this one is then simply freed.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < BUFFERS_KEPT_MAX {
                kept.push(list);
            }
        });
    }
}

impl Deref for Fields {
    type Target = Vec<Field>;

    fn deref(&self) -> &Vec<Field> {
        &self.0
    }
}

impl DerefMut for Fields {
    fn deref_mut(&mut self) -> &mut Vec<Field> {
        &mut self.0
    }
}

/// Field names a proxy treats specially; each field is classified once, when it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// Nothing special: carried as it is.
    Other,
    /// `host`
    Host,
    /// `connection`
    Connection,
    /// `content-length`
    ContentLength,
    /// `transfer-encoding`
    TransferEncoding,
    /// `te`
    Te,
    /// `trailer`
    Trailer,
    /// `upgrade`
    Upgrade,
    /// `keep-alive` or `proxy-connection`
    HopByHop,
    /// A field that the sender named in `connection`: it ends here (RFC 9110 section 7.6.1).
    Listed,
    /// `expect`
    Expect,
    /// `x-forwarded-for`
    ForwardedFor,
    /// `x-forwarded-proto`
    ForwardedProto,
    /// `x-forwarded-host`
    ForwardedHost,
    /// Other fields by which a proxy vouches for a client: `forwarded`, `x-real-ip`, `x-forwarded-port`,
    /// `x-forwarded-client-cert`, `x-envoy-*`, `x-consumer-*`, `x-spiffe-id`, `x-selvedge-*`.
    Vouched,
    /// `x-request-id`
    RequestId,
    /// `traceparent` or `tracestate`
    Trace,
    /// `content-type`
    ContentType,
    /// `user-agent`
    UserAgent,
    /// `origin`
    Origin,
    /// `http2-settings`
    Http2Settings,
    /// What proxies tell each other of a request, hop by hop: `selvedge-timeout-ms`, `selvedge-attempt`.
    Hop,
    /// `grpc-timeout`
    GrpcTimeout,
}

/// Methods by what a proxy must know of them; the token itself is kept as a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    #[default]
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// `PATCH`
    Patch,
    /// Any other token.
    Other,
}

impl Method {
    /// Whether a repetition has the same effect as one request (RFC 9110 section 9.2.2).
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        match self {
            Method::Get | Method::Head | Method::Put | Method::Delete | Method::Options => true,
            Method::Post | Method::Patch | Method::Other => false,
        }
    }
}

/// How the end of a body is found (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// Exactly so many bytes, at least one.
    Length(u64),
    /// Chunked (HTTP/1.1), or frames until the end of the stream without a declared length (HTTP/2).
    Chunked,
    /// Until the connection closes; responses only.
    UntilClose,
}

/// HTTP versions a message may arrive in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
    /// HTTP/2
    Http2,
}

/// A request's head. All spans point into the buffer that was parsed; it is reused from request to request.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// Version it arrived in.
    pub version: Version,
    /// What kind of method.
    pub method: Method,
    /// The method token.
    pub method_token: Span,
    /// Canonical path, without query.
    pub path: Span,
    /// Everything after the first `?`, without it.
    pub query: Option<Span>,
    /// Canonical host: lower case, no port, no trailing dot. Empty only in HTTP/1.0 without `Host`.
    pub host: Span,
    /// The port named beside the host, if any.
    pub host_port: Option<u16>,
    /// All fields in order, `host` included.
    pub fields: Fields,
    /// How its body ends.
    pub framing: Framing,
    /// Whether the client lets the connection live after this request.
    pub persistent: bool,
    /// Whether the client waits for `100 Continue`.
    pub expects_continue: bool,
    /// The protocol asked for by a valid `Connection: upgrade`; never together with a body.
    pub upgrade: Option<Span>,
    /// Whether `te: trailers` was sent (gRPC needs it carried on).
    pub te_trailers: bool,
    /// The path was not canonical as received and was rewritten in place.
    pub path_changed: bool,
}

/// A response's head.
#[derive(Debug, Default)]
pub struct ResponseHead {
    /// Version it arrived in.
    pub version: Version,
    /// Status code, 100–999.
    pub status: u16,
    /// Reason phrase; often empty.
    pub reason: Span,
    /// All fields in order.
    pub fields: Fields,
    /// How its body ends, with the request's method taken into account.
    pub framing: Framing,
    /// Whether the upstream lets the connection live after this response.
    pub persistent: bool,
    /// Bytes of the buffer that belong to the head; what follows is body.
    pub head_bytes: usize,
}

impl ResponseHead {
    /// The fields together with their buffer.
    #[must_use]
    pub fn view<'a>(&'a self, bytes: &'a [u8]) -> FieldsView<'a> {
        FieldsView { fields: &self.fields, bytes }
    }
}

/// Fields borrowed together with their buffer, for matching.
#[derive(Clone, Copy, Debug)]
pub struct FieldsView<'a> {
    /// The fields.
    pub fields: &'a [Field],
    /// The buffer their spans point into.
    pub bytes: &'a [u8],
}

impl<'a> FieldsView<'a> {
    /// The first value of a field that was classified.
    #[must_use]
    pub fn known(&self, known: Known) -> Option<&'a [u8]> {
        self.fields.iter().find(|field| field.known == known).map(|field| field.value.of(self.bytes))
    }
}

/// A field that ends here is not seen by rules either: what is matched on is what travels on.
impl engine::HeaderView for FieldsView<'_> {
    fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields
            .iter()
            .find(|field| field.known != Known::Listed && field.name.of(self.bytes) == name)
            .map(|field| field.value.of(self.bytes))
    }

    fn values(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.fields
            .iter()
            .filter(move |field| field.known != Known::Listed && field.name.of(self.bytes) == name)
            .map(|field| field.value.of(self.bytes))
    }
}
