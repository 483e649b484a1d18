//! Starting other programs: always from the root of the repository, always with a reason when they fail.
//!
//! A chore mostly starts cargo. Doing it in one place keeps the working directory, the choice of cargo and
//! the wording of failures the same everywhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the repository. The manifest directory is compiled in, so a chore works from any directory.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or_else(|| manifest.to_path_buf(), Path::to_path_buf)
}

/// A command that runs in the root.
pub fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// A cargo command, with the cargo that started us.
pub fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    command(&program, arguments)
}

/// Where cargo puts what it builds for development.
pub fn built() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    root().join(target).join("debug")
}

/// Runs it with our own output; an error says which command failed.
pub fn run(mut command: Command) -> Result<(), String> {
    let shown = show(&command);
    let status = command.status().map_err(|problem| format!("cannot start `{shown}`: {problem}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` failed: {status}")) }
}

/// Runs it and returns what it wrote to stdout; stderr stays visible.
pub fn read(mut command: Command) -> Result<String, String> {
    let shown = show(&command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|problem| format!("cannot start `{shown}`: {problem}"))?;
    if !output.status.success() {
        return Err(format!("`{shown}` failed: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{shown}` wrote something that is not UTF-8"))
}

/// Whether a program of this name is on the search path (or in the places only root's path has).
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named_in_the_error() {
        let problem = run(command("false", &["--now"])).unwrap_err();

        assert!(problem.contains("`false --now` failed"), "{problem}");
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error_and_not_a_panic() {
        let problem = read(command("no-such-program-here", &[])).unwrap_err();

        assert!(problem.contains("cannot start `no-such-program-here`"), "{problem}");
    }
}
