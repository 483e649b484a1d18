//! The steady state allocates nothing: a promise that is easily broken and never noticed, so it is counted.
//!
//! One test only: a second one in the same process would be counted along.

use proxy::LogSink;

mod made;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

#[test]
fn requests_in_the_steady_state_allocate_nothing() {
    let listen = still::free_address();
    let proxy = still::proxy(made::config(listen, still::upstream(), 20), LogSink::Off);
    let mut client = still::Client::warmed_up(listen);

    let before = ALLOCATOR.allocations();
    client.ask(2000);
    let made = ALLOCATOR.allocations() - before;

    assert_eq!(made, 0, "{made} allocations in 4000 requests");
    drop(client);
    proxy.drain();
}
