//! Listening sockets, one per worker on the same address.
//!
//! `SO_REUSEPORT` lets the kernel spread connections over the workers, so that nothing is shared between them,
//! not even a queue of accepted connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

/// How to listen.
#[derive(Clone, Copy, Debug)]
pub struct ListenOptions {
    /// Length of the kernel's accept queue.
    pub backlog: i32,
    /// After how long without a packet a peer is asked whether it is still there. Accepted connections inherit it, so
    /// that it costs them nothing.
    pub keepalive: Duration,
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
    socket.set_tcp_keepalive(
        &TcpKeepalive::new().with_time(options.keepalive).with_interval(options.keepalive),
    )?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_connection_asks_after_a_peer_that_says_nothing() {
        let options = ListenOptions { backlog: 1, keepalive: Duration::from_secs(7) };
        let listener = listen(([127, 0, 0, 1], 0).into(), options).expect("a socket");
        let _client =
            std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("a client");
        listener.set_nonblocking(false).expect("a socket that waits");

        let (accepted, _) = listener.accept().expect("a connection");

        let accepted = socket2::SockRef::from(&accepted);
        assert!(accepted.keepalive().expect("an option"));
        assert_eq!(accepted.tcp_keepalive_time().expect("an option"), Duration::from_secs(7));
    }
}
