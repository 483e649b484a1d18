//! Promises of `selvedge up` as a process: the line it prints works, signals drain it, and errors end in a hint.

#![allow(clippy::disallowed_methods, reason = "the patience of a test is real time")]

mod scene;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use scene::{PATIENCE, free_address, get, yaml};

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

    let folder = the_api_is_served(&process, authority, path);
    process.signal("-TERM");
    process.line("SIGTERM: draining");
    process.line("drained");
    assert!(process.child.wait().expect("it ends").success());
    assert!(!folder.exists(), "what nobody asked to keep is gone");
}

/// The lines that are printed about the API work as they stand, and what is changed there is served. Tells the folder.
fn the_api_is_served(process: &Process, authority: &str, path: &str) -> PathBuf {
    let line = process.line("  get ");
    let words: Vec<&str> = line.split_whitespace().skip(2).collect();
    let folder = PathBuf::from(words.last().expect("a folder"));
    let selvedge = |words: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_selvedge")).args(words).output().expect("the binary runs");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let kubeconfig = process.line("  kubectl ");
    let kubeconfig = kubeconfig.split_whitespace().nth(3).expect("a path");

    assert!(selvedge(&words).contains("hello"), "{words:?}");
    let began = Instant::now();
    let status = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.args(["status", "--kubeconfig", kubeconfig]).output().expect("the binary runs")
    };
    while !status().status.success() {
        assert!(began.elapsed() < PATIENCE, "its gateway reports and all is well: {:?}", status());
    }
    selvedge(&["delete", "httproute", "hello", "--data", folder.to_str().expect("text")]);
    let began = Instant::now();
    let head = format!("GET /{path} HTTP/1.1\r\nHost: {authority}");
    while get(authority.parse().expect("an address"), &head).0 != 404 {
        assert!(began.elapsed() < PATIENCE, "what is deleted there is served no longer");
    }
    folder
}

#[test]
fn without_an_api_it_is_the_files_alone() {
    let root = tempfile::tempdir().expect("a directory");
    std::fs::write(root.path().join("a.yaml"), yaml(free_address(), free_address())).expect("a file");

    let up = ["up", "-f", "a.yaml", "--listen", "off", "--admin", "127.0.0.1:0", "--workers", "1"];
    let process = Process::start(&up, root.path());
    process.line(" ready in ");
    process.line("curl http://");
    process.signal("-TERM");

    let mut rest = process.lines.iter().take_while(|line| !line.contains("drained"));
    assert!(rest.all(|line| !line.contains("kubectl")), "there is nothing to ask");
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
