//! Which store, and with which keys.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::keys::{Keys, KeysError};
use crate::store::postgres::{Patience, Postgres};
use crate::store::sqlite::Sqlite;
use crate::store::{Store, StoreError};

/// Name of the store in the data folder.
const STORE: &str = "store.db";
/// Name of the keys that seal its secrets.
const KEYS: &str = "store.keys";

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder cannot be made.
    #[error("cannot use the data folder `{}`: {fault}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        fault: std::io::Error,
    },
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A store that was opened.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The keys that seal its secrets.
    pub keys: Keys,
    /// Whether other control planes may use it as well.
    pub is_shared: bool,
    /// What was done with a damaged one in its place.
    pub set_aside: Option<String>,
}

/// Opens the store of a data folder, or the one in a database.
pub async fn open(data: &Path, database: Option<&str>) -> Result<Opened, OpenError> {
    make_private(data).map_err(|fault| OpenError::Folder { path: data.to_owned(), fault })?;
    let keys = Keys::open(&data.join(KEYS))?;
    if let Some(url) = database {
        let store = Postgres::open(url, keys.clone(), Patience::default()).await?;
        return Ok(Opened { store, keys, is_shared: true, set_aside: None });
    }
    let opened = Sqlite::open(&data.join(STORE), keys.clone()).await?;
    let set_aside = opened.set_aside.map(|aside| aside.to_string());
    Ok(Opened { store: opened.store, keys, is_shared: false, set_aside })
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
