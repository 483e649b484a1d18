//! What a field name means to a proxy, decided once per field.
//!
//! By length first, then by one comparison of known length: a browser's dozen names cost a few instructions
//! each, and there is no hash to attack.

use super::Known;

/// Classifies a lower-case name. HTTP/2 uses it as well, so that one list is the only list.
#[inline]
#[must_use]
pub fn classify(name: &[u8]) -> Known {
    let known = match name.len() {
        2 if name == b"te" => Known::Te,
        4 if name == b"host" => Known::Host,
        6 if name == b"expect" => Known::Expect,
        6 if name == b"origin" => Known::Origin,
        7 if name == b"upgrade" => Known::Upgrade,
        7 if name == b"trailer" => Known::Trailer,
        9 if name == b"forwarded" => Known::Vouched,
        10 if name == b"connection" => Known::Connection,
        10 if name == b"user-agent" => Known::UserAgent,
        10 if name == b"keep-alive" => Known::HopByHop,
        10 if name == b"tracestate" => Known::Trace,
        11 if name == b"traceparent" => Known::Trace,
        12 if name == b"content-type" => Known::ContentType,
        12 if name == b"grpc-timeout" => Known::GrpcTimeout,
        12 if name == b"x-request-id" => Known::RequestId,
        14 if name == b"content-length" => Known::ContentLength,
        14 if name == b"http2-settings" => Known::Http2Settings,
        15 if name == b"x-forwarded-for" => Known::ForwardedFor,
        16 if name == b"x-forwarded-host" => Known::ForwardedHost,
        16 if name == b"selvedge-attempt" => Known::Hop,
        16 if name == b"proxy-connection" => Known::HopByHop,
        17 if name == b"transfer-encoding" => Known::TransferEncoding,
        17 if name == b"x-forwarded-proto" => Known::ForwardedProto,
        19 if name == b"selvedge-timeout-ms" => Known::Hop,
        _ => Known::Other,
    };
    if known == Known::Other && name.starts_with(b"x-") && is_vouched(&name[2..]) {
        return Known::Vouched;
    }
    known
}

/// Fields by which a proxy in front of an application tells it who the client is or what it asked for. All of
/// `x-forwarded-*` is among them, and so are the fields by which some frameworks replace the path.
fn is_vouched(after_x: &[u8]) -> bool {
    match after_x.first() {
        Some(b'f') => after_x.starts_with(b"forwarded-"),
        Some(b'e') => after_x.starts_with(b"envoy-"),
        Some(b'c') => after_x.starts_with(b"consumer-"),
        Some(b's') => after_x.starts_with(b"selvedge-") || after_x == b"spiffe-id",
        Some(b'r') => after_x == b"real-ip" || after_x == b"rewrite-url",
        Some(b'o') => after_x == b"original-url" || after_x == b"original-host",
        _ => false,
    }
}

/// The longest name that [`reads_as_trusted`] has to spell out; longer ones are only compared by their start.
const ALIAS_BYTES: usize = 32;

/// Whether a name with underscores is, to a server that reads `_` as `-`, a field that frames the message or
/// vouches for the client. Such an alias is not let through under any policy.
pub(crate) fn reads_as_trusted(name: &[u8]) -> bool {
    let mut dashed = [0; ALIAS_BYTES];
    let length = name.len().min(ALIAS_BYTES);
    for (to, from) in dashed.iter_mut().zip(name) {
        *to = if *from == b'_' { b'-' } else { *from };
    }
    match classify(&dashed[..length]) {
        Known::Other | Known::ContentType | Known::UserAgent | Known::Origin | Known::GrpcTimeout => false,
        Known::Host
        | Known::Connection
        | Known::ContentLength
        | Known::TransferEncoding
        | Known::Te
        | Known::Trailer
        | Known::Upgrade
        | Known::HopByHop
        | Known::Listed
        | Known::Expect
        | Known::ForwardedFor
        | Known::ForwardedProto
        | Known::ForwardedHost
        | Known::Vouched
        | Known::RequestId
        | Known::Trace
        | Known::Hop
        | Known::Http2Settings => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_with_a_meaning_is_known_by_it_and_no_other() {
        #[rustfmt::skip]
        let table: &[(&str, Known)] = &[
            ("te", Known::Te), ("host", Known::Host), ("expect", Known::Expect), ("origin", Known::Origin),
            ("upgrade", Known::Upgrade), ("trailer", Known::Trailer), ("forwarded", Known::Vouched),
            ("connection", Known::Connection), ("user-agent", Known::UserAgent), ("keep-alive", Known::HopByHop),
            ("proxy-connection", Known::HopByHop), ("traceparent", Known::Trace), ("tracestate", Known::Trace),
            ("content-type", Known::ContentType), ("x-request-id", Known::RequestId),
            ("content-length", Known::ContentLength), ("http2-settings", Known::Http2Settings),
            ("x-forwarded-for", Known::ForwardedFor), ("x-forwarded-host", Known::ForwardedHost),
            ("x-forwarded-proto", Known::ForwardedProto), ("transfer-encoding", Known::TransferEncoding),
            ("selvedge-timeout-ms", Known::Hop), ("selvedge-attempt", Known::Hop),
            ("grpc-timeout", Known::GrpcTimeout),
            ("x-forwarded-port", Known::Vouched), ("x-forwarded-client-cert", Known::Vouched),
            ("x-forwarded-prefix", Known::Vouched), ("x-real-ip", Known::Vouched),
            ("x-envoy-original-path", Known::Vouched), ("x-consumer-id", Known::Vouched),
            ("x-spiffe-id", Known::Vouched), ("x-selvedge-anything", Known::Vouched),
            ("x-original-url", Known::Vouched), ("x-rewrite-url", Known::Vouched),
            ("x-http-method-override", Known::Other), ("accept", Known::Other), ("cookie", Known::Other),
            ("hosts", Known::Other), ("x-forwarded", Known::Other), ("x-", Known::Other), ("", Known::Other),
            ("content-lengtg", Known::Other), ("x-consumer", Known::Other),
        ];

        for (name, known) in table {
            assert_eq!(classify(name.as_bytes()), *known, "{name}");
        }
    }

    #[test]
    fn an_underscore_does_not_hide_a_trusted_name() {
        for alias in
            ["x_forwarded_for", "x-forwarded_for", "content_length", "x_consumer_id", "transfer_encoding"]
        {
            assert!(reads_as_trusted(alias.as_bytes()), "{alias}");
        }
        let long = format!("x_envoy_{}", "a".repeat(100));
        assert!(reads_as_trusted(long.as_bytes()));
        for own in ["x_tenant", "user_agent", "content_type", "a_b"] {
            assert!(!reads_as_trusted(own.as_bytes()), "{own}");
        }
    }
}
