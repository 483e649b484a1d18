//! What is kept of the heap while nothing happens: by a client's connection that waits for its next request, and by what
//! a sidecar may call and does not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};

use proxy::LogSink;

mod made;
mod replicas;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

const CONNECTIONS: usize = 200;
/// The connection's task, the connection itself, its socket's entry with the runtime, and its peer's name; no buffer
/// of 4 KiB or more.
const EACH_MAX_BYTES: usize = 2048;

/// Everything in the process is counted, so one test after the other counts.
static COUNTING: Mutex<()> = Mutex::new(());

const SERVICES: u8 = 100;
const REPLICAS: u8 = 10;
/// What is kept of one replica among ten of its Service: the object, the endpoint, and the version that the stream holds.
const REPLICA_MAX_BYTES: usize = 800;
/// What a Service costs with one replica: its object, its rule, its address, and a socket that listens there.
const SERVICE_MAX_BYTES: usize = 12 * 1024;

#[test]
fn a_replica_that_nobody_calls_costs_a_sidecar_less_than_a_kilobyte() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let many = kept_of_a_mesh(SERVICES, REPLICAS);
    let few = kept_of_a_mesh(SERVICES, 1);
    let replica = (many - few) / (usize::from(SERVICES) * usize::from(REPLICAS - 1));
    let service = few / usize::from(SERVICES);

    assert!(
        replica <= REPLICA_MAX_BYTES,
        "{replica} bytes a replica, at most {REPLICA_MAX_BYTES} are promised"
    );
    assert!(
        service <= SERVICE_MAX_BYTES,
        "{service} bytes a Service, at most {SERVICE_MAX_BYTES} are promised"
    );
}

/// Bytes that a sidecar keeps of so many Services with so many replicas each.
fn kept_of_a_mesh(services: u8, replicas: u8) -> usize {
    let (mut kept, config) = replicas::Kept::alone();
    let proxy = still::proxy_of(config, LogSink::Off);
    let port = still::free_address().port();

    let before = ALLOCATOR.bytes();
    let applied = proxy.apply(kept.meet(services, replicas, port));
    let open = applied.bound.iter().filter(|bound| bound.error.is_none()).count();
    drop(applied);
    let bytes = ALLOCATOR.bytes() - before;

    assert_eq!(open, usize::from(services), "every Service is found at an address of its own");
    proxy.drain();
    bytes
}

#[test]
fn an_idle_connection_keeps_no_buffer() {
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let listen = still::free_address();
    let proxy = still::proxy(made::config(listen, still::upstream(), 20), LogSink::Off);
    let warm: Vec<TcpStream> = (0..8).map(|_| used_once(listen)).collect();

    let before = ALLOCATOR.bytes();
    let idle: Vec<TcpStream> = (0..CONNECTIONS).map(|_| used_once(listen)).collect();
    let each = (ALLOCATOR.bytes() - before) / CONNECTIONS;

    assert!(each <= EACH_MAX_BYTES, "{each} bytes a connection, at most {EACH_MAX_BYTES} are promised");
    drop((warm, idle));
    proxy.drain();
}

/// A connection that has carried one request.
fn used_once(listen: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(listen).expect("the proxy listens");
    stream.write_all(still::GET).expect("the request is taken");
    let mut answer = [0; 4096];
    let mut length = 0;
    while !answer[..length].ends_with(b"\r\n\r\nhello") {
        let count = stream.read(&mut answer[length..]).expect("an answer comes");
        assert!(count > 0, "the connection was closed");
        length += count;
        if answer[..length].ends_with(b"0\r\n\r\n") {
            break;
        }
    }
    stream
}
