use super::*;
use proptest::prelude::*;

const POLICIES: [PathPolicy; 4] =
    [PathPolicy::Reject, PathPolicy::Redirect, PathPolicy::Decode, PathPolicy::Keep];

fn canonical(text: &str, policy: PathPolicy) -> Result<String, Failure> {
    let mut bytes = text.as_bytes().to_vec();
    let canonical = path(&mut bytes, policy)?;
    bytes.truncate(canonical.length);
    let result = String::from_utf8(bytes).unwrap();
    assert_eq!(canonical.changed, result != text, "`changed` of {text:?}");
    Ok(result)
}

/// What an entry of the tables expects.
#[derive(Clone, Copy, Debug)]
enum Is {
    Path(&'static str),
    Refused,
}
use Is::{Path, Refused};

/// Expectations under `Reject`, under `Redirect` and `Decode`, and under `Keep`.
#[track_caller]
fn check(text: &str, reject: Is, decode: Is, keep: Is) {
    for (policy, expected) in POLICIES.into_iter().zip([reject, decode, decode, keep]) {
        let expected = match expected {
            Path(path) => Ok(path.to_owned()),
            Refused => Err(Failure::AmbiguousPath),
        };
        assert_eq!(canonical(text, policy), expected, "{text:?} under {policy:?}");
    }
}

#[test]
fn plain_paths_stay_as_they_are() {
    for text in [
        "/",
        "/a",
        "/a/",
        "/a/b.c",
        "/a.",
        "/a..",
        "/a../b",
        "/...",
        "/.../a",
        "/.a",
        "/..a",
        "/a/.well-known/b",
        "/a;b=c/d",
        "/;",
        "/a:b@c!$&'()*+,=",
        "/~user/-_",
        "/a|b{c}^`\"<>",
        "/C%C3%A9",
        "/%20",
        "/%3B",
        "/%3F%23",
        "/%25",
        "/%25a",
        "/%2541",
        "/%E9",
        "/%C0x",
        "/%FF",
        "/%E0%A0%80",
        "/%F0%9F%98%80",
    ] {
        check(text, Path(text), Path(text), Path(text));
    }
}

#[test]
fn equal_spellings_become_one_under_every_policy() {
    for (text, one) in [
        ("/%61dmin", "/admin"),
        ("/%41%5a%7e%2D%5F%30", "/AZ~-_0"),
        ("/a%2eb", "/a.b"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/../", "/a/"),
        ("/a/.", "/a/"),
        ("/.", "/"),
        ("/./", "/"),
        ("/a/..", "/"),
        ("/a/b/../../c", "/c"),
        ("/a/b/c/./../../g", "/a/g"),
        ("/%3b", "/%3B"),
    ] {
        check(text, Path(one), Path(one), Path(one));
    }
}

#[test]
fn what_servers_read_differently_is_refused_or_settled() {
    #[rustfmt::skip]
    let table = [
        ("/a//b",               Refused, Path("/a/b"),     Path("/a//b")),
        ("//a",                 Refused, Path("/a"),       Path("//a")),
        ("//",                  Refused, Path("/"),        Path("//")),
        ("/a//",                Refused, Path("/a/"),      Path("/a//")),
        ("/a%2fb",              Refused, Path("/a/b"),     Path("/a%2Fb")),
        ("/%2Fa",               Refused, Path("/a"),       Path("/%2Fa")),
        ("/a%2F",               Refused, Path("/a/"),      Path("/a%2F")),
        ("/a%5cb",              Refused, Path("/a/b"),     Path("/a%5Cb")),
        ("/a\\b",               Refused, Path("/a/b"),     Path("/a\\b")),
        ("/%2e",                Refused, Path("/"),        Path("/")),
        ("/a/%2e%2E/b",         Refused, Path("/b"),       Path("/b")),
        ("/a/.%2e/b",           Refused, Path("/b"),       Path("/b")),
        ("/a/%2e./b",           Refused, Path("/b"),       Path("/b")),
        ("/..",                 Refused, Path("/"),        Path("/")),
        ("/../a",               Refused, Path("/a"),       Path("/a")),
        ("/a/../../b",          Refused, Path("/b"),       Path("/b")),
        ("/a/..%2fb",           Refused, Path("/b"),       Refused),
        ("/a%2f../b",           Refused, Path("/b"),       Refused),
        ("/a%2f..%2fb",         Refused, Path("/b"),       Refused),
        ("/a\\..\\b",           Refused, Path("/b"),       Refused),
        ("/a/..\\b",            Refused, Path("/b"),       Refused),
        ("/a%5c.",              Refused, Path("/a/"),      Refused),
        ("/a//../b",            Refused, Path("/b"),       Refused),
        ("/a%2fb/../c",         Refused, Path("/a/c"),     Refused),
        ("/a\\b/../c",          Refused, Path("/a/c"),     Refused),
        ("/a/%252e%252e/b",     Refused, Refused,          Path("/a/%252e%252e/b")),
        ("/a%252fb",            Refused, Refused,          Path("/a%252fb")),
        ("/a%255cb",            Refused, Refused,          Path("/a%255cb")),
        ("/a%2500",             Refused, Refused,          Path("/a%2500")),
        ("/a%25252e",           Refused, Refused,          Path("/a%25252e")),
        ("/a%25%32%65",         Refused, Refused,          Path("/a%252e")),
        ("/a/..;/b",            Refused, Refused,          Refused),
        ("/a/..;x=1/b",         Refused, Refused,          Refused),
        ("/a/.;/b",             Refused, Refused,          Refused),
        ("/a/..%3b/b",          Refused, Refused,          Refused),
        ("/a/%2e%2e;/b",        Refused, Refused,          Refused),
        ("/a/..;",              Refused, Refused,          Refused),
        ("/a%2f..;%2fb",        Refused, Refused,          Refused),
        ("/a%00",               Refused, Refused,          Refused),
        ("/a%0d%0aX:y",         Refused, Refused,          Refused),
        ("/a%09",               Refused, Refused,          Refused),
        ("/a%7f",               Refused, Refused,          Refused),
        ("/a%",                 Refused, Refused,          Refused),
        ("/a%2",                Refused, Refused,          Refused),
        ("/a%zz",               Refused, Refused,          Refused),
        ("/a%u002e",            Refused, Refused,          Refused),
        ("/a%%32e",             Refused, Refused,          Refused),
        ("/%c0%ae%c0%ae/b",     Refused, Refused,          Refused),
        ("/a%c0%af",            Refused, Refused,          Refused),
        ("/a%C1%9C",            Refused, Refused,          Refused),
        ("/a%e0%80%af",         Refused, Refused,          Refused),
        ("/a%f0%80%80%af",      Refused, Refused,          Refused),
        ("/a%f8%80%80%80%af",   Refused, Refused,          Refused),
    ];

    for (text, reject, decode, keep) in table {
        check(text, reject, decode, keep);
    }
}

#[test]
fn what_is_no_path_is_no_target() {
    for text in
        ["", "a", "*", "?", "a/b", "/a b", "/a\t", "/a\0", "/a\u{7f}", "/é", "/a?b", "/a#b", "%2fa", "\\a"]
    {
        for policy in POLICIES {
            assert_eq!(canonical(text, policy), Err(Failure::BadTarget), "{text:?}");
        }
    }
}

/// Spellings that one server or another serves as `/admin` or as something below it.
const ADMIN: &[&str] = &[
    "/admin",
    "/admin/",
    "/admin/users",
    "//admin",
    "///admin",
    "/./admin",
    "/././admin",
    "/.//admin",
    "/admin/.",
    "/admin/./",
    "/admin//",
    "/admin/x/..",
    "/admin//x",
    "/x/../admin",
    "/x/y/../../admin",
    "/x/./../admin",
    "/../admin",
    "/../../admin",
    "/x/../../admin",
    "/%61dmin",
    "/%61%64%6d%69%6e",
    "/a%64min",
    "/admi%6e",
    "/%61dmin/",
    "/%2e/admin",
    "/%2E/admin",
    "/x/%2e%2e/admin",
    "/x/%2E%2E/admin",
    "/x/.%2e/admin",
    "/x/%2e./admin",
    "/%2e%2e/admin",
    "/%2fadmin",
    "/%2Fadmin",
    "/%2f%2fadmin",
    "/admin%2f",
    "/admin%2fusers",
    "/admin%2Fusers",
    "/x%2f..%2fadmin",
    "/x/..%2fadmin",
    "/x%2f../admin",
    "/x%2F%2e%2e%2Fadmin",
    "/\\admin",
    "/admin\\",
    "\\admin",
    "/admin\\users",
    "/x\\..\\admin",
    "/x/..\\admin",
    "/x\\../admin",
    "/%5cadmin",
    "/admin%5c",
    "/admin%5Cusers",
    "/x%5c..%5cadmin",
    "/x/..%5cadmin",
    "/x//../admin",
    "/x%2fy/../../admin",
    "/x/..;/admin",
    "/x/..;a=b/admin",
    "/.;/admin",
    "/x/%2e%2e;/admin",
    "/x/..%3b/admin",
    "/..;/admin",
    "/%252e/admin",
    "/x/%252e%252e/admin",
    "/x/%252e%252e%252fadmin",
    "/%252fadmin",
    "/admin%252fusers",
    "/%c0%ae/admin",
    "/x/%c0%ae%c0%ae/admin",
    "/x/%c0%ae%c0%ae%c0%afadmin",
    "/%c0%afadmin",
    "/x/%e0%80%ae%e0%80%ae/admin",
    "/admin%00",
    "/admin%00.html",
    "/%00/admin",
    "/admin%",
    "/admin%0a",
    "/admin%0d%0a",
    "/admin%09",
    "/admin%7f",
    "/%u0061dmin",
    "/admin#x",
    "/x/%%32%65%%32%65/admin",
    "/%25%32%65/admin",
    "/admin/%2e",
    "/admin%2f..%2fadmin",
    "http://h/admin",
];

/// What `Keep` leaves to the upstream by its meaning: a slash that is doubled or escaped is data there.
const LEFT_BY_KEEP: &[&str] = &[
    "//admin",
    "///admin",
    "/.//admin",
    "/%2fadmin",
    "/%2Fadmin",
    "/%2f%2fadmin",
    "/admin%2f",
    "/admin%2fusers",
    "/admin%2Fusers",
    "/\\admin",
    "/admin\\",
    "/admin\\users",
    "/%5cadmin",
    "/admin%5c",
    "/admin%5Cusers",
    "/%252e/admin",
    "/x/%252e%252e/admin",
    "/x/%252e%252e%252fadmin",
    "/%252fadmin",
    "/admin%252fusers",
    "/%25%32%65/admin",
];

#[test]
fn a_rule_on_admin_holds_for_every_spelling_of_it() {
    assert!(ADMIN.len() >= 60);
    let is_below = |path: &str| path == "/admin" || path.starts_with("/admin/");

    for policy in POLICIES {
        for &spelling in ADMIN {
            let holds = canonical(spelling, policy).map_or(true, |path| is_below(&path));
            let is_left = policy == PathPolicy::Keep && LEFT_BY_KEEP.contains(&spelling);
            assert_eq!(holds, !is_left, "{spelling} under {policy:?}");
        }
    }
}

/// A slow second opinion on the fast path: segments by splitting.
fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| segment == "." || segment == "..")
}

fn twisted_path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/"),
        Just("//"),
        Just("."),
        Just(".."),
        Just("a"),
        Just("%2e"),
        Just("%2F"),
        Just("%5c"),
        Just("\\"),
        Just(";"),
        Just("%3b"),
        Just("%25"),
        Just("%61"),
        Just("%c3%a9"),
        Just("2e"),
        Just("%"),
        Just("%c0"),
        Just("%ae"),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_canonical_path_is_stable_and_free_of_dot_segments(text in twisted_path(), policy in 0..4_usize) {
        let policy = POLICIES[policy];
        if let Ok(once) = canonical(&text, policy) {
            prop_assert!(once.starts_with('/') && once.len() <= text.len());
            prop_assert!(!has_dot_segment(&once), "{text} became {once}");
            prop_assert_eq!(canonical(&once, policy), Ok(once.clone()), "from {}", text);
            // What the strictest policy lets through means the same under all the others.
            if policy == PathPolicy::Reject {
                for other in POLICIES {
                    prop_assert_eq!(canonical(&text, other), Ok(once.clone()));
                }
            }
            if policy != PathPolicy::Keep {
                prop_assert!(!once.contains("//") && !once.contains('\\') && !once.contains("%2F"));
            }
        }
    }

    #[test]
    fn any_bytes_are_taken_or_refused_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..60), policy in 0..4_usize) {
        let mut buffer = bytes.clone();
        if let Ok(canonical) = path(&mut buffer, POLICIES[policy]) {
            prop_assert!(canonical.length <= bytes.len());
            prop_assert!(buffer[..canonical.length].iter().all(|byte| (0x21..0x7f).contains(byte)));
        }
    }

    #[test]
    fn the_quick_look_agrees_with_the_long_one(text in twisted_path()) {
        if is_plain(text.as_bytes()) {
            for policy in POLICIES {
                let mut bytes = text.clone().into_bytes();
                let rewriter = Rewriter {
                    bytes: &mut bytes, policy, read: 1, write: 1, segment: 1, piece: 1, dot_escaped: false, changed: false,
                };
                prop_assert_eq!(rewriter.run(), Ok(Canonical { length: text.len(), changed: false }));
            }
        }
    }
}
