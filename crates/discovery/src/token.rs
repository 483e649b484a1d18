//! The token file: what a proxy needs to find its control plane's word believable, and to be believed.
//!
//! Two lines. The token says who the proxy is; the digest says which certificate authority the control plane's
//! certificate must come from, so that no trust has to be installed first and no first contact is taken on faith.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest;

use crate::object::hexadecimal;

/// Longest token in bytes.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// A token and a digest.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenFile {
    /// Sent as `authorization: Bearer TOKEN`.
    pub token: Arc<str>,
    /// SHA-256 of the certificate (DER) of the authority.
    pub authority: [u8; 32],
}

impl TokenFile {
    /// The file of a token for a control plane whose certificates come from this authority.
    #[must_use]
    pub fn new(token: &str, authority_der: &[u8]) -> TokenFile {
        TokenFile { token: token.into(), authority: fingerprint(authority_der) }
    }
}

/// SHA-256 of a certificate.
#[must_use]
pub fn fingerprint(certificate_der: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, certificate_der).as_ref());
    bytes
}

/// What is wrong with a token file. It never repeats the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// A line is missing.
    #[error("there is no line `{0}: …`")]
    Missing(&'static str),
    /// A line stands there twice.
    #[error("line {line}: `{name}` stands there twice")]
    Twice {
        /// Number of the second one, from 1.
        line: usize,
        /// What it is about.
        name: &'static str,
    },
    /// A line that is neither.
    #[error("line {0}: only `token:`, `ca-sha256:` and comments (`#`) may stand there")]
    Unknown(usize),
    /// The token cannot be sent.
    #[error("line {0}: the token must be 1 to {TOKEN_BYTES_MAX} visible ASCII characters")]
    Token(usize),
    /// The digest is none.
    #[error("line {0}: `ca-sha256` must be 64 hexadecimal digits")]
    Digest(usize),
}

impl FromStr for TokenFile {
    type Err = TokenProblem;

    fn from_str(text: &str) -> Result<Self, TokenProblem> {
        let (mut token, mut authority) = (None, None);
        for (at, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(value) = line.strip_prefix("token:") {
                keep(&mut token, "token", at, read_token(value.trim(), at)?)?;
            } else if let Some(value) = line.strip_prefix("ca-sha256:") {
                keep(&mut authority, "ca-sha256", at, read_digest(value.trim(), at)?)?;
            } else {
                return Err(TokenProblem::Unknown(at));
            }
        }
        Ok(TokenFile {
            token: token.ok_or(TokenProblem::Missing("token"))?,
            authority: authority.ok_or(TokenProblem::Missing("ca-sha256"))?,
        })
    }
}

fn keep<T>(place: &mut Option<T>, name: &'static str, line: usize, value: T) -> Result<(), TokenProblem> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(TokenProblem::Twice { line, name }),
    }
}

fn read_token(text: &str, line: usize) -> Result<Arc<str>, TokenProblem> {
    let sound =
        !text.is_empty() && text.len() <= TOKEN_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    if sound { Ok(text.into()) } else { Err(TokenProblem::Token(line)) }
}

fn read_digest(text: &str, line: usize) -> Result<[u8; 32], TokenProblem> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect();
    let bytes = digits.map(|digits| {
        digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit)).collect()
    });
    let bytes: Vec<u8> = bytes.filter(|_| text.len() == 64).ok_or(TokenProblem::Digest(line))?;
    bytes.try_into().map_err(|_| TokenProblem::Digest(line))
}

impl fmt::Display for TokenFile {
    /// The file itself, token included.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Lets a proxy connect to its control plane. Keep it secret.")?;
        writeln!(f, "token: {}", self.token)?;
        writeln!(f, "ca-sha256: {}", hexadecimal(&self.authority))
    }
}

impl fmt::Debug for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenFile").field("authority", &hexadecimal(&self.authority)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_survives_being_written_and_is_not_shown_by_accident() {
        let file = TokenFile::new("hunter2", b"a certificate");

        assert_eq!(file.to_string().parse(), Ok(file.clone()));
        assert!(!format!("{file:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_without_the_token() {
        let digest = "a".repeat(64);
        let good = format!("token: t\nca-sha256: {digest}\n");
        let cases = [
            ("".to_owned(), TokenProblem::Missing("token")),
            ("token: t".to_owned(), TokenProblem::Missing("ca-sha256")),
            (format!("{good}token: u"), TokenProblem::Twice { line: 3, name: "token" }),
            (format!("{good}\nhello"), TokenProblem::Unknown(4)),
            ("token: a b".to_owned(), TokenProblem::Token(1)),
            ("token: t\nca-sha256: abc".to_owned(), TokenProblem::Digest(2)),
            (format!("token: t\nca-sha256: {}", "é".repeat(32)), TokenProblem::Digest(2)),
        ];

        assert!(good.parse::<TokenFile>().is_ok());
        for (text, problem) in cases {
            assert_eq!(text.parse::<TokenFile>(), Err(problem), "{text}");
        }
    }
}
