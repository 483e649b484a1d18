//! Filters write their edits into what the worker keeps, so they allocate nothing either.

use std::sync::Arc;

use engine::config::{Filter, HeaderEdits, PathEdit, Rewrite};
use proxy::LogSink;

mod made;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

fn edits(names: [&str; 3]) -> HeaderEdits {
    let [set, add, remove] = names.map(|name| Arc::<[u8]>::from(name.as_bytes()));
    let value: Arc<[u8]> = b"by the route".as_slice().into();
    HeaderEdits { set: vec![(set, value.clone())], add: vec![(add, value)], remove: vec![remove] }
}

#[test]
fn header_modifiers_and_a_rewrite_allocate_nothing() {
    let listen = still::free_address();
    let filters = [
        Filter::RequestHeaders(edits(["x-tenant", "accept", "cookie"])),
        Filter::Rewrite(Rewrite {
            hostname: Some("inside.example".into()),
            path: Some(PathEdit::Full(
                "/another/and/much/longer/path/than/the/one/that/was/asked/for".into(),
            )),
        }),
        Filter::ResponseHeaders(edits(["x-served-by", "vary", "content-type"])),
    ];
    let config = made::config_with(listen, still::upstream(), 20, &filters);
    let proxy = still::proxy(config, LogSink::Off);
    let mut client = still::Client::warmed_up(listen);

    let before = ALLOCATOR.allocations();
    client.ask(2000);
    let made = ALLOCATOR.allocations() - before;

    assert_eq!(made, 0, "{made} allocations in 4000 requests");
    drop(client);
    proxy.drain();
}
