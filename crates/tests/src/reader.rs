//! A strict reader of requests, for upstreams.
//!
//! It accepts one spelling of everything and calls the rest a flaw, because what a gateway sends must leave an
//! upstream nothing to guess. It is written for the tests and knows nothing of the product's codec.

use crate::recorded::Recorded;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// No body.
    None,
    /// So many bytes.
    Length(usize),
    /// Chunks.
    Chunked,
}

/// Reads one head. `Ok(None)`: more bytes are needed. `Ok(Some((request, body, length of the head)))`.
///
/// # Errors
/// A sentence about what a strict upstream would not accept.
pub fn head(bytes: &[u8]) -> Result<Option<(Recorded, Body, usize)>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return unfinished(bytes).map(|()| None);
    };
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = text.split("\r\n");
    let mut request = request_line(lines.next().unwrap_or_default())?;
    for line in lines {
        request.headers.push(field(line)?);
    }
    let body = framing(&request)?;
    if request.header_all("host").len() != 1 {
        return Err(format!("{} `Host` fields", request.header_all("host").len()));
    }
    Ok(Some((request, body, end + 4)))
}

fn unfinished(bytes: &[u8]) -> Result<(), String> {
    let bare =
        bytes.iter().enumerate().any(|(at, byte)| *byte == b'\n' && (at == 0 || bytes[at - 1] != b'\r'));
    if bare { Err("a bare line feed in the head".to_owned()) } else { Ok(()) }
}

fn request_line(line: &str) -> Result<Recorded, String> {
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = parts[..] else {
        return Err(format!("request line {line:?}"));
    };
    let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible(method) || !visible(target) {
        return Err(format!("request line {line:?}"));
    }
    Ok(Recorded { method: method.to_owned(), target: target.to_owned(), ..Recorded::default() })
}

fn field(line: &str) -> Result<(String, String), String> {
    let Some((name, value)) = line.split_once(':') else {
        return Err(format!("header line without a colon: {line:?}"));
    };
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("header name {name:?}"));
    }
    if value.chars().any(|char| char.is_control() && char != '\t') {
        return Err(format!("header value {value:?}"));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn framing(request: &Recorded) -> Result<Body, String> {
    match (&request.header_all("content-length")[..], &request.header_all("transfer-encoding")[..]) {
        ([], []) => Ok(Body::None),
        ([], ["chunked"]) => Ok(Body::Chunked),
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => match length.parse() {
            Ok(0) => Ok(Body::None),
            Ok(length) => Ok(Body::Length(length)),
            Err(_) => Err(format!("content-length {length:?}")),
        },
        (lengths, codings) => Err(format!("content-length {lengths:?} with transfer-encoding {codings:?}")),
    }
}

/// Reads one body from the start of `bytes` into `request`. `Ok(None)`: more bytes are needed.
/// `Ok(Some(n))`: it took `n` bytes.
///
/// # Errors
/// A sentence about what a strict upstream would not accept.
pub fn body(bytes: &[u8], framing: Body, request: &mut Recorded) -> Result<Option<usize>, String> {
    match framing {
        Body::None => Ok(Some(0)),
        Body::Length(length) => {
            let here = bytes.len().min(length);
            request.body = bytes[..here].to_vec();
            Ok((here == length).then_some(length))
        }
        Body::Chunked => chunks(bytes, request),
    }
}

fn chunks(bytes: &[u8], request: &mut Recorded) -> Result<Option<usize>, String> {
    request.body.clear();
    let mut at = 0;
    loop {
        let Some(size_line) = line(&bytes[at..])? else { return Ok(None) };
        let size = chunk_size(size_line)?;
        at += size_line.len() + 2;
        if size == 0 {
            return trailers(&bytes[at..], request).map(|length| length.map(|length| at + length));
        }
        let here = (bytes.len() - at).min(size);
        request.body.extend_from_slice(&bytes[at..at + here]);
        if bytes.len() < at + size + 2 {
            return Ok(None);
        }
        if &bytes[at + size..at + size + 2] != b"\r\n" {
            return Err("chunk data is not followed by a line end".to_owned());
        }
        at += size + 2;
    }
}

fn chunk_size(line: &[u8]) -> Result<usize, String> {
    let text = String::from_utf8_lossy(line);
    if line.is_empty() || line.len() > 15 || !line.iter().all(u8::is_ascii_hexdigit) {
        return Err(format!("chunk size {text:?}"));
    }
    usize::from_str_radix(&text, 16).map_err(|_| format!("chunk size {text:?}"))
}

fn trailers(bytes: &[u8], request: &mut Recorded) -> Result<Option<usize>, String> {
    request.trailers.clear();
    let mut at = 0;
    loop {
        let Some(text) = line(&bytes[at..])? else { return Ok(None) };
        at += text.len() + 2;
        if text.is_empty() {
            return Ok(Some(at));
        }
        request.trailers.push(field(&String::from_utf8_lossy(text))?);
    }
}

/// The bytes before the first line end; `None` when there is none yet.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, String> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    match bytes[..end].strip_suffix(b"\r") {
        Some(line) if !line.contains(&b'\r') => Ok(Some(line)),
        Some(_) | None => Err("a bare carriage return or line feed".to_owned()),
    }
}
