//! Listening sockets, one per worker on the same address.
//!
//! `SO_REUSEPORT` lets the kernel spread connections over the workers, so that nothing is shared between them,
//! not even a queue of accepted connections.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// How to listen.
#[derive(Clone, Copy, Debug)]
pub struct ListenOptions {
    /// Length of the kernel's accept queue.
    pub backlog: i32,
}

/// Opens a non-blocking listening socket that other sockets of this process may share the address with.
///
/// # Errors
/// The address is in use by somebody else, is not an address of this host, or needs a privilege.
pub fn listen(address: SocketAddr, options: ListenOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    Ok(socket.into())
}
