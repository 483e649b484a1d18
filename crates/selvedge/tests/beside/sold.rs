//! Promises of what is sold at a Gateway to members of the mesh, as processes: they call it through their sidecars, and
//! are known by their certificates.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::meshes::{Mesh, SHOP, Speaks};
use crate::product;
use crate::scene::{echo, free_address as nobody};
use crate::sidecars::until;

/// Whoever calls the product is who a certificate says, and nobody is anybody.
const BY_IDENTITY: &str = "apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthenticationPolicy
metadata: { namespace: shop, name: by-identity }
spec:
  targetRefs: [{ group: product.selvedge.dev, kind: APIProduct, name: carts }]
  methods: [{ spiffe: {} }]
";

#[test]
fn a_service_is_a_customer_at_a_gateway_by_its_identity_limited_and_counted_like_anybody_else() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut trading = mesh.member("trading", Speaks::Http, nobody());
    let mut till = mesh.member("till", Speaks::Http, nobody());
    for member in [&mut cart, &mut trading, &mut till] {
        member.run(&[]);
    }
    let edge = mesh.edge();
    mesh.apply(&[&edge.for_members(), &product("name: edge", cart.port()), BY_IDENTITY].concat());

    trading.calls("edge", "/carts/owners", 200);
    trading.calls("edge", "/carts/items/7", 403);
    edge.logged(&["\"/carts/items/7\"", "\"failure\":\"application_missing\""]);
    mesh.must(&format!("app create trading -n shop --identity {SHOP}/trading"));
    mesh.must("subscribe carts --plan gold --app trading --no-key -n shop");
    trading.calls("edge", "/carts/items/8", 200);
    trading.calls("edge", "/carts/items/9", 200);
    let told = trading.calls("edge", "/carts/items/9", 429);

    assert!(told.contains("\"limit\":\"2-per-1h\""), "{told}");
    let line = edge.logged(&["\"/carts/items/9\"", "\"status\":200"]);
    assert!(line.contains("\"application\":\"shop/trading\",\"plan\":\"shop/gold\""), "{line}");
    assert!(line.contains(&format!("\"source_identity\":\"{SHOP}/trading\"")), "{line}");
    assert!(line.contains("\"upstream_workload\":\"shop/cart-1\""), "{line}");
    let till_is_told = till.calls("edge", "/carts/items/9", 403);
    assert!(till_is_told.contains("application_missing"), "{till_is_told}");
    edge.answers("GET /carts/items/9 HTTP/1.1\r\nHost: edge.shop", 401);
    assert!(!is_answered(edge.members), "nobody comes in without proof");

    let used = until("what trading used in the ledger", || {
        let rows = mesh.must("usage -n shop --app trading --by operation -o csv");
        let row = rows.lines().find(|row| row.contains("GET /items/{}"))?.to_owned();
        (counted(&row, 2) >= 2).then_some(row)
    });
    assert_eq!((counted(&used, 2), counted(&used, 3)), (2, 2), "requests and successes: {used}");
    assert!(counted(&used, 6) >= 1, "what was refused is told apart: {used}");
}

/// A number of a row, by its place.
fn counted(row: &str, at: usize) -> u64 {
    row.split(',').nth(at).and_then(|cell| cell.parse().ok()).unwrap_or_default()
}

/// Whether somebody who shows no certificate gets an answer to a request.
fn is_answered(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).expect("it is open");
    let mut answer = Vec::new();
    // A connection that is reset has no answer either.
    let _ = stream.write_all(b"GET /carts/owners HTTP/1.1\r\nHost: edge.shop\r\nConnection: close\r\n\r\n");
    let _ = stream.read_to_end(&mut answer);
    answer.starts_with(b"HTTP/")
}
