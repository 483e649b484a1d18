//! What traces cost a request in allocations: nothing where it is not recorded, and next to nothing at one in a hundred.
//!
//! One test only: a second one in the same process would be counted along.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use engine::Config;
use engine::config::{Collector, Settings, Tracing};
use proxy::LogSink;

mod made;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

const TURNS: u32 = 2000;
/// Room for growing buffers, and for posting them: all of it is the exporter's, on its own thread.
const SAMPLED_EACH_MAX: f64 = 0.05;

#[test]
fn requests_that_are_not_recorded_allocate_nothing_and_one_in_a_hundred_next_to_nothing() {
    let unrecorded = allocations(0);
    let sampled = allocations(1);

    println!("{unrecorded} allocations a request unrecorded, {sampled} at 1 %");
    assert_eq!(unrecorded, 0.0, "allocations a request that is not recorded");
    assert!(sampled <= SAMPLED_EACH_MAX, "{sampled} allocations a request, {SAMPLED_EACH_MAX} before");
}

/// Allocations a request of the whole process, with so many of a hundred requests recorded.
fn allocations(percent: u32) -> f64 {
    let listen = still::free_address();
    let mut config = made::config(listen, still::upstream(), 20);
    trace(&mut config, collector(), percent);
    let proxy = still::proxy(config, LogSink::Off);
    let mut client = still::Client::warmed_up(listen);

    let before = ALLOCATOR.allocations();
    client.ask(TURNS);
    let made = ALLOCATOR.allocations() - before;

    drop(client);
    proxy.drain();
    made as f64 / f64::from(2 * TURNS)
}

fn trace(config: &mut Config, collector: SocketAddr, percent: u32) {
    let port = Arc::get_mut(&mut config.ports[0]).expect("the only owner");
    let tracing = Tracing {
        collector: Arc::new(Collector::plain(&format!("http://{collector}/v1/traces"))),
        numerator: percent,
        denominator: 100,
        resource: Arc::new([("service.name", "edge".into())]),
    };
    let settings = Settings { access_log: false, tracing: Some(Arc::new(tracing)), ..Settings::default() };
    port.settings = Arc::new(settings);
}

/// Takes everything and allocates nothing.
fn collector() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let mut block = [0; 64 * 1024];
        for mut stream in listener.incoming().map_while(Result::ok) {
            while let Some(length) = head(&mut stream) {
                let mut left = length;
                while left > 0 {
                    match stream.read(&mut block[..left.min(64 * 1024)]) {
                        Ok(count) if count > 0 => left -= count,
                        Ok(_) | Err(_) => break,
                    }
                }
                if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                    break;
                }
            }
        }
    });
    address
}

/// The length of the body that follows a head.
fn head(stream: &mut impl Read) -> Option<usize> {
    let (mut text, mut at) = ([0; 1024], 0);
    while !text[..at].ends_with(b"\r\n\r\n") {
        stream.read_exact(text.get_mut(at..=at)?).ok()?;
        at += 1;
    }
    let text = std::str::from_utf8(&text[..at]).ok()?;
    text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
}
