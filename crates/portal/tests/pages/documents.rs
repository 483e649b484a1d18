//! What the API tells in these tests: one of everything.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sold::{all_sold, used};

pub const GROUP: &str = "/apis/gateway.networking.k8s.io/v1";
pub const PRODUCT: &str = "/apis/product.selvedge.dev/v1alpha1";
pub const TOLD: &str = "/apis/status.selvedge.dev/v1alpha1";
pub const PAGES: [&str; 15] = [
    "/console",
    "/console/gateways",
    "/console/routes",
    "/console/proxies",
    "/console/apis",
    "/console/apis/shop/pets-v1",
    "/console/gateways/shop/edge",
    "/console/routes/shop/cart",
    "/console/proxies/edge-1",
    "/console/mesh",
    "/console/products",
    "/console/products/shop/pets",
    "/console/applications",
    "/console/applications/shop/mobile",
    "/console/usage",
];

pub fn gateway() -> Value {
    json!({
        "metadata": { "namespace": "shop", "name": "edge", "labels": { "team": "front" } },
        "spec": {
            "gatewayClassName": "selvedge",
            "listeners": [{ "name": "web", "port": 8080, "protocol": "HTTP", "hostname": "*.shop.example" }],
        },
        "status": {
            "addresses": [{ "value": "203.0.113.7" }],
            "conditions": [{ "type": "Programmed", "status": "True", "reason": "Programmed", "message": "" }],
            "listeners": [{ "name": "web", "attachedRoutes": 1, "conditions": [] }],
        },
    })
}

pub fn route() -> Value {
    let condition = json!({
        "type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound", "message": "no Service shop/basket",
    });
    json!({
        "metadata": { "namespace": "shop", "name": "cart", "annotations": { "note": "written by hand" } },
        "spec": {
            "hostnames": ["www.shop.example"], "parentRefs": [{ "name": "edge" }],
            "rules": [{
                "matches": [{ "path": { "type": "PathPrefix", "value": "/cart" } }],
                "filters": [{ "type": "RequestHeaderModifier" }],
                "backendRefs": [{ "name": "basket", "port": 80 }],
            }],
        },
        "status": { "parents": [{ "parentRef": { "name": "edge" }, "conditions": [condition] }] },
    })
}

pub fn version() -> Value {
    json!({ "metadata": { "namespace": "shop", "name": "pets-v1" }, "spec": {
        "api": "pets", "label": "v1", "state": "Published", "revision": "pets-v1-1", "selector": { "path": "/v1" },
    }})
}

pub fn revision() -> Value {
    let text = "openapi: 3.1.0
info: { title: 'Pets <b>&</b> more', version: '1' }
paths:
  /pets/{id}:
    put:
      summary: Change a pet
      deprecated: true
      parameters:
        - { name: id, in: path, required: true, description: Its number, schema: { type: integer }, example: 7 }
      requestBody: { content: { application/json: { example: { name: Mika } } } }
      responses: { '204': { description: It is so } }
";
    json!({ "metadata": { "namespace": "shop", "name": "pets-v1-1" },
        "spec": { "documents": [{ "name": "pets.yaml", "content": text }] } })
}

pub fn proxy() -> Value {
    json!({ "metadata": { "name": "edge-1" }, "status": {
        "version": "0.1.0", "gateways": ["shop/edge"], "connected": true, "appliedEpoch": 12, "behindSeconds": 4.0,
        "rejections": [{ "kind": "HTTPRoute", "namespace": "shop", "name": "cart", "message": "too large" }],
        "addresses": [{ "address": "127.0.0.1:80", "error": "Permission denied" }], "warnings": ["expired"],
    }})
}

pub fn traffic() -> Value {
    json!({ "metadata": { "namespace": "shop", "name": "httproute.cart" }, "status": {
        "route": { "kind": "HTTPRoute", "name": "cart" },
        "requestsPerSecond": 120.5, "errorsPerSecond": 0.5, "p50Milliseconds": 1.9, "p99Milliseconds": 14.2,
    }})
}

pub fn mesh() -> Value {
    let replica = |name: &str, left: i64| {
        json!({
            "name": name, "proxied": true, "connected": true, "ready": true, "mtls": ["Strict"],
            "certificate": { "notAfter": "2026-11-24T09:00:00Z", "leftSeconds": left, "renewsWithinSeconds": 60, "problem": "" },
        })
    };
    let party = |name: &str, role: &str, replica: Value| {
        json!({
            "name": name, "role": role, "identity": format!("spiffe://bank.example/{role}"), "services": ["shop/cart"],
            "open": false, "replicas": [replica],
        })
    };
    let call = |from: &str, may: &str, requests: f64| {
        json!({
            "from": from, "to": "shop/cart", "may": may, "because": ["Allow shop/readers"], "connected": true,
            "requestsPerSecond": requests, "errorsPerSecond": 0.0,
        })
    };
    json!({ "metadata": { "name": "default" }, "status": {
        "trustDomain": "bank.example", "mtls": "Strict", "defaultAction": "Deny", "rotation": "Moving",
        "controlPlane": { "version": "0.1.0", "leader": true, "proxies": 2, "programmed": 1 },
        "parties": [
            party("gateway shop/edge", "Gateway", replica("edge-1", 7_300)),
            party("shop/cart", "Workload", replica("shop/cart-1", -1)),
        ],
        "calls": [call("gateway shop/edge", "Some", 42.0), call("spiffe://stranger/x", "Nothing", 0.0)],
        "partiesLeftOut": 0, "callsLeftOut": 3,
    }})
}

pub fn documents() -> BTreeMap<String, Value> {
    let list = |item: Value| json!({ "metadata": { "resourceVersion": "17" }, "items": [item] });
    let none = json!({ "metadata": { "resourceVersion": "17" }, "items": [] });
    let plane = json!({ "status": { "version": "0.1.0", "revision": 17, "leader": true, "proxies": 1, "programmed": 0 } });
    BTreeMap::from([
        ("/apis".to_owned(), json!({})),
        (format!("{GROUP}/gateways"), list(gateway())),
        (format!("{GROUP}/namespaces/shop/gateways/edge"), gateway()),
        (format!("{GROUP}/httproutes"), list(route())),
        (format!("{GROUP}/namespaces/shop/httproutes/cart"), route()),
        (format!("{GROUP}/gatewayclasses"), none.clone()),
        (format!("{GROUP}/backendtlspolicies"), none.clone()),
        ("/apis/mesh.selvedge.dev/v1alpha1/backends".to_owned(), none.clone()),
        ("/apis/policy.selvedge.dev/v1alpha1/resiliencepolicies".to_owned(), none.clone()),
        ("/apis/policy.selvedge.dev/v1alpha1/faultpolicies".to_owned(), none.clone()),
        ("/apis/policy.selvedge.dev/v1alpha1/telemetrypolicies".to_owned(), none.clone()),
        (format!("{PRODUCT}/apiversions"), list(version())),
        (format!("{PRODUCT}/namespaces/shop/apiversions/pets-v1"), version()),
        (format!("{PRODUCT}/namespaces/shop/apirevisions/pets-v1-1"), revision()),
        ("/apis/policy.selvedge.dev/v1alpha1/transformpolicies".to_owned(), none.clone()),
        ("/apis/policy.selvedge.dev/v1alpha1/ratelimitpolicies".to_owned(), none),
        (format!("{TOLD}/proxies"), list(proxy())),
        (format!("{TOLD}/routes"), list(traffic())),
        (format!("{TOLD}/meshpictures"), list(mesh())),
        (format!("{TOLD}/controlplanes/this"), plane),
        ("/usage.selvedge.dev/v1/usage".to_owned(), used()),
    ])
    .into_iter()
    .chain(all_sold())
    .collect()
}
