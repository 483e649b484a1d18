//! What a client's connection that waits for its next request keeps of the heap.

use std::io::{Read, Write};
use std::net::TcpStream;

use proxy::LogSink;

mod made;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

const CONNECTIONS: usize = 200;
/// The connection's task, the connection itself, its socket's entry with the runtime, and its peer's name; no buffer
/// of 4 KiB or more.
const EACH_MAX_BYTES: usize = 2048;

#[test]
fn an_idle_connection_keeps_no_buffer() {
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
