//! Other people's programs. A spec that needs one fails when it is missing and says how to get it: a spec that
//! skips itself proves nothing and nobody notices.

use std::path::PathBuf;

use tokio::process::Command;

use crate::binary::workspace;
use crate::until::within_time;

/// What a program wrote.
#[derive(Debug)]
pub struct Output {
    /// Whether it ended with success.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// A program on the path.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not installed\n  hint: run `cargo xtask setup`"))
}

/// The Python of the virtual environment, with `modules` importable.
///
/// # Panics
/// When the environment or a module is missing.
pub async fn python(modules: &[&str]) -> PathBuf {
    let python = workspace().join("target/venv/bin/python");
    assert!(python.is_file(), "there is no target/venv\n  hint: run `cargo xtask setup`");
    let import = modules.iter().map(|module| format!("import {module}\n")).collect::<String>();
    let output = run(&python, &["-c", &import]).await;
    assert!(output.success, "{}\n  hint: run `cargo xtask setup`", output.stderr);
    python
}

/// Runs a program to its end.
///
/// # Panics
/// When it does not end within a minute.
pub async fn run(program: &PathBuf, arguments: &[&str]) -> Output {
    run_with_input(program, arguments, &[]).await
}

/// Runs a program to its end with bytes on its standard input.
///
/// # Panics
/// When it does not end within a minute.
pub async fn run_with_input(program: &PathBuf, arguments: &[&str], input: &[u8]) -> Output {
    use tokio::io::AsyncWriteExt;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|failure| panic!("{}: {failure}", program.display()));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_vec();
    tokio::spawn(async move {
        let _ = stdin.write_all(&input).await;
    });
    let name = program.display().to_string();
    let patience = std::time::Duration::from_secs(60);
    let output = within_time(patience, &format!("{name} to end"), child.wait_with_output()).await;
    let output = output.unwrap_or_else(|problem| panic!("{problem}")).expect("a child can be waited for");
    Output {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
