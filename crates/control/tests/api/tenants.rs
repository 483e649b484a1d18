//! Tenants whose names look alike: equal in another namespace, one the beginning of another, made of other letters that
//! look the same, and the same again after a deletion. None of them gets at what is another's.

use control::reconcile;
use engine::status::Conditions;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::client::Client;
use crate::server::Server;

/// Cyrillic о, fullwidth letters, a combining mark, a mathematical letter, an invisible joiner, and capitals.
const LOOK_ALIKES: [&str; 6] =
    ["sh\u{43e}p", "\u{ff53}hop", "sho\u{301}p", "\u{1d42c}hop", "sh\u{200d}op", "Shop"];

fn maps(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

fn map(name: &str, value: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "of": value } })
}

/// Gives a user every right in one namespace.
async fn give(admin: &Client, namespace: &str, user: &str) {
    let bindings = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings");
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "all" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
    });
    admin.post(&bindings, &binding).await.fine();
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn equal_names_and_names_that_begin_alike_are_told_apart_by_their_namespace() {
    let server = Server::start().await;
    let admin = server.admin();
    for namespace in ["shop", "shop-2", "sho"] {
        admin.post(&maps(namespace), &map("cart", namespace)).await.fine();
    }
    give(&admin, "shop", "ana").await;
    let ana = server.user("ana", &[]);
    let mut seen = ana.watch(&format!("{}?watch=true", maps("shop"))).await;

    for namespace in ["shop-2", "sho"] {
        let path = format!("{}/cart", maps(namespace));
        assert_eq!(ana.get(&path).await.code.as_u16(), 403, "{namespace}");
        assert_eq!(ana.put(&path, &map("cart", "ana")).await.code.as_u16(), 403, "{namespace}");
        assert_eq!(ana.get(&maps(namespace)).await.code.as_u16(), 403, "{namespace}");
        admin.put(&path, &map("cart", "changed")).await.fine();
        assert_eq!(admin.get(&path).await.fine()["data"]["of"], "changed");
    }
    assert_eq!(ana.get("/api/v1/configmaps").await.code.as_u16(), 403, "all namespaces are not hers");
    ana.put(&format!("{}/cart", maps("shop")), &map("cart", "ana")).await.fine();

    let all = ana.get(&maps("shop")).await.fine();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(seen.next().await.expect("an event")["object"]["data"]["of"], "shop");
    assert_eq!(
        seen.next().await.expect("an event")["object"]["data"]["of"],
        "ana",
        "and nothing of the others"
    );
}

#[tokio::test]
async fn names_in_letters_that_look_the_same_are_refused_or_somebody_elses() {
    let server = Server::start().await;
    let admin = server.admin();
    admin.post(&maps("shop"), &map("shop", "the real one")).await.fine();
    give(&admin, "shop", "shop").await;

    for fake in LOOK_ALIKES {
        let as_name = admin.post(&maps("shop"), &map(fake, "fake")).await.refusal();
        let as_namespace = admin.post(&maps(&encoded(fake)), &map("a", "fake")).await;
        let read = admin.get(&format!("{}/{}", maps("shop"), encoded(fake))).await.code.as_u16();
        let user = server.user(fake, &[]);

        assert_eq!((as_name.0, as_name.1.as_str()), (422, "Invalid"), "{fake}: {as_name:?}");
        assert!(!as_namespace.code.is_success(), "{fake}: {}", as_namespace.code);
        assert_eq!(read, 404, "{fake}");
        assert_eq!(user.get(&maps("shop")).await.code.as_u16(), 403, "user {fake} is not user shop");
    }
    assert_eq!(admin.get(&maps("shop")).await.fine()["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(server.user("shop", &[]).get(&maps("shop")).await.code.as_u16(), 200);
}

#[tokio::test]
async fn what_is_made_anew_under_a_name_inherits_nothing_of_what_had_it_before() {
    let server = Server::start().await;
    let admin = server.admin();
    let path = format!("{}/owner", maps("shop"));
    let first = admin.post(&maps("shop"), &map("owner", "first")).await.fine();
    let mut seen =
        admin.watch(&format!("{}?watch=true&fieldSelector=metadata.name%3Downer", maps("shop"))).await;
    let mut child = map("child", "of the first");
    child["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": first["metadata"]["uid"],
    }]);
    admin.post(&maps("shop"), &child).await.fine();

    admin.delete(&path).await.fine();
    let second = admin.post(&maps("shop"), &map("owner", "second")).await.fine();
    let stale = json!({ "preconditions": { "uid": first["metadata"]["uid"] } });
    let deleted = admin.delete_with(&path, &stale).await.refusal().0;
    let mut written = map("owner", "by somebody who knew the first");
    written["metadata"]["uid"] = first["metadata"]["uid"].clone();
    let replaced = admin.put(&path, &written).await.refusal().0;
    let (_nobody, conditions) = watch::channel(std::sync::Arc::new(Conditions::default()));
    let loops = reconcile::start(&server.world, &server.clock, conditions, Vec::new());
    let mut news = server.world.subscribe();
    while admin.get(&format!("{}/child", maps("shop"))).await.code.as_u16() != 404 {
        news.changed().await.expect("the world goes on");
    }

    assert_eq!((deleted, replaced), (409, 409));
    assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
    assert_eq!(
        admin.get(&path).await.fine()["data"]["of"],
        "second",
        "the child went with its owner, not with its name"
    );
    let told: Vec<(Value, Value)> = [seen.next().await, seen.next().await, seen.next().await]
        .map(|event| event.expect("an event"))
        .map(|event| (event["type"].clone(), event["object"]["metadata"]["uid"].clone()))
        .to_vec();
    let uid = |object: &Value| object["metadata"]["uid"].clone();
    let expected = [("ADDED", uid(&first)), ("DELETED", uid(&first)), ("ADDED", uid(&second))];
    assert_eq!(
        told,
        expected.map(|(kind, uid)| (json!(kind), uid)),
        "a watcher is told of two objects, not of a change"
    );
    loops.stop().await;
}
