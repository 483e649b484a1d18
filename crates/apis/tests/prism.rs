//! Our mock beside the real Prism, request by request: both answer alike, but for the differences that are listed here
//! with their reasons.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use apis::mock;
use apis::{Description, Document};
use serde_json::Value;

/// How long the other may take for one answer. Nothing waits it out in the good case.
const PATIENCE: Duration = Duration::from_secs(60);

/// The other mock, as a process on a port that the system chose.
struct Prism {
    child: Child,
    address: String,
}

impl Prism {
    fn start(description: &str) -> Prism {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let program = root.join("target/clients/prism/node_modules/@stoplight/prism-cli/dist/index.js");
        assert!(program.is_file(), "Prism is not installed\n  hint: run `cargo xtask setup tests`");
        let mut child = Command::new("node")
            .arg(program)
            .args(["mock", "--host", "127.0.0.1", "-p", "0", description])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/descriptions"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let listening =
            |line: &str| line.split_once("listening on http://").map(|(_, rest)| rest.trim().to_owned());
        let address = lines.by_ref().find_map(|line| listening(&line.expect("text"))).expect("Prism listens");
        // Whoever stops reading stops the writer.
        std::thread::spawn(move || lines.for_each(drop));
        Prism { child, address }
    }

    fn ask(&self, row: &Row) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).expect("Prism accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut request = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            row.method, row.target, self.address
        );
        for (name, value) in &row.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !row.body.is_empty() {
            request.push_str(&format!("content-length: {}\r\n", row.body.len()));
        }
        request.push_str(&format!("\r\n{}", row.body));
        stream.write_all(request.as_bytes()).expect("Prism reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("Prism answers");
        let head_end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..head_end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let kind =
            head.lines().find_map(|line| line.strip_prefix("content-type:")).unwrap_or("").trim().to_owned();
        (status, kind, answer[head_end + 4..].to_vec())
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

struct Row {
    method: &'static str,
    target: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    /// Why we answer with another status, and which one.
    differs: Option<(u16, &'static str)>,
}

fn row(method: &'static str, target: &'static str) -> Row {
    Row { method, target, headers: vec![("x-api-key", "k")], body: "", differs: None }
}

impl Row {
    fn with(mut self, name: &'static str, value: &'static str) -> Row {
        self.headers.push((name, value));
        self
    }

    fn json(mut self, body: &'static str) -> Row {
        self.body = body;
        self.with("content-type", "application/json")
    }

    fn anonymous(mut self) -> Row {
        self.headers.clear();
        self
    }

    fn but(mut self, status: u16, reason: &'static str) -> Row {
        self.differs = Some((status, reason));
        self
    }
}

fn table() -> Vec<Row> {
    let good = r#"{"name": "Rex", "kind": "dog"}"#;
    vec![
        row("GET", "/pets"),
        row("GET", "/pets?limit=1"),
        row("GET", "/pets?limit=0"),
        row("GET", "/pets?limit=101"),
        row("GET", "/pets?limit=ten"),
        row("GET", "/pets?limit=1.5"),
        row("GET", "/pets?limit=10&tag=a&tag=b"),
        row("GET", "/pets?unknown=1"),
        row("GET", "/pets").with("x-trace", "0123456789abcdef0123456789abcdef"),
        row("GET", "/pets").with("x-trace", "short"),
        row("GET", "/pets").anonymous(),
        row("GET", "/pets?limit=0").anonymous(),
        row("GET", "/pets/mine").anonymous(),
        row("GET", "/pets/mine"),
        row("GET", "/pets/5"),
        row("GET", "/pets/0"),
        row("GET", "/pets/five"),
        row("GET", "/nothing"),
        row("GET", "/pets/5/more"),
        row("PATCH", "/pets"),
        row("HEAD", "/pets"),
        row("DELETE", "/pets/5"),
        row("DELETE", "/pets/0"),
        row("PUT", "/pets/5"),
        row("PUT", "/pets/5").json(good),
        row("PUT", "/pets/5").json("{}"),
        row("PUT", "/pets/5").json("{"),
        row("POST", "/pets"),
        row("POST", "/pets").json(good),
        row("POST", "/pets").json(r#"{"name": ""}"#),
        row("POST", "/pets").json(r#"{"name": "Rex", "kind": "bird"}"#),
        row("POST", "/pets").json(r#"{"name": "Rex", "kind": "dog", "born": null}"#),
        row("POST", "/pets").json(r#"{"name": "Rex", "kind": "dog", "born": "soon"}"#),
        row("POST", "/pets").json("[]"),
        row("POST", "/pets").json(good).with("prefer", "example=cat"),
        row("POST", "/pets").json(good).with("prefer", "example=bird"),
        row("POST", "/pets").json(good).with("prefer", "code=422"),
        row("POST", "/pets")
            .json("{")
            .but(422, "the description has a 422 and no 400 for this operation, so that is used"),
        row("GET", "/pets/5").with("prefer", "code=404"),
        row("GET", "/pets/5").with("prefer", "code=418"),
        row("GET", "/pets/5").with("prefer", "dynamic=true"),
        row("GET", "/pets/5?__code=404"),
        row("GET", "/pets").with("prefer", "code=500"),
        row("GET", "/pets").with("prefer", "code=abc"),
        row("GET", "/pets/5").with("accept", "application/json"),
        row("GET", "/pets/5").with("accept", "text/html"),
        row("GET", "/pets/5").with("accept", "text/html, */*;q=0.1"),
        row("GET", "/pets/5").with("accept", "application/*"),
        Row { body: "name=Rex", ..row("PUT", "/pets/5") }.with("content-type", "text/plain"),
        Row { body: "name=Rex", ..row("POST", "/pets") }
            .with("content-type", "text/plain")
            .but(415, "the body was not judged, so it was not found wrong"),
    ]
}

fn ours(description: &Description, row: &Row) -> (u16, String, Vec<u8>) {
    let (path, query) = row.target.split_once('?').unwrap_or((row.target, ""));
    let sent = apis::Request { path, query, headers: &row.headers, body: row.body.as_bytes() };
    let answer = match mock::route(description, row.method, path) {
        Ok(operation) => mock::answer(operation, &mock::Request { sent, seed: 1 }),
        Err(answer) => answer,
    };
    let kind = answer.header("content-type").unwrap_or("").to_owned();
    (answer.status, kind, answer.body)
}

#[test]
fn our_mock_decides_as_prism_does() {
    let document = Document::new("petstore.yaml", include_str!("descriptions/petstore.yaml"));
    let description = Description::read(&[document]).unwrap_or_else(|problems| panic!("{problems:?}"));
    let prism = Prism::start("petstore.yaml");

    let mut wrong = Vec::new();
    for row in table() {
        let (theirs, their_kind, their_body) = prism.ask(&row);
        let (status, kind, body) = ours(&description, &row);
        let name = format!("{} {} {:?} {}", row.method, row.target, row.headers, row.body);
        match row.differs {
            Some((expected, _)) if status == expected && theirs != expected => continue,
            Some((expected, reason)) => {
                wrong.push(format!(
                    "{name}: ours {status}, theirs {theirs}, but ours should be {expected} alone: {reason}"
                ));
            }
            None if status != theirs => wrong.push(format!("{name}: ours {status}, theirs {theirs}")),
            None => {}
        }
        let essence = |kind: &str| kind.split(';').next().unwrap_or("").to_owned();
        // Without a body there is no type. How a body that is no JSON is refused is the business of Prism's web server.
        if !body.is_empty() && essence(&kind) != essence(&their_kind) && theirs != 400 {
            wrong.push(format!("{name}: ours `{kind}`, theirs `{their_kind}`"));
        }
        // Examples are the same; what is made is not, but speaks of the same properties.
        if status == 201 && body != their_body {
            let read = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap_or_default();
            if read(&body) != read(&their_body) {
                wrong.push(format!("{name}: ours {}, theirs {}", read(&body), read(&their_body)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
