//! The checks of the codec over generated input: messages that are nearly right, and plain noise.

mod checks;

use proptest::prelude::*;
use proptest::sample::select;

const REQUEST_PIECES: &[&str] = &[
    "GET ",
    "POST ",
    "OPTIONS ",
    "BREW ",
    "/",
    "/a/../b",
    "/%61//",
    "*",
    "http://a",
    "http://b:80/x",
    "?q=1",
    " ",
    "HTTP/1.1\r\n",
    "HTTP/1.0\r\n",
    " HTTP/1.1\r\nHost: a\r\n",
    "Host: a\r\n",
    "Host: A.:80\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: upgrade, x-a\r\n",
    "Upgrade: websocket\r\n",
    "X-A: b\r\n",
    "x_b: c\r\n",
    "Expect: 100-continue\r\n",
    "TE: trailers\r\n",
    "X: \t y \t\r\n",
    "X:\r\n",
    "\r\n",
    "\r",
    "\n",
    ":",
    "\0",
    "\u{e9}",
    "a",
];

const RESPONSE_PIECES: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 204\r\n",
    "HTTP/1.1 304 \r\n",
    "HTTP/1.1 101 Up\r\n",
    "HTTP/1.1 ",
    "200",
    " OK",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: x-a\r\n",
    "X-A: b\r\n",
    "X:\r\n",
    "\r\n",
    "\r",
    "\n",
    ":",
    "\0",
    "a",
];

fn of(pieces: &'static [&'static str], count: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(select(pieces), 0..count).prop_map(|chosen| chosen.concat().into_bytes())
}

/// A request that is right but for what the pieces after its first lines make of it.
fn nearly_right_request() -> impl Strategy<Value = Vec<u8>> {
    (select(&["GET / ", "POST /a/b?c ", "OPTIONS * ", "PUT http://a/%7e "][..]), of(REQUEST_PIECES, 6))
        .prop_map(|(start, fields)| {
            [start.as_bytes(), b"HTTP/1.1\r\nHost: a\r\n", &fields, b"\r\n\r\n"].concat()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_read_the_same_however_they_arrive_and_after_being_written_again(text in of(REQUEST_PIECES, 14)) {
        checks::request::check(&text);
    }

    #[test]
    fn nearly_right_requests_do_too(text in nearly_right_request()) {
        checks::request::check(&text);
    }

    #[test]
    fn responses_read_the_same_however_they_arrive_and_after_being_written_again(text in of(RESPONSE_PIECES, 12)) {
        checks::response::check(&text);
    }

    #[test]
    fn no_bytes_make_the_codec_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        checks::request::check(&bytes);
        checks::response::check(&bytes);
        checks::body::check(&bytes);
        checks::canonical::check(&bytes);
    }
}
