//! The door from outside: `selvedge up`, `selvedge gateway` or `selvedge control` as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use discovery::TokenFile;
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
    /// Starts with these flags beside `-f` and `--admin`, and waits until ready; tells the admin address. It serves an
    /// API only where the flags ask for one: what is measured of a gateway is the gateway.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(yaml: &str, flags: &[&str]) -> Result<(Process, SocketAddr), String> {
        let folder = tempfile::tempdir().map_err(|failure| failure.to_string())?;
        let file = folder.path().join("gateway.yaml");
        std::fs::write(&file, yaml).map_err(|failure| failure.to_string())?;
        let file = file.display().to_string();
        let serves = flags.iter().any(|flag| ["--data", "--listen"].contains(flag));
        let alone: &[&str] = if serves { &[] } else { &["--listen", "off"] };
        let arguments = [&["up", "-f", &file, "--admin", "127.0.0.1:0"], alone, flags].concat();
        let is_ready = |line: &str| line.starts_with("selvedge") && line.contains(" ready ");
        Process::run(folder, &arguments, is_ready, "admin").await
    }

    /// Starts a control plane that keeps what it is told in a folder, and waits until it can be asked.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn control(data: &Path, listen: SocketAddr) -> Result<Process, String> {
        let folder = tempfile::tempdir().map_err(|failure| failure.to_string())?;
        let (data, listen) = (data.display().to_string(), listen.to_string());
        let arguments = ["control", "--data", &data, "--listen", &listen];
        let is_ready = |line: &str| line.starts_with("selvedge control");
        Process::run(folder, &arguments, is_ready, "api").await.map(|(process, _)| process)
    }

    /// Starts a gateway that follows the control plane at a URL, with these flags, and waits until it runs; tells the
    /// admin address. What is larger than its limit on files is refused to it, and does not kill it.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn gateway(
        control: &str,
        token: &TokenFile,
        flags: &[&str],
    ) -> Result<(Process, SocketAddr), String> {
        let folder = tempfile::tempdir().map_err(|failure| failure.to_string())?;
        let file = folder.path().join("gateway.token");
        std::fs::write(&file, token.to_string()).map_err(|failure| failure.to_string())?;
        let file = file.display().to_string();
        let own = ["gateway", "--control", control, "--token-file", &file, "--admin", "127.0.0.1:0"];
        Process::run(folder, &[&own, flags].concat(), |line| line.starts_with("selvedge gateway"), "admin")
            .await
    }

    async fn run(
        folder: tempfile::TempDir,
        arguments: &[&str],
        is_ready: impl Fn(&str) -> bool,
        beside: &str,
    ) -> Result<(Process, SocketAddr), String> {
        let built = tokio::task::spawn_blocking(binary::selvedge).await;
        let mut child = spawn(built.map_err(|failure| failure.to_string())?, arguments)?;
        let stdout = Lines::reading(child.stdout.take().expect("stdout is piped"));
        let stderr = Lines::reading(child.stderr.take().expect("stderr is piped"));
        let ended = async {
            let status = child.wait().await;
            format!("it ended ({status:?}):\n    {}", stderr.all().join("\n    "))
        };
        let admin = tokio::select! {
            admin = ready(&stderr, is_ready, beside) => admin?,
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

    /// Refuses the process every file that would grow larger than so many bytes; `None` refuses none.
    ///
    /// # Panics
    /// When the system does not allow it.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let id = rustix::process::Pid::from_raw(self.id().cast_signed());
        let limit = rustix::process::Rlimit { current: bytes, maximum: None };
        rustix::process::prlimit(id, rustix::process::Resource::Fsize, limit)
            .expect("limits of a child are ours");
    }

    /// Ends it at once (SIGKILL), and waits until it is gone.
    ///
    /// # Panics
    /// When it does not go.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("a child can be killed");
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

/// Ignored signals stay ignored in what a shell becomes.
const WITHOUT_FILE_SIZE_SIGNAL: &str = "trap '' XFSZ; exec \"$@\"";

fn spawn(binary: &Path, arguments: &[&str]) -> Result<Child, String> {
    let child = Command::new("sh")
        .args(["-c", WITHOUT_FILE_SIZE_SIGNAL, "sh"])
        .arg(binary)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    child.map_err(|failure| format!("{}: {failure}", binary.display()))
}

/// Waits for the line that says ready, then for the address in the line about something.
async fn ready(stderr: &Lines, is_ready: impl Fn(&str) -> bool, beside: &str) -> Result<SocketAddr, String> {
    stderr.find("the gateway to say it is ready", |line| is_ready(line).then_some(())).await?;
    let admin = |line: &str| {
        let words = line.contains(beside).then(|| line.split([' ', '/', ',', '`']))?;
        words.filter_map(|word| word.parse().ok()).next()
    };
    stderr.find("the process to print its address", admin).await
}
