//! Promises of `selvedge up FILE` and `selvedge bind` as processes: one command to an API, one to the truth behind it.

#![allow(clippy::disallowed_methods, reason = "the patience of a test is real time")]

mod moved;
mod scene;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use scene::{PATIENCE, echo, get};

struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Process {
    fn start(arguments: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        let mut child = command
            .args(arguments)
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
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn selvedge(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_selvedge")).args(arguments).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// Asks until the answer is as wanted: a change is on its way to the gateway.
fn until(authority: &str, key: &str, path: &str, wanted: &dyn Fn(u16, &str) -> bool) -> String {
    let address = authority.parse().expect("an address");
    let began = std::time::Instant::now();
    loop {
        let (status, body) = get(address, &format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n{key}"));
        if wanted(status, &body) {
            return body;
        }
        assert!(began.elapsed() < PATIENCE, "{path}: {status} {body}");
    }
}

#[test]
fn one_file_becomes_an_api_and_its_truth_is_swapped_behind_the_same_url() {
    let root = tempfile::tempdir().expect("a directory");
    let (file, data) = (root.path().join("petstore.yaml"), root.path().join("data"));
    let petstore = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/petstore/petstore.yaml");
    let text = std::fs::read_to_string(petstore).expect("the example");
    std::fs::write(&file, &text).expect("a file");
    let (file, data) = (file.to_str().expect("text"), data.to_str().expect("text"));
    let up =
        ["up", file, "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1"];

    let process = Process::start(&up);
    let docs = process.line("/docs/");
    let docs = docs.split_whitespace().last().expect("an address").to_owned();
    let curl = process.line("curl ");
    let quoted: Vec<&str> = curl.split('\'').skip(1).step_by(2).collect();
    let [key, url] = quoted[..] else { panic!("a key and a URL: {curl}") };
    let (authority, path) = url.strip_prefix("http://").and_then(|url| url.split_once('/')).expect("a path");
    let path = format!("/{path}");
    let asking = |field: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {authority}{field}");
        get(authority.parse().expect("an address"), &head)
    };
    let (status, body) = asking(&format!("\r\n{key}"));
    assert_eq!(status, 200, "the line that is printed works at once: {body}");
    let (status, body) = asking("");
    assert_eq!(status, 401, "nobody comes in without a key: {body}");
    assert!(body.contains("selvedge subscribe default/petstore --plan petstore-free"), "{body}");
    let page = Command::new("curl").args(["--silent", "--insecure", &docs]).output().expect("curl runs");
    let page = String::from_utf8(page.stdout).expect("text");
    for said in ["/pets/{petId}", url.split("/pets").next().unwrap_or_default(), "--plan petstore-free"] {
        assert!(page.contains(said), "who has no account reads {said} at {docs}: {page}");
    }
    let until = |path: &str, wanted: &dyn Fn(u16, &str) -> bool| until(authority, key, path, wanted);

    let service = echo("shop");
    let upstream = format!("http://{}", service.address());
    selvedge(&["bind", "petstore", "--upstream", &upstream, "--operation", "get /pets/{id}", "--data", data]);
    until("/petstore/v1/pets/7", &|_, body| body.contains("\"name\":\"shop\""));
    assert!(until("/petstore/v1/pets", &|status, _| status == 200).contains("Mika"));
    let shown = selvedge(&["api", "show", "petstore", "--data", data]);
    assert!(shown.contains("GET /pets/{}") && shown.contains("Backend/petstore-v1-127-0-0-1"), "{shown}");

    std::fs::write(file, text.replace("Mika", "Nero")).expect("a file");
    until("/petstore/v1/pets", &|_, body| body.contains("Nero"));
    selvedge(&["api", "rollback", "petstore", "--data", data]);
    until("/petstore/v1/pets", &|_, body| body.contains("Mika"));
    selvedge(&["bind", "petstore", "--mock", "--operation", "GET /pets/{}", "--data", data]);
    until("/petstore/v1/pets/7", &|_, body| body.contains("\"kind\":\"cat\""));

    selvedge(&["api", "deprecate", "petstore", "--sunset", "2099-01-01T00:00:00Z", "--data", data]);
    selvedge(&["api", "retire", "petstore-v1", "--data", data]);
    until("/petstore/v1/pets", &|status, _| status == 410);
}
