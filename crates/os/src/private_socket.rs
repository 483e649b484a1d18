//! A Unix socket for ourselves and root alone.
//!
//! The mode of the socket keeps others out, and its folder too where it is made here; who connects is asked of the
//! kernel all the same, because a folder may be opened up by accident.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Longest path of a Unix socket in bytes (unix(7)).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// A socket at a path, which goes with it.
#[derive(Debug)]
pub struct PrivateSocket {
    path: PathBuf,
    /// The user that we run as.
    user: u32,
}

impl PrivateSocket {
    /// Makes the socket, and its folder if there is none. A socket that nobody serves any more is replaced.
    ///
    /// # Errors
    /// The path is too long, somebody else serves it, or the folder cannot be written.
    pub fn bind(path: &Path) -> io::Result<(PrivateSocket, UnixListener)> {
        if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            let told = format!("`{}` is longer than {SOCKET_PATH_BYTES_MAX} bytes", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, told));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        remove_stale(path)?;
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let user = std::fs::metadata(path)?.uid();
        Ok((PrivateSocket { path: path.to_owned(), user }, listener))
    }

    /// Whether this user may come in: only ourselves and root.
    #[must_use]
    pub fn lets_in(&self, user: u32) -> bool {
        user == self.user || user == 0
    }
}

impl Drop for PrivateSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path); // Somebody may have tidied up before us.
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            let told = format!("`{}` is there and is no socket", path.display());
            Err(io::Error::new(io::ErrorKind::AlreadyExists, told))
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
            Err(_) => std::fs::remove_file(path),
        },
    }
}
