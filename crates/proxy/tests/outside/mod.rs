//! A second process for clients and upstreams that allocate, so that only the proxy is counted.
//!
//! The test starts its own binary again; there, [`Outside::start`] plays the role and answers `None`, and the test
//! returns at once. Both talk over a loopback socket: the child says where its upstream listens, is told where the
//! proxy listens and which certificate it shows, and then asks as often as it is told to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};

/// Where the child finds its parent.
const PARENT: &str = "SELVEDGE_TEST_PARENT";
/// Requests that fill every pool before anything is counted.
const WARM_UP: u32 = 300;

/// Makes so many requests.
pub type Ask = Box<dyn FnMut(u32)>;

/// What a child plays.
pub struct Role {
    /// Starts an upstream.
    pub upstream: fn() -> SocketAddr,
    /// Connects to the proxy at this address, which shows this certificate.
    pub client: fn(SocketAddr, &[u8]) -> Ask,
}

/// The other process. Dropping it ends it.
pub struct Outside {
    link: TcpStream,
    child: Child,
    /// Where its upstream listens.
    pub upstream: SocketAddr,
}

impl Outside {
    /// `None` when this is the other process, which has played its role by then.
    pub fn start(role: &Role) -> Option<Outside> {
        if let Ok(parent) = std::env::var(PARENT) {
            play(role, TcpStream::connect(parent).expect("the parent listens"));
            return None;
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let child = Command::new(std::env::current_exe().expect("our own path"))
            .env(PARENT, address.to_string())
            .spawn()
            .expect("our own binary starts");
        let (mut link, _) = listener.accept().expect("the child connects");
        let upstream = receive(&mut link).expect("the child says where its upstream listens");
        let upstream = String::from_utf8(upstream).ok().and_then(|text| text.parse().ok());
        Some(Outside { link, child, upstream: upstream.expect("an address") })
    }

    /// Connects to the proxy and brings it into its steady state.
    pub fn warm_up(&mut self, proxy: SocketAddr, certificate: &[u8]) {
        send(&mut self.link, proxy.to_string().as_bytes());
        send(&mut self.link, certificate);
        self.ask(WARM_UP);
    }

    /// Makes so many requests and returns when the last is answered. Allocates nothing in this process.
    pub fn ask(&mut self, count: u32) {
        self.link.write_all(&count.to_be_bytes()).expect("the child listens");
        self.link.read_exact(&mut [0]).expect("the child has asked");
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.link.shutdown(std::net::Shutdown::Both); // A child that is gone already needs no telling.
        let _ = self.child.wait();
    }
}

fn play(role: &Role, mut link: TcpStream) {
    send(&mut link, (role.upstream)().to_string().as_bytes());
    let Some(proxy) = receive(&mut link) else { return };
    let Some(certificate) = receive(&mut link) else { return };
    let proxy = std::str::from_utf8(&proxy).ok().and_then(|text| text.parse().ok());
    let mut ask = (role.client)(proxy.expect("an address"), &certificate);
    let mut count = [0; 4];
    while link.read_exact(&mut count).is_ok() {
        ask(u32::from_be_bytes(count));
        link.write_all(&[1]).expect("the parent waits");
    }
}

fn send(link: &mut TcpStream, text: &[u8]) {
    let length = u32::try_from(text.len()).expect("a short text").to_be_bytes();
    link.write_all(&[&length, text].concat()).expect("the other side listens");
}

/// `None` when the other side has gone.
fn receive(link: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    link.read_exact(&mut length).ok()?;
    let mut text = vec![0; u32::from_be_bytes(length) as usize];
    link.read_exact(&mut text).ok()?;
    Some(text)
}
