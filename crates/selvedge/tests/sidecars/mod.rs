//! What tests of sidecars share: a mesh with a token to join it, and the real binary as a sidecar in it.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "the patience of a test is real time")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::plane::Plane;
use super::scene::{PATIENCE, free_address};

const MESH: &str = "apiVersion: mesh.selvedge.dev/v1alpha1
kind: Mesh
metadata: { name: default }
spec: { trustDomain: bank.example }
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
";

/// The service account of the carts.
pub const ACCOUNT: &str = "cart";
/// Who the carts are.
pub const ID: &str = "spiffe://bank.example/ns/shop/sa/cart";

/// A control plane with a mesh, and a token for the carts of its shop.
pub struct Mesh {
    pub plane: Plane,
    pub token: PathBuf,
}

impl Mesh {
    pub fn start() -> Mesh {
        let plane = Plane::start();
        let file = plane.file("mesh.yaml", MESH);
        plane.must(&format!("apply -f {file}"));
        let token = plane.path("cart.token");
        let made = Command::new(env!("CARGO_BIN_EXE_selvedge"))
            .args(["token", "create", "-n", "shop", "--service-account", ACCOUNT, "--ttl", "0s"])
            .arg("--out")
            .arg(&token)
            .arg("--data")
            .arg(plane.data())
            .env("HOME", "/nonexistent")
            .output()
            .expect("the binary runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Mesh { plane, token }
    }

    /// A sidecar of the cart with these further words, in a folder.
    pub fn sidecar(&self, folder: &Path, words: &[&str]) -> Sidecar {
        Sidecar::start(&self.plane.control(), &self.token, folder, words)
    }
}

/// The binary as a sidecar, killed when dropped.
pub struct Sidecar {
    child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Sidecar {
    pub fn start(control: &str, token: &Path, folder: &Path, words: &[&str]) -> Sidecar {
        let (ours, application) = match words.iter().position(|word| *word == "--") {
            Some(at) => words.split_at(at),
            None => (words, &[][..]),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command
            .args([
                "sidecar",
                "--workload",
                "shop/cart-1",
                "--service-account",
                ACCOUNT,
                "--control",
                control,
            ])
            .args(["--address", "127.0.0.1", "--mesh-port", &free_address().port().to_string()])
            .arg("--token-file")
            .arg(token)
            .args(["--data", "data", "--dns-others", "off"])
            .args(ours);
        if !ours.contains(&"--admin") {
            command.args(["--admin", "127.0.0.1:0"]);
        }
        if !ours.contains(&"--dns") {
            command.args(["--dns", "127.0.0.1:0"]);
        }
        let mut child = command
            .args(application)
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (tell, lines) = mpsc::sync_channel(1024);
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)).ok();
        });
        Sidecar { child, lines, seen: Vec::new() }
    }

    /// The first line from here on that contains `part`.
    pub fn line(&mut self, part: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("no line with `{part}` in {:#?}", self.seen),
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < limit, "it has not ended; it said {:#?}", self.all());
            pause();
        }
    }

    /// Everything it has said and nobody has looked for.
    pub fn all(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub fn signal(id: u32, name: &str) {
    let status = Command::new("kill").args([name, &id.to_string()]).status().expect("kill runs");
    assert!(status.success());
}

/// Waits until something is so.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < limit, "waited in vain for {what}");
        pause();
    }
}

/// Between two looks at a state that nothing tells of.
fn pause() {
    let (_never, nothing) = mpsc::sync_channel::<()>(0);
    nothing.recv_timeout(Duration::from_millis(20)).ok();
}

/// The Python of the tests' virtual environment runs a script; what it wrote.
pub fn python(script: &str, arguments: &[&str]) -> String {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin/python");
    assert!(python.is_file(), "there is no target/venv\n  hint: run `cargo xtask setup tests`");
    let output = Command::new(python).args(["-c", script]).args(arguments).output().expect("python runs");
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{wrong}\n  hint: run `cargo xtask setup tests`");
    said.into_owned()
}
