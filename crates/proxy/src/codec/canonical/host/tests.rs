use super::*;

fn canonical(text: &str) -> Result<(String, Option<u16>, String), Failure> {
    let mut bytes = text.as_bytes().to_vec();
    let authority = host(&mut bytes)?;
    let text = |length| String::from_utf8(bytes[..length].to_vec()).unwrap();
    Ok((text(authority.host), authority.port, text(authority.length)))
}

#[test]
fn a_host_has_one_spelling() {
    for (text, name, port, whole) in [
        ("a", "a", None, "a"),
        ("Shop.EXAMPLE", "shop.example", None, "shop.example"),
        ("shop.example.", "shop.example", None, "shop.example"),
        ("shop.example.:80", "shop.example", Some(80), "shop.example:80"),
        ("a_b-c.d:65535", "a_b-c.d", Some(65535), "a_b-c.d:65535"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", None, "xn--bcher-kva.example"),
        ("127.0.0.1:8080", "127.0.0.1", Some(8080), "127.0.0.1:8080"),
        ("127.0.0.1.", "127.0.0.1", None, "127.0.0.1"),
        ("1a.de", "1a.de", None, "1a.de"),
        ("1.2.3.4.example", "1.2.3.4.example", None, "1.2.3.4.example"),
        ("0xyz", "0xyz", None, "0xyz"),
        ("[::1]", "[::1]", None, "[::1]"),
        ("[0:0:0:0:0:0:0:1]:443", "[::1]", Some(443), "[::1]:443"),
        ("[2001:DB8::00A]", "[2001:db8::a]", None, "[2001:db8::a]"),
        ("[2001:db8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]", None, "[2001:db8::1:0:0:1]"),
        ("[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", None, "[::ffff:1.2.3.4]"),
    ] {
        assert_eq!(canonical(text), Ok((name.into(), port, whole.into())), "{text}");
        assert_eq!(canonical(whole), Ok((name.into(), port, whole.into())), "{whole} again");
    }
}

#[test]
fn what_is_no_host_or_two_is_refused() {
    for text in [
        "",
        ".",
        "..",
        ".a",
        "a..b",
        "a..",
        ":80",
        "a:",
        "a:0",
        "a:080",
        "a:65536",
        "a:99999",
        "a:123456",
        "a:+80",
        "a:8 0",
        "a: 80",
        "a:80:80",
        "a:80/",
        "a b",
        " a",
        "a ",
        "a,b",
        "a/",
        "a\\b",
        "a?b",
        "a#b",
        "u@a",
        "a%2e",
        "a%00",
        "é",
        "a\0",
        "a\t",
        "a;b",
        "a=b",
        "a~b",
        "a!b",
        "*",
        "*.a",
        "<a>",
        "\"a\"",
        "[",
        "[]",
        "[::1",
        "::1",
        "[::1]x",
        "[::1].a",
        "[::1]:",
        "[::1]80",
        "[::1%25eth0]",
        "[::1%eth0]",
        "[v1.a]",
        "[1.2.3.4]",
        "[::1]]",
        "127.1",
        "1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "a.1",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.0x4",
        "0x",
        "[::ffff:c0a8:0101]:99999",
    ] {
        assert_eq!(canonical(text), Err(Failure::BadHost), "{text:?}");
    }
}

#[test]
fn names_are_bounded_as_dns_bounds_them() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(longest.len(), 253);
    assert!(canonical(&longest).is_ok());
    assert!(canonical(&format!("{longest}.")).is_ok());
    assert_eq!(canonical(&format!("{longest}a")), Err(Failure::BadHost));
    assert_eq!(canonical(&format!("a{label}")), Err(Failure::BadHost));
    assert_eq!(canonical(&format!("a{label}.b")), Err(Failure::BadHost));
}

proptest::proptest! {
    #[test]
    fn a_canonical_host_stays_as_it_is(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40)) {
        let mut once = bytes.clone();
        if let Ok(authority) = host(&mut once) {
            once.truncate(authority.length);
            let mut twice = once.clone();
            proptest::prop_assert_eq!(host(&mut twice), Ok(authority));
            proptest::prop_assert_eq!(twice, once);
        }
    }

    #[test]
    fn anything_like_a_host_is_taken_or_refused_without_harm(text in "[\\[\\]a-fA-F0-9x:._-]{0,40}") {
        let mut once = text.clone().into_bytes();
        if let Ok(authority) = host(&mut once) {
            once.truncate(authority.length);
            let mut twice = once.clone();
            proptest::prop_assert_eq!(host(&mut twice), Ok(authority));
            proptest::prop_assert_eq!(twice, once);
        }
    }
}
