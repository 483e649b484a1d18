//! Finds the binary under test, and builds it once when nobody names one.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// The `selvedge` binary: `SELVEDGE_BIN` when set, otherwise what `cargo build -p selvedge` makes.
///
/// # Panics
/// When it cannot be built.
pub fn selvedge() -> &'static PathBuf {
    BINARY.get_or_init(|| match std::env::var_os("SELVEDGE_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["build", "--package", "selvedge", "--bin", "selvedge", "--message-format", "json"])
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "cargo build failed:\n{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .find(|path| path.file_name().is_some_and(|name| name == "selvedge"));
    executable.expect("cargo names the executable it built")
}

/// The directory of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
