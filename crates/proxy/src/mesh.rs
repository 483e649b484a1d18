//! TLS between members of the mesh, on both sides of a connection.
//!
//! Both ends show who they are, or there is no connection: nothing here falls back to cleartext. Settings are made for
//! each handshake from what stands at that moment, so a renewed certificate is used by the very next one.

use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::config::{Carries, MeshPeer, Port, Security, TcpRule};
use identity::member::{ALPN_HTTP1, ALPN_HTTP2, ALPN_TCP, Judge, Refusal, Standing, Verified};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, TlsConnector, TlsStream};

use crate::counterpart::Counterpart;
use crate::failure::Failure;
use crate::io::{Io, MeshStream};
use crate::limits::TLS_HANDSHAKE_SECONDS;
use crate::state::counterparts::Direction;
use crate::state::pairs::{Pair, Side};
use crate::state::ports::Pinned;
use crate::worker::Worker;

/// What is spoken on a connection of the mesh, settled by ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// HTTP/1.1, one request after the other.
    Http1,
    /// HTTP/2.
    Http2,
    /// Bytes of one stream.
    Tcp,
}

impl Spoken {
    const fn alpn(self) -> &'static [u8] {
        match self {
            Spoken::Http1 => ALPN_HTTP1,
            Spoken::Http2 => ALPN_HTTP2,
            Spoken::Tcp => ALPN_TCP,
        }
    }
}

/// A connection of a caller, after its handshake.
pub struct Accepted {
    /// The encrypted stream.
    pub io: Io,
    /// Who called.
    pub counterpart: Rc<Counterpart>,
    /// What the connection carries.
    pub carried: Carried,
}

/// What a caller has come for.
pub enum Carried {
    /// Requests over HTTP/1.1.
    Http1,
    /// Requests over HTTP/2.
    Http2,
    /// Bytes, which this rule leads on.
    Tcp(Arc<TcpRule>),
}

/// Shakes hands with a caller, within `TLS_HANDSHAKE_SECONDS`.
///
/// # Errors
/// The caller is not who it must be, asks for what is not there, or we are nobody ourselves.
pub async fn accept(stream: TcpStream, worker: &Rc<Worker>, pinned: Pinned) -> Result<Accepted, Failure> {
    let limit = Duration::from_secs(u64::from(TLS_HANDSHAKE_SECONDS));
    match tokio::time::timeout(limit, answer(stream, worker, &pinned)).await {
        Ok(result) => result,
        Err(_elapsed) => Err(Failure::TlsHandshake),
    }
}

async fn answer(stream: TcpStream, worker: &Rc<Worker>, pinned: &Pinned) -> Result<Accepted, Failure> {
    let acceptor = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
    let begun = acceptor.await.map_err(|_| Failure::TlsHandshake)?;
    let name = begun.client_hello().server_name().unwrap_or_default().to_owned();
    let (service, carries) = pinned.port().asked_for(&name).ok_or(Failure::MeshServiceUnknown)?;
    let offered: &[&[u8]] = match carries {
        Carries::Http(_) => &[ALPN_HTTP1, ALPN_HTTP2],
        Carries::Tcp(_) => &[ALPN_TCP],
    };
    let standing = worker.member.standing();
    let (config, judge) = standing.server(offered, worker.clock.wall()).ok_or(Failure::IdentityMissing)?;
    let stream = begun.into_stream(config).await.map_err(|_| refused(worker, &judge))?;
    let spoken = stream.get_ref().1.alpn_protocol();
    let carried = match carries {
        Carries::Http(_) if spoken == Some(ALPN_HTTP1) => Carried::Http1,
        Carries::Http(_) if spoken == Some(ALPN_HTTP2) => Carried::Http2,
        Carries::Tcp(rule) if spoken == Some(ALPN_TCP) => Carried::Tcp(rule.clone()),
        Carries::Http(_) | Carries::Tcp(_) => return Err(Failure::MeshProtocol),
    };
    let io = known(worker, &standing, &judge, Asked::Of(&name, service), TlsStream::Server(stream))?;
    let counterpart = io.counterpart().cloned().ok_or(Failure::PeerUnverified)?;
    Ok(Accepted { io, counterpart, carried })
}

/// The port that a caller means: the first label of the server name that it asks for, where the door knows the name. A
/// door that takes any name is meant itself: whoever calls could have written any number.
#[must_use]
pub fn port_meant(port: &Port, server_name: &str) -> u16 {
    let named = match &port.security {
        Security::Mesh(mesh) if mesh.others.is_none() => server_name.split_once('.'),
        Security::Mesh(_) | Security::Plain | Security::Tls(_) => None,
    };
    named.and_then(|(number, _)| number.parse().ok()).unwrap_or(port.address.port)
}

/// Whether a port of the mesh takes nobody who has not shown a certificate.
#[must_use]
pub fn is_closed_to_strangers(port: &Port) -> bool {
    matches!(&port.security, Security::Mesh(mesh) if !mesh.cleartext)
}

/// Shakes hands with a member that was called. The caller of this function bounds the time.
///
/// # Errors
/// Whoever answers is not exactly who was meant, or we are nobody ourselves.
pub async fn call(
    worker: &Rc<Worker>,
    stream: TcpStream,
    peer: &MeshPeer,
    spoken: Spoken,
) -> Result<Io, Failure> {
    let name = ServerName::try_from(peer.server_name.to_string()).map_err(|_| Failure::BackendInvalid)?;
    let standing = worker.member.standing();
    let settings = standing.client(&peer.identity, spoken.alpn(), worker.clock.wall());
    let (config, judge) = settings.ok_or(Failure::IdentityMissing)?;
    let connecting = TlsConnector::from(config).connect(name, stream);
    let stream = connecting.await.map_err(|error| unanswered(worker, &judge, &error))?;
    if stream.get_ref().1.alpn_protocol() != Some(spoken.alpn()) {
        return Err(Failure::MeshProtocol);
    }
    known(worker, &standing, &judge, Asked::By(&peer.server_name), TlsStream::Client(stream))
}

/// Whether this proxy could show who it is at this moment.
#[must_use]
pub fn is_somebody(worker: &Worker) -> bool {
    worker.member.standing().svid_at(worker.clock.wall()).is_some()
}

/// Who has asked for a server name.
enum Asked<'a> {
    /// This proxy.
    By(&'a str),
    /// The other end, and by it meant this service: its name for metrics.
    Of(&'a str, &'a Arc<str>),
}

/// A connection whose other end has proven who it is.
fn known(
    worker: &Rc<Worker>,
    standing: &Standing,
    judge: &Judge,
    asked: Asked<'_>,
    stream: TlsStream<TcpStream>,
) -> Result<Io, Failure> {
    let (Some(Ok(verified)), Some(shown)) = (judge.verdict(), &standing.svid) else {
        return Err(Failure::PeerUnverified);
    };
    let verified: Verified = verified.clone();
    let (server_name, direction, counted) = match asked {
        Asked::By(server_name) => (server_name, Direction::Outbound, None),
        Asked::Of(server_name, service) => {
            let (source, destination) = (verified.identity.clone(), shown.identity().clone());
            let pair = Pair { side: Side::Destination, source, destination, service: service.clone() };
            (server_name, Direction::Inbound, Some(worker.metrics.pairs.of(pair)))
        }
    };
    let counterpart = Rc::new(Counterpart::new(verified, server_name, shown.clone(), counted));
    let socket = stream.get_ref().0.as_raw_fd();
    let known = worker.counterparts.register(counterpart, socket, direction);
    Ok(Io::Mesh(Box::new(MeshStream { known, stream })))
}

/// What became of a handshake that a caller has begun.
fn refused(worker: &Worker, judge: &Judge) -> Failure {
    match judge.verdict() {
        Some(Err(refusal)) => unverified(worker, *refusal),
        Some(Ok(_)) | None => Failure::TlsHandshake,
    }
}

/// What became of a handshake that we have begun.
fn unanswered(worker: &Worker, judge: &Judge, error: &io::Error) -> Failure {
    match judge.verdict() {
        Some(Err(refusal)) => unverified(worker, *refusal),
        Some(Ok(_)) | None if error.kind() == io::ErrorKind::TimedOut => Failure::ConnectTimeout,
        Some(Ok(_)) | None => Failure::UpstreamTls,
    }
}

fn unverified(worker: &Worker, refusal: Refusal) -> Failure {
    worker.metrics.refusals[refusal as usize].add(1);
    match refusal {
        Refusal::OtherIdentity => Failure::PeerIdentityMismatch,
        _ => Failure::PeerUnverified,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use engine::config::{BindAddress, MeshPort};
    use engine::matching::ListenerTable;

    use super::*;

    #[test]
    fn a_door_that_takes_any_name_believes_none_of_the_numbers_in_it() {
        let door = |others: Option<&str>| Port {
            address: BindAddress { ip: Ipv4Addr::LOCALHOST.into(), port: 15443 },
            security: Security::Mesh(MeshPort { others: others.map(Arc::from), ..MeshPort::default() }),
            carries: Carries::Http(ListenerTable::default()),
            settings: Arc::default(),
        };

        assert_eq!(port_meant(&door(None), "8080.cart.shop.svc.bank.example"), 8080);
        assert_eq!(port_meant(&door(Some("shop/edge:15443")), "8080.cart.shop.svc.bank.example"), 15443);
    }
}
