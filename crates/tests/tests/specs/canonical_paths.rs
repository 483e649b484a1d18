//! B1, B2: a rule on `/admin` holds for every spelling that some server would serve as `/admin`.
//!
//! The rule is a redirect. The judge reads a forwarded target as the laxest origin would: decoded, with `\`
//! as `/`, with `//` as `/`, dots resolved, in either order. If any of these readings lies below `/admin`, the
//! rule was walked around.

use crate::stage::HOST;
use serde_json::json;
use tests::broken::Broken;
use tests::client::{exchange, get};
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::upstream::Upstream;

/// Sixty ways to write `/admin` or something below it.
const SPELLINGS: [&str; 60] = [
    "/admin",
    "/admin/",
    "/admin/x",
    "/./admin",
    "/x/../admin",
    "/x/./../admin",
    "/x/y/../../admin",
    "/admin/.",
    "/admin/./x",
    "/admin/x/..",
    "//admin",
    "///admin",
    "//x/../admin",
    "/x//../admin",
    "/admin//x",
    "/.//admin",
    "/%61dmin",
    "/%61%64%6d%69%6e",
    "/%61%64%6D%69%6E",
    "/a%64min/x",
    "/%2e/admin",
    "/%2E/admin",
    "/x/%2e%2e/admin",
    "/x/.%2e/admin",
    "/x/%2e./admin",
    "/x/%2E%2E/admin",
    "/%2e%2e/admin",
    "/../admin",
    "/../../admin",
    "/x/../../admin",
    "/%2fadmin",
    "/%2Fadmin",
    "/x%2f..%2fadmin",
    "/x/..%2fadmin",
    "/x%2f../admin",
    "/admin%2fx",
    "/admin%2f",
    "/%2f%2fadmin",
    "/\\admin",
    "\\admin",
    "/x\\..\\admin",
    "/x/..\\admin",
    "/admin\\x",
    "/%5cadmin",
    "/x%5c..%5cadmin",
    "/admin%5cx",
    "/%252fadmin",
    "/x/%252e%252e/admin",
    "/%25%36%31dmin",
    "/x/..;/admin",
    "/..;/admin",
    "/x/.;/admin",
    "/x/..;a=b/admin",
    "/x/%2e%2e;/admin",
    "/x/..%3b/admin",
    "/admin%00",
    "/%00/admin",
    "/%c0%afadmin",
    "/x/%c0%ae%c0%ae/admin",
    "/x/%e0%80%aeadmin",
];

async fn guarded(policy: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::new();
    scene.http();
    scene.parameters(json!({ "pathPolicy": policy }));
    scene.service("shop", &[upstream.address]);
    scene.route("all", json!({ "rules": [
        {
            "matches": [{ "path": { "type": "PathPrefix", "value": "/admin" } }],
            "filters": [{ "type": "RequestRedirect", "requestRedirect": { "statusCode": 302, "hostname": "denied.example" } }],
        },
        { "backendRefs": [{ "name": "shop", "port": 80 }] },
    ] }));
    let gateway = scene.start().await;
    (gateway, upstream)
}

/// Whether the laxest origin would serve `target` from below `/admin`.
fn reads_as_admin(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    let decoded = decode(path);
    let readings =
        [path.to_owned(), decoded.clone(), resolve(path), resolve(&decoded), decode(&resolve(path))];
    readings.iter().map(|one| resolve(one)).any(|one| one == "/admin" || one.starts_with("/admin/"))
}

fn decode(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = (first == b'%').then(|| after.get(..2)).flatten();
        let value = escape.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        bytes.push(value.unwrap_or(first));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn resolve(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        // `..;x` is `..` to servers that know path parameters.
        let bare = segment.split(';').next().unwrap_or_default();
        match if bare == "." || bare == ".." { bare } else { segment } {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    format!("/{}", kept.join("/"))
}

async fn never_walked_around(policy: &str) {
    let (gateway, upstream) = guarded(policy).await;
    let mut broken = Broken::new();
    for spelling in SPELLINGS {
        let before = upstream.requests().len();
        let answer = exchange(gateway.entry, get(HOST, spelling, "")).await;
        let result = match (&upstream.requests()[before..], answer) {
            (_, Err(problem)) => Err(problem),
            ([], Ok(answer)) if matches!(answer.status, 302 | 308 | 400) => Ok(()),
            ([], Ok(answer)) => Err(format!("answered {}", answer.status)),
            ([one, ..], _) if reads_as_admin(&one.target) => {
                Err(format!("reached the upstream as {}", one.target))
            }
            ([..], Ok(_)) => Ok(()),
        };
        broken.note(spelling, result);
    }
    broken.note("upstream", upstream.exact());
    broken.none();
}

#[test]
fn the_judge_recognises_every_spelling_it_can_be_shown() {
    let not_read =
        ["/x/.;/admin", "/%252fadmin", "/x/%252e%252e/admin", "/%25%36%31dmin", "/admin%00", "/%00/admin"];
    let overlong = |spelling: &str| spelling.contains("%c0") || spelling.contains("%e0");
    for spelling in SPELLINGS {
        let expected = !not_read.contains(&spelling) && !overlong(spelling);
        assert_eq!(reads_as_admin(spelling), expected, "{spelling}");
    }
}

#[tokio::test]
async fn no_spelling_walks_around_a_rule_when_ambiguity_is_rejected() {
    never_walked_around("Reject").await;
}

#[tokio::test]
async fn no_spelling_walks_around_a_rule_when_ambiguity_is_redirected() {
    never_walked_around("Redirect").await;
}

#[tokio::test]
async fn no_spelling_walks_around_a_rule_when_paths_are_decoded() {
    never_walked_around("Decode").await;
}

/// What becomes of a path under each policy: refused, a target the upstream sees, or a redirect to a target.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Refused,
    Seen(&'static str),
    Moved(&'static str),
}

use Fate::{Moved, Refused, Seen};

async fn fates(policy: &str, vectors: &[(&str, Fate)]) {
    let (gateway, upstream) = guarded(policy).await;
    let mut broken = Broken::new();
    for (path, fate) in vectors {
        let before = upstream.requests().len();
        let answer = match exchange(gateway.entry, get(HOST, path, "")).await {
            Ok(answer) => answer,
            Err(problem) => {
                broken.note(path, Err(problem));
                continue;
            }
        };
        let seen: Vec<String> = upstream.lines()[before..].to_vec();
        let location = answer.header("location").unwrap_or_default().to_owned();
        let result = match fate {
            Refused => {
                answer.is_failure(400, "ambiguous_path").or_else(|_| answer.is_failure(400, "bad_target"))
            }
            Seen(target) => tests::broken::same("upstream", &seen, &vec![format!("GET {target}")]),
            Moved(target) if answer.status == 308 && location.ends_with(target) && seen.is_empty() => Ok(()),
            Moved(_) => Err(format!("answered {} to {location:?}, upstream {seen:?}", answer.status)),
        };
        broken.note(path, result);
    }
    broken.none();
}

#[tokio::test]
async fn rejecting_refuses_what_can_be_read_in_two_ways_and_resolves_the_rest() {
    fates(
        "Reject",
        &[
            ("/plain", Seen("/plain")),
            ("/", Seen("/")),
            ("/a/../b", Seen("/b")),
            ("/a/./b/", Seen("/a/b/")),
            ("/%7euser", Seen("/~user")),
            ("/caf%c3%a9", Seen("/caf%C3%A9")),
            ("/a%20b", Seen("/a%20b")),
            ("/a;x=1", Seen("/a;x=1")),
            ("/a?b=/../c//%2f", Seen("/a?b=/../c//%2f")),
            ("/a//b", Refused),
            ("/a%2fb", Refused),
            ("/a%5cb", Refused),
            ("/a\\b", Refused),
            ("/%2e%2e/b", Refused),
            ("/../b", Refused),
            ("/a/..;/b", Refused),
            ("/a%00b", Refused),
            ("/a%2", Refused),
            ("/a%zzb", Refused),
            ("/a%", Refused),
            ("/a%252fb", Refused),
            ("/a%c0%afb", Refused),
        ],
    )
    .await;
}

#[tokio::test]
async fn redirecting_shows_the_client_the_one_spelling() {
    fates(
        "Redirect",
        &[
            ("/plain", Seen("/plain")),
            ("/a//b", Moved("/a/b")),
            ("/a%2fb", Moved("/a/b")),
            ("/a\\b", Moved("/a/b")),
            ("/a/%2e%2e/b", Moved("/b")),
            ("/a//b?q=1//2", Moved("/a/b?q=1//2")),
            ("/a/..;/b", Refused),
            ("/a%00b", Refused),
            ("/a%252fb", Refused),
        ],
    )
    .await;
}

#[tokio::test]
async fn decoding_sends_the_one_spelling_upstream() {
    fates(
        "Decode",
        &[
            ("/a//b", Seen("/a/b")),
            ("/a%2fb", Seen("/a/b")),
            ("/a%5Cb", Seen("/a/b")),
            ("/a/%2e%2e/b", Seen("/b")),
            ("/../b", Seen("/b")),
            ("/a/..;/b", Refused),
            ("/a%00b", Refused),
            ("/a%252fb", Refused),
        ],
    )
    .await;
}

#[tokio::test]
async fn keeping_leaves_slashes_that_are_data_and_still_resolves_dots() {
    fates(
        "Keep",
        &[
            ("/a//b", Seen("/a//b")),
            ("/a%2fb", Seen("/a%2Fb")),
            ("/a%5cb", Seen("/a%5Cb")),
            ("/a/../b", Seen("/b")),
            ("/a/%2e%2e/b", Seen("/b")),
            ("/a%2f../b", Refused),
            ("/a/..;/b", Refused),
            ("/a%00b", Refused),
        ],
    )
    .await;
}
