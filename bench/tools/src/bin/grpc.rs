//! The upstream of the gRPC workload: HTTP/2 by prior knowledge, one message of 1 KiB and a trailer for each call.
//!
//! `grpc ADDRESS`. It looks like a unary method on the wire (headers, one length-prefixed message, trailers) and
//! does no protocol buffers: the proxies under test do not look inside either.

use bytes::{BufMut, Bytes, BytesMut};
use h2::server::{self, SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use std::io;
use tokio::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).ok_or_else(|| io::Error::other("usage: grpc ADDRESS"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        let answer = message(1024);
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            tokio::spawn(connection(socket, answer.clone()));
        }
    })
}

async fn connection(socket: TcpStream, answer: Bytes) {
    let mut settings = server::Builder::new();
    settings
        .max_concurrent_streams(1024)
        .initial_window_size(1 << 20)
        .initial_connection_window_size(1 << 24);
    let Ok(mut connection) = settings.handshake::<_, Bytes>(socket).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(call(request, respond, answer.clone()));
    }
}

/// Reads the message, answers one, ends with the status. An error means that the caller has gone.
async fn call(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    answer: Bytes,
) -> Option<()> {
    let mut body = request.into_body();
    while let Some(piece) = body.data().await {
        let length = piece.ok()?.len();
        body.flow_control().release_capacity(length).ok()?;
    }
    let head = Response::builder().header("content-type", "application/grpc").body(()).ok()?;
    let mut stream = respond.send_response(head, false).ok()?;
    stream.send_data(answer, false).ok()?;
    stream
        .send_trailers(HeaderMap::from_iter([("grpc-status".parse().ok()?, HeaderValue::from_static("0"))]))
        .ok()
}

/// A message of this many bytes behind its prefix: not compressed, length.
fn message(length: u32) -> Bytes {
    let mut bytes = BytesMut::with_capacity(5 + length as usize);
    bytes.put_u8(0);
    bytes.put_u32(length);
    bytes.put_bytes(b'x', length as usize);
    bytes.freeze()
}
