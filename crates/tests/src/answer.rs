//! A response as a client sees it, read strictly.

/// One response.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The whole head as received.
    pub head: String,
    /// Fields in order.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Fields after a chunked body, or HTTP/2 trailers.
    pub trailers: Vec<(String, String)>,
    /// Statuses of the interim (1xx) responses that came before.
    pub interim: Vec<u16>,
    /// Whether the body ended as its framing says.
    pub complete: bool,
}

impl Answer {
    /// The value of a field that occurs at most once.
    ///
    /// # Panics
    /// When it occurs more often.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.header_all(name);
        assert!(values.len() <= 1, "the answer carries `{name}` {} times: {values:?}", values.len());
        values.first().copied()
    }

    /// Every value of a field.
    #[must_use]
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }

    /// Every value of a trailer field.
    #[must_use]
    pub fn trailer_all(&self, name: &str) -> Vec<&str> {
        values(&self.trailers, name)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The failure code, when the gateway itself answered (a problem document, RFC 9457).
    #[must_use]
    pub fn code(&self) -> Option<String> {
        let kind = self.header_all("content-type");
        if kind.first().is_none_or(|kind| !kind.starts_with("application/problem+json")) {
            return None;
        }
        let problem: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        Some(problem.get("code")?.as_str()?.to_owned())
    }

    /// Checks status and failure code together.
    ///
    /// # Errors
    /// When either differs.
    pub fn is_failure(&self, status: u16, code: &str) -> Result<(), String> {
        if self.status == status && self.code().as_deref() == Some(code) {
            return Ok(());
        }
        Err(format!("answered {} {:?}, wanted {status} `{code}`", self.status, self.code()))
    }
}

fn values<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    fields
        .iter()
        .filter(|field| field.0.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect()
}

/// How the end of a response body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// No body.
    None,
    /// So many bytes.
    Length(usize),
    /// Chunks.
    Chunked,
    /// The connection's end.
    Close,
}

/// Reads a response head. `Ok(None)`: more bytes are needed.
///
/// # Errors
/// What a strict client would not accept.
pub fn head(bytes: &[u8], method: &str) -> Result<Option<(Answer, Ending, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = status(lines.next().unwrap_or_default())?;
    let headers = lines.map(field).collect::<Result<Vec<_>, _>>()?;
    let answer = Answer { status, head: head.clone(), headers, ..Answer::default() };
    let ending = ending(&answer, method)?;
    Ok(Some((answer, ending, end + 4)))
}

fn status(line: &str) -> Result<u16, String> {
    let wrong = || format!("status line {line:?}");
    let rest = line.strip_prefix("HTTP/1.1 ").ok_or_else(wrong)?;
    let (digits, rest) = rest.split_at_checked(3).ok_or_else(wrong)?;
    if !rest.starts_with(' ') {
        return Err(wrong());
    }
    digits.parse().map_err(|_| wrong())
}

fn field(line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or_else(|| format!("header line {line:?}"))?;
    if name.is_empty() || name.contains(|char: char| !char.is_ascii_graphic()) || value.contains(['\r', '\n'])
    {
        return Err(format!("header line {line:?}"));
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

fn ending(answer: &Answer, method: &str) -> Result<Ending, String> {
    let bodiless = method == "HEAD" || matches!(answer.status, 100..=199 | 204 | 304);
    match (&answer.header_all("content-length")[..], &answer.header_all("transfer-encoding")[..]) {
        _ if bodiless => Ok(Ending::None),
        ([], []) => Ok(Ending::Close),
        ([], ["chunked"]) => Ok(Ending::Chunked),
        ([length], []) => {
            length.parse().map(Ending::Length).map_err(|_| format!("content-length {length:?}"))
        }
        (lengths, codings) => Err(format!("content-length {lengths:?}, transfer-encoding {codings:?}")),
    }
}
