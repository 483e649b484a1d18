//! Bodies of those who are refused: taken off the wire and thrown away.
//!
//! A stream of HTTP/2 that is answered before its request has ended is reset, and the reset may overtake the answer:
//! the client would not learn why it was refused. Nothing is kept, and no more is taken than whoever refuses allows.

use std::pin::pin;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http_body::Body;
use http_body_util::BodyExt as _;

/// Longest time a refused body is waited for. Past it: the stream is reset.
const WITHIN: Duration = Duration::from_secs(10);

/// Reads a body to its end, or until it is longer than this or too late.
pub async fn discard<B: Body<Data = Bytes>>(body: B, bytes_max: usize) {
    let mut body = pin!(body);
    let mut left = bytes_max;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, |data| data.remaining());
            let Some(rest) = left.checked_sub(length) else { return };
            left = rest;
        }
    };
    // Too late is as good as ended: nobody waits for what is thrown away.
    let _ = tokio::time::timeout(WITHIN, read).await;
}
