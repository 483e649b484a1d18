//! A real control plane for one test, with its store in a folder of its own, and the real binary as its client.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use control::api::access::AdminsOnly;
use control::api::home::Home;
use control::api::{self, Api, Limits, Options, kubeconfig};
use control::clock::Clock;
use control::store::keys::Keys;
use control::store::sqlite::Sqlite;
use control::world::World;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A control plane.
pub struct Plane {
    folder: TempDir,
    _api: Api,
    // Dropped last: the API's tasks run on it.
    _runtime: Runtime,
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
        let api = runtime.block_on(serve(folder.path()));
        Plane { folder, _api: api, _runtime: runtime }
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
            .args(["--data", &self.folder.path().display().to_string()])
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

async fn serve(folder: &Path) -> Api {
    std::fs::create_dir(folder.join("files")).expect("a folder");
    let keys = Keys::open(&folder.join("keys")).expect("keys");
    let opened = Sqlite::open(&folder.join("store.db"), keys).await.expect("a store");
    let world = World::open(opened.store).await.expect("a world");
    let clock = Clock::system();
    let home = Home::open(folder, clock.now()).expect("files");
    let options = Options {
        listen: ([127, 0, 0, 1], 0).into(),
        names: Vec::new(),
        authority: Arc::clone(&home.authority),
        authenticator: home.authenticator(),
        authorizer: Arc::new(AdminsOnly),
        limits: Limits::default(),
        clock,
        beside: Vec::new(),
    };
    let api = api::serve(world, options).await.expect("a server");
    home.write_admin_kubeconfig(&kubeconfig::server(api.address())).expect("a kubeconfig");
    api
}
