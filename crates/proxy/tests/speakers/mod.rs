//! An HTTP/2 client and a gRPC upstream for the other process, over the `h2` library.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// What one request is.
#[derive(Clone, Copy)]
pub enum Call {
    /// A GET without a body.
    Get,
    /// A unary gRPC call.
    Unary,
}

/// A message of 128 bytes in gRPC's framing.
const MESSAGE: [u8; 133] = {
    let mut message = [b'x'; 133];
    message[0] = 0;
    message[1] = 0;
    message[2] = 0;
    message[3] = 0;
    message[4] = 128;
    message
};

/// An HTTP/2 connection on which requests are made one after another.
pub fn client(proxy: SocketAddr, call: Call) -> Box<dyn FnMut(u32)> {
    let runtime = runtime();
    let mut sender = runtime.block_on(async {
        let stream = TcpStream::connect(proxy).await.expect("the proxy listens");
        stream.set_nodelay(true).expect("a TCP socket");
        let (sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2 by prior knowledge");
        tokio::spawn(connection);
        sender
    });
    Box::new(move |count| {
        runtime.block_on(async {
            for _ in 0..count {
                exchange(&mut sender, call).await;
            }
        });
    })
}

async fn exchange(sender: &mut SendRequest<Bytes>, call: Call) {
    std::future::poll_fn(|context| sender.poll_ready(context)).await.expect("a free stream");
    let request = Request::builder().uri("http://svc7.example.com/api/v1/users/1k?id=42");
    let request = match call {
        Call::Get => request.header("user-agent", "test/1.0").header("accept", "application/json"),
        Call::Unary => {
            request.method("POST").header("te", "trailers").header("content-type", "application/grpc")
        }
    };
    let is_get = matches!(call, Call::Get);
    let request = request.body(()).expect("a request");
    let (response, mut body) = sender.send_request(request, is_get).expect("the connection lives");
    if !is_get {
        body.send_data(Bytes::from_static(&MESSAGE), true).expect("the stream lives");
    }
    let response = response.await.expect("an answer");
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    while let Some(piece) = body.data().await {
        let piece = piece.expect("a body");
        body.flow_control().release_capacity(piece.len()).expect("what was received");
    }
    let trailers = body.trailers().await.expect("the end of the stream");
    assert_eq!(trailers.is_none(), is_get, "{trailers:?}");
}

/// An upstream that answers every call over HTTP/2 with one message and a status in the trailers.
pub fn grpc_upstream() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("a socket");
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = TcpListener::from_std(listener).expect("a socket");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
    });
    address
}

async fn answer(stream: TcpStream) {
    stream.set_nodelay(true).expect("a TCP socket");
    let mut connection = h2::server::handshake(stream).await.expect("HTTP/2 by prior knowledge");
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(piece) = body.data().await {
                let length = piece.expect("a body").len();
                body.flow_control().release_capacity(length).expect("what was received");
            }
            let head =
                Response::builder().header("content-type", "application/grpc").body(()).expect("a head");
            let mut stream = respond.send_response(head, false).expect("the stream lives");
            stream.send_data(Bytes::from_static(&MESSAGE), false).expect("the stream lives");
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
            stream.send_trailers(trailers).expect("the stream lives");
        });
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
