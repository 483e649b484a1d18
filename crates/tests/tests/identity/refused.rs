//! What is refused, with the reason: requests for more, keys that are weak, tokens that were used, floods.

use serde_json::json;

use crate::plane::{CERTIFICATES, P256, Plane};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_more_than_the_identity_is_refused_with_the_reason() {
    let plane = Plane::start("24h").await;
    let token = plane.token(&[]).await;
    let cases: [(&str, &[&str], &str, &str); 7] = [
        ("authority", P256, "basicConstraints = critical, CA:TRUE", "CA:TRUE"),
        ("account", P256, "subjectAltName = URI:spiffe://bank.example/ns/shop/sa/admin", "sa/admin"),
        ("mesh", P256, "subjectAltName = URI:spiffe://other.example/ns/shop/sa/cart", "other.example"),
        ("host", P256, "subjectAltName = DNS:bank.example, IP:10.0.0.1", "`bank.example`"),
        ("signer", P256, "keyUsage = keyCertSign", "key usage"),
        ("rsa", &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"], "", "RSA of 1024 bits"),
        ("curve", &["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "", "on curve 1.3.132.0.10"),
    ];
    for (name, algorithm, extensions, told) in cases {
        let (csr, _) = plane.request(name, algorithm, extensions).await;

        // Each by another workload, so that none is refused for asking too often.
        let (code, refused) = plane.ask(&csr, &format!("shop/{name}"), &token.token).await;

        let message = refused["message"].as_str().unwrap_or_default();
        assert!(code == 400 && message.contains(told), "{name}: {code} {refused}");
    }
    let (csr, _) = plane.request("good", P256, "").await;
    for (workload, expected) in [("bank/cart-1", 403), ("cart-1", 400), ("shop/a.b", 400), ("shop/", 400)] {
        let (code, refused) = plane.ask(&csr, workload, &token.token).await;
        assert_eq!(code, expected, "{workload}: {refused}");
    }
    let (code, _) =
        plane.post(CERTIFICATES, &json!({ "csr": "x".repeat(20_000), "workload": "shop/a" }), &[]).await;
    assert_eq!(code, 401, "nothing is read of who shows nothing");
    let bearer = format!("Authorization: Bearer {}", token.token);
    let long = json!({ "csr": "x".repeat(20_000), "workload": "shop/a" });
    assert_eq!(plane.post(CERTIFICATES, &long, &["-H", &bearer]).await.0, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_what_it_says_and_until_it_is_revoked() {
    let plane = Plane::start("24h").await;
    let once = plane.token(&["--once", "--workload", "cart-1"]).await;
    let (first, _) = plane.request("first", P256, "").await;
    let (second, _) = plane.request("second", P256, "").await;

    let (code, refused) = plane.ask(&first, "shop/cart-2", &once.token).await;
    assert_eq!(code, 403, "{refused}");
    assert_eq!(plane.ask(&first, "shop/cart-1", &once.token).await.0, 200);
    assert_eq!(
        plane.ask(&first, "shop/cart-1", &once.token).await.0,
        200,
        "whose answer was lost asks again"
    );
    let (code, refused) = plane.ask(&second, "shop/cart-1", &once.token).await;
    assert_eq!(code, 401, "{refused}");
    assert!(refused["message"].as_str().expect("words").contains("has been used by `cart-1`"), "{refused}");

    let many = plane.token(&[]).await;
    assert_eq!(plane.ask(&second, "shop/cart-3", &many.token).await.0, 200);
    assert_eq!(plane.ask(&first, "shop/cart-4", &many.token).await.0, 200);
    let listed =
        plane.run(&["get", "jointokens", "-n", "shop", "-o", "jsonpath={.items[*].metadata.name}"]).await;
    let names: Vec<&str> = listed.stdout.split_whitespace().collect();
    assert_eq!(names.len(), 2, "{}", listed.stdout);
    let shown = plane.run(&["token", "list", "-n", "shop"]).await;
    assert!(shown.stdout.contains("Once") && shown.stdout.contains("Renewable"), "{}", shown.stdout);
    let revoked = plane.run(&[&["token", "revoke", "-n", "shop"], names.as_slice()].concat()).await;
    assert!(revoked.success, "{}", revoked.stderr);
    for token in [&once, &many] {
        assert_eq!(plane.ask(&second, "shop/cart-5", &token.token).await.0, 401);
    }
    let ended = plane.token(&["--ttl", "1ms"]).await;
    assert_eq!(plane.ask(&second, "shop/cart-6", &ended.token).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_sender_is_told_to_come_again_and_others_are_served() {
    let plane = Plane::start("24h").await;
    let token = plane.token(&[]).await;
    let (csr, _) = plane.request("cart", P256, "").await;
    let mut codes = Vec::new();
    for _ in 0..40 {
        codes.push(plane.ask(&csr, "shop/cart-1", &token.token).await.0);
    }

    assert!(codes.contains(&429), "{codes:?}");
    assert!(codes.iter().all(|code| matches!(code, 200 | 429)), "{codes:?}");
    assert_eq!(plane.ask(&csr, "shop/cart-2", &token.token).await.0, 200);
}
