//! How a body is framed: one way, in one spelling (threats A1 to A3).

use super::*;

#[test]
fn both_framings_at_once_are_refused_in_any_order() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    ] {
        refused(post(lines), Failure::BadFraming);
    }
}

#[test]
fn every_spelling_of_transfer_encoding_but_one_is_refused() {
    for value in [
        "chunked, identity",
        "identity, chunked",
        "chunked,",
        ",chunked",
        "chunked, chunked",
        "identity",
        "gzip, chunked",
        "gzip",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
        "'chunked'",
        "chunked;q=1",
        "",
        "chu nked",
    ] {
        refused(post(&format!("Transfer-Encoding: {value}\r\n")), Failure::BadFraming);
    }
    refused(post("Transfer-Encoding: \x0bchunked\r\n"), Failure::BadHeader);
    refused(post("Transfer-Encoding: chunked\x00\r\n"), Failure::BadHeader);
    refused(post("Transfer-Encoding : chunked\r\n"), Failure::BadHeader);
    refused(post("Transfer-Encoding\x0b: chunked\r\n"), Failure::BadHeader);
    refused(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), Failure::BadFraming);
    refused(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"), Failure::BadFraming);
    refused("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Failure::BadFraming);

    let request = Request::accepted(post("Transfer-Encoding: \t ChunKed \r\n"));
    assert_eq!(request.head.framing, Framing::Chunked);
}

#[test]
fn a_content_length_is_given_once_in_plain_digits() {
    for lines in [
        "Content-Length: 5,5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 0\r\nContent-Length: 0\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5;\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length:\r\n",
        "Content-Length: \"5\"\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 18446744073709551621\r\n",
        "Content-Length: 9223372036854775808\r\n",
        "Content-Length: 00\r\n",
        "Content-Length: 05\r\n",
    ] {
        refused(post(lines), Failure::BadFraming);
    }
    refused(post("Content-Length : 5\r\n"), Failure::BadHeader);
    refused(post("Content-Length: 5\x0b\r\n"), Failure::BadHeader);

    // White space around a value is not part of it (RFC 9110 section 5.5), before and after alike.
    assert_eq!(Request::accepted(post("Content-Length: 5 \r\n")).head.framing, Framing::Length(5));
    assert_eq!(Request::accepted(post("Content-Length: 0\r\n")).head.framing, Framing::None);
    assert_eq!(Request::accepted(post("")).head.framing, Framing::None);
}

#[test]
fn a_get_may_have_a_body_and_it_is_framed_like_any_other() {
    let request = Request::accepted("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");

    assert_eq!(request.head.framing, Framing::Length(3));
}
