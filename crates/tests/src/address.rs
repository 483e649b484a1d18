//! Addresses nobody else uses.
//!
//! Linux answers on the whole of 127.0.0.0/8, so every listener of every spec gets an address of its own and
//! a port the kernel had free there. No port is fixed and no two specs can meet, within one run or between two.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

static NEXT: AtomicU32 = AtomicU32::new(0);
static FIRST: OnceLock<u32> = OnceLock::new();
static GIVEN: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());

/// A loopback address that was not handed out before. The first one differs from run to run.
#[must_use]
pub fn loopback() -> IpAddr {
    let first = *FIRST.get_or_init(|| RandomState::new().build_hasher().finish() as u32);
    let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    let [_, b, c, d] = number.to_be_bytes();
    // 127.0.x.y is left to everybody else; .0 and .255 are left alone.
    Ipv4Addr::new(127, b.max(1), c, d.clamp(1, 254)).into()
}

/// An unused loopback address with a port that is free on it now.
///
/// # Panics
/// When no address can be bound.
#[must_use]
pub fn free() -> SocketAddr {
    for _ in 0..64 {
        if let Ok(listener) = TcpListener::bind((loopback(), 0))
            && let Ok(address) = listener.local_addr()
        {
            return address;
        }
    }
    panic!("no loopback address could be bound");
}

/// A port that is free on `ip` now, and was not handed out before: who asks twice wants two.
///
/// # Panics
/// When the address cannot be bound.
#[must_use]
pub fn free_port(ip: IpAddr) -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let listener = TcpListener::bind((ip, 0)).expect("a loopback address can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        if given.insert(address) {
            return address.port();
        }
    }
}
