//! gRPC through the proxy: every kind of call, message by message, and failures in its own terms.

mod http2;

use bytes::Bytes;
use engine::config::{Limits, UpstreamProtocol};
use h2::server::Connection;
use http::HeaderMap;
use http2::{Gateway, upstream};
use tokio::net::TcpStream;

type Served = Connection<TcpStream, Bytes>;

/// A message with its five bytes of length.
fn message(text: &str) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend((text.len() as u32).to_be_bytes());
    bytes.extend(text.as_bytes());
    bytes.into()
}

fn call() -> http::Request<()> {
    let head = http2::request("POST", "/api/v1/Service/Method");
    head.header("content-type", "application/grpc").header("te", "trailers").body(()).unwrap()
}

fn status(code: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse().unwrap());
    trailers
}

/// Sends back each message when it has come, then how many there were.
async fn echo(_number: usize, mut connection: Served) {
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tokio::task::spawn_local(async move {
            assert_eq!(request.headers()["te"], "trailers");
            let head = http::Response::builder().header("content-type", "application/grpc");
            let mut send = respond.send_response(head.body(()).unwrap(), false).unwrap();
            let mut body = request.into_body();
            while let Some(part) = body.data().await {
                let part = part.unwrap();
                body.flow_control().release_capacity(part.len()).unwrap();
                send.send_data(part, false).unwrap();
            }
            send.send_trailers(status("0")).unwrap();
        });
    }
}

#[test]
fn each_message_of_a_call_in_both_directions_travels_on_its_own() {
    http2::run(async {
        let gateway = Gateway::http2(upstream::http2(echo).await);
        let mut client = http2::client(gateway.address).await;
        let (response, mut send) = client.send_request(call(), false).unwrap();
        send.send_data(message("first"), false).unwrap();
        let mut body = response.await.unwrap().into_body();
        // Each answer is waited for before the next message is sent: nothing may be held back.
        for text in ["first", "second", "third"] {
            if text != "first" {
                send.send_data(message(text), false).unwrap();
            }
            let part = body.data().await.unwrap().unwrap();
            body.flow_control().release_capacity(part.len()).unwrap();
            assert_eq!(part, message(text));
        }
        send.send_data(Bytes::new(), true).unwrap();
        assert!(body.data().await.is_none());
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    });
}

#[test]
fn a_call_with_one_message_and_one_answer_keeps_its_trailers() {
    http2::run(async {
        let gateway = Gateway::http2(upstream::http2(echo).await);
        let mut client = http2::client(gateway.address).await;
        let (response, mut send) = client.send_request(call(), false).unwrap();
        send.send_data(message("only"), true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/grpc");
        let mut body = response.into_body();
        assert_eq!(http2::whole(&mut body).await.unwrap(), message("only"));
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    });
}

#[test]
fn a_stream_of_answers_to_one_message_arrives_as_it_is_made() {
    http2::run(async {
        let (go, mut permits) = tokio::sync::mpsc::channel::<()>(16);
        let mut permits = Some(std::mem::replace(&mut permits, tokio::sync::mpsc::channel(1).1));
        let address = upstream::http2(move |_, mut connection: Served| {
            let mut permits = permits.take().expect("one connection");
            async move {
                let (_, mut respond) = connection.accept().await.unwrap().unwrap();
                tokio::task::spawn_local(async move {
                    let mut send = respond.send_response(http::Response::new(()), false).unwrap();
                    while permits.recv().await.is_some() {
                        send.send_data(message("tick"), false).unwrap();
                    }
                    send.send_trailers(status("0")).unwrap();
                });
                while let Some(Ok(_)) = connection.accept().await {}
            }
        })
        .await;
        let gateway = Gateway::http2(address);
        let mut client = http2::client(gateway.address).await;
        let (response, _) = client.send_request(call(), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        for _ in 0..10 {
            go.send(()).await.unwrap();
            let part = body.data().await.unwrap().unwrap();
            body.flow_control().release_capacity(part.len()).unwrap();
            assert_eq!(part, message("tick"));
        }
        drop(go);
        assert!(body.data().await.is_none());
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    });
}

#[test]
fn an_upstream_that_is_not_there_is_reported_as_a_grpc_status() {
    http2::run(async {
        let nobody = http2::free_address();
        let gateway = Gateway::http2(nobody);
        let mut client = http2::client(gateway.address).await;
        let (response, _) = client.send_request(call(), true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.body().is_end_stream(), "the status is all there is");
        assert_eq!(response.headers()["content-type"], "application/grpc");
        assert_eq!(response.headers()["grpc-status"], "14");
        assert!(response.headers()["grpc-message"].to_str().unwrap().starts_with("connect_refused"));
    });
}

/// Many small messages that wait in one connection were once taken for an attack by the library.
#[test]
fn three_hundred_small_answers_that_wait_on_one_upstream_connection_all_arrive() {
    http2::run(async {
        let gateway = Gateway::start(upstream::http2(echo).await, UpstreamProtocol::Http2, Limits::default());
        let mut client = http2::client(gateway.address).await;
        let (response, mut send) = client.send_request(call(), false).unwrap();
        for number in 0..300 {
            send.send_data(message(&number.to_string()), number == 299).unwrap();
        }
        let mut body = response.await.unwrap().into_body();
        let all = http2::whole(&mut body).await.unwrap();
        let expected: Vec<u8> = (0..300).flat_map(|number| message(&number.to_string())).collect();
        assert_eq!(all, expected);
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
        assert_eq!(gateway.failures("http2_abuse"), 0);
    });
}
