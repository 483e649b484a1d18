//! What a member of the mesh may do with the API: keep its own Workload, and nothing else.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

const WORKLOADS: &str = "/apis/mesh.selvedge.dev/v1alpha1/namespaces/shop/workloads";
const APPLY: &str = "application/apply-patch+yaml";

fn workload(name: &str, account: &str) -> Value {
    json!({
        "apiVersion": "mesh.selvedge.dev/v1alpha1", "kind": "Workload",
        "metadata": { "namespace": "shop", "name": name, "labels": { "mesh.selvedge.dev/registered-by": "sidecar" } },
        "spec": {
            "address": "10.0.0.7", "serviceAccount": account, "sidecar": { "port": 15443 },
            "ports": [{ "name": "http", "port": 8080, "protocol": "HTTP" }],
        },
    })
}

fn path(name: &str) -> String {
    format!("{WORKLOADS}/{name}")
}

async fn apply(client: &Client, name: &str, object: &Value) -> crate::client::Answer {
    let path = format!("{}?fieldManager=sidecar&force=true", path(name));
    client.patch(&path, APPLY, object).await
}

/// Who holds a certificate of the service account `cart` in the namespace `shop`, for this workload.
fn cart(server: &Server, workload: &str) -> Client {
    let groups = ["selvedge:mesh:default", &format!("selvedge:workload:{workload}")];
    server.user("spiffe://bank.example/ns/shop/sa/cart", &groups)
}

#[tokio::test]
async fn a_member_makes_itself_known_keeps_itself_known_and_takes_itself_back() {
    let server = Server::start().await;
    let member = cart(&server, "shop/cart-1");

    apply(&member, "cart-1", &workload("cart-1", "cart")).await.fine();
    apply(&member, "cart-1", &workload("cart-1", "cart")).await.fine();
    let seen = member.get(&path("cart-1")).await.fine();
    member.delete(&path("cart-1")).await.fine();

    assert_eq!(seen["spec"]["serviceAccount"], "cart");
    assert_eq!(server.admin().get(&path("cart-1")).await.refusal().0, 404);
}

#[tokio::test]
async fn a_member_may_do_nothing_with_what_is_not_its_own_workload() {
    let server = Server::start().await;
    apply(&server.admin(), "cart-2", &workload("cart-2", "cart")).await.fine();
    let member = cart(&server, "shop/cart-1");
    apply(&member, "cart-1", &workload("cart-1", "cart")).await.fine();
    let status = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] } });
    let merge = "application/merge-patch+json";
    let elsewhere = path("cart-1").replace("/shop/", "/bank/");

    let refused = [
        member.get(&path("cart-2")).await,
        apply(&member, "cart-2", &workload("cart-2", "cart")).await,
        member.delete(&path("cart-2")).await,
        member.delete(WORKLOADS).await,
        member.get(WORKLOADS).await,
        member.post(WORKLOADS, &workload("cart-1", "cart")).await,
        member.put(&path("cart-1"), &workload("cart-1", "cart")).await,
        member.patch(&format!("{}/status", path("cart-1")), merge, &status).await,
        member.get(&elsewhere).await,
        member.get("/api/v1/namespaces/shop/secrets/cart-1").await,
        cart(&server, "bank/cart-1").get(&elsewhere).await,
    ];

    for (at, answer) in refused.into_iter().enumerate() {
        assert_eq!(answer.refusal().0, 403, "attempt {at}");
    }
    let kept = server.admin().get(&path("cart-1")).await.fine();
    assert_eq!(kept["status"], Value::Null, "nobody but the control plane says that it is ready");
}

#[tokio::test]
async fn a_status_that_a_member_sends_along_is_not_taken() {
    let server = Server::start().await;
    let mut object = workload("cart-1", "cart");
    object["status"] = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });

    let taken = apply(&cart(&server, "shop/cart-1"), "cart-1", &object).await.fine();

    assert_eq!(taken["status"], Value::Null);
}

#[tokio::test]
async fn a_member_registers_under_its_own_service_account_and_takes_over_nobody_elses() {
    let server = Server::start().await;
    apply(&server.admin(), "vault-1", &workload("vault-1", "vault")).await.fine();
    let other = apply(&cart(&server, "shop/cart-1"), "cart-1", &workload("cart-1", "vault")).await.refusal();
    // A token that names no workload is good for every name in its namespace.
    let member = cart(&server, "shop/vault-1");
    let taken = apply(&member, "vault-1", &workload("vault-1", "cart")).await.refusal();
    let deleted = member.delete(&path("vault-1")).await.refusal();

    let why = "workloads.mesh.selvedge.dev \"cart-1\" is forbidden: spec.serviceAccount is \"vault\", and \
               spiffe://bank.example/ns/shop/sa/cart may register Workloads of \"cart\" only";
    assert_eq!(other, (403, "Forbidden".to_owned(), why.to_owned()));
    assert_eq!((taken.0, deleted.0), (403, 403));
    let kept = server.admin().get(&path("vault-1")).await.fine();
    assert_eq!(kept["spec"]["serviceAccount"], "vault");
}

#[tokio::test]
async fn what_was_written_by_hand_is_changed_by_hand() {
    let server = Server::start().await;
    let mut by_hand = workload("cart-1", "cart");
    by_hand["metadata"]["labels"] = json!({});
    apply(&server.admin(), "cart-1", &by_hand).await.fine();
    let member = cart(&server, "shop/cart-1");

    let applied = apply(&member, "cart-1", &workload("cart-1", "cart")).await.refusal();
    let deleted = member.delete(&path("cart-1")).await.refusal();
    by_hand["metadata"]["name"] = "cart-2".into();
    let forever = apply(&cart(&server, "shop/cart-2"), "cart-2", &by_hand).await.refusal();

    assert!(applied.2.contains("written by hand"), "{applied:?}");
    assert_eq!((applied.0, deleted.0, forever.0), (403, 403, 403));
}

#[tokio::test]
async fn who_has_a_role_is_not_held_to_what_members_may() {
    let server = Server::start().await;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "editor" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "editor" },
        "subjects": [{
            "apiGroup": "rbac.authorization.k8s.io", "kind": "User",
            "name": "spiffe://bank.example/ns/shop/sa/cart",
        }],
    });
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings";
    server.admin().post(bindings, &binding).await.fine();

    apply(&cart(&server, "shop/cart-1"), "vault-1", &workload("vault-1", "vault")).await.fine();
    apply(&cart(&server, "shop/cart-1"), "cart-1", &workload("cart-1", "vault")).await.fine();
}

/// A token of the service account `cart` that grants these labels.
async fn grant(server: &Server, name: &str, more: Value) {
    let mut spec = json!({ "serviceAccount": "cart", "digest": format!("{:0>64}", name.len()) });
    for (field, value) in more.as_object().expect("fields") {
        spec[field] = value.clone();
    }
    let token = json!({
        "apiVersion": "access.selvedge.dev/v1alpha1", "kind": "JoinToken", "metadata": { "name": name }, "spec": spec,
    });
    server.admin().post(TOKENS, &token).await.fine();
}

const TOKENS: &str = "/apis/access.selvedge.dev/v1alpha1/namespaces/shop/jointokens";

fn labelled(labels: &[(&str, &str)]) -> Value {
    let mut object = workload("cart-1", "cart");
    for (name, value) in labels {
        object["metadata"]["labels"][name] = (*value).into();
    }
    object
}

#[tokio::test]
async fn a_member_carries_the_name_of_its_service_account_and_no_label_that_nobody_granted() {
    let server = Server::start().await;
    let member = cart(&server, "shop/cart-1");

    let db = apply(&member, "cart-1", &labelled(&[("app", "db")])).await.refusal();
    let tier = apply(&member, "cart-1", &labelled(&[("tier", "cart")])).await.refusal();
    apply(&member, "cart-1", &labelled(&[("app", "cart"), ("app.kubernetes.io/name", "cart")])).await.fine();
    let later = apply(&member, "cart-1", &labelled(&[("app", "db")])).await.refusal();

    assert_eq!((db.0, tier.0, later.0), (403, 403, 403));
    assert!(
        db.2.contains("the label app=db is granted to spiffe://bank.example/ns/shop/sa/cart by no JoinToken"),
        "{db:?}"
    );
    assert!(db.2.contains("--service-account cart --label app=db"), "it says what to do: {db:?}");
    let kept = server.admin().get(&path("cart-1")).await.fine();
    assert_eq!(kept["metadata"]["labels"]["app"], "cart");
}

#[tokio::test]
async fn a_token_grants_labels_to_its_service_account_as_long_as_it_is_there() {
    let server = Server::start().await;
    let member = cart(&server, "shop/cart-1");
    let over = json!({ "labels": { "version": "*", "tier": "front" }, "expiresAt": "2020-01-01T00:00:00Z" });
    grant(&server, "a", over).await;
    grant(&server, "ab", json!({ "labels": { "app": "db" }, "workload": "cart-2" })).await;
    grant(&server, "abc", json!({ "labels": { "app": "vault" }, "serviceAccount": "vault" })).await;

    apply(&member, "cart-1", &labelled(&[("version", "v1"), ("tier", "front")])).await.fine();
    apply(&member, "cart-1", &labelled(&[("version", "v2")])).await.fine();
    let others = [("tier", "back"), ("app", "db"), ("app", "vault")];
    for label in others {
        assert_eq!(apply(&member, "cart-1", &labelled(&[label])).await.refusal().0, 403, "{label:?}");
    }
    server.admin().delete(&format!("{TOKENS}/a")).await.fine();

    apply(&member, "cart-1", &labelled(&[("version", "v2")])).await.fine();
    assert_eq!(apply(&member, "cart-1", &labelled(&[("version", "v3")])).await.refusal().0, 403);
    member.delete(&path("cart-1")).await.fine();
    let anew = apply(&member, "cart-1", &labelled(&[("version", "v2")])).await.refusal();
    assert_eq!(anew.0, 403, "what is granted no more is not carried again");
}

#[tokio::test]
async fn labels_that_somebody_with_a_role_wrote_on_a_registered_workload_stay() {
    let server = Server::start().await;
    apply(&server.admin(), "cart-1", &labelled(&[("app", "db")])).await.fine();
    let member = cart(&server, "shop/cart-1");

    apply(&member, "cart-1", &labelled(&[("app", "db")])).await.fine();
    assert_eq!(apply(&member, "cart-1", &labelled(&[("app", "vault")])).await.refusal().0, 403);
}

#[tokio::test]
async fn a_member_cannot_make_callers_speak_to_it_in_cleartext() {
    let server = Server::start().await;
    let member = cart(&server, "shop/cart-1");
    let (mut bare, mut off, mut port) =
        (workload("cart-1", "cart"), workload("cart-1", "cart"), workload("cart-1", "cart"));
    bare["spec"].as_object_mut().expect("a spec").remove("sidecar");
    off["spec"]["mtls"] = json!({ "mode": "Off" });
    port["spec"]["ports"][0]["mtls"] = json!({ "mode": "Off" });

    for (object, why) in
        [(&bare, "spec.sidecar is missing"), (&off, "not a member's to say"), (&port, "not a member's")]
    {
        let refused = apply(&member, "cart-1", object).await.refusal();
        assert!(refused.0 == 403 && refused.2.contains(why), "{refused:?}");
    }
    apply(&server.admin(), "cart-1", &off).await.fine();
    apply(&member, "cart-1", &off).await.fine();
    apply(&member, "cart-1", &workload("cart-1", "cart")).await.fine();
}

#[tokio::test]
async fn nobody_joins_as_a_gateway_by_a_token_for_workloads() {
    let server = Server::start().await;
    let token = json!({
        "apiVersion": "access.selvedge.dev/v1alpha1", "kind": "JoinToken", "metadata": { "name": "edge" },
        "spec": { "serviceAccount": "gateway-edge", "digest": "0".repeat(64) },
    });

    let refused = server.admin().post(TOKENS, &token).await.refusal();

    assert_eq!(refused.0, 422);
    assert!(refused.2.contains("those of Gateways"), "{refused:?}");
}
