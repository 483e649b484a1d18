//! Meshes and Workloads are refused where they cannot work.

use model::kinds::mesh::{DefaultAction, MtlsMode};
use model::kinds::{KindName, Mesh, Workload};
use model::schema::{Judge, check_change};
use model::yaml;
use serde_json::json;

fn read(kind: &str, spec: &str) -> Result<Vec<model::Resource>, String> {
    let text = format!(
        "apiVersion: mesh.selvedge.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: default}}\nspec: {spec}\n"
    );
    let read = yaml::read(&text, "a.yaml");
    if read.violations.is_empty() { Ok(read.resources) } else { Err(read.violations.to_string()) }
}

#[test]
fn a_mesh_that_says_nothing_lets_in_and_prefers_proof() {
    let resources = read("Mesh", "{}").unwrap();
    let mesh = resources[0].content::<Mesh>().unwrap();

    assert_eq!(mesh.spec.default_action, DefaultAction::Allow);
    assert_eq!(mesh.spec.mtls.mode, MtlsMode::Permissive);
    assert_eq!(&*mesh.trust_domain("default"), "default.mesh.local");
    assert_eq!(mesh.spec.certificates.lifetime().as_secs(), 86_400);
}

#[test]
fn off_without_quotes_is_refused_with_the_quotes_that_it_needs_also_where_somebody_read_it_as_false() {
    let bare = read("Mesh", "{mtls: {mode: Off}}").unwrap_err();
    let read_as_false = read("Mesh", "{mtls: {mode: false}}").unwrap_err();

    assert!(bare.contains("put it in quotes (\"Off\")"), "{bare}");
    assert!(read_as_false.contains("write \"Off\" in quotes"), "{read_as_false}");
    assert!(read("Mesh", "{mtls: {mode: \"Off\"}}").is_ok());
}

#[test]
fn certificates_live_no_longer_than_a_day_nor_than_their_root() {
    let lifetimes = |text: &str| read("Mesh", &format!("{{certificates: {{{text}}}}}"));

    assert!(lifetimes("lifetime: 24h").is_ok());
    assert!(lifetimes("lifetime: 25h").unwrap_err().contains("10s to 24h"));
    assert!(lifetimes("lifetime: 1s").unwrap_err().contains("10s to 24h"));
    assert!(lifetimes("rootLifetime: 90000h").unwrap_err().contains("ten years"));
    assert!(lifetimes("rootLifetime: 2h").unwrap_err().contains("at least as long"));
    assert!(lifetimes("rootLifetime: 2h, lifetime: 1h").is_ok());
}

#[test]
fn a_trust_domain_is_a_name_for_good() {
    for wrong in ["Bank.example", "bank_example", "-bank", "a/b", "''"] {
        let fault = read("Mesh", &format!("{{trustDomain: {wrong}}}")).unwrap_err();
        assert!(fault.contains("trustDomain"), "{wrong}: {fault}");
    }
    let change = |before: serde_json::Value, after: serde_json::Value| {
        let (before, after) = (json!({"spec": before}), json!({"spec": after}));
        check_change(KindName::Mesh, &before, &after, &Judge::new()).len()
    };

    assert_eq!(change(json!({"trustDomain": "a"}), json!({"trustDomain": "a", "defaultAction": "Deny"})), 0);
    assert_eq!(change(json!({"trustDomain": "a"}), json!({"trustDomain": "b"})), 1);
    assert_eq!(change(json!({}), json!({"trustDomain": "b"})), 1);
    assert_eq!(change(json!({"trustDomain": "a"}), json!({})), 1);
}

#[test]
fn a_workload_that_says_only_where_it_is_gets_the_rest() {
    let resources =
        read("Workload", "{address: 10.0.0.7, sidecar: {}, ports: [{name: a, port: 80}]}").unwrap();
    let workload = resources[0].content::<Workload>().unwrap();

    assert_eq!(&*workload.spec.service_account, "default");
    assert_eq!(workload.spec.sidecar.map(|sidecar| sidecar.port), Some(15_443));
    assert_eq!(workload.spec.application_address().to_string(), "127.0.0.1");
    assert_eq!(workload.spec.ports[0].target(), 80);
}

#[test]
fn a_workload_has_every_port_and_every_name_once() {
    let ports =
        |ports: &str| read("Workload", &format!("{{address: 10.0.0.7, sidecar: {{}}, ports: [{ports}]}}"));

    assert!(ports("{name: a, port: 80}, {name: b, port: 80}").unwrap_err().contains("port `80`"));
    assert!(ports("{name: a, port: 80}, {name: a, port: 81}").unwrap_err().contains("stands at position 0"));
    assert!(ports("{name: a, port: 15443}").unwrap_err().contains("the port of the sidecar"));
    assert!(ports("{name: A, port: 80}").unwrap_err().contains("name"));
    assert!(read("Workload", "{address: cart.example}").unwrap_err().contains("not an IP address"));
}

#[test]
fn a_workload_names_the_services_it_reaches() {
    let reaches = |text: &str| read("Workload", &format!("{{address: 10.0.0.7, reaches: [{text}]}}"));

    assert!(reaches("cart, bank/ledger, bank/*").is_ok());
    for wrong in ["'*'", "a/b/c", "/a", "a/", "'*/a'"] {
        assert!(reaches(wrong).is_err(), "{wrong}");
    }
}
