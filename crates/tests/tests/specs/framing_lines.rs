//! A5–A7: line ends, folding, white space and request lines that servers read differently.

use crate::stage::{HOST, SMUGGLED, Stage, get_with};
use tests::broken::Broken;

async fn all_refused(vectors: &[(&str, &str)]) {
    let stage = Stage::new().await;
    let mut broken = Broken::new();
    for (bytes, wanted) in vectors {
        broken.note(&format!("{bytes:?}"), stage.refuses(format!("{bytes}{SMUGGLED}"), wanted).await);
    }
    broken.none();
}

const LINE: &str = "400 bad_request_line | 400 bad_header";

#[tokio::test]
async fn bare_line_ends_and_nul_are_refused() {
    all_refused(&[
        ("GET /attack HTTP/1.1\nHost: a.example\r\n\r\n", LINE),
        ("GET /attack HTTP/1.1\r\nHost: a.example\n\r\n", LINE),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\n\n", LINE),
        ("GET /attack HTTP/1.1\nHost: a.example\n\n", LINE),
        ("GET /attack HTTP/1.1\rHost: a.example\r\r", LINE),
        ("GET /attack HTTP/1.1\r\nHost: a.example\rX: y\r\n\r\n", LINE),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\r\n\r\n", LINE),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX: a\rX\r\n\r\n", LINE),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX: a\nY: b\r\n\r\n", LINE),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX: a\0b\r\n\r\n", LINE),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX\0Y: b\r\n\r\n", LINE),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX: a\x7fb\r\n\r\n", LINE),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX: a\x01b\r\n\r\n", LINE),
        ("GET /att\0ack HTTP/1.1\r\nHost: a.example\r\n\r\n", "400 bad_request_line | 400 bad_target"),
        ("GET /att\rack HTTP/1.1\r\nHost: a.example\r\n\r\n", "400 bad_request_line | 400 bad_target"),
        ("\nGET /attack HTTP/1.1\r\nHost: a.example\r\n\r\n", LINE),
        ("\rGET /attack HTTP/1.1\r\nHost: a.example\r\n\r\n", LINE),
    ])
    .await;
}

#[tokio::test]
async fn folding_and_misplaced_space_are_refused() {
    all_refused(&[
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX: a\r\n b\r\n\r\n", "400 bad_header"),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX: a\r\n\tb\r\n\r\n", "400 bad_header"),
        ("GET /attack HTTP/1.1\r\n Host: a.example\r\n\r\n", LINE),
        ("GET /attack HTTP/1.1\r\n\tX: y\r\nHost: a.example\r\n\r\n", LINE),
        ("GET /attack HTTP/1.1\r\nHost : a.example\r\n\r\n", "400 bad_header"),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX : y\r\n\r\n", "400 bad_header"),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX\t: y\r\n\r\n", "400 bad_header"),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX Y: z\r\n\r\n", "400 bad_header"),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\n: y\r\n\r\n", "400 bad_header"),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nno colon\r\n\r\n", "400 bad_header"),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX(Y): z\r\n\r\n", "400 bad_header"),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nX\"Y: z\r\n\r\n", "400 bad_header"),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nÄ: z\r\n\r\n", "400 bad_header"),
    ])
    .await;
}

#[tokio::test]
async fn a_malformed_request_line_is_refused() {
    const REQUEST_LINE: &str = "400 bad_request_line | 400 bad_target | 505 bad_version";
    all_refused(&[
        ("GET  /attack HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack  HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET\t/attack HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack\tHTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        (" GET /attack HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack HTTP/1.1 \r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /att ack HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack HTTP/0.9\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack HTTP/1.9\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack HTTP/2.0\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack HTTP/1.10\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack HTTP/1.\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack HTTP/11\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack http/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack HTTPS/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("G(T /attack HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GÄT /attack HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET attack HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET ../attack HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET * HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack#fragment HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET /attack?q#fragment HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
        ("GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n", "400 bad_target | 400 bad_host"),
        ("GET http:///attack HTTP/1.1\r\nHost: a.example\r\n\r\n", "400 bad_target | 400 bad_host"),
        ("GET ftp://a.example/attack HTTP/1.1\r\nHost: a.example\r\n\r\n", "400 bad_target | 400 bad_host"),
        ("GET /att\u{e4}ck HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_LINE),
    ])
    .await;
}

#[tokio::test]
async fn a_request_names_exactly_one_valid_host() {
    const WRONG: &str = "400 bad_host | 400 bad_header";
    all_refused(&[
        ("GET /attack HTTP/1.1\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nX: y\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost:\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: \r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example b.example\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: user@a.example\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example/b\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: http://a.example\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example?x\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example#x\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example\\b\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a%2eexample\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example:port\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example:80:80\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example:99999\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a.example:+80\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: :80\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: [::1\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a..example\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: .a.example\r\n\r\n", WRONG),
        ("GET /attack HTTP/1.1\r\nHost: a<b>.example\r\n\r\n", WRONG),
    ])
    .await;
}

#[tokio::test]
async fn an_absolute_target_and_its_host_field_say_one_thing_upstream() {
    let stage = Stage::new().await;
    let vectors = [
        ("GET http://a.example/attack HTTP/1.1\r\nHost: b.example\r\n\r\n", "400 bad_host | 400 bad_target"),
        ("GET http://a.example/attack HTTP/1.1\r\nHost: a.example\r\n\r\n", ""),
        ("GET HTTP://A.EXAMPLE/attack HTTP/1.1\r\nHost: a.example\r\n\r\n", ""),
    ];
    let mut broken = Broken::new();
    for (bytes, refusal) in vectors {
        let judged = stage.refuses_or(bytes, refusal, |seen| {
            let host = seen.header("host").unwrap_or_default().to_ascii_lowercase();
            let right = seen.target == "/attack" && host == HOST;
            if right { Ok(()) } else { Err(format!("forwarded as {} to {host}", seen.line())) }
        });
        broken.note(bytes, judged.await);
    }
    broken.none();
}

#[tokio::test]
async fn an_empty_line_before_a_request_is_forgiven_or_refused_but_never_forwarded() {
    let stage = Stage::new().await;
    let bytes = format!("\r\n{}", tests::client::get(HOST, "/after-empty-line", ""));

    let judged = stage
        .refuses_or(bytes, "400 bad_request_line", |seen| {
            tests::broken::same("target", &seen.target.as_str(), &"/after-empty-line")
        })
        .await;

    assert_eq!(judged, Ok(()));
}

#[tokio::test]
async fn methods_that_open_tunnels_or_reflect_secrets_are_not_carried() {
    let stage = Stage::new().await;
    let mut broken = Broken::new();
    let vectors = [
        (
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
            "405 method_refused | 400 bad_target",
        ),
        ("CONNECT / HTTP/1.1\r\nHost: a.example\r\n\r\n", "405 method_refused | 400 bad_target"),
        ("TRACE / HTTP/1.1\r\nHost: a.example\r\n\r\n", "405 method_refused"),
    ];
    for (bytes, wanted) in vectors {
        broken.note(
            bytes,
            stage.refuses_or(bytes, wanted, |seen| Err(format!("forwarded {}", seen.line()))).await,
        );
    }
    broken.none();
}

#[tokio::test]
async fn a_method_keeps_its_case_and_is_not_what_a_header_says() {
    let stage = Stage::new().await;
    let request = |method: &str, more: &str| format!("{method} /m HTTP/1.1\r\nHost: {HOST}\r\n{more}\r\n");

    let lower = stage.refuses_or(request("get", ""), "400 bad_request_line | 405 method_refused", |seen| {
        tests::broken::same("method", &seen.method.as_str(), &"get")
    });
    assert_eq!(lower.await, Ok(()));
    let odd = stage.forwarded(request("PROPFIND", "")).await.expect("forwarded");
    assert_eq!(odd.method, "PROPFIND");
    let override_ =
        stage.forwarded(request("GET", "X-HTTP-Method-Override: DELETE\r\n")).await.expect("forwarded");
    assert_eq!(override_.method, "GET");
}

#[tokio::test]
async fn bytes_above_ascii_in_a_value_are_carried_or_refused_whole() {
    let stage = Stage::new().await;
    let mut bytes = get_with("").into_bytes();
    let marker = b"Host: a.example\r\n".len() + b"GET /attack HTTP/1.1\r\n".len();
    bytes.truncate(marker);
    bytes.extend_from_slice(b"X-Bytes: a\xff\xfeb\r\n\r\n");

    let answer = tests::client::exchange(stage.gateway.entry, &bytes).await.expect("an answer");

    match answer.status {
        200 => {
            let seen = &stage.upstream.connections()[0].bytes;
            let carried = seen.windows(5).any(|five| five == b"a\xff\xfeb\r");
            assert!(carried, "the value was changed on its way");
        }
        status => assert_eq!((status, answer.code().as_deref()), (400, Some("bad_header"))),
    }
}
