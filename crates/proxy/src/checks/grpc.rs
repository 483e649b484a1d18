//! gRPC's own question of health: <https://grpc.io/docs/guides/health-checking/>.
//!
//! It is a unary call like any other, so a server that answers it serves. Whoever asks brings the connection: a check
//! of a destination may come over TLS, a sidecar asks its application in cleartext.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::limits::HEALTH_ANSWER_BYTES_MAX;

/// The method (`grpc.health.v1`).
const PATH: &str = "/grpc.health.v1.Health/Check";
/// `SERVING` of `HealthCheckResponse.ServingStatus`.
const SERVING: i32 = 1;
/// Compressed or not, and the length of the message that follows.
const PREFIX_BYTES: usize = 5;

/// `HealthCheckRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Asked {
    #[prost(string, tag = "1")]
    service: String,
}

/// `HealthCheckResponse`; the status stays a number, so that one we do not know is not taken for another.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct Answered {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Asks a server whether it serves: as a whole, or (`service` is not empty) one of its services. `secure` says whether
/// the stream is encrypted. Takes as long as the server does.
///
/// # Errors
/// Why it does not, in words that follow "the application is not ready:".
pub async fn ask<S>(stream: S, authority: &str, secure: bool, service: &str) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sender, connection) = h2::client::handshake(stream).await.map_err(unspoken)?;
    let request = request(authority, secure)?;
    let message = framed(&Asked { service: service.to_owned() });
    tokio::select! {
        answered = call(sender, request, message) => answered,
        ended = connection => Err(ended.map_or_else(unspoken, |()| "it closed the connection".to_owned())),
    }
}

fn request(authority: &str, secure: bool) -> Result<Request<()>, String> {
    let scheme = if secure { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(PATH).build();
    let mut request = Request::new(());
    *request.uri_mut() = uri.map_err(|error| error.to_string())?;
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    let fields = request.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    fields.insert(header::TE, HeaderValue::from_static("trailers"));
    fields.insert(header::USER_AGENT, HeaderValue::from_static("selvedge-health"));
    Ok(request)
}

fn framed(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    // What is asked for is a name on a command line or in a policy; both are bounded far below 4 GiB.
    bytes.put_u32(u32::try_from(message.encoded_len()).unwrap_or(u32::MAX));
    bytes.extend_from_slice(&message.encode_to_vec());
    bytes.freeze()
}

async fn call(
    mut sender: h2::client::SendRequest<Bytes>,
    request: Request<()>,
    message: Bytes,
) -> Result<(), String> {
    let (response, mut body) = sender.send_request(request, false).map_err(unspoken)?;
    body.send_data(message, true).map_err(unspoken)?;
    let (head, mut body) = response.await.map_err(unspoken)?.into_parts();
    if !head.status.is_success() {
        return Err(format!("it answered {}", head.status.as_u16()));
    }
    let mut answer = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(unspoken)?;
        let _ = body.flow_control().release_capacity(piece.len()); // A stream that has ended needs none.
        answer.extend_from_slice(&piece);
        if answer.len() > HEALTH_ANSWER_BYTES_MAX {
            return Err(format!("its answer is longer than {HEALTH_ANSWER_BYTES_MAX} bytes"));
        }
    }
    let trailers = body.trailers().await.map_err(unspoken)?.unwrap_or_default();
    understood(&head.headers, &trailers, answer.freeze())
}

/// What an answer says. The status of a call without a message stands in its head.
fn understood(head: &HeaderMap, trailers: &HeaderMap, mut answer: Bytes) -> Result<(), String> {
    let status = trailers.get("grpc-status").or_else(|| head.get("grpc-status"));
    match status.map(HeaderValue::as_bytes) {
        Some(b"0") => {}
        Some(b"5") => return Err("it knows no such service".to_owned()),
        Some(b"12") => return Err("it does not serve grpc.health.v1.Health".to_owned()),
        Some(other) => return Err(format!("its status of gRPC is {}", String::from_utf8_lossy(other))),
        None => return Err("its answer is not of gRPC".to_owned()),
    }
    if answer.len() < PREFIX_BYTES || answer.get_u8() != 0 {
        return Err("its answer is no message".to_owned());
    }
    let length = answer.get_u32();
    if usize::try_from(length) != Ok(answer.len()) {
        return Err("its answer is not one message".to_owned());
    }
    match Answered::decode(answer) {
        Ok(Answered { status: SERVING }) => Ok(()),
        Ok(Answered { status: 2 }) => Err("it is not serving".to_owned()),
        Ok(Answered { status }) => Err(format!("its health is of status {status}")),
        Err(_) => Err("its answer cannot be read".to_owned()),
    }
}

fn unspoken(error: h2::Error) -> String {
    format!("it does not speak gRPC: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: Option<&'static str>, message: &[u8]) -> Result<(), String> {
        let mut trailers = HeaderMap::new();
        if let Some(status) = status {
            trailers.insert("grpc-status", HeaderValue::from_static(status));
        }
        understood(&HeaderMap::new(), &trailers, Bytes::copy_from_slice(message))
    }

    #[test]
    fn only_one_whole_message_that_says_serving_is_health() {
        let serving = framed(&Answered { status: SERVING });
        assert_eq!(answer(Some("0"), &serving), Ok(()));

        let not_serving = framed(&Answered { status: 2 });
        assert_eq!(answer(Some("0"), &not_serving), Err("it is not serving".to_owned()));
        assert!(answer(Some("0"), &framed(&Answered { status: 77 })).is_err());
        // `UNKNOWN` is what a message without a field means.
        assert!(answer(Some("0"), &[0, 0, 0, 0, 0]).is_err());
        for broken in [&b""[..], &[0, 0, 0], &[1, 0, 0, 0, 2, 8, 1], &[0, 0, 0, 0, 9, 8, 1], &serving[..6]] {
            assert!(answer(Some("0"), broken).is_err(), "{broken:?}");
        }
        for status in [None, Some("5"), Some("12"), Some("14"), Some("x")] {
            assert!(answer(status, &serving).is_err(), "{status:?}");
        }
    }

    #[test]
    fn the_name_of_a_service_is_the_first_field_of_the_question() {
        assert_eq!(&framed(&Asked { service: "a.B".to_owned() })[..], b"\0\0\0\0\x05\x0a\x03a.B");
        assert_eq!(&framed(&Asked::default())[..], [0; 5]);
    }
}
