//! PostgreSQL's way of asking for TLS within the connection (PostgreSQL documentation, "Message Flow", SSL Session
//! Encryption).
//!
//! Its clients send eight bytes and wait for one before they begin a handshake, so a port that ends TLS would never see
//! one. No handshake begins like those eight bytes. What follows them before the answer was not encrypted and could
//! have been put there by anybody in between; whoever keeps it for after the handshake takes it for the client's own
//! words (CVE-2021-23214), so such a connection is refused.

use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::failure::Failure;
use crate::limits::POSTGRES_REQUESTS_MAX;

/// Length and code of `SSLRequest`.
const TLS_REQUEST: [u8; 8] = request(80_877_103);
/// Length and code of `GSSENCRequest`.
const GSS_REQUEST: [u8; 8] = request(80_877_104);

const fn request(code: u32) -> [u8; 8] {
    let [a, b, c, d] = code.to_be_bytes();
    [0, 0, 0, 8, a, b, c, d]
}

/// Answers a PostgreSQL client that asks for TLS; the handshake follows. Any other client's bytes stay where they are.
///
/// # Errors
/// The client is one of PostgreSQL's that goes on without TLS, or bytes stand where none may.
pub async fn answer(stream: &mut TcpStream) -> Result<(), Failure> {
    for _ in 0..POSTGRES_REQUESTS_MAX {
        let mut first = [0];
        let seen = stream.peek(&mut first).await.map_err(|_| Failure::TlsHandshake)?;
        // A TLS record begins with its type, and none has the number 0 (RFC 8446 section 5.1).
        if seen == 0 || first[0] != 0 {
            return Ok(());
        }
        let mut request = [0; TLS_REQUEST.len()];
        stream.read_exact(&mut request).await.map_err(|_| Failure::TlsHandshake)?;
        let answer = match request {
            TLS_REQUEST => b"S",
            GSS_REQUEST => b"N",
            _ => return Err(Failure::EncryptionRequired),
        };
        if has_more(stream) {
            return Err(Failure::EncryptionSmuggled);
        }
        stream.write_all(answer).await.map_err(|_| Failure::TlsHandshake)?;
        if request == TLS_REQUEST {
            return Ok(());
        }
    }
    Err(Failure::EncryptionRequired)
}

/// Whether bytes have arrived already that nobody could have been invited to send.
fn has_more(stream: &TcpStream) -> bool {
    let mut byte = [0];
    let mut cx = Context::from_waker(Waker::noop());
    let mut room = ReadBuf::new(&mut byte);
    matches!(stream.poll_peek(&mut cx, &mut room), Poll::Ready(Ok(count)) if count > 0)
}
