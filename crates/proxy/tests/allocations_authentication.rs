//! Finding out who has a key allocates nothing, and neither does keeping it from the backend.

use std::sync::Arc;

use engine::authentication::{ApiKey, Authentication, GivenKeys, Method, Place};
use model::kinds::Secret;
use proxy::LogSink;

mod made;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

fn keys() -> Authentication {
    let key: Arc<[u8]> = b"sk_live_0123456789abcdef".as_slice().into();
    let data = [("one".into(), key)].into();
    let secret = Secret { secret_type: "policy.selvedge.dev/api-keys".into(), data };
    let places = [Place::Query(b"key".as_slice().into()), Place::Header(b"x-api-key".as_slice().into())];
    let given = GivenKeys::of(&secret, Arc::from).expect("keys");
    Authentication {
        policy: "shop/keys".into(),
        methods: [Method::ApiKey(ApiKey { places: places.into(), keep: false, given: Some(given) })].into(),
        anonymous: false,
        unusable: None,
        reserved: Box::default(),
    }
}

#[test]
fn a_key_allocates_nothing() {
    let listen = still::free_address();
    let config = made::asking(listen, still::upstream(), Arc::new(keys()));
    let proxy = still::proxy(config, LogSink::Off);
    let mut client = still::Client::warmed_up(listen);

    let before = ALLOCATOR.allocations();
    client.ask(2000);
    let made = ALLOCATOR.allocations() - before;

    assert_eq!(made, 0, "{made} allocations in 4000 requests");
    drop(client);
    proxy.drain();
}
