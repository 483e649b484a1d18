//! An example that is open: its processes, their addresses and what the command line says of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::plane::Ended;
use super::sidecars::Running;

/// Longest that one may take to open: compilers, databases and a dozen processes begin meanwhile.
const OPENING: Duration = Duration::from_secs(300);

/// An example, open.
pub struct Opened {
    run: Running,
    /// The folder in which it makes its own, and that one.
    _folder: TempDir,
    data: PathBuf,
    network: [u8; 3],
}

impl Opened {
    /// Opens one, and waits until it says so. Examples that are open at once need different `block`s (0 to 3).
    pub fn new(name: &str, says: &str, block: u8) -> Opened {
        let folder = tempfile::tempdir().expect("a folder");
        // Users that processes run as have to come by.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).expect("our folder");
        let [high, low] = (std::process::id() as u16).to_be_bytes();
        let network = [127, 0x40 | (block << 4) | (high & 0x0f), low];
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name).join("run");
        let mut command = Command::new("sh");
        // What it says goes where it is listened to.
        command.args(["-c", "exec \"$0\" >&2"]).arg(script);
        command.env("SELVEDGE", env!("CARGO_BIN_EXE_selvedge")).env("TMPDIR", folder.path());
        command.env("NETWORK", network.map(|part| part.to_string()).join("."));
        let mut run = Running::start(&mut command);
        run.line_within(says, OPENING);
        let mut entries = std::fs::read_dir(folder.path()).expect("our folder");
        let data = entries.next().expect("a folder of its own").expect("an entry").path();
        Opened { run, _folder: folder, data, network }
    }

    pub fn at(&self, host: u8, port: u16) -> SocketAddr {
        let [a, b, c] = self.network;
        SocketAddr::from((Ipv4Addr::new(a, b, c, host), port))
    }

    /// A file of it.
    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.data.join(name)).expect("a file")
    }

    /// What `selvedge` says about it.
    pub fn told(&self, line: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.args(line.split(' ')).arg("--data").arg(self.data.join("control"));
        command.env("NO_COLOR", "1").env("HOME", "/nonexistent").env_remove("KUBECONFIG");
        let ended = Ended::of(&command.output().expect("the binary runs"));
        assert_eq!(ended.code, 0, "selvedge {line}\n{}{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    /// Closes it; it leaves nothing.
    pub fn close(mut self) {
        self.run.signal("-TERM");
        self.run.ended();
        assert!(!self.data.exists(), "it takes its files along");
    }
}
