//! Promises of `selvedge tap`: what passes a sidecar is shown live, without its secrets, and only to its own user.

mod meshes;
mod plane;
mod scene;
mod sidecars;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use control::access::{Token, User};
use meshes::{Mesh, Speaks};
use scene::{echo, free_address, get};
use serde_json::Value;
use sidecars::{python, until};

#[test]
fn requests_are_shown_as_they_end_and_secrets_are_not() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut web = mesh.member("web", Speaks::Http, free_address());
    cart.run(&[]);
    web.run(&[]);
    web.calls("cart", "/before", 200);
    let socket = cart.tap();
    let mode = std::fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let words = ["--workload", "shop/web-1", "--path", "/items*", "--headers", "--count", "1", "-o", "json"];
    let mut watching = watch(&socket, &words);
    web.calls("cart", "/other", 200);
    let head =
        "GET /items?token=hidden HTTP/1.1\r\nHost: cart.shop\r\nAuthorization: Bearer hidden\r\nAccept: */*";
    assert_eq!(get(web.finds("cart"), head).0, 200);

    let mut shown = String::new();
    watching.stdout.take().expect("stdout is piped").read_to_string(&mut shown).expect("text");
    assert!(watching.wait().expect("it ends").success());
    let line: Value = serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!((&line["path"], &line["status"]), (&Value::from("/items"), &Value::from(200)), "{line}");
    assert_eq!(line["source_workload"], "shop/web-1", "{line}");
    let fields = line["headers"].as_array().expect("fields");
    let value = |name: &str| fields.iter().find(|field| field[0] == *name).map(|field| field[1].clone());
    assert_eq!(value("authorization"), Some("[redacted]".into()), "{line}");
    assert_eq!(value("accept"), Some("*/*".into()), "{line}");
    assert!(!shown.contains("hidden"), "{shown}");
}

#[test]
fn what_cannot_be_filtered_by_is_said_and_nothing_is_shown() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    cart.run(&[]);

    let mut stream = UnixStream::connect(cart.tap()).expect("the socket is served");
    stream.write_all(b"{\"status\": \"often\"}\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it ends");

    assert!(answer.starts_with("{\"error\":") && answer.contains("no status"), "{answer}");
}

#[test]
fn a_workload_and_a_gateway_are_watched_over_the_api_and_it_is_written_down_who_did() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    cart.run(&[]);
    let edge = mesh.edge();
    mesh.apply(&ROUTE.replace("PORT", &cart.port().to_string()));
    edge.answers("GET /before HTTP/1.1\r\nHost: cart.shop", 200);

    // The same request, as the gateway passed it on and as the sidecar got it.
    for (whom, field, other) in [
        ("gateway/shop/edge", "upstream_workload", "shop/cart-1"),
        ("shop/cart-1", "source_workload", "shop/edge-1"),
    ] {
        let words = [whom, "--path", "/items*", "--count", "1", "-o", "json", "--data", "control"];
        let mut watching = begin(mesh.folder(), &words);
        edge.answers("GET /other HTTP/1.1\r\nHost: cart.shop", 200);
        edge.answers("GET /items/7?token=hidden HTTP/1.1\r\nHost: cart.shop", 200);
        let mut shown = String::new();
        watching.stdout.take().expect("stdout is piped").read_to_string(&mut shown).expect("text");
        assert!(watching.wait().expect("it ends").success());
        let line: Value = serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
        assert_eq!((&line["path"], &line["status"]), (&"/items/7".into(), &200.into()), "{line}");
        assert_eq!(line[field], other, "{line}");
        assert!(!shown.contains("hidden"), "{shown}");
    }

    let nobody = ended(mesh.folder(), &["shop/nobody-1", "--data", "control"]);
    assert!(nobody.contains("no proxy of Workload `shop/nobody-1` reports"), "{nobody}");
    let nobody = ended(mesh.folder(), &["gateway/shop/nobody", "--data", "control"]);
    assert!(nobody.contains("no proxy of Gateway `shop/nobody` reports"), "{nobody}");
    let unclear = ended(mesh.folder(), &["gateway/shop/edge", "--status", "often", "--data", "control"]);
    assert!(unclear.contains("no status"), "{unclear}");

    // Somebody who sees every object of the shop, and sees nothing pass.
    kubeconfig_of_ana(&mesh);
    for whom in ["gateway/shop/edge", "shop/cart-1"] {
        let denied = ended(mesh.folder(), &[whom, "--kubeconfig", "ana.kubeconfig"]);
        assert!(denied.contains("forbidden") && denied.contains("/tap"), "{denied}");
    }
    let gateway = "gateways/tap.gateway.networking.k8s.io shop/edge";
    let workload = "workloads/tap.mesh.selvedge.dev shop/cart-1";
    let expected = [
        format!("admin|get|{gateway}|watches"),
        format!("admin|get|{workload}|watches"),
        format!("ana|get|{gateway}|denied"),
        format!("ana|get|{workload}|denied"),
    ];
    let store = mesh.folder().join("control/store.db").display().to_string();
    let mut found = String::new();
    until("the audit log to tell of four", || {
        found = python(AUDIT, &[&store]);
        expected.iter().all(|row| found.contains(row.as_str())).then_some(())
    });
}

/// What the audit log has on watching.
const AUDIT: &str = r#"
import sqlite3, sys
store = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
for row in store.execute("SELECT who, verb, what, outcome FROM audit WHERE what LIKE '%/tap.%' ORDER BY id"):
    print("|".join(row))
"#;

const ROUTE: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { namespace: shop, name: cart }
spec:
  parentRefs: [{ name: edge, sectionName: http }]
  rules: [{ backendRefs: [{ name: cart, port: PORT }] }]
";

const VIEWER: &str = "---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { namespace: shop, name: viewer }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view }
subjects: [{ apiGroup: rbac.authorization.k8s.io, kind: User, name: ana }]
";

/// A file with which `ana` asks, who may see the objects of the shop.
fn kubeconfig_of_ana(mesh: &Mesh) {
    let token = Token::new().expect("random numbers");
    let object = token.object("ana", &User::new("ana", ["viewers"]), None);
    mesh.apply(&format!("---\n{object}\n{VIEWER}"));
    let file = mesh.folder().join("control/admin.kubeconfig");
    let config = std::fs::read_to_string(file).expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&config).expect("JSON");
    config["users"][0]["user"]["token"] = token.reveal().into();
    std::fs::write(mesh.folder().join("ana.kubeconfig"), config.to_string()).expect("a file");
    let words = ["get", "gateways", "-n", "shop", "--kubeconfig", "ana.kubeconfig"];
    let seen = selvedge(mesh.folder(), &words).output().expect("the binary runs");
    assert!(String::from_utf8_lossy(&seen.stdout).contains("edge"), "{seen:?}");
}

/// `selvedge tap`, once it watches over the API.
fn begin(folder: &std::path::Path, words: &[&str]) -> Child {
    let mut child = tap(folder, words).spawn().expect("the binary runs");
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("stderr is piped")).read_line(&mut line).expect("a line");
    assert!(line.starts_with(&format!("watching {}", words[0])), "{line}");
    child
}

/// What `selvedge tap` says that has failed.
fn ended(folder: &std::path::Path, words: &[&str]) -> String {
    let ended = tap(folder, words).output().expect("the binary runs");
    assert!(!ended.status.success(), "selvedge tap {words:?} succeeded");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

fn tap(folder: &std::path::Path, words: &[&str]) -> Command {
    selvedge(folder, &[&["tap"], words].concat())
}

fn selvedge(folder: &std::path::Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.args(words).current_dir(folder).env("NO_COLOR", "1");
    command.env("HOME", "/nonexistent").env_remove("KUBECONFIG");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `selvedge tap`, once it watches.
fn watch(socket: &std::path::Path, words: &[&str]) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_selvedge"))
        .arg("tap")
        .arg(socket)
        .args(words)
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut line = String::new();
    let stderr = child.stderr.take().expect("stderr is piped");
    BufReader::new(stderr).read_line(&mut line).expect("a line");
    assert!(line.starts_with("watching /"), "{line}");
    child
}
