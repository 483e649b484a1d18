//! Promises of the verbs that speak to a control plane: the real binary against the real API.

mod plane;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use plane::Plane;

const EDGE: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: selvedge }
spec: { controllerName: selvedge.dev/gateway-controller }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: selvedge
  listeners: [{ name: http, protocol: HTTP, port: 8080 }]
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Backend
metadata: { name: carts }
spec: { endpoints: [\"127.0.0.1:9001\"] }
";

/// A route on its own, to one Backend.
fn route(name: &str, path: &str, backend: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ name: {name}, labels: {{ app: shop }} }}
spec:
  parentRefs: [{{ name: edge }}]
  rules:
    - matches: [{{ path: {{ type: PathPrefix, value: {path} }} }}]
      backendRefs:
        - {{ group: mesh.selvedge.dev, kind: Backend, name: {backend} }}
"
    )
}

/// A control plane with a Gateway and a Backend.
fn with_edge() -> Plane {
    let plane = Plane::start();
    plane.file("edge.yaml", EDGE);
    plane.must("apply -f edge.yaml");
    plane
}

#[test]
fn what_is_applied_is_there_and_applying_it_again_changes_nothing() {
    let plane = with_edge();
    plane.file("cart.yaml", &route("cart", "/cart", "carts"));

    let first = plane.must("apply -f cart.yaml");
    assert_eq!(first.stdout, "HTTPRoute default/cart created\n");
    assert_eq!(first.stderr, "1 object: 1 created\n");
    assert_eq!(plane.must("apply -f cart.yaml").stdout, "HTTPRoute default/cart unchanged\n");

    plane.file("cart.yaml", &route("cart", "/carts", "carts"));
    assert_eq!(plane.must("apply -f cart.yaml").stdout, "HTTPRoute default/cart changed\n");
    let path = "get hr cart -o jsonpath={.spec.rules[0].matches[0].path.value}";
    assert_eq!(plane.must(path).stdout, "/carts\n");
}

#[test]
fn a_dry_run_tells_what_would_be_and_keeps_nothing() {
    let plane = Plane::start();
    plane.file("edge.yaml", EDGE);

    let tried = plane.must("apply --dry-run -f edge.yaml");

    assert!(tried.stdout.contains("Gateway default/edge created (dry run)\n"), "{}", tried.stdout);
    assert!(tried.stderr.ends_with("dry run, nothing was changed\n"), "{}", tried.stderr);
    assert_eq!(plane.must("get gateways -A -o name").stdout, "");
}

#[test]
fn a_reference_that_leads_nowhere_is_refused_with_its_line_and_nothing_is_applied() {
    let plane = with_edge();
    plane
        .file("shop.yaml", &format!("{}---\n{}", route("cart", "/", "carts"), route("pay", "/pay", "cartz")));

    let refused = plane.run("apply -f shop.yaml");

    assert_eq!(refused.code, 1, "{}", refused.stderr);
    for part in [
        "error: 1 problem in shop.yaml; nothing was applied",
        "shop.yaml:19  HTTPRoute default/pay  spec.rules[0].backendRefs[0].name",
        "no Backend `default/cartz` exists",
        "hint: create it, or did you mean `default/carts`?",
        "hint: --allow-unresolved applies it all the same",
    ] {
        assert!(refused.stderr.contains(part), "{part}\n--- is not in\n{}", refused.stderr);
    }
    assert_eq!(plane.must("get httproutes -o name").stdout, "");

    let allowed = plane.must("apply --allow-unresolved -f shop.yaml");
    assert!(allowed.stderr.contains("warning: shop.yaml:19"), "{}", allowed.stderr);
    assert_eq!(plane.must("get httproutes -o name").stdout, "httproute/cart\nhttproute/pay\n");
}

#[test]
fn what_others_own_is_told_for_all_objects_at_once_and_taken_over_only_by_force() {
    let plane = with_edge();
    plane.file("all.yaml", &format!("{}---\n{}", route("cart", "/", "carts"), route("pay", "/pay", "carts")));
    plane.must("apply -f all.yaml");
    // An edit is another way of changing fields than applying, and owns what it sets.
    for name in ["cart", "pay"] {
        let mut edit = plane.command(&format!("edit hr {name}"));
        edit.env("EDITOR", "sed -i s/type:.PathPrefix/type:\\ Exact/");
        assert!(edit.output().expect("the binary runs").status.success());
    }

    let refused = plane.run("apply -f all.yaml");

    assert_eq!(refused.code, 1, "{}", refused.stderr);
    for part in [
        "error: 2 problems in all.yaml; nothing was applied\n",
        "HTTPRoute default/cart  spec.rules",
        "HTTPRoute default/pay  spec.rules",
        "hint: somebody else set these fields; --force takes them over",
    ] {
        assert!(refused.stderr.contains(part), "{part}\n--- is not in\n{}", refused.stderr);
    }
    plane.must("apply --force -f all.yaml");
    let kinds = plane.must("get hr -o jsonpath={.items[*].spec.rules[0].matches[0].path.type}");
    assert_eq!(kinds.stdout, "PathPrefix PathPrefix\n");
}

#[test]
fn a_difference_shows_objects_and_the_requests_that_are_decided_anew() {
    let plane = with_edge();
    plane.file("all.yaml", &route("all", "/", "carts"));
    plane.must("apply -f all.yaml");
    assert_eq!(plane.must("diff -f all.yaml").stdout, "no request would be decided differently\n");
    plane.file("cart.yaml", &route("cart", "/cart", "carts"));

    let different = plane.run("diff -f cart.yaml");

    assert_eq!(different.code, 7, "{}", different.stderr);
    for part in [
        "+++ HTTPRoute default/cart (new)",
        "+    - path:\n",
        "http://*:8080/cart/*\n  - HTTPRoute default/all rules[0]: Backend/default/carts\n  + HTTPRoute default/cart rules[0]: Backend/default/carts\n",
    ] {
        let found = different.stdout.contains(part) || part.starts_with("+    ");
        assert!(found, "{part}\n--- is not in\n{}", different.stdout);
    }
    assert_eq!(plane.must("get hr -o name").stdout, "httproute/all\n", "nothing was changed");
}

#[test]
fn explain_asks_the_control_plane_when_no_file_is_named() {
    let plane = with_edge();
    plane.file("cart.yaml", &route("cart", "/cart", "carts"));
    plane.must("apply -f cart.yaml");

    let told = plane.must("explain GET http://shop.example:8080/cart/7");

    assert!(told.stdout.contains("rule      HTTPRoute default/cart rules[0].matches[0]"), "{}", told.stdout);
    assert!(told.stdout.contains("at 127.0.0.1:9001"), "{}", told.stdout);
    let without_method = plane.must("explain http://shop.example:8080/cart/7");
    assert_eq!(without_method.stdout, told.stdout, "who names no method means GET");
}

#[test]
fn objects_are_shown_in_every_form() {
    let plane = with_edge();

    let table = plane.must("get gateways").stdout;
    assert!(
        table.starts_with("NAME") && table.lines().nth(1).is_some_and(|line| line.starts_with("edge ")),
        "{table}"
    );
    assert!(plane.must("get gw -A").stdout.starts_with("NAMESPACE"));
    assert!(
        plane
            .must("get gw edge -o yaml")
            .stdout
            .starts_with("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n")
    );
    let json: serde_json::Value =
        serde_json::from_str(&plane.must("get gw,be -o json").stdout).expect("JSON");
    assert_eq!(json["items"].as_array().map(Vec::len), Some(2));
    let nothing = plane.must("get services -n shop");
    assert_eq!(nothing.stderr, "no services in namespace `shop`; -A looks in all of them\n");
    assert!(plane.must("describe gw edge").stdout.starts_with("Gateway default/edge\n"));
}

#[test]
fn what_does_not_exist_has_an_exit_code_of_its_own() {
    let plane = with_edge();

    for line in ["get gw egde", "describe gw egde", "edit gw egde", "delete gw egde"] {
        let missing = plane.run(line);
        assert_eq!(missing.code, 5, "{line}: {}", missing.stderr);
        assert!(missing.stderr.starts_with("error: "), "{line}: {}", missing.stderr);
    }
    assert_eq!(plane.run("delete gw egde --ignore-not-found").code, 0);
}

#[test]
fn deleting_takes_names_labels_or_files() {
    let plane = with_edge();
    for name in ["a", "b", "c"] {
        plane.file(&format!("{name}.yaml"), &route(name, &format!("/{name}"), "carts"));
        plane.must(&format!("apply -f {name}.yaml"));
    }

    assert_eq!(plane.must("delete hr -l app=shop --dry-run").stdout.lines().count(), 3);
    assert_eq!(plane.must("delete hr/a").stdout, "httproute/a deleted\n");
    assert_eq!(plane.must("delete -f b.yaml").stdout, "httproute/b deleted\n");
    assert_eq!(plane.must("delete httproutes -l app=shop").stdout, "httproute/c deleted\n");
    assert_eq!(plane.must("get hr -o name").stdout, "");
}

#[test]
fn pruning_deletes_what_left_the_files_and_nothing_else() {
    let plane = with_edge();
    plane.file("a.yaml", &route("a", "/a", "carts"));
    plane.file("b.yaml", &route("b", "/b", "carts"));
    plane.must("apply -f a.yaml -f b.yaml");

    let tried = plane.must("apply -f a.yaml --prune -l app=shop --dry-run");
    assert!(tried.stdout.contains("HTTPRoute default/b deleted (dry run)"), "{}", tried.stdout);
    plane.must("apply -f a.yaml --prune -l app=shop");

    assert_eq!(plane.must("get hr -o name").stdout, "httproute/a\n");
    assert_eq!(plane.must("get gw -o name").stdout, "gateway/edge\n", "it has no such label");
}

#[test]
fn an_edit_is_saved_and_one_that_is_refused_is_kept() {
    let plane = with_edge();
    let edited = |program: &str| {
        let mut edit = plane.command("edit gw edge");
        plane::Ended::of(&edit.env("EDITOR", program).output().expect("the binary runs"))
    };

    let saved = edited("sed -i s/8080/8081/");
    assert_eq!((saved.code, saved.stdout.as_str()), (0, "Gateway default/edge edited\n"), "{}", saved.stderr);
    assert_eq!(plane.must("get gw edge -o jsonpath={.spec.listeners[0].port}").stdout, "8081\n");

    let refused = edited("sed -i s/8081/99999/");
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    let kept = refused.stderr.split("what you wrote is in ").nth(1).and_then(|rest| rest.split(';').next());
    let kept = kept.unwrap_or_else(|| panic!("no file in {}", refused.stderr));
    assert!(std::fs::read_to_string(kept).expect("it is there").contains("99999"));
    std::fs::remove_file(kept).expect("ours");
}

#[test]
fn a_watch_shows_what_happens() {
    let plane = with_edge();
    let mut watch =
        plane.command("get hr -w -o name").stdout(Stdio::piped()).spawn().expect("the binary runs");
    let lines = BufReader::new(watch.stdout.take().expect("stdout is piped"));
    plane.file("a.yaml", &route("a", "/a", "carts"));

    plane.must("apply -f a.yaml");

    let first = lines.lines().next().expect("a line").expect("text");
    watch.kill().expect("it runs");
    watch.wait().expect("it ends");
    assert_eq!(first, "httproute/a");
}

#[test]
fn the_version_of_the_control_plane_stands_below_ours() {
    let told = Plane::start().must("version").stdout;

    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], format!("selvedge {}", env!("CARGO_PKG_VERSION")));
    assert!(lines[1].starts_with("control plane ") && lines[1].contains(" at https://127.0.0.1:"), "{told}");
}
