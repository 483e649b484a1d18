//! Which crate may import which: arrows point down only.
//!
//! The table is the one of `docs/architecture.md`. It is checked against what cargo resolves, so an arrow that
//! comes in through a third crate is seen as well.

use super::Finding;
use crate::child;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A crate's library name and the workspace crates it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("os", &[]),
    ("engine", &["model", "apis", "commerce"]),
    ("identity", &["model", "engine", "apis", "commerce"]),
    ("discovery", &["model"]),
    ("apis", &["model"]),
    ("commerce", &["model"]),
    ("client", &["model"]),
    ("proxy", &["engine", "identity", "discovery", "apis", "commerce", "model", "os"]),
    ("control", &["engine", "identity", "discovery", "apis", "commerce", "client", "model", "os"]),
    ("portal", &["client", "apis", "model"]),
];

/// Crates that may import anything: the binary, the harness, the chores.
const FREE: &[&str] = &["selvedge", "tests", "xtask"];

/// What a crate may not reach, not even through others, and why.
const OUT_OF_REACH: &[(&str, &[&str], &str)] = &[
    ("engine", PURE, "the engine is pure: no sockets, no runtime"),
    ("model", PURE, "the nouns have no sockets and no runtime"),
    ("apis", PURE, "API descriptions are pure"),
    ("commerce", PURE, "commerce is pure functions and state machines"),
];
const PURE: &[&str] = &["tokio", "hyper", "h2", "mio", "socket2"];

/// Crates that may not be in the product at all, and why.
const BANNED: &[(&str, &str)] = &[
    ("ring", "one cryptographic library, aws-lc-rs"),
    ("openssl-sys", "cargo alone builds the product"),
    ("native-tls", "cargo alone builds the product"),
    ("serde_yml", "unsound"),
];

/// Who depends on whom, by package name.
#[derive(Default)]
pub struct Graph {
    /// Workspace packages: name → library name.
    members: BTreeMap<String, String>,
    /// Workspace package → packages it names as dependencies outside of its tests.
    needs: BTreeMap<String, BTreeSet<String>>,
    /// Workspace package → packages it names for its tests.
    tests_need: BTreeMap<String, BTreeSet<String>>,
    /// Workspace package → everything that is built into it, however deep.
    reach: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Asks cargo.
    pub fn of_this_workspace() -> Result<Graph, String> {
        let arguments = ["metadata", "--format-version", "1", "--no-deps", "--locked"];
        let text = child::read(child::cargo(&arguments))?;
        let metadata: Value =
            serde_json::from_str(&text).map_err(|problem| format!("cargo metadata is no JSON: {problem}"))?;
        let mut graph = Graph::read(&metadata);
        for package in graph.members.keys() {
            // `cargo metadata` also names optional crates that no feature turns on; `cargo tree` does not.
            let arguments =
                ["tree", "--locked", "--edges", "normal,build", "--prefix", "none", "--package", package];
            let tree = child::read(child::cargo(&arguments))?;
            let names = tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned);
            graph.reach.insert(package.clone(), names.collect());
        }
        Ok(graph)
    }

    fn read(metadata: &Value) -> Graph {
        let mut graph = Graph::default();
        for package in list(&metadata["packages"]) {
            let name = word(&package["name"]);
            graph.members.insert(name.to_owned(), library(package).to_owned());
            for dependency in list(&package["dependencies"]) {
                let is_test = dependency["kind"] == "dev";
                let into = if is_test { &mut graph.tests_need } else { &mut graph.needs };
                into.entry(name.to_owned()).or_default().insert(word(&dependency["name"]).to_owned());
            }
        }
        graph
    }

    /// Library names of the workspace crates among these packages.
    fn libraries<'a>(&'a self, packages: Option<&'a BTreeSet<String>>) -> impl Iterator<Item = &'a str> {
        packages.into_iter().flatten().filter_map(|name| self.members.get(name)).map(String::as_str)
    }
}

/// Checks the graph against the tables.
pub fn check(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (package, library) in &graph.members {
        let mut report = |problem: String| findings.push(Finding::new("arrow", library, 0, problem));
        check_imports(graph, package, library, &mut report);
        let reaches = |name: &str| graph.reach.get(package).is_some_and(|reached| reached.contains(name));
        for (from, forbidden, reason) in OUT_OF_REACH.iter().filter(|(from, ..)| from == library) {
            for name in forbidden.iter().filter(|name| reaches(name)) {
                report(format!("`{from}` reaches `{name}`: {reason}"));
            }
        }
        for (name, reason) in BANNED.iter().filter(|(name, _)| reaches(name)) {
            report(format!("`{library}` reaches `{name}`: {reason}"));
        }
    }
    findings
}

fn check_imports(graph: &Graph, package: &str, library: &str, report: &mut impl FnMut(String)) {
    if FREE.contains(&library) {
        return;
    }
    let Some((_, may)) = MAY_IMPORT.iter().find(|(name, _)| *name == library) else {
        report(format!("`{library}` is not in the table of arrows (xtask/src/tidy/arrows.rs)"));
        return;
    };
    for to in graph.libraries(graph.needs.get(package)).filter(|to| !may.contains(to)) {
        report(format!("`{library}` imports `{to}`, which the table does not allow"));
    }
    let twins = [("proxy", "control"), ("control", "proxy")];
    for to in graph.libraries(graph.tests_need.get(package)).filter(|to| twins.contains(&(library, *to))) {
        report(format!("`{library}` imports `{to}` in its tests; put that test into crate `tests`"));
    }
}

/// Every crate takes part in the workspace's lints; without that line its `unsafe` would pass.
pub fn check_manifests(root: &Path) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for path in super::source::files(root, &["toml"])? {
        // Programs of the tests that stand outside of the workspace, as their users' would.
        let is_apart = path.starts_with("crates/tests/clients/");
        let is_member = (path.starts_with("crates/") && !is_apart) || path.starts_with("xtask/");
        if is_member && path.ends_with("/Cargo.toml") {
            findings.extend(check_manifest(&path, &super::source::read(root, &path)?));
        }
    }
    Ok(findings)
}

fn check_manifest(path: &str, text: &str) -> Option<Finding> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    let follows = lines.next().is_some_and(|line| line == "workspace = true");
    (!follows).then(|| Finding::new("lints", path, 0, "no `[lints]` with `workspace = true`"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn library(package: &Value) -> &str {
    let is_library = |target: &&Value| list(&target["kind"]).any(|kind| kind == "lib");
    list(&package["targets"]).find(is_library).map_or(word(&package["name"]), |target| word(&target["name"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(members: &[(&str, &str)], needs: &[(&str, &str)], tests_need: &[(&str, &str)]) -> Graph {
        let pairs = |pairs: &[(&str, &str)]| {
            let mut map: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (from, to) in pairs {
                map.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            }
            map
        };
        let members = members.iter().map(|(package, library)| ((*package).to_owned(), (*library).to_owned()));
        let (needs, tests_need) = (pairs(needs), pairs(tests_need));
        Graph { members: members.collect(), reach: needs.clone(), needs, tests_need }
    }

    fn problems(graph: &Graph) -> Vec<String> {
        check(graph).into_iter().map(|finding| finding.problem).collect()
    }

    const TWO: &[(&str, &str)] = &[("s-proxy", "proxy"), ("s-control", "control")];

    #[test]
    fn proxy_and_control_never_import_each_other_not_even_in_tests() {
        assert_eq!(
            problems(&graph(TWO, &[("s-proxy", "s-control")], &[])),
            ["`proxy` imports `control`, which the table does not allow"]
        );
        assert_eq!(problems(&graph(TWO, &[], &[("s-control", "s-proxy")])).len(), 1);
    }

    #[test]
    fn the_engine_may_not_reach_a_runtime_through_a_third_crate() {
        let mut graph = graph(&[("s-engine", "engine")], &[("s-engine", "nice")], &[]);
        graph.reach.get_mut("s-engine").unwrap().insert("tokio".to_owned());

        assert_eq!(
            problems(&graph),
            ["`engine` reaches `tokio`: the engine is pure: no sockets, no runtime"]
        );
    }

    #[test]
    fn a_banned_crate_is_found_at_any_depth() {
        let mut graph = graph(&[("s-proxy", "proxy")], &[("s-proxy", "nice")], &[]);
        graph.reach.get_mut("s-proxy").unwrap().insert("ring".to_owned());

        assert_eq!(problems(&graph), ["`proxy` reaches `ring`: one cryptographic library, aws-lc-rs"]);
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_a_finding() {
        assert_eq!(problems(&graph(&[("s-new", "new")], &[], &[])).len(), 1);
    }

    #[test]
    fn arrows_that_point_down_are_fine() {
        let members = [("s-proxy", "proxy"), ("s-engine", "engine"), ("s-model", "model")];
        let needs = [("s-proxy", "s-engine"), ("s-engine", "s-model"), ("s-proxy", "tokio")];

        assert!(problems(&graph(&members, &needs, &[])).is_empty());
    }

    #[test]
    fn cargos_answer_is_read_with_library_names_and_test_only_needs_apart() {
        let dependency = serde_json::json!([{ "name": "s-control", "kind": "dev" }]);
        let metadata = serde_json::json!({ "packages": [
            { "name": "s-proxy", "targets": [{ "kind": ["lib"], "name": "proxy" }], "dependencies": dependency },
            { "name": "s-control", "targets": [{ "kind": ["lib"], "name": "control" }], "dependencies": [] },
        ]});

        assert_eq!(problems(&Graph::read(&metadata)).len(), 1);
    }

    #[test]
    fn a_manifest_without_the_workspace_lints_is_found() {
        assert!(check_manifest("crates/a/Cargo.toml", "[package]\nname = \"a\"\n").is_some());
        assert!(check_manifest("crates/a/Cargo.toml", "[lints]\nworkspace = true\n").is_none());
    }
}
