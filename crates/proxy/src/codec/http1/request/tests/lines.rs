//! Lines: where they end, and what a field line is (threats A5, A6).

use super::*;

#[test]
fn only_crlf_ends_a_line() {
    for text in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        refused(text, Failure::BadRequestLine);
    }
    for text in [
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rX\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\x00: ab\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x1bb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n",
    ] {
        refused(text, Failure::BadHeader);
    }
}

#[test]
fn a_field_line_is_a_name_a_colon_and_a_value_on_one_line() {
    for lines in [
        "X: a\r\n b\r\n",
        "X: a\r\n\tb\r\n",
        "X : a\r\n",
        "X\t: a\r\n",
        " X: a\r\n",
        "\tX: a\r\n",
        ": a\r\n",
        "X\r\n",
        "X a\r\n",
        "X(y): a\r\n",
        "\"X\": a\r\n",
        "X/Y: a\r\n",
        "X@Y: a\r\n",
        "X[0]: a\r\n",
        "é: a\r\n",
        "X,Y: a\r\n",
    ] {
        refused(post(lines), Failure::BadHeader);
    }
    refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Failure::BadHeader);
}

#[test]
fn values_may_hold_bytes_above_ascii() {
    let mut text = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
    text.extend(0x80..=0xff);
    text.extend(b"\r\n\r\n");

    let request = Request::accepted(&text);

    assert_eq!(request.head.fields[1].value.of(&request.bytes), (0x80..=0xff).collect::<Vec<u8>>());
}

#[test]
fn one_empty_line_may_stand_before_a_request() {
    let request = Request::accepted("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(request.text(request.head.method_token), "GET");

    refused("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Failure::BadRequestLine);
}

#[test]
fn an_underscore_in_a_name_is_treated_as_the_owner_says() {
    let names = |underscores| {
        let rules = Rules { underscores, ..STRICT };
        let request = Request::parse_by(
            post("X_Tenant: a\r\nX_Forwarded_For: b\r\nContent_Length: 5\r\nx-auth_user: c\r\nX: d\r\n"),
            &rules,
        );
        match request.parsed {
            Parsed::Complete { .. } => {
                Ok(request.head.fields.iter().map(|f| request.text(f.name).to_owned()).collect::<Vec<_>>())
            }
            other => Err(other),
        }
    };

    assert_eq!(names(UnderscorePolicy::Reject), Err(Parsed::Failed(Failure::HeaderUnderscore)));
    assert_eq!(names(UnderscorePolicy::Drop).unwrap(), ["host", "x"]);
    assert_eq!(names(UnderscorePolicy::Keep).unwrap(), ["host", "x_tenant", "x-auth_user", "x"]);
}

#[test]
fn a_field_that_ends_here_is_not_matched_on() {
    use crate::message::FieldsView;
    use engine::HeaderView;
    let request = Request::accepted(post("Connection: x-tenant\r\nX-Tenant: a\r\nX-Group: b\r\n"));

    let view = FieldsView { fields: &request.head.fields, bytes: &request.bytes };

    assert_eq!(view.first(b"x-tenant"), None);
    assert_eq!(view.first(b"x-group"), Some(&b"b"[..]));
}

#[test]
fn the_first_value_is_the_one_rules_see() {
    use crate::message::FieldsView;
    use engine::HeaderView;
    let request = Request::accepted(post("X: \r\nX: a\r\nX: b, c\r\nY: \u{ff}\r\n"));

    let view = FieldsView { fields: &request.head.fields, bytes: &request.bytes };

    assert_eq!(view.first(b"x"), Some(&b""[..]));
    assert_eq!(view.first(b"y"), Some("\u{ff}".as_bytes()));
}
