//! Secrets are sealed before they reach a database, so that neither its files nor its backups give them away.
//!
//! AES-256-GCM under keys that stand in a file of their own, which belongs beside no backup of the database. What is
//! sealed is bound to the object it belongs to (its key and `uid`): moved to another row, or put into another object,
//! it does not open. The file may hold several keys, one a line: the first one seals, all of them open. To change
//! keys, put the new one in front on every control plane; what is written from then on is sealed with it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::StoreError;

/// Length of a key in bytes.
const KEY_BYTES: usize = 32;

/// What sealed text begins with. JSON of an object begins with `{`, so the two cannot be mistaken.
const MARK: &str = "sealed:1:";

/// What the check of a store's keys is bound to.
const CHECK: &[u8] = b"the keys of this store";

/// What a key file begins with.
const PREFACE: &str = "# Keys that seal the secrets of a Selvedge store: the first one seals, all of them open.\n\
    # Without this file the secrets are lost. Keep a copy, and keep it apart from copies of the store.\n";

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read or made.
    #[error("the key file {path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// Why something sealed did not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error(
        "it is sealed with the key `{0}`, which is not in the key file; copy the file from the control plane that wrote it"
    )]
    UnknownKey(String),
    #[error("it is sealed and does not open: it was altered, or belongs to another object")]
    Altered,
    #[error("it is a secret and should be sealed, but is not: somebody else wrote it")]
    Unsealed,
}

/// The keys of a store.
#[derive(Clone)]
pub struct Keys {
    sealing: Arc<str>,
    all: Arc<BTreeMap<Arc<str>, LessSafeKey>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("ids", &self.all.keys()).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads a key file, and makes one with a new key when there is none.
    ///
    /// # Errors
    /// When it cannot be read or made, may be read by everybody, or holds something that is no key.
    pub fn open(path: &Path) -> Result<Keys, KeysError> {
        let fault = |problem: String| KeysError::File { path: path.to_owned(), problem };
        let text = match read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let made = format!("{PREFACE}{}", new_line().map_err(fault)?);
                make(path, &made).map_err(|error| fault(error.to_string()))?;
                // Whoever was first made the file that counts.
                read(path).map_err(|error| fault(error.to_string()))?
            }
            Err(error) => return Err(fault(error.to_string())),
        };
        Keys::parse(&text).map_err(fault)
    }

    /// Puts a new key in front of a key file. Those who read the file from then on seal with it; hand the file to
    /// every control plane of the store before that, or the others cannot read what is sealed with it.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn rotate(path: &Path) -> Result<(), KeysError> {
        let fault = |problem: String| KeysError::File { path: path.to_owned(), problem };
        let text = read(path).map_err(|error| fault(error.to_string()))?;
        Keys::parse(&text).map_err(fault)?;
        let lines: String =
            text.lines().filter(|line| is_key(line)).map(|line| format!("{line}\n")).collect();
        let made = format!("{PREFACE}{}{lines}", new_line().map_err(fault)?);
        replace(path, &made).map_err(|error| fault(error.to_string()))
    }

    /// Compares with what a store keeps to know its keys by: nothing at first, then what is returned.
    pub(super) fn check(&self, kept: &str) -> Result<Option<String>, StoreError> {
        if kept.is_empty() {
            return Ok(Some(self.seal(CHECK, "")));
        }
        match self.unseal(CHECK, kept) {
            Ok(_) => Ok(None),
            Err(error) => Err(StoreError::Broken(format!(
                "the keys are not those that its secrets are sealed with: {error}"
            ))),
        }
    }

    fn parse(text: &str) -> Result<Keys, String> {
        let mut sealing = None;
        let mut all = BTreeMap::new();
        for line in text.lines().filter(|line| is_key(line)) {
            let (id, key) = parse_line(line).ok_or("a line is no key; write `ID BASE64`, 32 bytes")?;
            sealing.get_or_insert_with(|| id.clone());
            if all.insert(id.clone(), key).is_some() {
                return Err(format!("the key `{id}` is there twice"));
            }
        }
        let sealing =
            sealing.ok_or("there is no key in it; put the file back, or delete it to begin anew")?;
        Ok(Keys { sealing, all: Arc::new(all) })
    }

    /// Makes text unreadable for who has not the key, and unusable outside of its context.
    pub(crate) fn seal(&self, context: &[u8], text: &str) -> String {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).expect("the system gives random numbers");
        let mut sealed = text.as_bytes().to_vec();
        self.all[&self.sealing]
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
            .expect("an object is shorter than the longest message of AES-GCM");
        let bytes = [&nonce[..], &sealed].concat();
        format!("{MARK}{}:{}", self.sealing, BASE64.encode(bytes))
    }

    /// The text that was sealed in the same context.
    pub(crate) fn unseal(&self, context: &[u8], sealed: &str) -> Result<String, SealError> {
        let rest = sealed.strip_prefix(MARK).ok_or(SealError::Unsealed)?;
        let (id, coded) = rest.split_once(':').ok_or(SealError::Altered)?;
        let key = self.all.get(id).ok_or_else(|| SealError::UnknownKey(id.to_owned()))?;
        let mut bytes = BASE64.decode(coded).map_err(|_| SealError::Altered)?;
        if bytes.len() < NONCE_LEN {
            return Err(SealError::Altered);
        }
        let mut sealed = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| SealError::Altered)?;
        let text =
            key.open_in_place(nonce, Aad::from(context), &mut sealed).map_err(|_| SealError::Altered)?;
        String::from_utf8(text.to_vec()).map_err(|_| SealError::Altered)
    }
}

fn is_key(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

fn parse_line(line: &str) -> Option<(Arc<str>, LessSafeKey)> {
    let (id, coded) = line.trim().split_once(' ')?;
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let bytes = BASE64.decode(coded.trim()).ok().filter(|bytes| is_id && bytes.len() == KEY_BYTES)?;
    Some((id.into(), LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).ok()?)))
}

fn new_line() -> Result<String, String> {
    let mut bytes = [0; 4 + KEY_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the system gives no random numbers".to_owned())?;
    let (id, key) = bytes.split_at(4);
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{id} {}\n", BASE64.encode(key)))
}

fn read(path: &Path) -> std::io::Result<String> {
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o027 != 0 {
        let advice = format!("it is open to others (mode {:o}); run `chmod 600` on it", mode & 0o777);
        return Err(std::io::Error::other(advice));
    }
    std::fs::read_to_string(path)
}

/// Makes a file whole, and leaves alone one that somebody else made meanwhile.
fn make(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = write_draft(path, text)?;
    let made = match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    };
    std::fs::remove_file(&draft)?;
    made.and_then(|()| sync_folder(path))
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = write_draft(path, text)?;
    std::fs::rename(&draft, path)?;
    sync_folder(path)
}

fn write_draft(path: &Path, text: &str) -> std::io::Result<PathBuf> {
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(draft)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.keys");
        (folder, path)
    }

    #[test]
    fn what_is_sealed_opens_in_its_own_context_only_and_only_unaltered() {
        let (_folder, path) = keys();
        let keys = Keys::open(&path).unwrap();

        let sealed = keys.seal(b"Secret/shop/tls", "{\"a\":1}");

        assert_eq!(keys.unseal(b"Secret/shop/tls", &sealed), Ok("{\"a\":1}".to_owned()));
        assert_eq!(keys.unseal(b"Secret/shop/other", &sealed), Err(SealError::Altered));
        assert_ne!(keys.seal(b"Secret/shop/tls", "{\"a\":1}"), sealed, "a nonce was used twice");
        assert_eq!(keys.unseal(b"Secret/shop/tls", "{\"a\":1}"), Err(SealError::Unsealed));
        for at in MARK.len()..sealed.len() {
            let mut altered = sealed.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            // The last character of base64 may hold bits that mean nothing; none of ours does.
            assert!(keys.unseal(b"Secret/shop/tls", &altered).is_err(), "altered at {at}: {altered}");
        }
    }

    #[test]
    fn the_key_file_is_made_once_and_is_for_its_owner_only() {
        let (_folder, path) = keys();
        let sealed = Keys::open(&path).unwrap().seal(b"x", "text");

        assert_eq!(Keys::open(&path).unwrap().unseal(b"x", &sealed).as_deref(), Ok("text"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let message = Keys::open(&path).unwrap_err().to_string();
        assert!(message.contains("chmod 600"), "{message}");
    }

    #[test]
    fn after_a_rotation_old_secrets_open_and_new_ones_need_the_new_key() {
        let (_folder, path) = keys();
        let before = Keys::open(&path).unwrap();
        let old = before.seal(b"x", "old");

        Keys::rotate(&path).unwrap();

        let after = Keys::open(&path).unwrap();
        assert_eq!(after.unseal(b"x", &old).as_deref(), Ok("old"));
        let unknown = before.unseal(b"x", &after.seal(b"x", "new")).unwrap_err();
        assert!(matches!(unknown, SealError::UnknownKey(_)), "{unknown}");
        assert!(unknown.to_string().contains("copy the file"), "{unknown}");
    }

    #[test]
    fn a_file_that_holds_no_keys_is_refused_and_left_alone() {
        for bad in ["", "# nothing\n", "id short\n", "hello\n", "a AAAA\n"] {
            let (_folder, path) = keys();
            std::fs::write(&path, bad).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();

            assert!(Keys::open(&path).is_err(), "{bad:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bad);
        }
    }
}
