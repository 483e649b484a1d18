//! What a unary gRPC call allocates with HTTP/2 on both sides, counted and frozen.

use std::sync::Arc;

use engine::config::UpstreamProtocol;
use proxy::LogSink;

mod made;
mod outside;
mod speakers;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

const CALLS: u32 = 1000;
/// Field maps are two each: decoded request, response and trailers, encoded request, response and trailers make
/// twelve. The rest are the text that the values of an encoded head share, the target of the request, the boxes of the
/// stream's task and of both sides of the exchange, and bytes of bodies; names and values that most messages have are
/// constants. The fraction is the connections' own.
const EACH_MAX: f64 = 26.1;

#[test]
fn a_grpc_call_allocates_no_more_than_it_did() {
    let role = outside::Role {
        upstream: speakers::grpc_upstream,
        client: |proxy, _| speakers::client(proxy, speakers::Call::Unary),
    };
    let Some(mut outside) = outside::Outside::start(&role) else { return };
    let listen = still::free_address();
    let mut config = made::config(listen, outside.upstream, 20);
    let cluster = config.clusters[0].as_mut().and_then(Arc::get_mut).expect("the only owner");
    cluster.protocol = UpstreamProtocol::Http2;
    let proxy = still::proxy(config, LogSink::Off);
    outside.warm_up(listen, b"");

    let before = ALLOCATOR.allocations();
    outside.ask(CALLS);
    let each = (ALLOCATOR.allocations() - before) as f64 / f64::from(CALLS);

    assert!(each <= EACH_MAX, "{each} allocations a call, {EACH_MAX} before");
    drop(outside);
    proxy.drain();
}
