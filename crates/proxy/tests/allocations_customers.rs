//! Keys of applications: found in the table of customers, let in by a plan, counted by its rate, its quota and for its
//! bill, all without an allocation; and refused as soon as another table says so, on connections that are open.

#![allow(clippy::disallowed_methods, reason = "the patience of a test is real time")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use commerce::rate::Rate;
use engine::authentication::{ApiKey, Authentication, Method, Place};
use engine::config::{Access, PlanTerms, PlansPage, ProductTerms, Quota, RateLimit, SaidBy};
use engine::customers::{
    Application, ApplicationId, Credential, CredentialKind, CredentialState, Customers, Pepper, Subscription,
    SubscriptionId, Term,
};
use model::kinds::plan::{CredentialKind as Taken, PlanQuota, QuotaLimit, QuotaPeriod, WhenUnknown};
use proxy::LogSink;

mod made;
mod still;

#[global_allocator]
static ALLOCATOR: os::CountingAllocator = os::CountingAllocator::new();

const KEY: &[u8] = b"sk_live_0123456789abcdef";

fn keys() -> Authentication {
    let places = [Place::Header(b"x-api-key".as_slice().into())];
    Authentication {
        policy: "shop/keys".into(),
        methods: [Method::ApiKey(ApiKey { places: places.into(), keep: false, given: None })].into(),
        anonymous: false,
        unusable: None,
        reserved: Box::default(),
    }
}

/// A product with one plan, which has a rate that nobody reaches.
fn access() -> Arc<Access> {
    let rate = RateLimit {
        account: 1,
        name: "1000000-per-1s".into(),
        said_by: SaidBy::Plan,
        policy: "shop/gold".into(),
        rate: Rate::new(1_000_000, Duration::from_secs(1), None).expect("a rate"),
        is_together: true,
        requests: 1_000_000,
        per: Duration::from_secs(1),
        by: Box::default(),
        when: Box::default(),
        announced: b"\"1000000-per-1s\";q=1000000;w=1".as_slice().into(),
    };
    // Nobody lends anything here, so each request is charged beyond what was lent: the longest way without waiting.
    let quota = PlanQuota {
        requests: 1_000_000,
        per: QuotaPeriod::Year,
        time_zone: None,
        limit: QuotaLimit::Hard,
        when_unknown: WhenUnknown::Open,
    };
    let plan = PlanTerms {
        name: "shop/gold".into(),
        version: 1,
        is_offered: true,
        credentials: [Taken::ApiKey].into(),
        rates: [rate].into(),
        quotas: Quota::all(&[quota]).expect("a quota"),
    };
    let page = "https://developer.example/plans".parse().expect("a URL");
    let product = ProductTerms {
        name: "shop/pets".into(),
        is_offered: true,
        page: Some(PlansPage::new(page)),
        plans: [Arc::new(plan)].into(),
    };
    Arc::new(Access::new(vec![Arc::new(product)], Box::default()))
}

fn customers(kind: CredentialKind, state: CredentialState, live: bool) -> Arc<Customers> {
    let pepper = Pepper::new(b"pepper of a test");
    let credential = Credential { application: ApplicationId(7), kind, state, expires: None };
    let subscription = Subscription {
        id: SubscriptionId([7; 16]),
        product: "shop/pets".into(),
        plan: "shop/gold".into(),
        access: Ok(()),
        term: Term::ALWAYS,
        anchor: 0,
    };
    let application = Application {
        id: ApplicationId(7),
        name: "shop/mobile".into(),
        team: "shop".into(),
        live,
        subscriptions: [subscription].into(),
    };
    let credentials = [(pepper.api_key(KEY), credential)];
    Arc::new(Customers::of(pepper, credentials, [application]))
}

fn status(proxy: SocketAddr) -> String {
    let mut stream = TcpStream::connect(proxy).expect("the proxy listens");
    stream.write_all(still::GET).expect("the proxy reads");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("the proxy answers");
    String::from_utf8_lossy(&answer[9..]).into_owned()
}

/// Waits until a request is answered so: an order takes its way to the worker.
fn becomes(proxy: SocketAddr, wanted: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while status(proxy) != wanted {
        assert!(Instant::now() < end, "nothing is answered {wanted}");
    }
}

#[test]
fn a_key_of_an_application_counts_as_long_as_the_customers_say_so() {
    let listen = still::free_address();
    let config = made::asking_for(listen, still::upstream(), Arc::new(keys()), Some(access()));
    let proxy = still::proxy(config, LogSink::Off);
    assert_eq!(status(listen), "503", "nobody knows the customers");
    let good = customers(CredentialKind::ApiKey, CredentialState::Active, true);
    proxy.serve_customers(&good);
    becomes(listen, "200");
    let mut client = still::Client::warmed_up(listen);

    let before = ALLOCATOR.allocations();
    client.ask(2000);
    let made = ALLOCATOR.allocations() - before;

    assert_eq!(made, 0, "{made} allocations in 4000 requests");
    for (kind, state, live, answered) in [
        (CredentialKind::ApiKey, CredentialState::Revoked, true, "401"),
        (CredentialKind::ApiKey, CredentialState::Compromised, true, "401"),
        (CredentialKind::ApiKey, CredentialState::Active, false, "403"),
        (CredentialKind::Certificate, CredentialState::Active, true, "401"),
    ] {
        proxy.serve_customers(&customers(kind, state, live));
        becomes(listen, answered);
        proxy.serve_customers(&good);
        becomes(listen, "200");
    }
    drop(client);
    proxy.drain();
}
