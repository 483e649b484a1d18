//! Who asks: tokens, certificates, and questions about oneself.

use control::api::tls::ClientName;
use serde_json::json;

use crate::server::Server;

const REVIEW: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
const MAY_I: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

#[tokio::test]
async fn a_certificate_of_the_authority_names_its_holder() {
    let server = Server::start().await;
    let name = ClientName { user: "ben".into(), groups: vec!["editors".into()] };
    let pair = server.home.authority.client(&name, server.clock.now()).expect("a certificate");

    let review = server.client().showing(pair).post(REVIEW, &json!({})).await.fine();

    let user = &review["status"]["userInfo"];
    assert_eq!(user["username"], "ben");
    assert_eq!(user["groups"], json!(["editors", "system:authenticated"]));
}

#[tokio::test]
async fn a_wrong_token_is_refused_whatever_certificate_comes_with_it() {
    let server = Server::start().await;
    let name = ClientName { user: "ben".into(), groups: vec!["system:masters".into()] };
    let pair = server.home.authority.client(&name, server.clock.now()).expect("a certificate");

    let refused = server.client().bearing("wrong").showing(pair).get("/api").await;

    assert_eq!(refused.refusal(), (401, "Unauthorized".to_owned(), "Unauthorized".to_owned()));
}

#[tokio::test]
async fn people_may_ask_what_they_may() {
    let server = Server::start().await;
    let question = json!({ "spec": { "resourceAttributes": { "verb": "delete", "resource": "secrets", "namespace": "shop" } } });

    let of_admin = server.admin().post(MAY_I, &question).await.fine();
    let of_ana = server.user("ana", &[]).post(MAY_I, &question).await.fine();

    assert_eq!(of_admin["status"]["allowed"], true);
    assert_eq!(of_ana["status"]["allowed"], false);
    assert_eq!(of_admin["kind"], "SelfSubjectAccessReview");
    assert_eq!(of_admin["apiVersion"], "authorization.k8s.io/v1");
}

#[tokio::test]
async fn acting_as_somebody_else_is_refused_in_so_many_words() {
    let server = Server::start().await;
    let name = http::HeaderName::from_static("impersonate-user");

    let (code, _, message) = server.admin().with(name, "ana").get("/api").await.refusal();

    assert_eq!(code, 400);
    assert!(message.contains("impersonation is not supported"), "{message}");
}
