//! Names for processes that we did not start: `services.env` and `hosts` in the data folder, kept up to date.
//!
//! A file is replaced whole, so a reader sees what was or what is, and is left alone while it says the same.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::environment::{Variables, hosts};
use super::names::Names;

/// Variables for shells and service managers.
pub const SERVICES_ENV: &str = "services.env";
/// Addresses and names, in the form of `/etc/hosts`.
pub const HOSTS: &str = "hosts";

/// Keeps the files of one data folder.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// Files in this folder, which must exist.
    #[must_use]
    pub fn new(folder: &Path) -> Files {
        Files { folder: folder.to_owned() }
    }

    /// Makes them say what can be reached now.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, names: &Names) -> io::Result<()> {
        replace(&self.folder.join(SERVICES_ENV), &Variables::of(names).file())?;
        replace(&self.folder.join(HOSTS), &hosts(names))
    }
}

/// Replaces a file that everybody may read, unless it says the same already.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|now| now == text.as_bytes()) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(text.as_bytes())?;
    fresh.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    fresh.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::super::names::tests::shop;
    use super::*;

    #[test]
    fn files_follow_what_can_be_reached_and_rest_while_nothing_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(folder.path());
        let inode = || std::fs::metadata(folder.path().join(HOSTS)).expect("a file").ino();
        let read = |name| std::fs::read_to_string(folder.path().join(name)).expect("a file");

        files.write(&shop()).expect("files");
        let first = inode();
        files.write(&shop()).expect("files");
        assert_eq!(inode(), first, "nothing was written");
        assert!(read(SERVICES_ENV).contains("SHOP_CART_HOST=127.128.7.1\n"));

        files.write(&Names::none("shop")).expect("files");
        assert!(!read(SERVICES_ENV).contains("CART") && !read(HOSTS).contains("cart"));
    }
}
