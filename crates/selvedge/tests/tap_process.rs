//! Promises of `selvedge tap`: what passes a sidecar is shown live, without its secrets, and only to its own user.

mod meshes;
mod plane;
mod scene;
mod sidecars;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use meshes::{Mesh, Speaks};
use scene::{echo, free_address, get};
use serde_json::Value;

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
fn a_workload_and_a_gateway_are_watched_over_the_api_by_whoever_may() {
    let (mesh, upstream) = (Mesh::start(), echo("cart"));
    let mut cart = mesh.member("cart", Speaks::Http, upstream.address());
    let mut web = mesh.member("web", Speaks::Http, free_address());
    cart.run(&[]);
    web.run(&[]);
    web.calls("cart", "/before", 200);

    let words = ["shop/cart-1", "--path", "/items*", "--count", "1", "-o", "json", "--data", "control"];
    let mut watching = begin(mesh.folder(), &words);
    web.calls("cart", "/other", 200);
    web.calls("cart", "/items/7?token=hidden", 200);
    let mut shown = String::new();
    watching.stdout.take().expect("stdout is piped").read_to_string(&mut shown).expect("text");
    assert!(watching.wait().expect("it ends").success());
    let line: Value = serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(
        (&line["path"], &line["source_workload"]),
        (&"/items/7".into(), &"shop/web-1".into()),
        "{line}"
    );
    assert!(!shown.contains("hidden"), "{shown}");

    let nobody = ended(mesh.folder(), &["shop/nobody-1", "--data", "control"]);
    assert!(nobody.contains("no proxy of Workload `shop/nobody-1` reports"), "{nobody}");
    let unclear = ended(mesh.folder(), &["shop/cart-1", "--status", "often", "--data", "control"]);
    assert!(unclear.contains("no status"), "{unclear}");

    // A token of the mesh is somebody, and may not.
    let token = std::fs::read_to_string(mesh.folder().join("control/gateway.token")).expect("a token");
    let config =
        std::fs::read_to_string(mesh.folder().join("control/admin.kubeconfig")).expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&config).expect("JSON");
    let bearer = token.lines().find_map(|line| line.strip_prefix("token: ")).expect("a token");
    config["users"][0]["user"]["token"] = bearer.into();
    std::fs::write(mesh.folder().join("gateway.kubeconfig"), config.to_string()).expect("a file");
    let denied = ended(mesh.folder(), &["shop/cart-1", "--kubeconfig", "gateway.kubeconfig"]);
    assert!(denied.contains("tap"), "{denied}");
}

/// `selvedge tap`, once it watches over the API.
fn begin(folder: &std::path::Path, words: &[&str]) -> Child {
    let mut child = tap(folder, words).spawn().expect("the binary runs");
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("stderr is piped")).read_line(&mut line).expect("a line");
    assert!(line.starts_with("watching shop/cart-1"), "{line}");
    child
}

/// What `selvedge tap` says that has failed.
fn ended(folder: &std::path::Path, words: &[&str]) -> String {
    let ended = tap(folder, words).output().expect("the binary runs");
    assert!(!ended.status.success(), "selvedge tap {words:?} succeeded");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

fn tap(folder: &std::path::Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.arg("tap").args(words).current_dir(folder).env("NO_COLOR", "1");
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
