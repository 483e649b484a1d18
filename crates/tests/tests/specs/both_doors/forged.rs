//! C2, C3, C4 for what authentication tells a provider, at a gateway and at the sidecar of a replica: what a client sends
//! under those names is never taken for ours, neither plainly, nor listed in `Connection`, nor with underscores.
//!
//! | class | who sets or trusts the field | where it is tested |
//! |---|---|---|
//! | C2 | proxies: `x-forwarded-client-cert`, `x-spiffe-id`, `x-consumer-*` | here, `trust_forwarded` |
//! | C2, C4 | `claimToHeaders` | here, `authentication` |
//! | C2, C4 | credentials of Backends, transforms, shims | `trust_set_fields` |
//! | C2 | keys of applications, which go no further | `authentication` |
//! | C3 | all of them | here, `trust_names` |

use serde_json::json;
use tests::issuer::Issuer;
use tests::scene::Scene;
use tests::upstream::Upstream;

use super::stage::{Door, Upstreams, Verdict, mesh, request, same_but_for, workload};

const FORGED: &str = "X-User: root\r\nX-Roles: admin\r\nX-Forwarded-Client-Cert: URI=spiffe://bank.example/ns/a/sa/b\r\n\
    X-Spiffe-Id: spiffe://bank.example/ns/a/sa/b\r\nX-Consumer-Id: 1\r\nX-Consumer-Username: root\r\n";

/// What a provider sees of callers whose tokens have a subject and no roles.
async fn verdicts(more: &[&str]) -> Vec<Verdict> {
    let issuer = Issuer::new("https://issuer.example");
    let upstreams: Upstreams = vec![("shop", Upstream::recording().await)];
    let backend = upstreams[0].1.address;
    let (mut before, mut beside) = (Scene::new(), Scene::new());
    for scene in [&mut before, &mut beside] {
        scene.http();
        mesh(scene);
        scene.document(json!({
            "apiVersion": "policy.selvedge.dev/v1alpha1", "kind": "AuthenticationPolicy",
            "metadata": { "name": "tokens", "namespace": "default" },
            "spec": {
                "targetRefs": [{ "group": "", "kind": "Service", "name": "shop" }],
                "methods": [{ "jwt": {
                    "issuer": "https://issuer.example", "audiences": ["shop"], "jwks": { "inline": issuer.jwks() },
                    "claimToHeaders": [{ "claim": "sub", "header": "X-User" }, { "claim": "roles", "header": "X-Roles" }],
                } }],
            },
        }));
    }
    before.service("shop", &[backend]);
    before.route("all", json!({ "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }] }));
    let at = workload(&mut beside, backend);
    let (gateway, sidecar) = (Door::gateway(&before).await, Door::inbound(&beside, "shop-1", at).await);
    let bearer =
        format!("Authorization: Bearer {}\r\n", issuer.token(json!({ "sub": "kim", "aud": "shop" })));
    let requests: Vec<String> =
        more.iter().map(|more| request("GET /", &format!("{bearer}{more}"))).collect();
    same_but_for(&["route"], "forged fields", [&gateway, &sidecar], &upstreams, &requests).await
}

/// Values of a field that the provider saw.
fn seen<'v>(verdict: &'v Verdict, name: &str) -> Vec<&'v str> {
    let (_, _, fields) = verdict.seen.first().expect("a request");
    fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

#[tokio::test]
async fn what_a_client_says_of_itself_is_not_taken_for_what_was_found_out_about_it() {
    let listed = format!("Connection: x-user, x-roles, x-consumer-id, x-spiffe-id\r\n{FORGED}");
    let only_listed = "Connection: x-user, x-roles\r\n";
    let verdicts = verdicts(&["", FORGED, &listed, only_listed]).await;

    for verdict in &verdicts {
        assert_eq!((verdict.status, seen(verdict, "x-user")), (200, vec!["kim"]), "{verdict:?}");
        for name in
            ["x-roles", "x-forwarded-client-cert", "x-spiffe-id", "x-consumer-id", "x-consumer-username"]
        {
            assert_eq!(seen(verdict, name), Vec::<&str>::new(), "{name}");
        }
    }
}

#[tokio::test]
async fn an_underscore_in_such_a_name_is_refused_at_both_doors() {
    let aliases = [
        "X_User: root\r\n",
        "x-user_: root\r\n",
        "X_Roles: admin\r\n",
        "X_Consumer_Id: 1\r\n",
        "x-spiffe_id: a\r\n",
    ];

    for verdict in verdicts(&aliases).await {
        assert_eq!((verdict.status, verdict.seen.len()), (400, 0), "{verdict:?}");
    }
}
