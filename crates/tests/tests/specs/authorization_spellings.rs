//! B1, B2, B3: a Deny of `/admin` holds for everything that some server takes for `/admin`, whatever the path policy.

use serde_json::json;
use tests::client::{exchange, get};
use tests::scene::Scene;
use tests::upstream::Upstream;

/// Everything here was `/admin` to one server or another.
const SPELLINGS: [&str; 60] = [
    "/admin",
    "/admin/",
    "/admin//",
    "/admin?",
    "/admin?x=1",
    "/Admin",
    "/ADMIN",
    "/aDmIn/",
    "//admin",
    "///admin",
    "/./admin",
    "/admin/.",
    "/admin/./",
    "/x/../admin",
    "/x/y/../../admin",
    "/admin/x/..",
    "/../admin",
    "/%2e/admin",
    "/x/%2e%2e/admin",
    "/x/.%2e/admin",
    "/x/%2e./admin",
    "/%61dmin",
    "/%41dmin",
    "/adm%69n",
    "/admi%6E",
    "/%61%64%6d%69%6e",
    "/%2fadmin",
    "/%2Fadmin",
    "/%2f%2fadmin",
    "/\\admin",
    "/%5cadmin",
    "/%5Cadmin",
    "/x\\..\\admin",
    "/x%5c..%5cadmin",
    "/x%2f..%2fadmin",
    "/admin%2f",
    "/admin%2F",
    "/admin%5c",
    "/admin\\",
    "/admin;",
    "/admin;x=1",
    "/admin;x=1/",
    "/admin;a;b",
    "/;x/admin",
    "/x;y/../admin",
    "/x/..;/admin",
    "/public/..;/admin",
    "/%2561dmin",
    "/%252e%252e/admin",
    "/%252fadmin",
    "/admin%252f",
    "/admin%3bx",
    "/admin%3Bx=1",
    "/admin/;x",
    "/admin/;/",
    "/.;/admin",
    "/%c0%afadmin",
    "/x/%c0%ae%c0%ae/admin",
    "/admin%00",
    "/admin%09",
];

#[tokio::test]
async fn no_spelling_of_a_denied_path_reaches_the_upstream() {
    for policy in ["Reject", "Redirect", "Decode", "Keep"] {
        let upstream = Upstream::recording().await;
        let mut scene = Scene::forwarding(&upstream);
        scene.parameters(json!({ "pathPolicy": policy }));
        scene.policy("closed", json!({ "action": "Deny", "rules": [{ "to": [{ "paths": ["/admin"] }] }] }));
        let gateway = scene.start().await;

        for spelling in SPELLINGS {
            let answer = exchange(gateway.entry, get("a.example", spelling, "")).await.expect("an answer");
            assert!(matches!(answer.status, 308 | 400 | 403), "{policy} {spelling}: {}", answer.status);
        }
        assert_eq!(upstream.lines(), [""; 0], "{policy}");
        for open in ["/", "/administrator", "/x/admin", "/admin/users", "/public"] {
            let answer = exchange(gateway.entry, get("a.example", open, "")).await.expect("an answer");
            assert_eq!(answer.status, 200, "{policy} {open}");
        }
    }
}

#[tokio::test]
async fn an_allow_of_a_path_is_no_wider_than_its_letters() {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::forwarding(&upstream);
    scene.parameters(json!({ "pathPolicy": "Keep" }));
    scene.policy("open", json!({ "action": "Allow", "rules": [{ "to": [{ "paths": ["/admin"] }] }] }));
    let gateway = scene.start().await;

    for spelling in
        ["/Admin", "/admin/", "//admin", "/admin;x=1", "/%2Fadmin", "/\\admin", "/%2561dmin", "/admin%2F"]
    {
        let answer = exchange(gateway.entry, get("a.example", spelling, "")).await.expect("an answer");
        assert_eq!(answer.status, 403, "{spelling}");
    }
    let answer = exchange(gateway.entry, get("a.example", "/%61dmin?x", "")).await.expect("an answer");
    assert_eq!(answer.status, 200, "one spelling, whatever it was sent as");
}
