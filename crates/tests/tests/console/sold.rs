//! A product on the stage, and an application that has called it until its plan said no.

use serde_json::{Value, json};
use tests::client::{exchange, get};
use tests::until::eventually_some;

use crate::stage::Stage;

const HOST: &str = "pets.example";
const DESCRIPTION: &str = "openapi: 3.1.0
info: { title: Pets, version: '1' }
paths:
  /pets:
    get: { responses: { '200': { description: all, content: { application/json: { example: [] } } } } }
";

/// Pets that a mock answers for, as a product with one plan.
pub fn objects() -> Vec<Value> {
    let object = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "product.selvedge.dev/v1alpha1", "kind": kind,
            "metadata": { "name": name, "namespace": "default" }, "spec": spec,
        })
    };
    let documents = json!([{ "name": "pets.yaml", "content": DESCRIPTION }]);
    let version = json!({
        "api": "pets", "label": "v1", "state": "Published", "revision": "pets-1", "hostnames": [HOST],
        "parentRefs": [{ "name": "edge" }],
    });
    vec![
        object("API", "pets", json!({ "title": "Pets", "visibility": "Public" })),
        object(
            "APIRevision",
            "pets-1",
            json!({ "api": "pets", "version": "pets-v1", "documents": documents }),
        ),
        object("APIVersion", "pets-v1", version),
        object("APIBinding", "pets-v1", json!({ "version": "pets-v1", "default": { "mock": {} } })),
        object(
            "APIProduct",
            "pets",
            json!({ "title": "Pets", "state": "Published", "apis": [{ "version": "pets-v1" }] }),
        ),
        object(
            "Plan",
            "pets-free",
            json!({ "product": "pets", "state": "Published", "rates": [{ "requests": 5, "per": "1h" }] }),
        ),
    ]
}

impl Stage {
    /// An application subscribes and calls until it is refused, and the ledger knows it.
    pub async fn sell(&self) {
        let printed = self.run(&["subscribe", "pets", "--plan", "free", "--app", "mobile"]).await;
        assert!(printed.success, "{}", printed.stderr);
        let key = printed.stdout.lines().next().expect("a key").to_owned();
        let request = get(HOST, "/pets/pets", &format!("x-api-key: {key}\r\n"));
        eventually_some("the plan to be used up", || async {
            let answer = exchange(self.follower.entry, request.clone()).await.ok()?;
            (answer.status == 429).then_some(())
        })
        .await;
        eventually_some("the calls in the ledger", || async {
            let told = self.run(&["usage", "--app", "mobile", "-o", "csv"]).await;
            told.stdout.contains("GET /pets,5,5").then_some(())
        })
        .await;
    }
}
