//! What an upstream remembers.

/// One request as it came out of the gateway.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Number of the connection it came on, from 0 in order of acceptance.
    pub connection: usize,
    /// Offsets in the connection's bytes: first byte of the request line, and one past the last byte read.
    pub range: (usize, usize),
    /// Method token.
    pub method: String,
    /// Target exactly as received.
    pub target: String,
    /// Fields in order, names exactly as received.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Fields after a chunked body.
    pub trailers: Vec<(String, String)>,
    /// Whether head and body arrived whole.
    pub complete: bool,
}

impl Recorded {
    /// The value of the only field with this name; `None` when it is absent.
    ///
    /// # Panics
    /// When there are several: a spec that means one value must not be satisfied by the first of many.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.header_all(name);
        assert!(values.len() <= 1, "`{name}` was forwarded {} times: {values:?}", values.len());
        values.first().copied()
    }

    /// Every value of a field, in order.
    #[must_use]
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        let same = |field: &&(String, String)| field.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    /// `METHOD target`, the short form used in assertions.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// One connection that the gateway opened.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Every byte received, in order.
    pub bytes: Vec<u8>,
    /// The leaf certificate that the gateway showed, if it was asked for one.
    pub certificate: Option<Vec<u8>>,
    /// What a strict reader found wrong in them, if anything.
    pub flaw: Option<String>,
    /// Bytes received that belong to no request.
    pub leftover: Vec<u8>,
    /// Whether the connection has ended.
    pub ended: bool,
}
