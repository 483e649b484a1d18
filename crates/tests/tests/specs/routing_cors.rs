//! Cross-origin rules: preflights are answered here, answers are marked, strangers get nothing.

use serde_json::{Value, json};
use tests::answer::Answer;
use tests::client::{exchange, fetch_with};
use tests::gateway::Gateway;
use tests::scene::Scene;
use tests::upstream::Upstream;

async fn with_cors(cors: Value) -> (Gateway, Upstream) {
    let upstream = Upstream::recording().await;
    let mut scene = Scene::new();
    scene.http();
    scene.service("shop", &[upstream.address]);
    scene.route(
        "all",
        json!({ "rules": [{
        "filters": [{ "type": "CORS", "cors": cors }],
        "backendRefs": [{ "name": "shop", "port": 80 }],
    }] }),
    );
    (scene.start().await, upstream)
}

async fn preflight(gateway: &Gateway, origin: &str, method: &str, headers: &str) -> Answer {
    let bytes = format!(
        "OPTIONS /api HTTP/1.1\r\nHost: h\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: {method}\r\n{headers}\r\n"
    );
    exchange(gateway.entry, bytes).await.expect("an answer")
}

fn ordinary() -> Value {
    json!({
        "allowOrigins": ["https://app.example", "https://*.shop.example"],
        "allowMethods": ["GET", "PUT"],
        "allowHeaders": ["X-Token", "Content-Type"],
        "exposeHeaders": ["X-Total"],
        "allowCredentials": true,
        "maxAge": 600,
    })
}

#[tokio::test]
async fn a_preflight_from_an_allowed_origin_is_answered_without_asking_the_upstream() {
    let (gateway, upstream) = with_cors(ordinary()).await;

    for origin in ["https://app.example", "https://a.shop.example"] {
        let answer = preflight(&gateway, origin, "PUT", "Access-Control-Request-Headers: x-token\r\n").await;

        assert!(answer.status == 200 || answer.status == 204, "{}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        assert!(answer.header("access-control-allow-methods").is_some_and(|all| all.contains("PUT")));
        let allowed = answer.header("access-control-allow-headers").unwrap_or_default().to_lowercase();
        assert!(allowed.contains("x-token"), "{allowed}");
        assert!(answer.header_all("vary").join(",").to_lowercase().contains("origin"));
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn a_preflight_from_a_stranger_allows_nothing() {
    let (gateway, upstream) = with_cors(ordinary()).await;

    for origin in [
        "https://evil.example",
        "http://app.example",
        "https://app.example.evil.test",
        "https://shop.example",
        "null",
        "https://xshop.example",
    ] {
        let answer = preflight(&gateway, origin, "PUT", "").await;

        assert_eq!(answer.header_all("access-control-allow-origin"), Vec::<&str>::new(), "{origin}");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn an_ordinary_request_is_carried_and_its_answer_marked() {
    let (gateway, _upstream) = with_cors(ordinary()).await;

    let friend = fetch_with(gateway.entry, "h", "/api", "Origin: https://app.example\r\n").await;
    let stranger = fetch_with(gateway.entry, "h", "/api", "Origin: https://evil.example\r\n").await;
    let same_origin = fetch_with(gateway.entry, "h", "/api", "").await;

    assert_eq!(friend.text(), "GET /api");
    assert_eq!(friend.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(friend.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(
        friend.header("access-control-expose-headers").map(str::to_lowercase).as_deref(),
        Some("x-total")
    );
    assert_eq!((stranger.status, stranger.header_all("access-control-allow-origin").len()), (200, 0));
    assert_eq!((same_origin.status, same_origin.header_all("access-control-allow-origin").len()), (200, 0));
}

#[tokio::test]
async fn a_star_never_meets_credentials() {
    let star = json!({ "allowOrigins": ["*"], "allowMethods": ["*"], "allowHeaders": ["*"] });
    let (gateway, _upstream) = with_cors(star).await;
    let open =
        preflight(&gateway, "https://any.example", "DELETE", "Access-Control-Request-Headers: x-a, x-b\r\n")
            .await;
    assert_eq!(open.header("access-control-allow-origin"), Some("*"));
    assert_eq!(open.header_all("access-control-allow-credentials"), Vec::<&str>::new());

    let star = json!({ "allowOrigins": ["*"], "allowMethods": ["*"], "allowHeaders": ["*"], "allowCredentials": true });
    let (gateway, _upstream) = with_cors(star).await;
    let closed =
        preflight(&gateway, "https://any.example", "DELETE", "Access-Control-Request-Headers: x-a, x-b\r\n")
            .await;
    assert_eq!(closed.header("access-control-allow-origin"), Some("https://any.example"));
    assert_eq!(closed.header("access-control-allow-credentials"), Some("true"));
    assert!(
        closed
            .header("access-control-allow-methods")
            .is_some_and(|all| all.contains("DELETE") && !all.contains('*'))
    );
    let headers = closed.header("access-control-allow-headers").unwrap_or_default().to_lowercase();
    assert!(headers.contains("x-a") && headers.contains("x-b"), "{headers}");
}

#[tokio::test]
async fn options_that_is_no_preflight_belongs_to_the_upstream() {
    let (gateway, upstream) = with_cors(ordinary()).await;

    let answer =
        exchange(gateway.entry, "OPTIONS /api HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("an answer");

    assert_eq!(answer.text(), "OPTIONS /api");
    assert_eq!(upstream.requests().len(), 1);
}
