//! A collector of traces that somebody else's schema reads: `crates/tests/clients/collector.py` as a process.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::sidecars::until;

/// A running collector; killed when dropped.
pub struct Collector {
    child: Child,
    pub address: SocketAddr,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    pub fn start() -> Collector {
        Collector::refusing(0)
    }

    /// One that first says so many times that it cannot take anything now.
    pub fn refusing(times: u32) -> Collector {
        Collector::with(&[times.to_string()])
    }

    /// One that speaks gRPC over TLS with this certificate and key, after it has said once that it cannot take anything.
    pub fn over_grpc(certificate: &Path, key: &Path) -> Collector {
        Collector::with(&["1".to_owned(), certificate.display().to_string(), key.display().to_string()])
    }

    fn with(words: &[String]) -> Collector {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = root.join("target/venv/bin/python");
        assert!(python.is_file(), "there is no target/venv\n  hint: run `cargo xtask setup tests`");
        let script: PathBuf = root.join("crates/tests/clients/collector.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg("127.0.0.1:0")
            .args(words)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let lines = Arc::<Mutex<Vec<Value>>>::default();
        let seen = lines.clone();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).expect("a line of JSON");
                seen.lock().expect("nobody panics here").push(value);
            }
        });
        let mut collector = Collector { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), lines };
        let listens = collector.find("a collector", |line| line["listens"].is_u64());
        collector
            .address
            .set_port(listens["listens"].as_u64().and_then(|port| port.try_into().ok()).unwrap());
        collector
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that was told so far.
    pub fn all(&self) -> Vec<Value> {
        self.lines.lock().expect("nobody panics here").clone()
    }

    /// The first line of this kind, once there is one.
    pub fn find(&self, what: &str, right: impl Fn(&Value) -> bool) -> Value {
        until(what, || self.all().into_iter().find(&right))
    }

    /// The spans of a trace, once there are so many.
    pub fn trace(&self, id: &str, count: usize) -> Vec<Value> {
        until(&format!("{count} spans of {id}"), || {
            let spans: Vec<Value> = self.all().into_iter().filter(|line| line["trace"] == id).collect();
            (spans.len() >= count).then_some(spans)
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
