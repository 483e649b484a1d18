//! The promise of versions, with the real binary and real services: clients of version 1 get what they always got when
//! what answers speaks version 2 only, however they are told apart; they hear that it ends, and then that it has.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::scene::{PATIENCE, ask, free_address};
use crate::{Process, selvedge};

const OLD: &str = include_str!("../../../../examples/shim/pets-1.yaml");
const NEW: &str = include_str!("../../../../examples/shim/pets-2.yaml");
const BINDING: &str = include_str!("../../../../examples/shim/binding.yaml");

/// Versions by the way in which clients ask for them, with the path before that of operations.
const WAYS: [(&str, &str, &str); 4] = [
    ("path", "{ path: /v1 }", "/path/v1"),
    ("header", "{ header: { name: api-version, value: '1' } }", "/header"),
    ("query", "{ query: { name: version, value: '1' } }", "/query"),
    ("media", "{ mediaType: application/vnd.pets.v1+json }", "/media"),
];

/// A service that speaks one version.
struct Pets {
    child: Child,
    port: u16,
}

impl Pets {
    fn speaking(version: &str) -> Pets {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/pets.py");
        let mut command = Command::new("python3");
        let mut child =
            command.arg(script).arg(version).stdout(Stdio::piped()).spawn().expect("python3 runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        Pets { child, port: line.trim().parse().expect("a port") }
    }
}

impl Drop for Pets {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn object(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: product.selvedge.dev/v1alpha1\nkind: {kind}\nmetadata: {{ name: {name} }}\nspec: {spec}\n"
    )
}

fn revision(name: &str, version: &str, text: &str) -> String {
    let text = Value::from(text);
    let documents = format!("[{{ name: pets.yaml, content: {text} }}]");
    object("APIRevision", name, &format!("{{ api: pets, version: {version}, documents: {documents} }}"))
}

/// Version 1 in all its ways at `address`; what answers it is said by `target`.
fn scene(address: SocketAddr, ports: [u16; 2], life: &str, target: &str) -> String {
    let mut yaml = format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{ name: selvedge }}
spec: {{ controllerName: selvedge.dev/gateway-controller }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: edge }}
spec:
  gatewayClassName: selvedge
  addresses: [{{ type: IPAddress, value: {} }}]
  listeners: [{{ name: http, protocol: HTTP, port: {} }}]
",
        address.ip(),
        address.port()
    );
    for (name, port) in ["pets", "animals"].iter().zip(ports) {
        yaml.push_str(&format!(
            "---\napiVersion: mesh.selvedge.dev/v1alpha1\nkind: Backend\nmetadata: {{ name: {name} }}\nspec: {{ endpoints: ['127.0.0.1:{port}'] }}\n"
        ));
    }
    yaml.push_str(&object("API", "pets", "{ title: Pets }"));
    yaml.push_str(&revision("two", "pets-v2", NEW));
    yaml.push_str(&object("APIVersion", "pets-v2", "{ api: pets, label: v2, state: Draft, revision: two, parentRefs: [{ name: edge }], selector: { path: /v2 } }"));
    for (way, selector, _) in WAYS {
        let version = format!("pets-{way}");
        yaml.push_str(&revision(&format!("one-{way}"), &version, OLD));
        let spec = format!(
            "{{ api: pets, label: v1, {life}, revision: one-{way}, parentRefs: [{{ name: edge }}], basePath: /{way}, selector: {selector} }}"
        );
        yaml.push_str(&object("APIVersion", &version, &spec));
        yaml.push_str(&object(
            "APIBinding",
            &version,
            &format!("{{ version: {version}, default: {target} }}"),
        ));
    }
    yaml
}

/// The target of the example's binding, with a Backend in place of its Service.
fn through_the_shim() -> String {
    let read = model::yaml::read_plain(BINDING).expect("a binding");
    let mut target = read["spec"]["default"].clone();
    target["backendRefs"] = serde_json::json!([to("animals")]);
    target.to_string()
}

fn to(name: &str) -> Value {
    serde_json::json!({ "group": "mesh.selvedge.dev", "kind": "Backend", "name": name })
}

/// What a client of version 1 sends and gets, as it means it: the status and the value.
fn calls(address: SocketAddr, (way, _, base): (&str, &str, &str)) -> Vec<(String, u16, Value)> {
    let calls = [
        ("GET", "/pets", ""),
        ("GET", "/pets?limit=2", ""),
        ("POST", "/pets", r#"{"id":17,"name":"Leo","state":"sold"}"#),
        ("GET", "/pets/17", ""),
        ("GET", "/pets/1", ""),
        ("GET", "/pets/999", ""),
    ];
    let one = |(method, path, body): (&str, &str, &str)| {
        let (status, _, answer) = call(address, (way, base), method, path, body);
        let value = serde_json::from_str(&answer).unwrap_or_else(|_| Value::from(answer));
        (format!("{method} {path}"), status, value)
    };
    calls.into_iter().map(one).collect()
}

/// One call: its status, who has served it, and its body.
fn call(
    address: SocketAddr,
    (way, base): (&str, &str),
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String, String) {
    let mut target = format!("{base}{path}");
    if way == "query" {
        target.push_str(if path.contains('?') { "&version=1" } else { "?version=1" });
    }
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: pets.example");
    if way == "header" {
        head.push_str("\r\nApi-Version: 1");
    }
    if way == "media" {
        head.push_str("\r\nAccept: application/vnd.pets.v1+json, application/json;q=0.5");
    }
    if !body.is_empty() {
        head.push_str(&format!("\r\nContent-Type: application/json\r\nContent-Length: {}", body.len()));
    }
    // The whole answer: heads are looked at as well.
    exchange(address, &head, body)
}

fn exchange(address: SocketAddr, head: &str, body: &str) -> (u16, String, String) {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect_timeout(&address, PATIENCE).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, head.to_ascii_lowercase(), body.to_owned())
}

/// Waits until all ways are answered so.
fn until(address: SocketAddr, what: &str, wanted: impl Fn(u16, &str, &str) -> bool) {
    let began = Instant::now();
    for (way, _, base) in WAYS {
        loop {
            let (status, head, body) = call(address, (way, base), "GET", "/pets/1", "");
            if wanted(status, &head, &body) {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{way} is not {what}: {status} {head} {body}");
        }
    }
}

#[test]
fn clients_of_version_1_get_the_same_from_a_service_that_speaks_version_2_until_their_version_ends() {
    let (old, new) = (Pets::speaking("v1"), Pets::speaking("v2"));
    let root = tempfile::tempdir().expect("a directory");
    let (file, data) = (root.path().join("scene.yaml"), root.path().join("data"));
    let address = free_address();
    let write = |life: &str, target: &str| {
        std::fs::write(&file, scene(address, [old.port, new.port], life, target)).expect("a file");
    };
    let straight = serde_json::json!({ "backendRefs": [to("pets")] }).to_string();
    let (live, shimmed) = ("state: Published", through_the_shim());
    write(live, &straight);
    let (file, data) = (file.to_str().expect("text"), data.to_str().expect("text"));
    let options = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1"];
    let process = Process::start(&[&["up", "-f", file, "--data", data][..], &options].concat());
    process.line("ready");
    let began = Instant::now();
    while ask(address, "GET / HTTP/1.1\r\nHost: a").is_err() {
        assert!(began.elapsed() < PATIENCE, "nobody listens");
    }
    until(address, "served by version 1", |status, head, _| {
        status == 200 && head.contains("x-served-by: v1")
    });
    let before: Vec<_> = WAYS.iter().map(|way| calls(address, *way)).collect();
    assert_eq!(before[0][5].1, 404, "{before:#?}");

    write(live, &shimmed);
    until(address, "served by version 2", |status, head, _| {
        status == 200 && head.contains("x-served-by: v2")
    });
    let after: Vec<_> = WAYS.iter().map(|way| calls(address, *way)).collect();
    for ((way, _, _), (before, after)) in WAYS.iter().zip(before.iter().zip(&after)) {
        assert_eq!(before, after, "{way}");
    }
    let began = Instant::now();
    loop {
        let told = selvedge(&["get", "apibinding", "pets-path", "-o", "yaml", "--data", data]);
        if told.contains("type: ShimProved") {
            assert!(told.contains("reason: Proved") && told.contains("all are served"), "{told}");
            break;
        }
        assert!(began.elapsed() < PATIENCE, "nobody proves the shim: {told}");
    }

    write(live, &straight);
    until(address, "back in one step", |status, head, _| status == 200 && head.contains("x-served-by: v1"));

    let ending = "deprecatedAt: 2026-12-01T00:00:00Z, sunset: 2027-06-01T00:00:00Z, successor: pets-v2";
    write(&format!("state: Deprecated, {ending}"), &shimmed);
    until(address, "deprecated", |status, head, _| {
        let told = [
            "deprecation: @1796083200",
            "sunset: tue, 01 jun 2027 00:00:00 gmt",
            "rel=\"successor-version\"",
        ];
        status == 200 && head.contains("x-served-by: v2") && told.iter().all(|field| head.contains(field))
    });
    write(&format!("state: Retired, {ending}"), &shimmed);
    until(address, "gone", |status, head, body| {
        status == 410
            && head.contains("rel=\"successor-version\"")
            && body.contains("\"successor\":\"/pets/v2\"")
    });
}
