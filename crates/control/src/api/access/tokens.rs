//! Bearer tokens, known by their digests only.
//!
//! A copy of the file lets nobody in. A token is 32 random bytes, so a plain digest is enough: there is nothing to
//! guess.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::authenticate::{Authenticator, Credentials, User};
use crate::api::tls::authority::write_private;

/// Bytes of a token before it is written as text.
const TOKEN_BYTES: usize = 32;
/// Most tokens in one file; past it the file is refused.
const TOKENS_MAX: usize = 10_000;

/// Why tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file cannot be read or written.
    #[error("cannot use the token file `{}`: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        fault: io::Error,
    },
    /// A line is none of ours.
    #[error("`{}`, line {line}: write `DIGEST USER [GROUP,GROUP]`, the digest being SHA-256 in hexadecimal", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which.
        line: usize,
    },
    /// There are too many.
    #[error("`{}` has more than {TOKENS_MAX} tokens", path.display())]
    Many {
        /// The file.
        path: PathBuf,
    },
    /// The machine gave no random bytes.
    #[error("the machine gives no random bytes")]
    Random,
}

/// A file of tokens.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    users: RwLock<HashMap<String, User>>,
}

impl Tokens {
    /// Reads a file; without one there are no tokens.
    ///
    /// # Errors
    /// When it cannot be read, or a line is none of ours.
    pub fn open(path: &Path) -> Result<Tokens, TokensError> {
        let text = match fs::read_to_string(path) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|fault| TokensError::File { path: path.to_owned(), fault })?,
        };
        let users = RwLock::new(parse(path, &text)?);
        Ok(Tokens { path: path.to_owned(), users })
    }

    /// Makes a token for a user, in place of those that the user had. It is told once and kept nowhere.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn issue(&self, user: &User) -> Result<String, TokensError> {
        let mut bytes = [0; TOKEN_BYTES];
        rand::fill(&mut bytes).map_err(|_| TokensError::Random)?;
        let token = URL_SAFE_NO_PAD.encode(bytes);
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = users.clone();
        next.retain(|_, known| known.name != user.name);
        next.insert(fingerprint(&token), user.clone());
        write_private(&self.path, &written(&next))
            .map_err(|fault| TokensError::File { path: self.path.clone(), fault })?;
        *users = next;
        Ok(token)
    }

    /// Whether a token is that of a user of this name.
    #[must_use]
    pub fn is_of(&self, token: &str, name: &str) -> bool {
        self.user(token).is_some_and(|user| &*user.name == name)
    }

    fn user(&self, token: &str) -> Option<User> {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        users.get(&fingerprint(token)).cloned()
    }
}

impl Authenticator for Tokens {
    fn authenticate(&self, credentials: &Credentials<'_>) -> Option<User> {
        self.user(credentials.bearer?)
    }
}

/// What is kept of a token. It is looked up by this, so how long a wrong token takes tells nothing about a right one.
fn fingerprint(token: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest(&SHA256, token.as_bytes()).as_ref() {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

fn parse(path: &Path, text: &str) -> Result<HashMap<String, User>, TokensError> {
    let mut users = HashMap::new();
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    for (index, line) in lines {
        let wrong = || TokensError::Line { path: path.to_owned(), line: index + 1 };
        let mut words = line.split_whitespace();
        let (digest, name) = (words.next().ok_or_else(wrong)?, words.next().ok_or_else(wrong)?);
        let groups = words.next().unwrap_or_default().split(',').filter(|group| !group.is_empty());
        let well_made = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !well_made {
            return Err(wrong());
        }
        users.insert(digest.to_ascii_lowercase(), User::new(name, groups));
        if users.len() > TOKENS_MAX {
            return Err(TokensError::Many { path: path.to_owned() });
        }
    }
    Ok(users)
}

fn written(users: &HashMap<String, User>) -> String {
    let mut lines: Vec<String> = users
        .iter()
        .map(|(digest, user)| format!("{digest} {} {}\n", user.name, user.groups.join(",")))
        .collect();
    lines.sort();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::super::authenticate::ADMINS;
    use super::*;

    fn bearer(token: &str) -> Credentials<'_> {
        Credentials { bearer: Some(token), certificate: None }
    }

    #[test]
    fn a_token_is_good_after_a_restart_and_its_text_is_in_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens");
        let admin = User::new("admin", [ADMINS]);

        let token = Tokens::open(&path).expect("empty").issue(&admin).expect("made");

        let read = Tokens::open(&path).expect("sound");
        assert_eq!(read.authenticate(&bearer(&token)), Some(admin));
        assert_eq!(read.authenticate(&bearer("wrong")), None);
        assert_eq!(read.authenticate(&Credentials::default()), None);
        assert!(!fs::read_to_string(&path).expect("there").contains(&token));
    }

    #[test]
    fn a_new_token_of_a_user_ends_the_one_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::open(&folder.path().join("tokens")).expect("empty");
        let (ana, ben) = (User::new("ana", ["editors"]), User::new("ben", ["viewers"]));
        let (first, other) = (tokens.issue(&ana).expect("made"), tokens.issue(&ben).expect("made"));

        tokens.issue(&ana).expect("made");

        assert!(!tokens.is_of(&first, "ana"));
        assert!(tokens.is_of(&other, "ben"));
    }

    #[test]
    fn a_line_that_is_none_of_ours_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens");
        fs::write(&path, "# people\n\nsecret admin system:masters\n").expect("written");

        let refused = Tokens::open(&path).expect_err("no digest").to_string();

        assert!(refused.contains("line 3"), "{refused}");
    }
}
