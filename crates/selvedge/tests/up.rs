//! Promises of `selvedge up`, in-process and as a process: edits apply live, mistakes change nothing, and the
//! line it prints works.

mod scene;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use scene::{PATIENCE, echo, free_address};
use selvedge::up::{Event, Running, Source, StartError, UpOptions};

/// A gateway on `address` with one route to `upstream`.
fn yaml(address: SocketAddr, upstream: SocketAddr) -> String {
    format!(
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
---
apiVersion: mesh.selvedge.dev/v1alpha1
kind: Backend
metadata: {{ name: service }}
spec: {{ endpoints: [\"{upstream}\"] }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ name: all }}
spec:
  parentRefs: [{{ name: edge }}]
  rules:
    - backendRefs: [{{ group: mesh.selvedge.dev, kind: Backend, name: service }}]
",
        address.ip(),
        address.port()
    )
}

/// Status and body of a GET.
fn get(address: SocketAddr, head: &str) -> (u16, String) {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

fn name_behind(address: SocketAddr) -> String {
    let (status, body) = get(address, "GET / HTTP/1.1\r\nHost: a.example");
    assert_eq!(status, 200, "{body}");
    for name in ["one", "two"] {
        if body.contains(&format!("\"name\":\"{name}\"")) {
            return name.to_owned();
        }
    }
    panic!("nobody known answered: {body}");
}

#[test]
fn a_change_applies_and_a_mistake_keeps_the_last_good() {
    let (one, two, address) = (echo("one"), echo("two"), free_address());
    let source = Source::Text(yaml(address, one.address()));
    let running = Running::start(UpOptions { source, ..UpOptions::default() }).expect("it starts");
    assert_eq!(name_behind(address), "one");
    assert!(running.conditions().all_good(), "{}", running.conditions());

    let broken = yaml(address, two.address()).replace("parentRefs", "parentRef");
    assert_eq!(running.apply_text(&broken).expect_err("a mistake").len(), 1);
    assert_eq!(name_behind(address), "one");

    running.apply_text(&yaml(address, two.address())).expect("sound");
    assert_eq!(name_behind(address), "two");
    running.stop();
    assert!(TcpStream::connect(address).is_err(), "it still listens");
}

#[test]
fn an_edit_of_a_file_is_live_once_it_is_told() {
    let (one, two, address) = (echo("one"), echo("two"), free_address());
    let root = tempfile::tempdir().expect("a directory");
    let replace = |text: &str| {
        std::fs::write(root.path().join("new"), text).expect("a file");
        std::fs::rename(root.path().join("new"), root.path().join("gateway.yaml")).expect("a rename");
    };
    replace(&yaml(address, one.address()));
    let (tell, told) = mpsc::sync_channel(1024);
    let source = Source::Files(vec![root.path().join("gateway.yaml")]);
    let options = UpOptions { source, ..UpOptions::default() };
    let running =
        Running::start_with(options, Box::new(move |event| tell.send(event.clone()).expect("a test")));
    let _running = running.expect("it starts");
    assert_eq!(name_behind(address), "one");

    replace(&yaml(address, two.address()).replace("kind: Backend\n", "kind: Backnd\n"));
    let event = told.recv_timeout(PATIENCE).expect("an event");
    assert!(
        matches!(&event, Event::Refused(violations) if violations.to_string().contains("Backnd")),
        "{event}"
    );
    assert_eq!(name_behind(address), "one");

    replace(&yaml(address, two.address()));
    let event = told.recv_timeout(PATIENCE).expect("an event");
    assert!(event.to_string().starts_with("applied change 2: 1 route, 1 gateway in "), "{event}");
    assert_eq!(name_behind(address), "two");
}

#[test]
fn an_address_that_is_taken_is_a_condition_and_heals() {
    let (one, free) = (echo("one"), free_address());
    let taken = TcpListener::bind(free_address()).expect("a free port");
    let blocked = taken.local_addr().expect("an address");
    let source = Source::Text(yaml(blocked, one.address()));
    let running = Running::start(UpOptions { source, ..UpOptions::default() }).expect("it starts");

    let said = running.conditions().to_string();
    assert!(said.contains("Programmed=False/AddressNotUsable: cannot listen on"), "{said}");
    assert!(running.bound()[0].error.is_some());

    running.apply_text(&yaml(free, one.address())).expect("sound");
    assert!(running.conditions().all_good(), "{}", running.conditions());
    assert_eq!(name_behind(free), "one");
}

#[test]
fn mistakes_at_the_start_are_all_reported_and_nothing_runs() {
    let source = Source::Text("kind: Gatewy\n---\nkind: HTTPRout\n".to_owned());

    match Running::start(UpOptions { source, ..UpOptions::default() }) {
        Err(StartError::Refused(violations)) => assert!(violations.len() >= 2, "{violations}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}

/// The binary, killed when dropped.
struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Process {
    fn start(arguments: &[&str], directory: &Path) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_selvedge"))
            .args(arguments)
            .current_dir(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (tell, lines) = mpsc::sync_channel(1024);
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)).ok();
        });
        Process { child, lines }
    }

    /// The first line from here on that contains `part`.
    fn line(&self, part: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no line with `{part}` in {seen:#?}"),
            }
        }
    }

    fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn without_any_argument_it_prints_a_line_that_works_and_a_signal_drains_it() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut process = Process::start(&["up", "--admin", "127.0.0.1:0", "--workers", "1"], here);

    let ready = process.line("selvedge");
    assert!(ready.starts_with(&format!("selvedge {} ready in ", env!("CARGO_PKG_VERSION"))), "{ready}");
    assert!(ready.ends_with(" ms, 1 worker"), "{ready}");
    let admin = process.line("admin");
    let curl = process.line("curl http://");
    let url = curl.trim().rsplit(' ').next().and_then(|url| url.strip_prefix("http://")).expect("a URL");
    let (authority, path) = url.split_once('/').expect("a path");
    let (status, body) =
        get(authority.parse().expect("an address"), &format!("GET /{path} HTTP/1.1\r\nHost: {authority}"));
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"name\":\"hello-v"), "{body}");

    let admin = admin.split_once("http://").and_then(|(_, rest)| rest.split('/').next()).expect("an address");
    let (status, _) =
        get(admin.parse().expect("an address"), &format!("GET /ready HTTP/1.1\r\nHost: {admin}"));
    assert_eq!(status, 200);

    process.signal("-TERM");
    process.line("SIGTERM: draining");
    process.line("drained");
    assert!(process.child.wait().expect("it ends").success());
}

#[test]
fn when_no_address_can_be_bound_it_ends_with_a_hint() {
    let root = tempfile::tempdir().expect("a directory");
    let taken = TcpListener::bind(free_address()).expect("a free port");
    let address = taken.local_addr().expect("an address");
    std::fs::write(root.path().join("a.yaml"), yaml(address, address)).expect("a file");

    let output = Command::new(env!("CARGO_BIN_EXE_selvedge"))
        .args(["up", "-f", "a.yaml", "--admin", "off"])
        .current_dir(root.path())
        .output()
        .expect("the binary runs");

    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("error: cannot listen on {address}: Address already in use")), "{said}");
    assert!(said.contains("hint: another process listens there"), "{said}");
}
