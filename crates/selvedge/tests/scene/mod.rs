//! What tests of a running gateway share: addresses nobody else uses, and an upstream.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use selvedge::echo::{Echo, Options};

/// Longest a test waits for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A loopback address of this process and test alone, with a port that was free on it.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let ip = Ipv4Addr::new(127, high | 0x80, low, NEXT.fetch_add(1, Ordering::Relaxed));
    TcpListener::bind((ip, 0)).and_then(|listener| listener.local_addr()).expect("a free port")
}

/// An upstream that calls itself `name`.
pub fn echo(name: &str) -> Echo {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Echo::start(Options { listen, name: name.to_owned(), tls_names: None }).expect("a free port")
}
