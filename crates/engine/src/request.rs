//! What the engine needs to know of a request: the one canonical view that routing, policy, logs and the
//! upstream share. The proxy lends its own buffers through it, so asking costs no copy.

/// The canonical request, borrowed from whoever parsed it.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a, H> {
    /// Method token as received; methods are case-sensitive (RFC 9110 section 9.1).
    pub method: &'a [u8],
    /// Host in lower case, without port and without a trailing dot.
    pub host: &'a [u8],
    /// Canonical path: begins with `/`, holds no dot segments and no ambiguous escapes.
    pub path: &'a [u8],
    /// Everything after the first `?`, without it; `None` when there was no `?`.
    pub query: Option<&'a [u8]>,
    /// The request's header fields.
    pub headers: H,
}

/// Read access to header fields by lower-case name.
pub trait HeaderView {
    /// The first value of the field, in the order received (Gateway API matches only the first).
    fn first(&self, lower_case_name: &[u8]) -> Option<&[u8]>;

    /// Every value of the field, in the order received.
    fn values(&self, lower_case_name: &[u8]) -> impl Iterator<Item = &[u8]>;
}

impl<T: HeaderView + ?Sized> HeaderView for &T {
    fn first(&self, name: &[u8]) -> Option<&[u8]> {
        (**self).first(name)
    }

    fn values(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        (**self).values(name)
    }
}

/// A plain list of fields, for tests and for `selvedge explain`. Names are compared without regard to case.
impl HeaderView for [(String, String)] {
    fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(n, _)| n.as_bytes().eq_ignore_ascii_case(name)).map(|(_, v)| v.as_bytes())
    }

    fn values(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.iter().filter(move |(n, _)| n.as_bytes().eq_ignore_ascii_case(name)).map(|(_, v)| v.as_bytes())
    }
}
