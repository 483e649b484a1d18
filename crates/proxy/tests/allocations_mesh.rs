//! What a request over the mesh allocates on both hops together, counted and frozen: the TLS library allocates for
//! records, we do not.

use engine::config::{MeshPeer, UpstreamProtocol};
use proxy::LogSink;

#[path = "../../identity/tests/issuer/mod.rs"]
mod issuer;
mod made;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

const SERVER_NAME: &str = "8080.cart.shop.svc.bank.example";
const TURNS: u32 = 1000;
/// The request's record going out and coming in, and the same for its answer: all of it rustls's own.
const EACH_MAX: f64 = 4.0;

#[test]
fn a_request_over_the_mesh_allocates_no_more_than_it_did() {
    let authority = issuer::Authority::new();
    let (listen, inbound) = (still::free_address(), still::free_address());
    let config = made::inbound(inbound, still::upstream(), SERVER_NAME, false);
    let sidecar = still::member(config, LogSink::Off, authority.member("cart", "cart-1"));
    let identity = issuer::id("cart").parse().expect("an identity");
    let peer = MeshPeer { server_name: SERVER_NAME.into(), identity, replica: "shop/cart-1".into() };
    let config = made::outbound(listen, inbound, peer, UpstreamProtocol::Http1);
    let gateway = still::member(config, LogSink::Off, authority.member("web", "web-1"));
    let mut client = still::Client::warmed_up(listen);

    let before = ALLOCATOR.allocations();
    client.ask(TURNS);
    let each = (ALLOCATOR.allocations() - before) as f64 / f64::from(2 * TURNS);

    assert!(each <= EACH_MAX, "{each} allocations a request, {EACH_MAX} before");
    drop(client);
    gateway.drain();
    sidecar.drain();
}
