//! D7: clients that send or read almost nothing are let go on a deadline, and meanwhile cost little.

use std::time::Duration;

use crate::stage::{HOST, Stage};
use serde_json::json;
use tests::broken::Broken;
use tests::client::{RawClient, get};
use tests::frames::{FrameClient, frame, kind, request};
use tests::script::{self, Step};
use tests::until::within_time;

const CROWD: usize = 100;

/// Deadlines short enough to wait for.
async fn hurried() -> Stage {
    Stage::with_parameters(json!({ "limits": { "idleTimeout": "400ms", "headTimeout": "400ms" } })).await
}

/// Opens a crowd that all send `bytes` and then nothing; every one must be let go.
async fn all_let_go(stage: &Stage, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut client = RawClient::try_connect(stage.gateway.entry).await?;
        client.send(bytes).await;
        crowd.push(client);
    }
    let during = stage.bystander().await;
    let mut last = Vec::new();
    for client in &mut crowd {
        last = client.until_closed().await?;
    }
    during.and(stage.bystander().await).map(|()| last)
}

#[tokio::test]
async fn connections_that_send_nothing_or_half_a_request_are_let_go() {
    let stage = hurried().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let settled = [preface.clone(), frame(kind::SETTINGS, 0, 0, &[])].concat();
    let half_block =
        [settled.clone(), frame(kind::HEADERS, 1, 1, &request("GET", HOST, "/attack", &[])[..10])].concat();
    let vectors: [(&str, Vec<u8>); 8] = [
        ("nothing", Vec::new()),
        ("one byte", b"G".to_vec()),
        ("half a request line", b"GET /att".to_vec()),
        ("half a head", b"GET /attack HTTP/1.1\r\nHost: a.example\r\nX".to_vec()),
        ("half a preface", preface[..10].to_vec()),
        ("preface only", preface),
        ("HTTP/2 without a request", settled),
        ("half a header block", half_block),
    ];
    let mut broken = Broken::new();
    for (name, bytes) in vectors {
        broken.note(name, all_let_go(&stage, &bytes).await.map(drop));
    }
    broken.none();
    assert!(!stage.upstream.lines().contains(&"GET /attack".to_owned()));
}

#[tokio::test]
async fn half_a_head_is_answered_with_408() {
    let stage = hurried().await;
    let mut client = stage.client().await;

    client.send("GET /attack HTTP/1.1\r\nHost: a.example\r\n").await;

    assert_eq!(client.answer().await.is_failure(408, "head_timeout"), Ok(()));
    assert_eq!(client.closes().await, Ok(()));
}

#[tokio::test]
async fn a_head_that_arrives_byte_by_byte_does_not_extend_its_deadline() {
    let stage = hurried().await;
    let mut client = stage.client().await;
    client.send("GET /attack HTTP/1.1\r\nHost: a.example\r\n").await;

    let dripping = async { while client.drip(b"X: y\r\n", Duration::from_millis(20)).await.is_ok() {} };
    let ended = within_time(Duration::from_secs(8), "the gateway to stop listening", dripping).await;

    assert_eq!(ended, Ok(()));
    assert_eq!(stage.bystander().await, Ok(()));
}

#[tokio::test]
async fn an_idle_connection_is_closed_between_requests_and_not_inside_one() {
    let stage = hurried().await;
    let mut client = stage.client().await;

    client.send(get(HOST, "/first", "")).await;
    assert_eq!(client.answer().await.text(), "GET /first");

    assert_eq!(client.closes().await, Ok(()), "closed without a word: there was no request to answer");
}

#[tokio::test]
async fn a_slow_answer_outlives_the_idle_deadline() {
    let (arrived, go) = (tests::gate::Gate::closed(), tests::gate::Gate::closed());
    let (there, wait) = (arrived.clone(), go.clone());
    let upstream = tests::upstream::Upstream::scripted(move |_| {
        vec![
            Step::Open(there.clone()),
            Step::Wait(wait.clone()),
            Step::Send(script::response("200 OK", &[], b"late")),
        ]
    })
    .await;
    let mut scene = tests::scene::Scene::forwarding(&upstream);
    scene.parameters(json!({ "limits": { "idleTimeout": "100ms", "headTimeout": "100ms" } }));
    let gateway = scene.start().await;
    let mut waiting = RawClient::connect(gateway.entry).await;
    let mut idle = RawClient::connect(gateway.entry).await;

    waiting.send(get(HOST, "/slow", "")).await;
    arrived.passed().await;
    // An idle connection that was opened at the same time is the clock: it goes when the deadline has passed.
    assert_eq!(idle.closes().await, Ok(()));
    go.open();

    assert_eq!(waiting.answer().await.text(), "late");
}

#[tokio::test]
async fn a_tls_connection_that_never_finishes_its_handshake_is_let_go() {
    let authority = tests::certificates::Authority::new();
    let mut scene = tests::scene::Scene::new();
    let entry = scene.https("a.example", "cert");
    scene.secret("cert", &authority.pair(&["a.example"]));
    let _gateway = scene.start().await;
    let mut silent = RawClient::connect(entry).await;
    let mut half = RawClient::connect(entry).await;
    half.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;

    for client in [&mut silent, &mut half] {
        let closed = async { client.try_closed_within(Duration::from_secs(20)).await };
        assert_eq!(closed.await, Ok(()));
    }
}

#[tokio::test]
async fn a_client_that_never_opens_its_window_costs_one_buffer() {
    let body = vec![b'x'; 1024 * 1024];
    let stage = Stage::attacked_by(move |_| script::answer("200 OK", &[], &body)).await;
    assert_eq!(stage.bystander().await, Ok(()));
    let before = stage.gateway.resident_bytes();

    let mut crowd = Vec::new();
    for _ in 0..50 {
        let mut client = FrameClient::connect_with(stage.gateway.entry, &[(4, 0)]).await;
        client.get(1, HOST, "/attack").await;
        crowd.push(client);
    }
    stage.upstream.seen(51).await;

    let grown = stage.gateway.resident_bytes().saturating_sub(before);
    assert!(grown < 40 << 20, "50 stalled readers of 1 MiB made it grow by {grown} bytes");
    assert_eq!(stage.bystander().await, Ok(()));
}

/// Clients that are slow at the same time.
const HORDE: usize = 2_000;

/// Room for this many connections, and what else a process needs, in the limit on descriptors; children inherit it.
fn allow_descriptors(count: usize) {
    let wanted = count as u64 + 500;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = rustix::process::Rlimit { current: Some(wanted), maximum: limit.maximum };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)
            .expect("the hard limit has room");
    }
}

/// Two thousand clients that send `bytes` and then nothing: others are served meanwhile, each costs at most
/// `bytes_each` of memory, and all are let go.
async fn horde(bytes: &[u8], bytes_each: u64) -> Result<(), String> {
    let parameters = json!({ "limits": { "idleTimeout": "6s", "headTimeout": "6s" } });
    let stage = Stage::with_parameters(parameters).await;
    stage.bystander().await?;
    let before = stage.gateway.resident_bytes_peak();
    let mut horde = Vec::with_capacity(HORDE);
    for _ in 0..HORDE {
        let mut client = RawClient::try_connect(stage.gateway.entry).await?;
        client.send(bytes).await;
        horde.push(client);
    }
    tests::until::eventually_some("all of them to be carried at once", || async {
        let metrics = stage.gateway.admin("/metrics").await.text();
        let open = metrics.lines().find_map(|line| line.strip_prefix("selvedge_connections_open "))?;
        (open.parse::<usize>().ok()? >= HORDE).then_some(())
    })
    .await;
    stage.bystander().await?;
    for client in &mut horde {
        client.until_closed().await?;
    }
    let each = stage.gateway.resident_bytes_peak().saturating_sub(before) / HORDE as u64;
    if each > bytes_each {
        return Err(format!("each cost {each} bytes"));
    }
    stage.bystander().await
}

#[tokio::test]
async fn two_thousand_slow_clients_are_carried_at_once_and_let_go() {
    allow_descriptors(2 * HORDE);
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(kind::SETTINGS, 0, 0, &[])].concat();
    let mut broken = Broken::new();
    for (name, bytes, bytes_each) in [
        ("nothing", Vec::new(), 8 << 10),
        ("half a head", b"GET /attack HTTP/1.1\r\nHost: a.example\r\nX".to_vec(), 44 << 10),
        ("HTTP/2 without a request", preface, 64 << 10),
    ] {
        broken.note(name, horde(&bytes, bytes_each).await);
    }
    broken.none();
}
