//! HTTP/2 on either side, and gRPC through an HTTPRoute: nothing is buffered, trailers arrive.

use bytes::Bytes;
use serde_json::json;
use tests::client::{fetch, get};
use tests::frames::{FrameClient, Outcome, kind};
use tests::gate::Gate;
use tests::gateway::Gateway;
use tests::h2_client::{H2Client, piece, request, whole};
use tests::h2_upstream::{H2Upstream, Reply};
use tests::scene::Scene;
use tests::upstream::Upstream;

async fn to(address: std::net::SocketAddr, protocol: Option<&str>) -> Gateway {
    let mut scene = Scene::new();
    scene.http();
    scene.service_in("default", "shop", protocol, &[address]);
    scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    scene.start().await
}

const H2C: Option<&str> = Some("kubernetes.io/h2c");

fn grpc(target: &str) -> http::Request<()> {
    let mut request = request("POST", "rpc.example", target);
    request.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert("te", http::HeaderValue::from_static("trailers"));
    request
}

#[tokio::test]
async fn every_pair_of_protocols_carries_a_request_and_its_body() {
    let (one, two) = (Upstream::recording().await, H2Upstream::recording().await);
    let (to_one, to_two) = (to(one.address, None).await, to(two.address, H2C).await);
    for gateway in [&to_one, &to_two] {
        let mut client = H2Client::connect(gateway.entry).await;
        let first = client.exchange(request("POST", "h", "/h2?q=1"), b"body", None).await.expect("an answer");
        let second = tests::client::exchange(
            gateway.entry,
            "POST /h1?q=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
        )
        .await;
        let third = tests::client::exchange(
            gateway.entry,
            "POST /ch HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        )
        .await;

        assert_eq!((first.status, first.text().as_str()), (200, "POST /h2?q=1"));
        assert_eq!(second.expect("an answer").text(), "POST /h1?q=1");
        assert_eq!(third.expect("an answer").text(), "POST /ch");
    }
    assert!(one.requests().iter().all(|seen| seen.body == b"body"));
    assert!(two.requests().iter().all(|seen| seen.body == b"body"));
    assert_eq!(two.requests()[0].header(":authority"), Some("h"));
    assert_eq!(one.exact(), Ok(()));
}

#[tokio::test]
async fn many_streams_of_one_connection_are_answered_each_with_its_own() {
    let upstream = Upstream::recording().await;
    let gateway = to(upstream.address, None).await;
    let mut client = H2Client::connect(gateway.entry).await;
    let mut waiting = Vec::new();
    for number in 0..100 {
        let (response, _) =
            client.open(request("GET", "h", &format!("/{number}")), true).await.expect("room");
        waiting.push((number, response));
    }
    for (number, response) in waiting {
        assert_eq!(whole(response).await.expect("an answer").text(), format!("GET /{number}"));
    }
}

#[tokio::test]
async fn one_upstream_connection_serves_many_http2_requests() {
    let upstream = H2Upstream::recording().await;
    let gateway = to(upstream.address, H2C).await;
    for number in 0..20 {
        assert_eq!(fetch(gateway.entry, "h", &format!("/{number}")).await.status, 200);
    }
    assert!(upstream.requests().iter().all(|seen| seen.connection == 0));
}

#[tokio::test]
async fn a_unary_grpc_call_keeps_its_message_and_trailers() {
    let upstream = H2Upstream::serving(|seen| Reply::Whole {
        status: 200,
        headers: vec![("content-type", "application/grpc".to_owned())],
        body: seen.target.clone().into_bytes(),
        trailers: vec![("grpc-status", "7"), ("grpc-message", "not you")],
    })
    .await;
    let gateway = to(upstream.address, H2C).await;
    let mut client = H2Client::connect(gateway.entry).await;

    let answer = client.exchange(grpc("/pkg.Shop/Buy"), &[0, 0, 0, 0, 1, 42], None).await.expect("an answer");

    assert_eq!(answer.trailer_all("grpc-status"), ["7"]);
    assert_eq!(answer.trailer_all("grpc-message"), ["not you"]);
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
    upstream.seen(1).await;
    let seen = &upstream.requests()[0];
    assert_eq!((seen.target.as_str(), seen.body.as_slice()), ("/pkg.Shop/Buy", &[0, 0, 0, 0, 1, 42][..]));
    assert_eq!(seen.header("te"), Some("trailers"));
}

#[tokio::test]
async fn a_response_of_trailers_only_stays_one() {
    let upstream = H2Upstream::serving(|_| Reply::Whole {
        status: 200,
        headers: vec![("content-type", "application/grpc".to_owned()), ("grpc-status", "5".to_owned())],
        body: Vec::new(),
        trailers: Vec::new(),
    })
    .await;
    let gateway = to(upstream.address, H2C).await;
    let mut client = H2Client::connect(gateway.entry).await;

    let answer = client.exchange(grpc("/pkg.Shop/Gone"), &[0, 0, 0, 0, 0], None).await.expect("an answer");

    assert_eq!((answer.header("grpc-status"), answer.body.len()), (Some("5"), 0));
}

#[tokio::test]
async fn a_bidirectional_stream_is_carried_message_by_message() {
    let upstream = H2Upstream::serving(|_| Reply::Echo {
        kind: "application/grpc",
        trailers: vec![("grpc-status", "0")],
    })
    .await;
    let gateway = to(upstream.address, H2C).await;
    let mut client = H2Client::connect(gateway.entry).await;
    let (response, mut sending) = client.open(grpc("/pkg.Shop/Chat"), false).await.expect("room");
    let head = tests::until::within("a head before the first message", response).await.expect("at once");
    let mut body = head.expect("a head").into_body();

    // Each message must come back before the next is sent: anything that buffers would wait for ever.
    for number in 0..20u8 {
        sending.send_data(Bytes::from(vec![0, 0, 0, 0, 1, number]), false).expect("data is taken");
        let mut back = Vec::new();
        while back.len() < 6 {
            back.extend(piece(&mut body).await.expect("the stream lives").expect("a message"));
        }
        assert_eq!(back, [0, 0, 0, 0, 1, number]);
    }
    sending.send_data(Bytes::new(), true).expect("the end is taken");

    assert!(piece(&mut body).await.expect("the stream lives").is_none());
    let trailers = body.trailers().await.expect("trailers come").expect("trailers are there");
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn a_cancelled_call_is_cancelled_upstream_and_harms_no_other() {
    let gate = Gate::closed();
    let held = gate.clone();
    let upstream = H2Upstream::serving(move |seen| match seen.target.as_str() {
        "/hold" => Reply::Hold(held.clone()),
        _ => Reply::Whole { status: 200, headers: Vec::new(), body: b"fine".to_vec(), trailers: Vec::new() },
    })
    .await;
    let gateway = to(upstream.address, H2C).await;
    let mut client = H2Client::connect(gateway.entry).await;
    let (response, mut sending) = client.open(request("POST", "h", "/hold"), false).await.expect("room");
    let _head = response.await.expect("a head");

    sending.send_reset(h2::Reason::CANCEL);
    let other = client.get("h", "/other").await;
    gate.open();

    assert_eq!(other.text(), "fine");
    assert_eq!(fetch(gateway.entry, "h", "/third").await.text(), "fine");
}

#[tokio::test]
async fn an_upstream_that_resets_a_stream_is_a_502_of_that_stream_only() {
    let upstream = H2Upstream::serving(|seen| match seen.target.as_str() {
        "/reset" => Reply::Reset(h2::Reason::INTERNAL_ERROR),
        _ => Reply::Whole { status: 200, headers: Vec::new(), body: b"fine".to_vec(), trailers: Vec::new() },
    })
    .await;
    let gateway = to(upstream.address, H2C).await;
    let mut client = H2Client::connect(gateway.entry).await;

    assert_eq!(client.get("h", "/reset").await.is_failure(502, "upstream_reset"), Ok(()));
    assert_eq!(client.get("h", "/fine").await.text(), "fine");
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_and_the_connection_lives() {
    let upstream = Upstream::always(vec![tests::script::Step::Hang]).await;
    let gateway = to(upstream.address, None).await;
    let mut frames = FrameClient::connect(gateway.entry).await;

    for number in 0..200 {
        frames.get(number * 2 + 1, "h", "/hold").await;
    }

    assert_eq!(frames.outcome(399).await, Ok(Outcome::Reset(7)), "REFUSED_STREAM");
    assert_eq!(frames.lives().await, Ok(()));
    assert!(upstream.requests().len() <= 128, "{}", upstream.requests().len());
}

#[tokio::test]
async fn a_connection_to_http2_port_that_begins_as_http1_is_http1() {
    let upstream = Upstream::recording().await;
    let gateway = to(upstream.address, None).await;
    let mut client = tests::client::RawClient::connect(gateway.entry).await;

    client.send_pieces(get("h", "/P", "").replace("GET", "PUT").as_bytes().chunks(1)).await;

    assert_eq!(client.answer().await.text(), "PUT /P", "a method that starts like the preface is no preface");
}

#[tokio::test]
async fn an_oversized_frame_is_a_connection_error() {
    let upstream = Upstream::recording().await;
    let gateway = to(upstream.address, None).await;
    let mut frames = FrameClient::connect(gateway.entry).await;

    frames.send(kind::DATA, 0, 1, &vec![0; 20_000]).await;

    assert!(matches!(frames.given_up().await, Ok(Some(1 | 6) | None)));
}
