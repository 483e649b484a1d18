//! Matches, filters, weights and what cannot work, at both doors.

use serde_json::{Value, json};
use tests::upstream::Upstream;

use super::stage::{Door, Upstreams, Verdict, request, route, same, scene};

async fn upstreams() -> Upstreams {
    let mut upstreams = Vec::new();
    for name in ["shop", "other", "third"] {
        upstreams.push((name, Upstream::recording().await));
    }
    upstreams
}

/// Verdicts of these requests (`METHOD target` and lines of the head) under these rules, the same at both doors.
async fn verdicts(what: &str, rules: Value, requests: &[(&str, &str)]) -> Vec<Verdict> {
    let upstreams = upstreams().await;
    let mut scene = scene(&upstreams);
    route(&mut scene, &rules);
    let (gateway, sidecar) = (Door::gateway(&scene).await, Door::outbound(&scene).await);
    let requests: Vec<String> = requests.iter().map(|(line, more)| request(line, more)).collect();
    same(what, [&gateway, &sidecar], &upstreams, &requests).await
}

fn to(name: &str) -> Value {
    json!([{ "name": name, "port": 80 }])
}

/// Statuses, and which upstream was asked.
fn short(verdicts: &[Verdict]) -> Vec<(u16, Option<&str>)> {
    verdicts
        .iter()
        .map(|verdict| (verdict.status, verdict.seen.first().map(|seen| seen.0.as_str())))
        .collect()
}

fn path(kind: &str, value: &str) -> Value {
    json!({ "path": { "type": kind, "value": value } })
}

#[tokio::test]
async fn matches_choose_the_same_rule_at_both_doors() {
    let rules = json!([
        { "matches": [path("Exact", "/items/1")], "backendRefs": to("other") },
        { "matches": [path("PathPrefix", "/items")], "backendRefs": to("shop") },
        { "matches": [{ "path": { "type": "PathPrefix", "value": "/items" }, "method": "POST" }], "backendRefs": to("third") },
        { "matches": [{ "headers": [{ "name": "x-tenant", "value": "a" }] }], "backendRefs": to("third") },
        { "matches": [{ "queryParams": [{ "name": "v", "value": "2" }] }], "backendRefs": to("other") },
        { "matches": [{ "headers": [{ "type": "RegularExpression", "name": "x-tenant", "value": "b+" }] }], "backendRefs": to("other") },
    ]);
    let requests = [
        ("GET /items/1", ""),
        ("GET /items/2", ""),
        ("POST /items/2", "Content-Length: 0\r\n"),
        ("GET /itemsx", ""),
        ("GET /else", "X-Tenant: a\r\n"),
        ("GET /else?v=2", "X-Tenant: a\r\n"),
        ("GET /else?v=2", ""),
        ("GET /else?v=2&v=3", ""),
        ("GET /else", "x-tenant: bbb\r\n"),
        ("GET /items/../else?v=2", ""),
        ("GET /items//1", ""),
        ("GET /items/%2e%2e/1", ""),
        ("GET /items", "X_Tenant: a\r\n"),
        ("OPTIONS /items", ""),
        ("GET /ITEMS/1", ""),
    ];

    let verdicts = verdicts("matches", rules, &requests).await;

    let expected =
        [(200, Some("other")), (200, Some("shop")), (200, Some("third")), (404, None), (200, Some("third"))];
    assert_eq!(short(&verdicts)[..5], expected);
}

#[tokio::test]
async fn filters_do_the_same_at_both_doors() {
    let filters = |filters: Value, path: &str| {
        json!({
            "matches": [{ "path": { "type": "PathPrefix", "value": path } }],
            "filters": filters, "backendRefs": to("shop"),
        })
    };
    let mirror = json!([{ "type": "RequestMirror", "requestMirror": { "backendRef": { "name": "nobody", "port": 80 } } }]);
    let redirect = |more: Value| json!([{ "type": "RequestRedirect", "requestRedirect": more }]);
    let rules = json!([
        filters(json!([{ "type": "RequestHeaderModifier", "requestHeaderModifier": {
            "set": [{ "name": "x-set", "value": "1" }], "add": [{ "name": "x-add", "value": "2" }], "remove": ["x-gone"],
        } }]), "/request"),
        filters(json!([{ "type": "ResponseHeaderModifier", "responseHeaderModifier": {
            "set": [{ "name": "content-type", "value": "text/html" }], "add": [{ "name": "x-add", "value": "2" }],
        } }]), "/response"),
        filters(json!([{ "type": "URLRewrite", "urlRewrite": {
            "hostname": "inner.example", "path": { "type": "ReplacePrefixMatch", "replacePrefixMatch": "/new" },
        } }]), "/prefix"),
        filters(json!([{ "type": "URLRewrite", "urlRewrite": {
            "path": { "type": "ReplaceFullPath", "replaceFullPath": "/whole" },
        } }]), "/full"),
        filters(json!([{ "type": "CORS", "cors": {
            "allowOrigins": ["https://a.example"], "allowMethods": ["GET"], "maxAge": 60,
        } }]), "/cors"),
        filters(mirror, "/mirror"),
        { "matches": [path("PathPrefix", "/moved")], "filters": redirect(json!({
            "scheme": "https", "hostname": "new.example", "port": 8443, "statusCode": 301,
            "path": { "type": "ReplacePrefixMatch", "replacePrefixMatch": "/there" },
        })) },
    ]);
    let preflight = "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n";
    let requests = [
        ("GET /request", "X-Gone: 1\r\nX-Set: 0\r\nX-Add: 1\r\n"),
        ("GET /request", "Connection: x-hop\r\nX-Hop: 1\r\n"),
        ("GET /response", ""),
        ("HEAD /response", ""),
        ("GET /prefix/a/b?c=d", ""),
        ("GET /prefix", ""),
        ("GET /full/a?c=d", ""),
        ("OPTIONS /cors", preflight),
        ("GET /cors", "Origin: https://a.example\r\n"),
        ("GET /cors", "Origin: https://b.example\r\n"),
        ("GET /mirror", ""),
        ("GET /moved/a?b=c", ""),
    ];

    let verdicts = verdicts("filters", rules, &requests).await;

    assert_eq!(verdicts[4].seen[0].1, "GET /new/a/b?c=d");
    assert_eq!(short(&verdicts)[11], (301, None));
}

#[tokio::test]
async fn backends_that_cannot_work_fail_alike_at_both_doors() {
    let rules = json!([
        { "matches": [path("Exact", "/nobody")], "backendRefs": to("nobody") },
        { "matches": [path("Exact", "/none")], "backendRefs": [{ "name": "shop", "port": 80, "weight": 0 }] },
        { "matches": [path("Exact", "/foreign")], "backendRefs": [{ "name": "x", "namespace": "bank", "port": 80 }] },
        { "matches": [path("Exact", "/weights")], "backendRefs": [
            { "name": "shop", "port": 80, "weight": 0 }, { "name": "other", "port": 80, "weight": 1 },
        ] },
        { "matches": [path("Exact", "/per-backend")], "backendRefs": [{ "name": "third", "port": 80, "filters": [
            { "type": "RequestHeaderModifier", "requestHeaderModifier": { "set": [{ "name": "x-backend", "value": "third" }] } },
        ] }] },
    ]);
    let requests =
        ["GET /nobody", "GET /none", "GET /foreign", "GET /weights", "GET /per-backend", "GET /nowhere"]
            .map(|line| (line, ""));

    let verdicts = verdicts("backends", rules, &requests).await;

    let expected =
        [(500, None), (500, None), (500, None), (200, Some("other")), (200, Some("third")), (404, None)];
    assert_eq!(short(&verdicts), expected);
}

#[tokio::test]
async fn what_is_refused_at_a_gateway_is_refused_at_a_sidecar() {
    let rules = json!([{ "backendRefs": to("shop") }]);
    let requests = [
        ("GET /a%2fb", ""),
        ("GET /a%00b", ""),
        ("GET /a", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ("GET /a", "Transfer-Encoding: xchunked\r\n"),
        ("GET /a", "Content-Length: +5\r\n"),
        ("GET /a", "X_Forwarded_For: 1.2.3.4\r\n"),
        ("GET /a", "Host: again.example\r\n"),
        ("GET /a", "Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 1\r\n"),
        ("TRACE /a", ""),
        ("get /a", ""),
        ("CONNECT /a", ""),
        ("GET /a", "Expect: nonsense\r\n"),
        ("GET /a", "Bad Name: 1\r\n"),
        ("GET /a", "X-Forwarded-Client-Cert: URI=spiffe://evil\r\nX-Spiffe-Id: a\r\n"),
    ];

    let verdicts = verdicts("refusals", rules, &requests).await;

    let refused = verdicts.iter().filter(|verdict| verdict.status >= 400).count();
    assert!(refused >= 8, "{:?}", short(&verdicts));
}
