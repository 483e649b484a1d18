//! The folder of a control plane that nobody asked to keep: private to this user, and gone when the process ends.
//!
//! `selvedge up` serves the API from its first start, before anybody has decided where things are to be kept. It lies
//! where the system keeps what belongs to one session (`XDG_RUNTIME_DIR`), so that even what a killed process leaves
//! behind is in memory and goes with the session.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What the names of such folders begin with.
const PREFIX: &str = "selvedge-";

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub struct Private {
    folder: TempDir,
}

impl Private {
    /// Makes one that only this user may look into.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn make() -> io::Result<Private> {
        Private::within(&place(std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)))
    }

    fn within(place: &Path) -> io::Result<Private> {
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix(PREFIX).permissions(Permissions::from_mode(0o700)).tempdir_in(place)?;
        Ok(Private { folder })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The folder of the session where there is one, or else the one for temporary files.
fn place(session: Option<PathBuf>) -> PathBuf {
    session.filter(|path| path.is_absolute() && path.is_dir()).unwrap_or_else(std::env::temp_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_may_look_into_it_and_it_goes_with_its_owner() {
        let place = tempfile::tempdir().expect("a folder");

        let private = Private::within(place.path()).expect("made");
        let path = private.path().to_path_buf();
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        std::fs::write(path.join("admin.kubeconfig"), "").expect("a file");
        drop(private);

        assert_eq!(mode & 0o777, 0o700);
        assert!(!path.exists());
    }

    #[test]
    fn a_session_without_a_folder_uses_the_one_for_temporary_files() {
        let session = tempfile::tempdir().expect("a folder");

        assert_eq!(place(Some(session.path().to_path_buf())), session.path());
        for nowhere in [None, Some(PathBuf::from("relative")), Some(session.path().join("missing"))] {
            assert_eq!(place(nowhere), std::env::temp_dir());
        }
    }
}
