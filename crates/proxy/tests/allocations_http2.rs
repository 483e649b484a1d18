//! What an HTTP/2 request allocates, counted and frozen: the library allocates per stream, we should not add to it.

use proxy::LogSink;

mod made;
mod outside;
mod speakers;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

const REQUESTS: u32 = 1000;
/// The decoder's field map (two), the response's field map (two), the text that its values share (two), the stream's
/// task, its future and what the exchange keeps of it (three), the body's bytes. The fraction is the connection's own.
const EACH_MAX: f64 = 10.1;

#[test]
fn an_http2_request_to_an_http1_upstream_allocates_no_more_than_it_did() {
    let role = outside::Role {
        upstream: still::upstream,
        client: |proxy, _| speakers::client(proxy, speakers::Call::Get),
    };
    let Some(mut outside) = outside::Outside::start(&role) else { return };
    let listen = still::free_address();
    let proxy = still::proxy(made::config(listen, outside.upstream, 20), LogSink::Off);
    outside.warm_up(listen, b"");

    let before = ALLOCATOR.allocations();
    outside.ask(REQUESTS);
    let each = (ALLOCATOR.allocations() - before) as f64 / f64::from(REQUESTS);

    assert!(each <= EACH_MAX, "{each} allocations a request, {EACH_MAX} before");
    drop(outside);
    proxy.drain();
}
