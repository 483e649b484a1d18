//! Policies and requests, drawn by chance from few words, so that they meet.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Ask;

fn some<T: Clone + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(values)
}

fn field(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::option::weighted(0.25, prop::collection::btree_set(some(values), 1..3))
        .prop_map(|set| set.map_or(Value::Null, |set| set.into_iter().collect::<Vec<_>>().into()))
}

/// An object of fields, of which at least one is written.
fn object(fields: Vec<(&'static str, &'static [&'static str])>) -> impl Strategy<Value = Value> {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let values: Vec<_> = fields.into_iter().map(|(_, values)| field(values)).collect();
    values.prop_filter_map("nothing is written", move |values| {
        let pairs = names.iter().zip(values).filter(|(_, value)| !value.is_null());
        let object: serde_json::Map<String, Value> =
            pairs.map(|(name, value)| ((*name).to_owned(), value)).collect();
        (!object.is_empty()).then_some(Value::Object(object))
    })
}

const IDS: &[&str] = &[
    "spiffe://a.example/ns/shop/sa/web",
    "spiffe://*/ns/shop/sa/web",
    "*/sa/web",
    "spiffe://a.example/ns/*/sa/x",
    "spiffe://a.example/*",
    "*",
    "*/ns/shop*",
];
const NAMES: &[&str] = &["shop", "sh*", "*p", "*ho*", "bank"];
const PLACES: &[&str] = &["web-1", "web-*", "default/web-1", "shop/*", "*-1", "*"];
const MESHES: &[&str] = &["a.example", "*.example", "b.example"];
const BLOCKS: &[&str] = &["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "2001:db8::/32", "192.0.2.1/32"];
const HOSTS: &[&str] = &["shop.example", "*.example", "Shop.Example", "shop.*", "*"];
const METHODS: &[&str] = &["GET", "POST", "get"];
const PATHS: &[&str] =
    &["/", "/admin", "/admin/*", "/admin*", "*/admin", "*.php", "/a/*/b", "/A", "*", "/a%2Fb", "/a;x"];
const VALUES: &[&str] = &["a", "b", "a*", "*", "*c", "a, b"];

fn source() -> impl Strategy<Value = Value> {
    object(vec![
        ("identities", IDS),
        ("notIdentities", IDS),
        ("namespaces", NAMES),
        ("notNamespaces", NAMES),
        ("workloads", PLACES),
        ("notWorkloads", PLACES),
        ("meshes", MESHES),
        ("notMeshes", MESHES),
        ("ipBlocks", BLOCKS),
        ("notIpBlocks", BLOCKS),
    ])
}

fn operation() -> impl Strategy<Value = Value> {
    let words = object(vec![
        ("serverNames", HOSTS),
        ("notServerNames", HOSTS),
        ("methods", METHODS),
        ("notMethods", METHODS),
        ("hosts", HOSTS),
        ("notHosts", HOSTS),
        ("paths", PATHS),
        ("notPaths", PATHS),
    ]);
    let port = || prop::option::weighted(0.2, some(&[80_u16, 8080]));
    (words, port(), port()).prop_map(|(mut object, port, not_port)| {
        for (name, port) in [("ports", port), ("notPorts", not_port)] {
            if let Some(port) = port {
                object[name] = json!([port]);
            }
        }
        object
    })
}

fn demand() -> impl Strategy<Value = Value> {
    (some(&["x-a", "X-B"]), object(vec![("values", VALUES), ("notValues", VALUES)])).prop_map(
        |(name, mut object)| {
            object["header"] = json!(name);
            object
        },
    )
}

fn rules() -> impl Strategy<Value = Value> {
    let part = |list: Vec<Value>| if list.is_empty() { Value::Null } else { list.into() };
    let rule = (
        prop::collection::vec(source(), 0..2),
        prop::collection::vec(operation(), 0..3),
        prop::collection::vec(demand(), 0..2),
    )
        .prop_map(move |(from, to, when)| {
            let mut rule = json!({});
            for (name, list) in [("from", from), ("to", to), ("when", when)] {
                let list = part(list);
                if !list.is_null() {
                    rule[name] = list;
                }
            }
            rule
        });
    prop::collection::vec(rule, 1..3).prop_map(Value::from)
}

pub fn policies() -> impl Strategy<Value = Vec<Value>> {
    let policy = (some(&["Allow", "Deny", "Audit"]), rules()).prop_map(|(action, rules)| {
        json!({ "action": action, "rules": rules, "targetRefs": [
            { "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "r" }] })
    });
    prop::collection::vec(policy, 1..5)
}

pub fn ask() -> impl Strategy<Value = Ask> {
    let headers = prop::collection::vec(
        (some(&["x-a", "x-b"]), some(&["a", "b", "ac", "a, b", "", "b,a", "\u{fc}"])),
        0..4,
    );
    let id = prop::option::of(some(&[
        "spiffe://a.example/ns/shop/sa/web",
        "spiffe://b.example/ns/shop/sa/web",
        "spiffe://a.example/ns/bank/sa/x",
        "spiffe://a.example/other",
    ]));
    let address =
        prop::option::of(some(&["10.0.0.1", "10.1.2.3", "192.0.2.1", "192.0.2.2", "2001:db8::1", "::1"]));
    let path = some(&[
        "/",
        "/admin",
        "/admin/",
        "/Admin",
        "/admin;a=b",
        "/admin/x",
        "/%2Fadmin",
        "/administrator",
        "/a/x/b",
        "/a//b",
        "/a%2Fb",
        "/a;x",
        "/x.php",
        "/X.PHP;y",
        "/a%2F..%2Fb",
        "//admin",
        "/admin%2Fx",
        "/a\\b",
        "/%2561dmin",
    ]);
    let who = (address, id, prop::option::of(some(&["default/web-1", "shop/web-1", "default/db-2"])));
    let what = (some(&["GET", "get", "POST"]), some(&["shop.example", "other.test", ""]), path, headers);
    let door = (some(&[80_u16, 8080]), prop::option::of(some(&["shop.example", "other.test"])));
    (who, what, door).prop_map(
        |((address, identity, replica), (method, host, path, headers), (port, server_name))| Ask {
            method: method.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            address: address.map(|text| text.parse().unwrap()),
            identity: identity.map(str::to_owned),
            replica: replica.map(str::to_owned),
            port,
            server_name: server_name.map(str::to_owned),
        },
    )
}
