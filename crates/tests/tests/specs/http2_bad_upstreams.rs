//! B5: HTTP/2 upstreams that break the protocol, frame by frame. The client is told, never misled; the gateway stays
//! small; and a request is sent twice only when the upstream cannot have seen it.

use serde_json::json;
use tests::broken::{Broken, same};
use tests::client::{RawClient, exchange, get};
use tests::frames::{END_HEADERS, END_STREAM, frame, kind};
use tests::frames_upstream::{Act, Arrival, FrameUpstream, go_away, head, reset, whole};
use tests::gateway::Gateway;
use tests::hpack;
use tests::scene::Scene;

const HOST: &str = "a.example";
const MIB: u64 = 1024 * 1024;

async fn before(upstream: &FrameUpstream) -> Gateway {
    let mut scene = Scene::new();
    scene.http();
    scene.service_speaking("shop", "kubernetes.io/h2c", &[upstream.address]);
    scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    scene.start().await
}

/// An upstream that does `acts` to the first request of its life and is honest to all others.
async fn once(acts: impl Fn(u32) -> Vec<Act> + Send + Sync + 'static) -> FrameUpstream {
    FrameUpstream::acting(move |Arrival { connection, stream }| {
        if connection == 0 && stream == 1 { acts(stream) } else { vec![Act::Send(whole(stream, b"honest"))] }
    })
    .await
}

async fn answered(
    gateway: &Gateway,
    bytes: impl AsRef<[u8]>,
) -> Result<(u16, Option<String>, String), String> {
    let answer = exchange(gateway.entry, bytes).await?;
    Ok((answer.status, answer.code(), answer.text()))
}

async fn is_served(gateway: &Gateway) -> Result<(), String> {
    let answer = answered(gateway, get(HOST, "/bystander", "")).await?;
    same("the next answer", &answer, &(200, None, "honest".to_owned()))
}

#[tokio::test]
async fn what_is_no_http2_is_a_502_and_costs_nobody_else_anything() {
    type Bad = Box<dyn Fn(u32) -> Vec<u8> + Send + Sync>;
    let status = hpack::literals(&[(b":status", b"200")]);
    let vectors: Vec<(&str, Bad)> = vec![
        ("content before a head", Box::new(|stream| frame(kind::DATA, 0, stream, b"x"))),
        ("a head on the connection", {
            let status = status.clone();
            Box::new(move |_| frame(kind::HEADERS, END_HEADERS, 0, &status))
        }),
        ("a head of a stream nobody opened", {
            let status = status.clone();
            Box::new(move |_| frame(kind::HEADERS, END_HEADERS, 99, &status))
        }),
        ("a frame that is too large", Box::new(|stream| frame(kind::DATA, 0, stream, &[b'x'; 16_385]))),
        ("no frames at all", Box::new(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".repeat(4))),
        ("a promise", Box::new(|stream| frame(5, END_HEADERS, stream, &[0, 0, 0, 2, 0x82]))),
        ("a window beyond its bound", { Box::new(|_| frame(kind::SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0])) }),
        ("a window that overflows", {
            Box::new(|_| frame(kind::WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes()))
        }),
        ("an update by nothing", {
            Box::new(|stream| frame(kind::WINDOW_UPDATE, 0, stream, &0_u32.to_be_bytes()))
        }),
        ("a block that cannot be decoded", {
            Box::new(|stream| {
                frame(kind::HEADERS, END_HEADERS, stream, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
            })
        }),
        ("a head without a status", {
            Box::new(|stream| frame(kind::HEADERS, END_HEADERS, stream, &hpack::literals(&[(b"x", b"1")])))
        }),
        ("a status that is none", Box::new(|stream| head(stream, "2OO"))),
        ("a head inside a head", {
            let status = status.clone();
            Box::new(move |stream| frame(kind::HEADERS, 0, stream, &status).repeat(2))
        }),
        ("a reset of the wrong size", Box::new(|stream| frame(kind::RST_STREAM, 0, stream, &[0; 3]))),
        ("a connection that ends in a frame", Box::new(|stream| head(stream, "200")[..12].to_vec())),
        ("a field in capitals", {
            Box::new(|stream| {
                let block = hpack::literals(&[(b":status", b"200"), (b"X-Evil", b"1")]);
                frame(kind::HEADERS, END_HEADERS, stream, &block)
            })
        }),
        ("a field that belongs to connections", {
            Box::new(|stream| {
                let block = hpack::literals(&[(b":status", b"200"), (b"transfer-encoding", b"chunked")]);
                frame(kind::HEADERS, END_HEADERS, stream, &block)
            })
        }),
        ("a line break in a value", {
            Box::new(|stream| {
                let block = hpack::literals(&[(b":status", b"200"), (b"x", b"1\r\nSet-Cookie: a=b")]);
                frame(kind::HEADERS, END_HEADERS, stream, &block)
            })
        }),
    ];
    let mut broken = Broken::new();
    for (name, bad) in vectors {
        let upstream = once(move |stream| vec![Act::Send(bad(stream)), Act::Close]).await;
        let gateway = before(&upstream).await;
        // A POST: what was perhaps seen is not sent again.
        let post = "POST /bad HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n";
        let told = match answered(&gateway, post).await {
            Ok((502, Some(code), _)) if code.starts_with("upstream_") => Ok(()),
            other => Err(format!("{other:?}")),
        };
        let sent = same("requests", &upstream.arrivals().len(), &1);
        broken.note(name, told.and(sent).and(is_served(&gateway).await));
    }
    broken.none();
}

#[tokio::test]
async fn an_answer_that_is_cut_short_never_counts_as_whole() {
    let short = |stream: u32| {
        let block = hpack::literals(&[(b":status", b"200"), (b"content-length", b"10")]);
        [frame(kind::HEADERS, END_HEADERS, stream, &block), frame(kind::DATA, 0, stream, b"half")].concat()
    };
    let open = |stream: u32| [head(stream, "200"), frame(kind::DATA, 0, stream, b"half")].concat();
    type Cut = Box<dyn Fn(u32) -> Vec<Act> + Send + Sync>;
    let vectors: Vec<(&str, Cut)> = vec![
        (
            "reset with a length",
            Box::new(move |stream| vec![Act::Send([short(stream), reset(stream, 2)].concat())]),
        ),
        (
            "reset without one",
            Box::new(move |stream| vec![Act::Send([open(stream), reset(stream, 2)].concat())]),
        ),
        ("cancelled", Box::new(move |stream| vec![Act::Send([open(stream), reset(stream, 8)].concat())])),
        (
            "reset without an error",
            Box::new(move |stream| vec![Act::Send([open(stream), reset(stream, 0)].concat())]),
        ),
        ("closed", Box::new(move |stream| vec![Act::Send(open(stream)), Act::Close])),
        ("ended too early", {
            Box::new(move |stream| {
                vec![Act::Send([short(stream), frame(kind::DATA, END_STREAM, stream, b"")].concat())]
            })
        }),
        ("longer than its length", {
            Box::new(move |stream| {
                vec![Act::Send([short(stream), frame(kind::DATA, END_STREAM, stream, b"much more")].concat())]
            })
        }),
    ];
    let mut broken = Broken::new();
    for (name, cut) in vectors {
        let upstream = once(cut).await;
        let gateway = before(&upstream).await;
        let result = match exchange(gateway.entry, get(HOST, "/cut", "")).await {
            Err(_) => Ok(()),
            Ok(answer) if answer.status == 502 => Ok(()),
            Ok(answer) => Err(format!("answered {} {:?}", answer.status, answer.text())),
        };
        broken.note(name, result.and(is_served(&gateway).await));
    }
    broken.none();
}

#[tokio::test]
async fn a_request_beyond_the_last_stream_of_a_goaway_is_sent_again_whatever_its_method() {
    for method in ["GET", "POST", "DELETE"] {
        let upstream = once(|_| vec![Act::Send(go_away(0, 0)), Act::Close]).await;
        let gateway = before(&upstream).await;

        let request = format!("{method} /again HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n");
        let answer = answered(&gateway, request).await;

        assert_eq!(answer, Ok((200, None, "honest".to_owned())), "{method}");
        let connections: Vec<usize> = upstream.arrivals().iter().map(|arrival| arrival.connection).collect();
        assert_eq!(connections, [0, 1], "{method}: on another connection, and once");
    }
}

#[tokio::test]
async fn a_stream_that_was_refused_is_sent_again_and_one_that_broke_only_if_that_is_safe() {
    let vectors = [
        ("refused GET", "GET", 7, 2),
        ("refused POST", "POST", 7, 2),
        ("broken POST", "POST", 2, 1),
        ("cancelled POST", "POST", 8, 1),
    ];
    let mut broken = Broken::new();
    for (name, method, code, sent) in vectors {
        // The connection has served before, so that a reset may be a matter of its age.
        let upstream =
            FrameUpstream::acting(move |Arrival { connection, stream }| match (connection, stream) {
                (0, 3) => vec![Act::Send(reset(stream, code))],
                _ => vec![Act::Send(whole(stream, b"honest"))],
            })
            .await;
        let gateway = before(&upstream).await;
        assert_eq!(is_served(&gateway).await, Ok(()));

        let request = format!("{method} /again HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n");
        let status = answered(&gateway, request).await.map(|answer| answer.0);

        let wanted = Ok(if sent == 2 { 200 } else { 502 });
        broken.note(
            name,
            same("status", &status, &wanted).and(same("requests", &upstream.arrivals().len(), &(1 + sent))),
        );
    }
    broken.none();
}

#[tokio::test]
async fn a_stream_below_the_last_one_of_a_goaway_is_answered_on_the_old_connection() {
    let upstream = once(|stream| {
        vec![Act::Send(go_away(stream, 0)), Act::Send(whole(stream, b"last words")), Act::Close]
    })
    .await;
    let gateway = before(&upstream).await;

    let answer = answered(&gateway, get(HOST, "/last", "")).await;

    assert_eq!(answer, Ok((200, None, "last words".to_owned())));
    assert_eq!(is_served(&gateway).await, Ok(()));
    let connections: Vec<usize> = upstream.arrivals().iter().map(|arrival| arrival.connection).collect();
    assert_eq!(connections, [0, 1]);
}

/// A request to an upstream that answers with a flood which only the gateway can end. It must be told, the gateway
/// must not grow, and must serve on.
async fn flooded(flood: impl Fn(u32) -> (Vec<u8>, Vec<u8>) + Send + Sync + 'static) -> Result<(), String> {
    let upstream = once(move |stream| {
        let (first, again) = flood(stream);
        vec![Act::Send(first), Act::Flood(again)]
    })
    .await;
    let gateway = before(&upstream).await;
    let before = gateway.resident_bytes_peak();
    let mut client = RawClient::connect(gateway.entry).await;
    client.send("POST /flood HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n").await;
    let answer = client.try_answer().await;
    let grown = gateway.resident_bytes_peak().saturating_sub(before);
    let told = match answer.map(|answer| answer.status) {
        Ok(502) => Ok(()),
        other => Err(format!("answered {other:?}")),
    };
    let small = if grown < 16 * MIB { Ok(()) } else { Err(format!("it grew by {grown} bytes")) };
    told.and(small).and(is_served(&gateway).await)
}

#[tokio::test]
async fn floods_of_an_upstream_end_in_a_502_and_leave_no_trace() {
    let mut broken = Broken::new();
    let field = hpack::literals(&[(b"x-flood", &[b'a'; 1000])]);
    let unended = hpack::literals(&[(b":status", b"200")]);
    let continued = field.clone();
    broken.note(
        "continuation without an end",
        flooded(move |stream| {
            let again = frame(kind::CONTINUATION, 0, stream, &continued.repeat(10));
            (frame(kind::HEADERS, 0, stream, &unended), again)
        })
        .await,
    );
    let unended = hpack::literals(&[(b":status", b"200")]);
    broken.note(
        "empty continuation without an end",
        flooded(move |stream| {
            let again = frame(kind::CONTINUATION, 0, stream, &[]).repeat(100);
            (frame(kind::HEADERS, 0, stream, &unended), again)
        })
        .await,
    );
    broken.note(
        "interim answers without an end",
        flooded(move |stream| (head(stream, "103"), head(stream, "103").repeat(100))).await,
    );
    let large = [hpack::literals(&[(b":status", b"103")]), field.repeat(8)].concat();
    broken.note(
        "large interim answers without an end",
        flooded(move |stream| {
            let again = frame(kind::HEADERS, END_HEADERS, stream, &large);
            (again.clone(), again)
        })
        .await,
    );
    let bomb =
        [hpack::literals(&[(b":status", b"200")]), hpack::indexed_literal(b"x", &[b'a'; 4000])].concat();
    broken.note(
        "a head that unpacks to far more than it weighs",
        flooded(move |stream| {
            let block = [bomb.clone(), vec![hpack::NEWEST; 15_000 - bomb.len()]].concat();
            (frame(kind::HEADERS, END_HEADERS, stream, &block), frame(kind::DATA, 0, stream, &[0; 1000]))
        })
        .await,
    );
    broken.none();
}
