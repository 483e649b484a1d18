//! The name of a replica belongs to a service account: nobody else gets a certificate or a view under it.

use discovery::Interest;
use model::kinds::TrustBundle;
use proxy::Event;
use serde_json::{Value, json};

use crate::following::Following;
use crate::plane::{Kept, P256, Plane, cart};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_buys_no_certificate_under_the_name_of_another_accounts_replica() {
    let plane = Plane::start("24h").await;
    let (cart, vault) = (plane.token(&[]).await, plane.token_of("vault", &[]).await);
    plane.apply(&replica("vault-1", "vault")).await;
    let (csr, _) = plane.request("one", P256, "").await;

    let (code, refused) = plane.ask(&csr, "shop/vault-1", &cart.token).await;

    let message = refused["message"].as_str().unwrap_or_default();
    assert!(code == 403 && message.contains("another service account than `cart`"), "{code} {refused}");
    let (code, given) = plane.ask(&csr, "shop/vault-1", &vault.token).await;
    assert_eq!(code, 200, "{given}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_took_a_name_before_its_owner_came_is_shown_nothing_of_the_owners() {
    let plane = Plane::start("24h").await;
    let mut options = cart(&plane, plane.token(&[]).await, None);
    options.workload = "shop/vault-1".to_owned();
    let kept = Kept::start(options.clone()).await;
    let bundle: TrustBundle = serde_json::from_value(plane.bundle(|_| true).await).expect("a bundle");
    kept.keeper.as_ref().expect("it runs").trust(&[&bundle]);
    kept.has_had(1).await;
    let vault = || Interest::Workload("shop/vault-1".into());
    let before = Following::start(&kept, &options, vault()).await;
    before
        .has_told("a view while nobody owns the name", |event| matches!(event, Event::Applied { .. }))
        .await;

    plane.apply(&replica("vault-1", "vault")).await;

    let is_cut = |event: &Event| matches!(event, Event::Lost { problem, .. } if problem.contains("another service account"));
    before.has_told("the open stream to be cut", is_cut).await;
    before.stop().await;
    let after = Following::start(&kept, &options, vault()).await;
    after.has_told("a new stream to be refused", is_cut).await;
    after.stop().await;
}

fn replica(name: &str, account: &str) -> Value {
    json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Workload",
        "metadata": { "name": name, "namespace": "shop" },
        "spec": {
            "address": "127.0.0.1", "serviceAccount": account,
            "ports": [{ "name": "http", "port": 8080, "protocol": "HTTP" }],
        },
    })
}
