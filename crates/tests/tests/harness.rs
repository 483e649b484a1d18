//! The harness keeps its own promises: without these, a spec that passes would prove nothing.
//!
//! Clients talk to upstreams directly here; no gateway is involved.

use tests::client::{RawClient, exchange, fetch, get};
use tests::frames::{END_HEADERS, END_STREAM, FrameClient, Outcome, kind};
use tests::gate::Gate;
use tests::h2_client::{H2Client, request};
use tests::h2_upstream::{H2Upstream, Reply};
use tests::script::{self, Step};
use tests::upstream::Upstream;
use tests::{address, certificates::Authority, hpack, reader, tls, victim};

#[tokio::test]
async fn an_upstream_remembers_exact_bytes_and_boundaries() {
    let upstream = Upstream::recording().await;
    let first = get("a.example", "/one", "X-Mark: 1\r\n");
    let second = "POST /two HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc";

    let mut client = RawClient::connect(upstream.address).await;
    client.send(format!("{first}{second}")).await;
    assert_eq!(client.answer().await.text(), "GET /one");
    assert_eq!(client.answer().await.text(), "POST /two");

    let requests = upstream.requests();
    assert_eq!(requests[0].range, (0, first.len()));
    assert_eq!(requests[1].range, (first.len(), first.len() + second.len()));
    assert_eq!(requests[1].body, b"abc");
    assert_eq!(requests[0].header("x-mark"), Some("1"));
    assert_eq!(upstream.connections()[0].bytes, format!("{first}{second}").into_bytes());
    assert_eq!(upstream.exact(), Ok(()));
}

#[tokio::test]
async fn requests_are_found_however_the_bytes_are_cut() {
    let upstream = Upstream::recording().await;
    let bytes =
        "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: v\r\n\r\n";

    let mut client = RawClient::connect(upstream.address).await;
    client.send_pieces(bytes.as_bytes().chunks(1)).await;

    assert_eq!(client.answer().await.text(), "POST /c");
    assert_eq!(upstream.last().body, b"abc");
    assert_eq!(upstream.last().trailers, [("X-T".to_owned(), "v".to_owned())]);
}

#[tokio::test]
async fn the_upstream_names_what_a_strict_reader_would_refuse() {
    let flawed = [
        "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    ];
    for bytes in flawed {
        let upstream = Upstream::recording().await;

        let mut client = RawClient::connect(upstream.address).await;
        client.send(bytes).await;
        client.finish().await;
        client.until_closed().await.expect("the upstream gives up");

        assert!(upstream.exact().is_err(), "{bytes:?} was found to be exact");
    }
}

#[tokio::test]
async fn leftover_bytes_are_flagged() {
    let upstream = Upstream::recording().await;

    let mut client = RawClient::connect(upstream.address).await;
    client.send(format!("{}GARB", get("a", "/", ""))).await;
    client.answer().await;
    client.finish().await;
    client.until_closed().await.expect("the upstream closes");

    tests::until::eventually("the connection is over", || upstream.connections()[0].ended).await;
    assert!(upstream.exact().is_err());
}

#[tokio::test]
async fn a_bystander_is_unharmed_by_an_honest_upstream_and_harmed_by_a_liar() {
    let honest = Upstream::recording().await;
    let liar = Upstream::always(script::answer("200 OK", &[], b"somebody else's answer")).await;

    assert_eq!(victim::unharmed(honest.address, "a.example", &honest).await, Ok(()));
    assert!(victim::unharmed(liar.address, "a.example", &liar).await.is_err());
}

#[tokio::test]
async fn scripts_wait_reply_early_close_and_reset() {
    let gate = Gate::closed();
    let early =
        vec![Step::Send(script::response("413 Too Large", &[], b"")), Step::Wait(gate.clone()), Step::Close];
    let upstream = Upstream::always(early).await;
    let mut client = RawClient::connect(upstream.address).await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 413);
    gate.open();
    assert_eq!(client.closes().await, Ok(()));
    assert!(!upstream.last().complete);

    let upstream = Upstream::always(vec![
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".to_vec()),
        Step::Reset,
    ])
    .await;
    let cut = exchange(upstream.address, get("a", "/", "")).await;
    assert!(cut.is_err(), "a response that was cut short counted as whole");
}

#[tokio::test]
async fn a_client_tells_interim_answers_from_the_final_one() {
    let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n";
    let upstream = Upstream::always(vec![Step::Send(bytes.to_vec())]).await;

    let answer = fetch(upstream.address, "a", "/").await;

    assert_eq!(
        (answer.status, answer.interim.as_slice(), answer.text().as_str()),
        (200, &[100, 103][..], "ok")
    );
    assert_eq!(answer.trailer_all("x-t"), ["1"]);
}

#[tokio::test]
async fn http2_ends_meet_with_bodies_and_trailers() {
    let upstream = H2Upstream::serving(|request| Reply::Whole {
        status: 200,
        headers: vec![("content-type", "text/plain".to_owned())],
        body: request.line().into_bytes(),
        trailers: vec![("grpc-status", "0")],
    })
    .await;
    let mut client = H2Client::connect(upstream.address).await;

    let answer =
        client.exchange(request("POST", "a.example", "/x?y=1"), b"body", None).await.expect("an answer");

    assert_eq!((answer.status, answer.text().as_str()), (200, "POST /x?y=1"));
    assert_eq!(answer.trailer_all("grpc-status"), ["0"]);
    assert_eq!(upstream.requests()[0].body, b"body");
    assert_eq!(upstream.requests()[0].header(":authority"), Some("a.example"));
}

#[tokio::test]
async fn hand_made_frames_are_understood_by_a_library() {
    let upstream = H2Upstream::recording().await;
    let mut frames = FrameClient::connect(upstream.address).await;
    let block = tests::frames::request("POST", "a.example", "/cut", &[(b"x-mark", b"1")]);
    let (first, second) = block.split_at(7);

    frames.send(kind::HEADERS, 0, 1, first).await;
    frames.send(kind::CONTINUATION, END_HEADERS, 1, second).await;
    frames.send(kind::DATA, END_STREAM, 1, b"hello").await;

    assert_eq!(frames.outcome(1).await, Ok(Outcome::Answered(200, b"POST /cut".to_vec())));
    assert_eq!(upstream.requests()[0].body, b"hello");
    assert_eq!(frames.lives().await, Ok(()));
}

#[tokio::test]
async fn every_status_is_read_from_a_library_answer() {
    for status in [200, 204, 301, 308, 400, 404, 405, 408, 413, 414, 417, 421, 431, 500, 502, 503, 504, 505] {
        let upstream = H2Upstream::serving(move |_| Reply::Whole {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            trailers: Vec::new(),
        })
        .await;
        let mut frames = FrameClient::connect(upstream.address).await;

        frames.get(1, "a.example", "/").await;

        assert_eq!(frames.outcome(1).await, Ok(Outcome::Answered(status, Vec::new())));
    }
}

#[tokio::test]
async fn an_indexed_literal_can_be_repeated_by_one_byte() {
    let upstream = H2Upstream::recording().await;
    let mut frames = FrameClient::connect(upstream.address).await;
    let mut block = tests::frames::request("GET", "a.example", "/", &[]);
    block.extend(hpack::indexed_literal(b"x-mark", b"again"));
    block.extend([hpack::NEWEST; 3]);

    frames.send(kind::HEADERS, END_HEADERS | END_STREAM, 1, &block).await;

    assert!(matches!(frames.outcome(1).await, Ok(Outcome::Answered(200, _))));
    assert_eq!(upstream.requests()[0].header_all("x-mark"), ["again"; 4]);
}

#[tokio::test]
async fn tls_ends_verify_each_other() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let pair = authority.pair(&["shop.example"]);
    let upstream = Upstream::tls(tls::acceptor(&pair, &["http/1.1"]), script::honest).await;
    let client = tls::TlsClient::trusting(&authority, &["http/1.1"]);

    let mut open = client.connect(upstream.address, "shop.example").await;
    open.send(get("shop.example", "/tls", "")).await;

    assert_eq!(open.answer().await.text(), "GET /tls");
    assert_eq!(client.shown(upstream.address, "shop.example").await, Ok(pair.certificate.to_vec()));
    assert!(client.open(upstream.address, "other.example").await.is_err());
    assert!(tls::TlsClient::trusting(&stranger, &[]).open(upstream.address, "shop.example").await.is_err());
}

#[test]
fn addresses_are_never_handed_out_twice() {
    let mut seen: Vec<_> = (0..500).map(|_| address::loopback()).collect();
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 490, "only {} of 500 addresses differ", seen.len());
    assert!(seen.iter().all(std::net::IpAddr::is_loopback));
}

#[test]
fn a_request_without_an_end_is_unfinished_and_not_flawed() {
    assert!(matches!(reader::head(b"GET / HTTP/1.1\r\nHost: a\r\n"), Ok(None)));
}
