//! Promises of the mesh as processes: a control plane, sidecars that joined with tokens, and applications that know
//! nothing of either.

mod meshes;
mod plane;
mod scene;
mod sidecars;

use meshes::{Mesh, SHOP, Speaks};
use scene::echo;

#[test]
fn an_application_calls_another_by_its_environment_and_the_other_side_knows_who_called() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address().port());
    let mut web = mesh.member("web", Speaks::Http, 9);
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
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address().port());
    let mut web = mesh.member("web", Speaks::Http, 9);
    let mut till = mesh.member("till", Speaks::Http, 9);
    for member in [&mut cart, &mut web, &mut till] {
        member.run(&[]);
    }
    till.calls("cart", "/before", 200);

    mesh.by_default("Deny");
    web.calls("cart", "/denied", 403);
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
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address().port());
    let mut web = mesh.member("web", Speaks::Http, 9);
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

/// A policy that lets these callers in to the cart.
fn readers(from: &str) -> String {
    format!(
        "apiVersion: policy.selvedge.dev/v1alpha1
kind: AuthorizationPolicy
metadata: {{ namespace: shop, name: readers }}
spec:
  targetRefs: [{{ group: \"\", kind: Service, name: cart }}]
  action: Allow
  rules: [{{ name: those, from: [{{ {from} }}] }}]
"
    )
}
