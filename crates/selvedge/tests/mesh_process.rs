//! Promises of the mesh as processes: a control plane, sidecars that joined with tokens, and applications that know
//! nothing of either.

mod beside;
mod meshes;
mod plane;
mod psql;
mod scene;
mod sidecars;

use meshes::{Mesh, SHOP, Speaks};
use psql::Session;
use scene::{echo, free_address as nobody};
use sidecars::until;

#[test]
fn an_application_calls_another_by_its_environment_and_the_other_side_knows_who_called() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut web = mesh.member("web", Speaks::Http, nobody());
    cart.run(&[]);

    let call = "curl -fsS --retry 20 --retry-connrefused --retry-delay 1 $SHOP_CART_URL/items > answer
        echo $? > called; exec sleep 1000";
    web.run(&["sh", "-c", call]);

    assert_eq!(web.wrote("called"), "0\n");
    let line = cart.logged(&["\"/items\"", "\"status\":200"]);
    assert!(line.contains(&format!("\"source_identity\":\"{SHOP}/web\"")), "{line}");
    assert!(line.contains("\"source_workload\":\"shop/web-1\""), "{line}");
}

#[test]
fn where_calls_are_denied_by_default_those_whom_a_policy_names_get_in_and_authz_can_says_the_same() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut web = mesh.member("web", Speaks::Http, nobody());
    let mut till = mesh.member("till", Speaks::Http, nobody());
    for member in [&mut cart, &mut web, &mut till] {
        member.run(&[]);
    }
    till.calls("cart", "/before", 200);

    mesh.by_default("Deny");
    web.finds_no("cart");
    mesh.apply(&readers(&format!("identities: [\"{SHOP}/web\"]")));

    web.calls("cart", "/items", 200);
    till.calls("cart", "/items", 403);
    let can = |who: &str| mesh.must(&format!("authz can shop/{who} GET shop/cart:/items"));
    assert!(can("web-1").starts_with("yes "), "{}", can("web-1"));
    assert!(can("till-1").starts_with("no "), "{}", can("till-1"));
}

#[test]
fn without_its_control_plane_the_mesh_goes_on_and_a_sidecar_starts_from_what_it_kept() {
    let (mut mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut web = mesh.member("web", Speaks::Http, nobody());
    cart.run(&[]);
    web.run(&[]);
    web.calls("cart", "/before", 200);

    mesh.kill_control();
    web.calls("cart", "/alone", 200);
    for restarted in [&mut cart, &mut web] {
        restarted.kill();
        restarted.run(&[]);
    }

    web.calls("cart", "/restarted", 200);
    cart.logged(&["\"/restarted\"", &format!("\"source_identity\":\"{SHOP}/web\"")]);
}

#[test]
fn a_database_is_reached_through_two_sidecars_and_a_policy_that_changes_cuts_nobody_unless_it_says_so() {
    let (mesh, database) = (Mesh::start(), psql::Database::start());
    let mut db = mesh.member("db", Speaks::Tcp, database.address());
    let mut web = mesh.member("web", Speaks::Http, nobody());
    db.run(&[]);
    web.run(&[]);
    let address = web.finds("db");

    let mut session = until("a session", || Session::open(address));
    assert_eq!(session.asks("select 6 * 7"), Some("42".to_owned()));
    let backend = session.asks("select pg_backend_pid()");
    mesh.apply(&denied("Keep"));
    until("newcomers to be denied", || Session::open(address).is_none().then_some(()));
    web.finds_no("db");

    let longer_than_any_drain = "select pg_backend_pid() from pg_sleep(3)";
    assert_eq!(session.asks(longer_than_any_drain), backend, "the same session goes on");
    mesh.apply(&denied("Enforce"));
    until("the session to be cut", || session.asks("select 1").is_none().then_some(()));
    db.logged(&[&format!("\"source_identity\":\"{SHOP}/web\"")]);
}

#[test]
fn a_service_is_a_customer_of_another_one_by_its_identity_and_limited_like_anybody_else() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut web = mesh.member("web", Speaks::Http, nobody());
    cart.run(&[]);
    web.run(&[]);
    mesh.apply(&product("group: '', kind: Service, name: cart", cart.port()));
    web.calls("cart", "/carts/owners", 200);

    web.calls("cart", "/carts/items/7", 403);
    cart.logged(&["\"/items/7\"", "\"failure\":\"application_missing\""]);
    mesh.must(&format!("app create trading -n shop --identity {SHOP}/web"));
    web.calls("cart", "/carts/items/8", 403);
    mesh.must("subscribe carts --plan gold --app trading --no-key -n shop");
    web.calls("cart", "/carts/items/9", 200);
    web.calls("cart", "/carts/items/9", 200);
    let told = web.calls("cart", "/carts/items/9", 429);

    assert!(told.contains("\"limit\":\"2-per-1h\""), "{told}");
    let line = cart.logged(&["\"/items/9\"", "\"status\":200"]);
    assert!(line.contains("\"application\":\"shop/trading\",\"plan\":\"shop/gold\""), "{line}");
    let around =
        |head: &str| scene::get(cart.address(), &format!("GET /items/9 HTTP/1.1\r\nHost: cart{head}")).0;
    assert_eq!(around(""), 401, "nobody gets around the proxy beside the provider");
    let key = mesh.must("key create --app trading -n shop");
    until("the key to be known", || (around(&format!("\r\nx-api-key: {}", key.trim())) == 403).then_some(()));
}

/// Items of the cart as a product for members of the mesh, called at this parent; owners are open.
fn product(parent: &str, port: u16) -> String {
    let object = |kind: &str, name: &str, spec: &str| {
        format!(
            "apiVersion: product.selvedge.dev/v1alpha1
kind: {kind}
metadata: {{ namespace: shop, name: {name} }}
spec: {spec}
---
"
        )
    };
    let description = "openapi: 3.1.0
info: { title: Carts, version: '1' }
paths:
  /items/{id}:
    get: { responses: { '200': { description: one } } }
  /owners:
    get: { responses: { '200': { description: all } } }
";
    let documents = format!("[{{ name: carts.yaml, content: {description:?} }}]");
    let service = format!("{{ kind: Service, name: cart, port: {port} }}");
    [
        object("API", "carts", "{ title: Carts }"),
        object("APIRevision", "one", &format!("{{ api: carts, version: carts-v1, documents: {documents} }}")),
        object(
            "APIVersion",
            "carts-v1",
            &format!(
                "{{ api: carts, label: v1, state: Published, revision: one, parentRefs: [{{ {parent} }}] }}"
            ),
        ),
        object(
            "APIBinding",
            "carts-v1",
            &format!("{{ version: carts-v1, default: {{ backendRefs: [{service}] }} }}"),
        ),
        object(
            "APIProduct",
            "carts",
            "{ state: Published, apis: [{ version: carts-v1, operations: ['GET /items/{}'] }] }",
        ),
        object(
            "Plan",
            "gold",
            "{ product: carts, state: Published, credentials: [SPIFFE], rates: [{ requests: 2, per: 1h }] }",
        ),
    ]
    .concat()
}

/// A policy that keeps the web from its database.
fn denied(live: &str) -> String {
    format!(
        "apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {{ namespace: shop, name: no-web }}
spec:
  targetRefs: [{{ group: \"\", kind: Service, name: db }}]
  action: Deny
  live: {live}
  rules: [{{ name: web, from: [{{ identities: [\"{SHOP}/web\"] }}] }}]
"
    )
}

/// A policy that lets these callers in to the cart.
fn readers(from: &str) -> String {
    format!(
        "apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {{ namespace: shop, name: readers }}
spec:
  targetRefs: [{{ group: \"\", kind: Service, name: cart }}]
  action: Allow
  rules:
  - {{ name: those, from: [{{ {from} }}] }}
  - {{ name: writers, from: [{{ identities: [\"{SHOP}/till\"] }}], to: [{{ methods: [POST] }}] }}
"
    )
}
