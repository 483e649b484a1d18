//! The file of a SQLite store before it is used: is it ours, is it whole, does nobody else have it?
//!
//! What is damaged is never repaired in place and never deleted: it is set aside under another name, for people to
//! look at, and the caller is told so that it can tell them.

use std::fmt;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::schema::Version;
use crate::store::StoreError;

/// SQLite keeps the newest writes and an index of them in files beside the database, named like it with these ends.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// A damaged store that was moved out of the way. Nothing in it was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it was.
    pub from: PathBuf,
    /// Where it is.
    pub to: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from.display(), self.to.display());
        write!(
            f,
            "the store {from} is damaged ({}) and was set aside as {to}; this process began with an empty one. \
             Apply your files again, or stop it, put a backup in its place as {from} and start it again",
            self.why
        )
    }
}

/// Keeps other processes out for as long as it lives. The kernel lets go of it even when the process is killed.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub fn take(path: &Path) -> Result<Lock, StoreError> {
        let beside = with_end(path, ".lock");
        let fault = |error: std::io::Error| unusable(path, &format!("{}: {error}", beside.display()));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&beside)
            .map_err(fault)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(unusable(
                path,
                "another process has it open; stop that one, or give this one another folder (several control \
                 planes share a store on PostgreSQL only)",
            )),
            Err(TryLockError::Error(error)) => Err(fault(error)),
        }
    }
}

/// Makes the file ready: there, its owner's only, ours and whole.
pub(super) async fn prepare(path: &Path) -> Result<Option<SetAside>, StoreError> {
    let fault = |error: std::io::Error| unusable(path, &error.to_string());
    let set_aside = match damage(path).await? {
        Some(why) => Some(set_aside(path, why).map_err(fault)?),
        None => None,
    };
    // What is made beside it by SQLite gets the same permissions.
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    file.and_then(|file| file.set_permissions(Permissions::from_mode(0o600))).map_err(fault)?;
    Ok(set_aside)
}

/// What is wrong with the content of the file, when something is.
async fn damage(path: &Path) -> Result<Option<String>, StoreError> {
    let bytes = match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, &error.to_string())),
        Ok(found) if !found.is_file() => return Err(unusable(path, "it is not a file; name another one")),
        Ok(found) => found.len(),
    };
    let options = SqliteConnectOptions::new().filename(path).disable_statement_logging();
    match examine(&options).await {
        Ok((version, _)) if version.refusal().is_some() => {
            Err(unusable(path, &version.refusal().unwrap_or_default()))
        }
        // SQLite takes what is left of a first page for an empty database.
        Ok((version, _)) if version.things == 0 && (1..PAGE_BYTES).contains(&bytes) => {
            Ok(Some(format!("it ends after {bytes} bytes")))
        }
        Ok((_, findings)) if findings == ["ok"] => Ok(None),
        Ok((_, findings)) => Ok(Some(findings[..findings.len().min(FINDINGS_SHOWN_MAX)].join("; "))),
        Err(sqlx::Error::Database(fault)) if is_damage(&*fault) => Ok(Some(fault.message().to_owned())),
        Err(error) => Err(unusable(path, &error.to_string())),
    }
}

/// Bytes of a page, the least that a database has.
const PAGE_BYTES: u64 = 4_096;

/// Most findings of SQLite's check that a message repeats.
const FINDINGS_SHOWN_MAX: usize = 3;

/// Looks at the file without changing anything in it.
async fn examine(options: &SqliteConnectOptions) -> Result<(Version, Vec<String>), sqlx::Error> {
    let mut connection = options.connect().await?;
    let examined = findings(&mut connection).await;
    // A connection that found damage may fail to close; the finding is what counts.
    let _ = connection.close().await;
    examined
}

async fn findings(connection: &mut SqliteConnection) -> Result<(Version, Vec<String>), sqlx::Error> {
    let version = Version::read(connection).await?;
    let findings = sqlx::query_scalar("PRAGMA quick_check").fetch_all(connection).await?;
    Ok((version, findings))
}

/// SQLITE_CORRUPT and SQLITE_NOTADB, in the low byte of the code; and SQLITE_IOERR_SHORT_READ, of a file that ends
/// before its own header says that it does.
fn is_damage(fault: &dyn sqlx::error::DatabaseError) -> bool {
    let code = fault.code().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 11 | 26) || code == 522)
}

fn set_aside(path: &Path, why: String) -> std::io::Result<SetAside> {
    let to = with_end(path, &format!(".damaged-{}", seconds()));
    std::fs::rename(path, &to)?;
    for end in BESIDE {
        match std::fs::rename(with_end(path, end), with_end(&to, end)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(SetAside { from: path.to_owned(), to, why })
}

#[allow(clippy::disallowed_methods, reason = "a name for people; nothing is decided by it")]
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut whole = path.as_os_str().to_owned();
    whole.push(end);
    whole.into()
}

fn unusable(path: &Path, why: &str) -> StoreError {
    StoreError::Broken(format!("{}: {why}", path.display()))
}
