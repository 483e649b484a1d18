//! A real control plane for one test, with its store in a folder of its own, and the real binary as its client.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use control::clock::Clock;
use control::server::{self, Server, ServerOptions};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A control plane.
pub struct Plane {
    folder: TempDir,
    server: Server,
    // Dropped last: the server's tasks run on it.
    runtime: Runtime,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Plane {
    pub fn start() -> Plane {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads");
        std::fs::create_dir(folder.path().join("files")).expect("a folder");
        let server = runtime.block_on(serve(&folder.path().join("data")));
        Plane { folder, server, runtime }
    }

    /// Where proxies reach it.
    pub fn control(&self) -> String {
        format!("https://{}", self.server.address())
    }

    /// Its data folder, as commands are given it.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Ends it, and leaves its files.
    pub fn stop(self) -> TempDir {
        let Plane { folder, server, runtime } = self;
        runtime.block_on(server.stop());
        folder
    }

    /// Writes a file and names it.
    pub fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).expect("a file");
        name.to_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("files").join(name)
    }

    /// A command that asks this control plane, in the directory of its files.
    pub fn command(&self, line: &str) -> Command {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let verb = words.next().expect("a verb");
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command
            .arg(verb)
            .args(["--data", &self.folder.path().join("data").display().to_string()])
            .args(words)
            .current_dir(self.folder.path().join("files"))
            .env("NO_COLOR", "1")
            .env("HOME", "/nonexistent")
            .env_remove("CLICOLOR_FORCE")
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, line: &str) -> Ended {
        Ended::of(&self.command(line).output().expect("the binary runs"))
    }

    /// Runs a command that must succeed.
    pub fn must(&self, line: &str) -> Ended {
        let ended = self.run(line);
        assert_eq!(ended.code, 0, "selvedge {line}\n{}{}", ended.stdout, ended.stderr);
        ended
    }
}

impl Ended {
    pub fn of(output: &Output) -> Ended {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code().expect("an exit code"),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

async fn serve(data: &Path) -> Server {
    let options = ServerOptions {
        data: data.to_owned(),
        database: None,
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        may_move: false,
        names: Vec::new(),
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        keeps_config: false,
        clock: Clock::system(),
        beside: Vec::new(),
    };
    server::start(options).await.expect("a control plane")
}
