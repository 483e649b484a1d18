//! Ends a connection from outside the task that owns it.
//!
//! Deadlines are swept once a second by one loop per worker. It cannot reach into the futures that own the
//! sockets, but the kernel can: after a shutdown the pending read or write returns, and the owner finds out why.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::net::Shutdown;

/// Which direction to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Reads return end of file; an answer can still be written.
    Reading,
    /// Nothing moves any more.
    Both,
}

/// Shuts a socket down, by number.
///
/// Whoever keeps numbers must forget one before its socket is closed, and on the same thread; else a stranger's
/// connection could be ended. A number that is not open is an error and nothing else.
///
/// # Errors
/// The socket is not connected any more, or the number is not an open socket; callers may ignore this.
pub fn shutdown(socket: RawFd, end: End) -> io::Result<()> {
    if socket < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the descriptor is only lent to one system call, which touches no memory of ours and fails cleanly
    // on a number that is not open; keepers of numbers promise above that it is not somebody else's.
    let socket = unsafe { BorrowedFd::borrow_raw(socket) };
    let how = match end {
        End::Reading => Shutdown::Read,
        End::Both => Shutdown::Both,
    };
    rustix::net::shutdown(socket, how)?;
    Ok(())
}
