//! D13, F8: connections that carry bytes, both ways, whoever speaks first and however they end.

use serde_json::json;
use tests::bytes_upstream::{BytesUpstream, Ending, connect, ending, first_byte, reset, say};
use tests::gateway::Gateway;
use tests::scene::Scene;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A gateway with one listener for bytes and one upstream behind it.
struct Through {
    scene: Scene,
    gateway: Gateway,
    upstream: BytesUpstream,
}

impl Through {
    async fn new() -> Through {
        Through::with(|_| {}, &["--workers", "1"]).await
    }

    /// With changes to the scene, and flags.
    async fn with(change: impl FnOnce(&mut Scene), flags: &[&str]) -> Through {
        let upstream = BytesUpstream::new().await;
        let mut scene = Scene::new();
        scene.tcp();
        scene.service("database", &[upstream.address]);
        scene.tcp_route("all", None, &[("database", 1)]);
        change(&mut scene);
        let gateway = Gateway::start_with(&scene.yaml(), scene.entry(), flags).await;
        Through { scene, gateway, upstream }
    }

    /// Both ends of a new connection.
    async fn ends(&self) -> (TcpStream, TcpStream) {
        let client = connect(self.gateway.entry).await;
        (client, self.upstream.accepted().await)
    }

    async fn failure(&self) -> String {
        let line = self.gateway.logged("a line of the connection", |line| line["protocol"] == "TCP").await;
        line["failure"].as_str().unwrap_or("none").to_owned()
    }
}

#[tokio::test]
async fn the_server_may_speak_first_and_bytes_go_both_ways() {
    let through = Through::new().await;
    let (mut client, mut server) = through.ends().await;

    say(&mut server, &mut client, "220 welcome\r\n").await;
    say(&mut client, &mut server, "HELO a.example\r\n").await;
    say(&mut server, &mut client, "250 ok\r\n").await;
}

#[tokio::test]
async fn a_side_that_has_ended_its_sending_still_receives() {
    let through = Through::new().await;
    for client_first in [true, false] {
        let (client, server) = through.ends().await;
        let (mut one, mut other) = if client_first { (client, server) } else { (server, client) };
        say(&mut one, &mut other, "the last words").await;

        one.shutdown().await.expect("a socket");

        assert_eq!(ending(&mut other).await, Ending::Orderly);
        say(&mut other, &mut one, "an answer to them").await;
        other.shutdown().await.expect("a socket");
        assert_eq!(ending(&mut one).await, Ending::Orderly);
        assert_eq!(through.failure().await, "none");
    }
}

#[tokio::test]
async fn a_reset_on_one_side_is_a_reset_on_the_other() {
    for client_first in [true, false] {
        let through = Through::new().await;
        let (client, server) = through.ends().await;
        let (mut one, mut other) = if client_first { (client, server) } else { (server, client) };
        say(&mut one, &mut other, "half of something").await;

        reset(one);

        assert_eq!(ending(&mut other).await, Ending::Reset);
        let wanted = if client_first { "client_closed" } else { "upstream_reset" };
        assert_eq!(through.failure().await, wanted);
    }
}

#[tokio::test]
async fn a_hundred_megabytes_each_way_arrive_as_they_were_sent() {
    const BYTES: usize = 100_000_000;
    let through = Through::new().await;
    let (client, server) = through.ends().await;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let pattern = std::sync::Arc::new(pattern());

    let mut moving = tokio::task::JoinSet::new();
    let (there, back) = (pattern.clone(), pattern.clone());
    moving.spawn(async move { send(&mut to_client, &there, BYTES, 0).await });
    moving.spawn(async move { send(&mut to_server, &back, BYTES, 12_345).await });
    let (there, back) = (pattern.clone(), pattern);
    moving.spawn(async move { receive(&mut from_server, &there, BYTES, 0).await });
    moving.spawn(async move { receive(&mut from_client, &back, BYTES, 12_345).await });
    while let Some(moved) = moving.join_next().await {
        moved.expect("every byte is the right one");
    }
}

/// Bytes that do not repeat within any piece that is moved at once.
fn pattern() -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    });
    next.take(1_048_573).collect()
}

async fn send(sink: &mut (impl AsyncWriteExt + Unpin), pattern: &[u8], bytes: usize, start: usize) {
    let mut sent = 0;
    while sent < bytes {
        let at = (start + sent) % pattern.len();
        let piece = &pattern[at..(at + bytes - sent).min(pattern.len())];
        sink.write_all(piece).await.expect("the connection takes bytes");
        sent += piece.len();
    }
    sink.shutdown().await.expect("a socket");
}

async fn receive(source: &mut (impl AsyncReadExt + Unpin), pattern: &[u8], bytes: usize, start: usize) {
    let (mut received, mut buffer) = (0, vec![0; 1 << 18]);
    loop {
        let count = source.read(&mut buffer).await.expect("the connection gives bytes");
        if count == 0 {
            break;
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let at = (start + received) % pattern.len();
            let (now, later) = rest.split_at(rest.len().min(pattern.len() - at));
            assert!(now == &pattern[at..at + now.len()], "a wrong byte near {received}");
            received += now.len();
            rest = later;
        }
    }
    assert_eq!(received, bytes);
}

#[tokio::test]
async fn connections_are_spread_by_weight_and_the_invalid_share_is_reset() {
    let (one, other) = (BytesUpstream::new().await, BytesUpstream::new().await);
    let mut scene = Scene::new();
    scene.tcp();
    scene.service("one", &[one.address]);
    scene.service("other", &[other.address]);
    scene.tcp_route("all", None, &[("one", 6), ("other", 2), ("absent", 2)]);
    let (_one, _other) = (one.saying(b'1'), other.saying(b'2'));
    let gateway = scene.start().await;

    let (mut counts, total) = ([0_u32; 3], 400);
    for _ in 0..total {
        match first_byte(gateway.entry).await {
            Some(b'1') => counts[0] += 1,
            Some(b'2') => counts[1] += 1,
            Some(byte) => panic!("nobody says {byte}"),
            None => counts[2] += 1,
        }
    }

    // Six standard deviations of a binomial distribution.
    for (count, share) in counts.iter().zip([0.6, 0.2, 0.2]) {
        let (mean, total) = (f64::from(total) * share, f64::from(total));
        let deviation = (total * share * (1.0 - share)).sqrt();
        assert!((f64::from(*count) - mean).abs() < 6.0 * deviation, "{counts:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_passed_over() {
    let gone = BytesUpstream::new().await.address;
    let upstream = BytesUpstream::new().await;
    let mut scene = Scene::new();
    scene.tcp();
    scene.service("database", &[gone, upstream.address]);
    scene.tcp_route("all", None, &[("database", 1)]);
    let _upstream = upstream.saying(b'!');
    let gateway = scene.start().await;

    for _ in 0..20 {
        assert_eq!(first_byte(gateway.entry).await, Some(b'!'));
    }
    let line = gateway.logged("a second attempt", |line| line["attempts"] == 2).await;
    assert_eq!(line["failure"], json!(null));
}

#[tokio::test]
async fn whoever_cannot_be_served_is_reset_and_the_log_says_why() {
    let gone = BytesUpstream::new().await.address;
    for (backend, wanted) in [
        (None, "no_route"),
        (Some("absent"), "backend_invalid"),
        (Some("empty"), "no_endpoint"),
        (Some("gone"), "connect_refused"),
    ] {
        let mut scene = Scene::new();
        scene.tcp();
        scene.service("empty", &[]);
        scene.service("gone", &[gone]);
        if let Some(backend) = backend {
            scene.tcp_route("all", None, &[(backend, 1)]);
        }
        let gateway = scene.start().await;

        assert_eq!(first_byte(gateway.entry).await, None, "{wanted}");
        gateway.logged(wanted, |line| line["failure"] == wanted).await;
    }
}

#[tokio::test]
async fn of_two_routes_on_a_listener_the_older_has_the_connections() {
    let (one, other) = (BytesUpstream::new().await, BytesUpstream::new().await);
    let mut scene = Scene::new();
    scene.tcp();
    scene.service("one", &[one.address]);
    scene.service("other", &[other.address]);
    scene.tcp_route("b-first", None, &[("one", 1)]);
    let gateway = scene.start().await;
    let (_one, other) = (one.saying(b'1'), other);
    scene.tcp_route("a-second", None, &[("other", 1)]);
    gateway.edit(&scene.yaml()).await;
    tests::until::eventually_some("the younger to be taken in", || async {
        gateway.admin("/config").await.text().contains("Service/default/other:80").then_some(())
    })
    .await;

    assert_eq!(first_byte(gateway.entry).await, Some(b'1'));

    scene.remove("TCPRoute", "b-first");
    gateway.edit(&scene.yaml()).await;
    let _other = other.saying(b'2');
    tests::until::eventually_some("the younger to have its turn", || async {
        first_byte(gateway.entry).await.filter(|byte| *byte == b'2').map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_silent_for_too_long_is_reset() {
    let idle = |scene: &mut Scene| scene.parameters(json!({ "tcp": { "idleTimeout": "1s" } }));
    let through = Through::with(idle, &["--workers", "1"]).await;
    let (mut client, mut server) = through.ends().await;
    say(&mut client, &mut server, "and then nothing").await;

    assert_eq!(ending(&mut client).await, Ending::Reset);
    assert_eq!(ending(&mut server).await, Ending::Reset);
    assert_eq!(through.failure().await, "connection_idle");
}

#[tokio::test]
async fn a_connection_lasts_no_longer_than_its_gateway_allows() {
    let bounded = |scene: &mut Scene| scene.parameters(json!({ "tcp": { "lifetime": "2s" } }));
    let through = Through::with(bounded, &["--workers", "1"]).await;
    let (mut client, server) = through.ends().await;
    let (_from_server, mut to_server) = server.into_split();
    let busy = tokio::spawn(async move { while to_server.write_all(b"tick").await.is_ok() {} });

    let mut buffer = vec![0; 1 << 16];
    let reading = async { while matches!(client.read(&mut buffer).await, Ok(1..)) {} };
    tests::until::within("the end of a busy connection", reading).await.expect("in time");

    assert_eq!(through.failure().await, "connection_expired");
    tests::until::within("the server to be told", busy).await.expect("in time").expect("no panic");
}

#[tokio::test]
async fn a_change_of_the_configuration_leaves_open_connections_where_they_are() {
    let through = Through::new().await;
    let other = BytesUpstream::new().await;
    let (mut client, mut server) = through.ends().await;
    say(&mut client, &mut server, "before").await;

    let mut next = through.scene.clone();
    next.remove("TCPRoute", "all");
    next.remove("Service", "database");
    next.remove("EndpointSlice", "database-0");
    next.service("other", &[other.address]);
    next.tcp_route("else", None, &[("other", 1)]);
    through.gateway.edit(&next.yaml()).await;
    let _other = other.saying(b'o');
    tests::until::eventually_some("the edit to be in force", || async {
        through.gateway.admin("/config").await.text().contains("Service/default/other:80").then_some(())
    })
    .await;
    assert_eq!(first_byte(through.gateway.entry).await, Some(b'o'));

    say(&mut client, &mut server, "after").await;
    say(&mut server, &mut client, "as before").await;
}

#[tokio::test]
async fn a_drain_lets_connections_go_on_until_its_bound_and_no_longer() {
    let mut through = Through::with(|_| {}, &["--workers", "1", "--drain", "2"]).await;
    let (mut client, mut server) = through.ends().await;
    say(&mut client, &mut server, "before").await;

    through.gateway.terminate();
    tests::until::eventually_some("new connections to be refused", || async {
        TcpStream::connect(through.gateway.entry).await.is_err().then_some(())
    })
    .await;

    say(&mut client, &mut server, "while it drains").await;
    assert!(through.gateway.ended().await);
    assert_ne!(client.read(&mut [0]).await.ok(), Some(1));
    assert_eq!(through.failure().await, "drained");
}

#[tokio::test]
async fn a_drain_does_not_wait_for_what_has_ended() {
    let mut through = Through::new().await;
    let (client, mut server) = through.ends().await;
    through.gateway.terminate();

    drop(client);
    assert_eq!(ending(&mut server).await, Ending::Orderly);
    drop(server);

    let ended = tests::until::within("the gateway to end, being empty", through.gateway.ended()).await;
    assert_eq!(ended, Ok(true));
}

#[tokio::test]
async fn the_connections_of_a_deleted_listener_end_when_its_drain_does() {
    let through = Through::with(
        |scene| {
            scene.http();
        },
        &["--workers", "1", "--drain", "1"],
    )
    .await;
    let (mut client, mut server) = through.ends().await;
    say(&mut client, &mut server, "before").await;

    let mut next = through.scene.clone();
    next.remove_listener("tcp-0");
    through.gateway.edit(&next.yaml()).await;

    assert_eq!(ending(&mut client).await, Ending::Reset);
    assert_eq!(ending(&mut server).await, Ending::Reset);
    assert_eq!(through.failure().await, "drained");
}

#[tokio::test]
async fn a_connection_is_counted_while_it_is_open_and_logged_when_it_is_over() {
    let through = Through::new().await;
    let (mut client, mut server) = through.ends().await;
    say(&mut client, &mut server, "12345").await;
    say(&mut server, &mut client, "123").await;

    let metrics = through.gateway.admin("/metrics").await.text();
    for line in [
        "selvedge_tcp_connections_total{route=\"default/all\"} 1",
        "selvedge_tcp_connections_open{route=\"default/all\"} 1",
        "selvedge_tcp_received_bytes_total{route=\"default/all\"} 5",
        "selvedge_tcp_sent_bytes_total{route=\"default/all\"} 3",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let local = client.local_addr().expect("an address").to_string();
    drop(client);
    drop(server);

    let line = through.gateway.logged("the connection", |line| line["client"] == local).await;
    assert_eq!((&line["received_bytes"], &line["sent_bytes"]), (&json!(5), &json!(3)), "{line}");
    assert_eq!((&line["route"], &line["attempts"]), (&json!("default/all"), &json!(1)), "{line}");
    assert_eq!(line["upstream"], json!(through.upstream.address.to_string()));
    assert!(line["duration_us"].as_u64() > Some(0) && line["failure"].is_null(), "{line}");
    let metrics = through.gateway.admin("/metrics").await.text();
    assert!(metrics.contains("selvedge_tcp_connections_open{route=\"default/all\"} 0"), "{metrics}");
    assert!(metrics.contains("selvedge_tcp_duration_seconds_count{route=\"default/all\"} 1"), "{metrics}");
}
