//! Measures the release binary beside the peers and writes `bench/RESULTS.md`.
//!
//! The measuring itself is Python in `bench/`, because it is mostly starting other people's programs and
//! reading what they print. This builds what it needs and starts it.

use crate::{child, setup};

/// Builds everything and passes the arguments on to `bench/run.py`.
pub fn run(arguments: &[&str]) -> Result<String, String> {
    // Instructions are counted in programs of their own, and so is what many proxies cost.
    if !matches!(arguments, ["instructions" | "discovery" | "mesh-discovery"]) {
        child::run(child::cargo(&["build", "--release", "--package", "selvedge"]))?;
        child::run(child::cargo(&["build", "--release", "--manifest-path", "bench/tools/Cargo.toml"]))?;
    }

    if arguments.is_empty() || arguments.contains(&"discovery") {
        let examples = ["--example", "discovery_cost", "--example", "discovery_herd"];
        let build = ["build", "--profile", "fast", "--package", "selvedge-tests"];
        child::run(child::cargo(&[&build[..], &examples].concat()))?;
    }
    if arguments.is_empty() || arguments.contains(&"mesh-discovery") {
        let example = ["--package", "selvedge-tests", "--example", "discovery_mesh"];
        child::run(child::cargo(&[&["build", "--profile", "fast"][..], &example].concat()))?;
    }
    // The peer of the benchmarks is one that members of a mesh must get along with.
    if arguments.is_empty() {
        let tests = ["test", "--package", "selvedge-proxy", "--test", "mesh", "--", "--ignored", "envoy"];
        child::run(child::cargo(&tests))?;
    }

    let venv = format!("{}/bin/python", setup::VENV);
    let has_venv = child::root().join(&venv).exists();
    let python = if has_venv { venv.as_str() } else { "python3" };
    let mut words = vec!["bench/run.py"];
    words.extend(arguments);
    child::run(child::command(python, &words))?;
    Ok("bench: see bench/RESULTS.md".to_owned())
}
