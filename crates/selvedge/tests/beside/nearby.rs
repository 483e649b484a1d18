//! Promises about where replicas stand: a sidecar says it, its Workload tells it, and callers nearby come first.

use crate::meshes::{Mesh, Speaks};
use crate::scene::{echo, free_address as nobody};
use crate::sidecars::until;

const CART: &str = "apiVersion: v1
kind: Service
metadata: { namespace: shop, name: cart }
spec:
  selector: { app: cart }
  ports: [{ name: http, port: 8080, targetPort: http }]
";

const NEARBY: &str = "apiVersion: policy.selvedge.dev/v1alpha1
kind: ResiliencePolicy
metadata: { namespace: shop, name: nearby }
spec:
  targetRefs: [{ group: \"\", kind: Service, name: cart }]
  locality: { preferLocal: true }
";

#[test]
fn a_sidecar_says_where_it_stands_and_callers_go_to_who_is_nearby() {
    let (mesh, here, there) = (Mesh::start(), echo("here"), echo("there"));
    mesh.apply(CART);
    let mut near = mesh.replica("cart", "near", here.address(), &["--locality", "north/a"]);
    let mut far = mesh.replica("cart", "far", there.address(), &["--locality", "north/b"]);
    let mut web = mesh.member("web", Speaks::Http, nobody());
    web.is_told(&["--locality", "north/a"]);
    for member in [&mut near, &mut far, &mut web] {
        member.run(&[]);
    }
    for name in ["here", "there"] {
        until(&format!("a call to be answered {name}"), || {
            web.calls("cart", "/", 200).contains(name).then_some(())
        });
    }
    let said = mesh.must("get workload near-1 -n shop -o jsonpath={.spec.locality}");
    assert!(said.contains("north") && said.contains('a'), "{said}");

    mesh.apply(NEARBY);

    until("every call to be answered nearby", || {
        (0..20).all(|_| web.calls("cart", "/", 200).contains("here")).then_some(())
    });
}
