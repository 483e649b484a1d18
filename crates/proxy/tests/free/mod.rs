//! Addresses that nobody else uses: Linux answers on the whole of 127.0.0.0/8, and a port that was free a moment ago on
//! 127.0.0.1 may meanwhile be that of somebody's connection.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};

/// An address nobody listens on, of this process and this call alone.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let ip = Ipv4Addr::new(127, high | 0x80, low, NEXT.fetch_add(1, Ordering::Relaxed));
    TcpListener::bind((ip, 0)).and_then(|listener| listener.local_addr()).expect("a free port")
}
