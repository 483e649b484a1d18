//! The door from outside: `selvedge up` as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::binary;
use crate::lines::Lines;
use crate::until::within_time;

/// How long the process may take to end after it was told to.
const ENDING: std::time::Duration = std::time::Duration::from_secs(45);

/// A running process with a file of its own. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    /// Lines of standard output.
    pub stdout: Lines,
    /// Lines of standard error.
    pub stderr: Lines,
    child: Child,
    folder: tempfile::TempDir,
}

impl Process {
    /// Starts with these flags beside `-f` and `--admin`, and waits until ready; tells the admin address.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(yaml: &str, flags: &[&str]) -> Result<(Process, SocketAddr), String> {
        let folder = tempfile::tempdir().map_err(|failure| failure.to_string())?;
        let file = folder.path().join("gateway.yaml");
        std::fs::write(&file, yaml).map_err(|failure| failure.to_string())?;
        let built = tokio::task::spawn_blocking(binary::selvedge).await;
        let mut child = spawn(built.map_err(|failure| failure.to_string())?, &file, flags)?;
        let stdout = Lines::reading(child.stdout.take().expect("stdout is piped"));
        let stderr = Lines::reading(child.stderr.take().expect("stderr is piped"));
        let ended = async {
            let status = child.wait().await;
            format!("it ended ({status:?}):\n    {}", stderr.all().join("\n    "))
        };
        let admin = tokio::select! {
            admin = ready(&stderr) => admin?,
            problem = ended => return Err(problem),
        };
        Ok((Process { stdout, stderr, child, folder }, admin))
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
        self.child.id().expect("the gateway still runs")
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
        match within_time(ENDING, "the gateway to end", self.child.wait()).await {
            Ok(status) => status.is_ok_and(|status| status.success()),
            Err(problem) => panic!("{problem}"),
        }
    }

    /// Resident memory of the process in bytes.
    ///
    /// # Panics
    /// When the process has ended.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most resident memory the process ever had, in bytes.
    ///
    /// # Panics
    /// When the process has ended.
    #[must_use]
    pub fn resident_bytes_peak(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("the gateway still runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is shown");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("it is a number");
        kib * 1024
    }
}

fn spawn(binary: &Path, file: &Path, flags: &[&str]) -> Result<Child, String> {
    let child = Command::new(binary)
        .args(["up", "-f"])
        .arg(file)
        .args(["--admin", "127.0.0.1:0"])
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    child.map_err(|failure| format!("{}: {failure}", binary.display()))
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
