//! A way between two sides that can fall silent: from one moment on no byte gets through, and neither side is told.
//!
//! That is how a network loses a connection whose firewall has forgotten it: without an end and without a reset.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bytes that are carried at once.
const PIECE_BYTES: usize = 16 << 10;

/// A relay to one address. Dropping it ends all its connections.
#[derive(Debug)]
pub struct Relay {
    /// Where it is reached.
    pub address: SocketAddr,
    is_silent: watch::Sender<bool>,
    _carrying: JoinSet<()>,
}

impl Relay {
    /// A relay to an address, on the same IP, so that certificates fit.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn to(target: SocketAddr) -> Relay {
        let listener = TcpListener::bind((target.ip(), 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (is_silent, heard) = watch::channel(false);
        let mut carrying = JoinSet::new();
        carrying.spawn(accept(listener, target, heard));
        Relay { address, is_silent, _carrying: carrying }
    }

    /// From now on nothing gets through, and nothing is closed.
    pub fn fall_silent(&self) {
        self.is_silent.send_replace(true);
    }

    /// Connections that are made from now on get through. The others stay as they are.
    pub fn speak(&self) {
        self.is_silent.send_replace(false);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, is_silent: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        connections.spawn(connection(near, target, is_silent.clone()));
    }
}

/// Carries in both directions until one side ends, or silence begins; then holds on to what it has.
async fn connection(near: TcpStream, target: SocketAddr, mut is_silent: watch::Receiver<bool>) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    let (from_near, to_near) = near.into_split();
    let (from_far, to_far) = far.into_split();
    let mut there = (from_near, to_far);
    let mut back = (from_far, to_near);
    tokio::select! {
        biased;
        () = silence(&mut is_silent) => std::future::pending().await,
        () = carry(&mut there) => {}
        () = carry(&mut back) => {}
    }
}

async fn silence(is_silent: &mut watch::Receiver<bool>) {
    let _begun_or_the_relay_is_gone = is_silent.wait_for(|silent| *silent).await.is_ok();
}

async fn carry((from, to): &mut (OwnedReadHalf, OwnedWriteHalf)) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        if to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
}
