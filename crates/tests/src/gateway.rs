//! The real thing: `selvedge up` with files of its own, on addresses of its own.
//!
//! It runs as a process, so that a spec can look at it from outside as an operator would: signals, memory,
//! system calls, standard output. Dropping it kills it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::answer::Answer;
use crate::binary;
use crate::client::{exchange, fetch, get};
use crate::lines::Lines;
use crate::until::{eventually_some, within_time};

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    /// The first listener of the scene it was started from.
    pub entry: SocketAddr,
    /// Where ready, metrics and the config dump are served.
    pub admin: SocketAddr,
    /// Lines of standard output.
    pub stdout: Lines,
    /// Lines of standard error.
    pub stderr: Lines,
    process: Child,
    folder: tempfile::TempDir,
}

/// How long the process may take to end after it was told to.
const ENDING: std::time::Duration = std::time::Duration::from_secs(45);

impl Gateway {
    /// Starts with one worker, so that all client connections share one upstream pool, and waits until ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start(yaml: &str, entry: SocketAddr) -> Gateway {
        Gateway::start_with(yaml, entry, &["--workers", "1"]).await
    }

    /// Starts with these flags beside `-f` and `--admin`, and waits until ready.
    ///
    /// # Panics
    /// When it does not become ready.
    pub async fn start_with(yaml: &str, entry: SocketAddr, flags: &[&str]) -> Gateway {
        match Gateway::try_start(yaml, entry, flags).await {
            Ok(gateway) => gateway,
            Err(problem) => panic!("the gateway did not start: {problem}"),
        }
    }

    async fn try_start(yaml: &str, entry: SocketAddr, flags: &[&str]) -> Result<Gateway, String> {
        let folder = tempfile::tempdir().map_err(|failure| failure.to_string())?;
        let file = folder.path().join("gateway.yaml");
        std::fs::write(&file, yaml).map_err(|failure| failure.to_string())?;
        let binary =
            tokio::task::spawn_blocking(binary::selvedge).await.map_err(|failure| failure.to_string())?;
        let mut process = Command::new(binary)
            .args(["up", "-f"])
            .arg(&file)
            .args(["--admin", "127.0.0.1:0"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|failure| format!("{}: {failure}", binary.display()))?;
        let stdout = Lines::reading(process.stdout.take().expect("stdout is piped"));
        let stderr = Lines::reading(process.stderr.take().expect("stderr is piped"));
        let ended = async {
            let status = process.wait().await;
            format!("it ended ({status:?}):\n    {}", stderr.all().join("\n    "))
        };
        let admin = tokio::select! {
            admin = ready(&stderr) => admin?,
            problem = ended => return Err(problem),
        };
        Ok(Gateway { entry, admin, stdout, stderr, process, folder })
    }

    /// The file it reads.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("gateway.yaml")
    }

    /// Replaces the file in one step, as an editor or a deployment tool does.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn edit(&self, yaml: &str) {
        let next = self.folder.path().join(".gateway.yaml.next");
        std::fs::write(&next, yaml).expect("the folder can be written");
        std::fs::rename(next, self.file()).expect("the file can be replaced");
    }

    /// The process id.
    ///
    /// # Panics
    /// When the process has ended.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id().expect("the gateway still runs")
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let id = rustix::process::Pid::from_raw(self.id().cast_signed()).expect("a process id is not zero");
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }

    /// Waits for the process to end; `true` when it ended with success.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn ended(&mut self) -> bool {
        match within_time(ENDING, "the gateway to end", self.process.wait()).await {
            Ok(status) => status.is_ok_and(|status| status.success()),
            Err(problem) => panic!("{problem}"),
        }
    }

    /// Whether the process still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Resident memory of the process in bytes.
    ///
    /// # Panics
    /// When the process has ended.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("the gateway still runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS is shown");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("VmRSS is a number");
        kib * 1024
    }

    /// GET of an admin page.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn admin(&self, target: &str) -> Answer {
        fetch(self.admin, &self.admin.to_string(), target).await
    }

    /// Asks the entry until the answer is right; for changes of files, which take effect soon but not at once.
    pub async fn until(&self, host: &str, target: &str, right: impl Fn(&Answer) -> bool) -> Answer {
        eventually_some(&format!("GET {host}{target} to be answered as the new files say"), || async {
            exchange(self.entry, get(host, target, "")).await.ok().filter(&right)
        })
        .await
    }

    /// The access log so far: every line of standard output that is a JSON object.
    #[must_use]
    pub fn access_log(&self) -> Vec<Value> {
        self.stdout.all().iter().filter_map(|line| json_object(line)).collect()
    }

    /// The first access log line, old or new, that `pick` accepts.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn logged(&self, what: &str, pick: impl Fn(&Value) -> bool) -> Value {
        let found = self.stdout.find(what, |line| json_object(line).filter(&pick)).await;
        found.unwrap_or_else(|problem| panic!("{problem}"))
    }
}

fn json_object(line: &str) -> Option<Value> {
    serde_json::from_str::<Value>(line).ok().filter(Value::is_object)
}

/// Waits for the line that says ready, then for the address in the line about admin.
async fn ready(stderr: &Lines) -> Result<SocketAddr, String> {
    let is_ready = |line: &str| (line.starts_with("selvedge") && line.contains(" ready ")).then_some(());
    stderr.find("the gateway to say it is ready", is_ready).await?;
    let admin = |line: &str| {
        let words = line.contains("admin").then(|| line.split([' ', '/', ',', '`']))?;
        words.filter_map(|word| word.parse().ok()).next()
    };
    stderr.find("the gateway to print its admin address", admin).await
}
