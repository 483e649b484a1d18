//! HTTP/2 and gRPC over the mesh.

use engine::config::UpstreamProtocol;

use crate::http2;
use crate::pair::{Client, Pair, Plan};

async fn calls(pair: &Pair, count: usize) {
    let mut client = http2::client(pair.gateway.address).await;
    for _ in 0..count {
        let head = http2::request("POST", "/api/v1/Service/Method");
        let call = head.header("content-type", "application/grpc").header("te", "trailers").body(()).unwrap();
        let (response, mut send) = client.send_request(call, false).unwrap();
        send.send_data(bytes::Bytes::from_static(b"\0\0\0\0\x05hello"), true).unwrap();
        let response = response.await.expect("an answer");
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        assert_eq!(http2::whole(&mut body).await.unwrap(), b"\0\0\0\0\x05hello");
        assert_eq!(body.trailers().await.unwrap().expect("trailers")["grpc-status"], "0");
    }
}

/// Sends each message back, and a status behind them.
async fn echo(_number: usize, mut connection: h2::server::Connection<tokio::net::TcpStream, bytes::Bytes>) {
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tokio::task::spawn_local(async move {
            let head = http::Response::builder().header("content-type", "application/grpc");
            let mut send = respond.send_response(head.body(()).unwrap(), false).unwrap();
            let mut body = request.into_body();
            let all = http2::whole(&mut body).await.unwrap();
            send.send_data(all.into(), false).unwrap();
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            send.send_trailers(trailers).unwrap();
        });
    }
}

#[test]
fn calls_share_one_connection_between_members_and_give_way_to_a_renewed_certificate() {
    http2::run(async {
        let application = http2::upstream::http2(echo).await;
        let pair = Pair::with(Plan { protocol: UpstreamProtocol::Http2, application, ..Plan::default() });
        calls(&pair, 5).await;
        assert_eq!(pair.sidecar.count("selvedge_tls_handshakes_total", ""), 1);

        pair.gateway.member.renew(pair.authority.issue("web", "web-1").svid());
        while pair.sidecar.count("selvedge_tls_handshakes_total", "") < 2 {
            calls(&pair, 1).await;
        }
        assert_eq!(pair.gateway.count("selvedge_failures_total", ""), 0);
    });
}

#[test]
fn a_call_crosses_in_the_version_in_which_it_came() {
    http2::run(async {
        let pair = Pair::start();
        let mut client = http2::client(pair.gateway.address).await;
        let request = http2::request("GET", "/api/v1/users/1").body(()).unwrap();
        let (response, _) = client.send_request(request, true).unwrap();
        assert_eq!(response.await.expect("an answer").status(), 200);
        assert_eq!(Client::of(pair.gateway.address).get().status, 200);

        let line = pair.sidecar.await_line("\"protocol\":\"HTTP/2\"");
        assert!(line.contains("\"source_workload\":\"shop/web-1\""), "{line}");
        pair.sidecar.await_line("\"protocol\":\"HTTP/1.1\"");
        assert_eq!(pair.sidecar.count("selvedge_tls_handshakes_total", ""), 2);
    });
}
