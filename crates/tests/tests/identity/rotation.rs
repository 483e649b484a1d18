//! Roots change places while members come and go, and a root that is distrusted is gone at once.

use std::sync::Arc;
use std::time::Duration;

use discovery::{Interest, TokenFile};
use proxy::{KeeperOptions, OnStream, Proxy, SubscribeOptions, Subscription};
use serde_json::{Value, json};
use tests::tools;
use tests::until::eventually_within;

use crate::calling::{Load, Pair};
use crate::plane::{Kept, P256, PATIENCE, Plane, cart};

fn signing(bundle: &Value) -> String {
    bundle["status"]["signing"].as_str().expect("somebody signs").to_owned()
}

fn roots(bundle: &Value) -> usize {
    bundle["spec"]["roots"].as_array().map_or(0, Vec::len)
}

/// A proxy that follows the control plane and reports, with an identity.
struct Following {
    kept: Kept,
    running: Option<(Subscription, Arc<Proxy>)>,
}

impl Following {
    /// The replica `shop/cart-1`.
    async fn start(plane: &Plane, token: TokenFile) -> Following {
        Following::keeping(plane, cart(plane, token, None)).await
    }

    async fn keeping(plane: &Plane, options: KeeperOptions) -> Following {
        let gateway: TokenFile = std::fs::read_to_string(plane.control.gateway_token())
            .expect("a token file")
            .parse()
            .expect("a token file");
        let kept = Kept::start(options.clone()).await;
        let name = options.workload.replace("shop/", "");
        let keeper = kept.keeper.clone();
        let running = tokio::task::spawn_blocking(move || {
            let proxy = Proxy::start(proxy::Options {
                workers: 1,
                admin: None,
                access_log: proxy::LogSink::Off,
                drain: Duration::from_secs(1),
                member: None,
                usage: None,
                locality: None,
                deleted_ports: proxy::DeletedPorts::Drain,
            });
            let proxy = Arc::new(proxy.expect("it starts"));
            let subscribe = SubscribeOptions {
                name,
                version: "1".to_owned(),
                controls: vec![options.controls[0].clone()],
                token: gateway,
                serve: Interest::All,
                cache: None,
                bind: std::net::Ipv4Addr::LOCALHOST.into(),
                services: proxy::ServiceBlock::default(),
                keeper,
                shows: OnStream::Token,
            };
            (Subscription::start(&proxy, subscribe, Arc::new(|_| {})).expect("it starts"), proxy)
        });
        Following { kept, running: Some(running.await.expect("it does not panic")) }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some((subscription, proxy)) = self.running.take() {
            std::thread::spawn(move || {
                subscription.stop();
                drop(proxy);
            });
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_waits_for_every_proxy_and_ends_with_the_new_root_alone() {
    let plane = Plane::start("60s").await;
    let before = plane.bundle(|_| true).await;
    let old = signing(&before);
    let proxy = Following::start(&plane, plane.token(&["--once"]).await).await;
    proxy.kept.has_had(1).await;
    assert_eq!(proxy.kept.issuer(), old);
    eventually_within(PATIENCE, "the roots to come over the stream", || {
        proxy.kept.member.standing().bundles.of("bank.example").is_some()
    })
    .await;

    let rotated = plane.run(&["mesh", "rotate", "--timeout", "55"]).await;

    assert!(rotated.success, "{}\n{}", rotated.stdout, rotated.stderr);
    assert!(rotated.stdout.contains("cart-1"), "who is waited for is named: {}", rotated.stdout);
    let after = plane.bundle(|bundle| roots(bundle) == 1).await;
    let new = signing(&after);
    assert_ne!(new, old);
    assert_eq!(proxy.kept.issuer(), new, "the certificate was renewed before the old root went");
    eventually_within(PATIENCE, "the old root to be forgotten by the proxy", || {
        let standing = proxy.kept.member.standing();
        standing.bundles.of("bank.example").is_some_and(|bundle| bundle.roots().len() == 1)
    })
    .await;
    let status = plane.run(&["mesh", "rotate", "--status"]).await;
    assert!(status.success && status.stdout.contains("no rotation is under way"), "{}", status.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_load_costs_no_request() {
    let plane = Plane::start("60s").await;
    let old = signing(&plane.bundle(|_| true).await);
    let called = Following::start(&plane, plane.token(&["--once"]).await).await;
    let mut web = cart(&plane, plane.token_of("web", &["--once"]).await, None);
    web.workload = "shop/web-1".to_owned();
    let caller = Following::keeping(&plane, web).await;
    for member in [&called, &caller] {
        member.kept.has_had(1).await;
        eventually_within(PATIENCE, "the roots to come over the stream", || {
            member.kept.member.standing().bundles.of("bank.example").is_some()
        })
        .await;
    }
    let pair = Pair::start(&caller.kept.member, &called.kept.member).await;
    let load = Load::on(&pair);
    load.goes_on().await;

    let rotated = plane.run(&["mesh", "rotate", "--timeout", "55"]).await;

    assert!(rotated.success, "{}\n{}", rotated.stdout, rotated.stderr);
    let new = signing(&plane.bundle(|bundle| roots(bundle) == 1).await);
    assert_ne!(new, old);
    for member in [&called, &caller] {
        assert_eq!(member.kept.issuer(), new);
        eventually_within(PATIENCE, "the old root to be forgotten", || {
            let standing = member.kept.member.standing();
            standing.bundles.of("bank.example").is_some_and(|bundle| bundle.roots().len() == 1)
        })
        .await;
    }
    load.goes_on().await;
    assert_eq!(load.end().await, Vec::<String>::new(), "what failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_is_distrusted_shuts_out_its_certificates_and_members_join_anew() {
    let plane = Plane::start("60s").await;
    let old = signing(&plane.bundle(|_| true).await);
    let token = plane.token(&[]).await;
    let (csr, key) = plane.request("shown", P256, "").await;
    let (_, given) = plane.ask(&csr, "shop/cart-9", &token.token).await;
    let chain = plane.file("chain.pem", given["certificate"].as_str().expect("PEM"));

    let refused = plane.run(&["mesh", "distrust", &old]).await;
    assert!(!refused.success && refused.stderr.contains("is the only root"), "{}", refused.stderr);
    let done = plane.run(&["mesh", "distrust", &old, "--only"]).await;
    assert!(done.success, "{}", done.stderr);
    let new = signing(&plane.bundle(|bundle| signing(bundle) != old).await);

    let url = format!("https://{}{}", plane.control.address(), crate::plane::CERTIFICATES);
    let body = plane.file("body.json", &json!({ "csr": csr, "workload": "shop/cart-9" }).to_string());
    let data = format!("@{body}");
    let shown = ["-skS", "--cert", &chain, "--key", &key, "--data-binary", &data, "-w", "%{http_code}", &url];
    let answer = tools::run(&tools::program("curl"), &shown).await;
    assert!(!answer.success || answer.stdout.ends_with("401"), "{} {}", answer.stdout, answer.stderr);

    let kept = Kept::start(cart(&plane, token, None)).await;
    kept.has_had(1).await;
    assert_eq!(kept.issuer(), new);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_supplied_signs_after_everybody_learnt_of_it_and_a_wrong_one_is_told() {
    let plane = Plane::start("60s").await;
    let old = signing(&plane.bundle(|_| true).await);
    let (key, root) = (plane.control.folder().join("own.key"), plane.control.folder().join("own.crt"));
    let (key, root) = (key.to_str().expect("text"), root.to_str().expect("text"));
    let make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        key,
        "-out",
        root,
        "-days",
        "30",
        "-subj",
        "/O=bank/CN=own root",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    ];
    let made = plane.openssl(&make).await;
    assert!(made.success, "{}", made.stderr);
    let read = |path: &str| std::fs::read_to_string(path).expect("a file");
    let secret = |certificate: &str, key: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": { "name": "own", "namespace": "selvedge-system" },
            "stringData": { "tls.crt": certificate, "tls.key": key },
        })
    };
    let (_, other) = plane.request("other", P256, "").await;
    plane.apply(&secret(&read(root), &read(&other))).await;
    plane.mesh(json!({ "lifetime": "60s", "ca": { "secretRef": { "namespace": "selvedge-system", "name": "own" } } })).await;

    let told = plane.bundle(|bundle| bundle["status"]["conditions"][0]["status"] == "False").await;
    let message = told["status"]["conditions"][0]["message"].as_str().expect("words");
    assert!(message.contains("does not belong to the certificate"), "{message}");
    assert_eq!(signing(&told), old, "the last good one signs");

    plane.apply(&secret(&read(root), &read(key))).await;
    let ended = plane.bundle(|bundle| signing(bundle) != old && roots(bundle) == 1).await;
    assert_eq!(ended["status"]["roots"][0]["origin"], "Supplied");
    assert_eq!(ended["spec"]["roots"][0].as_str().map(str::trim), Some(read(root).trim()));

    let token = plane.token(&[]).await;
    let (csr, _) = plane.request("cart", P256, "").await;
    let (code, given) = plane.ask(&csr, "shop/cart-1", &token.token).await;
    assert_eq!(code, 200, "{given}");
    let leaf = plane.file("leaf.pem", given["certificate"].as_str().expect("PEM"));
    let verified = plane.openssl(&["verify", "-x509_strict", "-CAfile", root, &leaf]).await;
    assert!(verified.success, "{}{}", verified.stdout, verified.stderr);
}
