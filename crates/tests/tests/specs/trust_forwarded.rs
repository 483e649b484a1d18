//! C1, C2: who is believed about the client, and what nobody outside may say.

use crate::stage::{HOST, Stage};
use serde_json::json;
use tests::broken::{Broken, same};
use tests::client::{RawClient, get};
use tests::recorded::Recorded;

async fn behind(hops: u8) -> Stage {
    Stage::with_parameters(json!({ "trustedHops": hops })).await
}

async fn seen(stage: &Stage, lines: &str) -> Recorded {
    stage.forwarded(get(HOST, "/", lines)).await.expect("forwarded")
}

#[tokio::test]
async fn without_trusted_hops_the_gateway_says_what_it_saw_itself() {
    let stage = behind(0).await;

    let seen = seen(
        &stage,
        "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: bank.example\r\nX-Forwarded-Port: 443\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\n",
    )
    .await;

    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert!(matches!(seen.header("x-forwarded-host"), None | Some(HOST)), "{:?}", seen.headers);
    for name in ["forwarded", "x-real-ip", "x-forwarded-port"] {
        let left = seen.header_all(name);
        assert!(
            left.iter().all(|value| !value.contains("1.2.3.4") && !value.contains("443")),
            "{name}: {left:?}"
        );
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_reported_as_well() {
    let stage = behind(0).await;

    let seen = seen(&stage, "").await;

    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
}

#[tokio::test]
async fn with_one_trusted_hop_its_word_is_carried_and_ours_is_added() {
    let stage = behind(1).await;

    let seen = seen(
        &stage,
        "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n",
    )
    .await;

    let chain = seen.header("x-forwarded-for").expect("a chain");
    assert!(chain.ends_with("1.2.3.4, 127.0.0.1"), "{chain}");
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.example"));
}

#[tokio::test]
async fn the_client_in_the_log_is_the_one_the_outermost_trusted_hop_saw() {
    let vectors = [
        (0, "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 5.6.7.8\r\n", "127.0.0.1"),
        (1, "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 5.6.7.8\r\n", "5.6.7.8"),
        (2, "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 5.6.7.8\r\n", "1.2.3.4"),
        (
            2,
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\n",
            "1.2.3.4",
        ),
    ];
    for (hops, lines, client) in vectors {
        let stage = behind(hops).await;

        stage.get("/logged", lines).await;

        let line = stage.gateway.logged("the request", |line| line["path"] == "/logged").await;
        let logged = line["client"].as_str().unwrap_or_default();
        assert!(logged.starts_with(client), "{hops} hops: {line}");
    }
}

#[tokio::test]
async fn a_chain_that_is_nonsense_or_endless_does_no_harm() {
    let stage = behind(2).await;
    let endless = format!("X-Forwarded-For: {}\r\n", ["10.0.0.1"; 200].join(", "));
    let vectors = [
        "X-Forwarded-For: fe80::1%eth0\r\n",
        "X-Forwarded-For: \"1.2.3.4\"\r\n",
        "X-Forwarded-For: [::1]:443, 1.2.3.4:5\r\n",
        "X-Forwarded-For: unknown\r\n",
        "X-Forwarded-For: \r\n",
        "X-Forwarded-For: ,,,\r\n",
        "X-Forwarded-For: <script>\r\n",
        "X-Forwarded-Proto: gopher\r\n",
        "X-Forwarded-Host: a b\r\n",
        endless.as_str(),
    ];
    let mut broken = Broken::new();
    for lines in vectors {
        let result = match stage.forwarded(get(HOST, "/", lines)).await {
            Ok(seen) if !seen.header("x-forwarded-for").is_some_and(|chain| chain.ends_with("127.0.0.1")) => {
                Err(format!("our own observation is missing: {:?}", seen.header_all("x-forwarded-for")))
            }
            Ok(seen) => same("protocols", &seen.header_all("x-forwarded-proto").len(), &1),
            Err(problem) if problem.contains("400") => Ok(()),
            Err(problem) => Err(problem),
        };
        broken.note(&lines[..lines.len().min(60)], result);
    }
    broken.note("bystander", stage.bystander().await);
    broken.none();
}

const VOUCHED: [&str; 8] = [
    "X-Forwarded-Client-Cert",
    "X-Spiffe-Id",
    "X-Consumer-Id",
    "X-Consumer-Username",
    "X-Consumer-Groups",
    "X-Selvedge-Identity",
    "X-Envoy-Internal",
    "X-Envoy-External-Address",
];

#[tokio::test]
async fn fields_that_vouch_for_an_identity_are_stripped_from_strangers() {
    let stage = behind(0).await;
    let mut broken = Broken::new();
    for name in VOUCHED {
        for spelling in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            let seen = seen(&stage, &format!("{spelling}: spiffe://evil\r\n{spelling}: again\r\n")).await;
            broken.note(&spelling, same("values", &seen.header_all(name), &Vec::<&str>::new()));
        }
    }
    broken.none();
}

#[tokio::test]
async fn vouching_fields_are_stripped_from_http2_as_well() {
    let stage = behind(0).await;
    let mut client = tests::h2_client::H2Client::connect(stage.gateway.entry).await;
    let mut request = tests::h2_client::request("GET", HOST, "/h2");
    for name in VOUCHED {
        let name = http::HeaderName::try_from(name).expect("a valid name");
        request.headers_mut().insert(name, http::HeaderValue::from_static("spiffe://evil"));
    }
    request.headers_mut().insert("x-forwarded-for", http::HeaderValue::from_static("1.2.3.4"));

    let answer = client.exchange(request, b"", None).await.expect("an answer");

    assert_eq!(answer.status, 200);
    let seen = stage.upstream.last();
    assert!(VOUCHED.iter().all(|name| seen.header_all(name).is_empty()), "{:?}", seen.headers);
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
}

#[tokio::test]
async fn the_protocol_reported_is_the_one_that_was_spoken() {
    let authority = tests::certificates::Authority::new();
    let upstream = tests::upstream::Upstream::recording().await;
    let mut scene = tests::scene::Scene::new();
    let entry = scene.https("a.example", "cert");
    scene.secret("cert", &authority.pair(&["a.example"]));
    scene.service("shop", &[upstream.address]);
    scene.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    let _gateway = scene.start().await;
    let tls = tests::tls::TlsClient::trusting(&authority, &["http/1.1"]);
    let mut client: RawClient = tls.connect(entry, HOST).await;

    client.send(get(HOST, "/", "X-Forwarded-Proto: http\r\n")).await;

    assert_eq!(client.answer().await.status, 200);
    assert_eq!(upstream.last().header("x-forwarded-proto"), Some("https"));
}
