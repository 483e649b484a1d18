//! What resources compile to, shown in pairs: `in.yaml` beside `config.json` and `status.json`.
//!
//! `UPDATE_GOLDEN=1` writes the outputs again; read the difference before you commit it.

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::World;

#[test]
fn every_case_compiles_to_what_is_written_beside_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 12, "cases are missing");

    let wrong: Vec<String> = cases.iter().flat_map(|case| check(case)).collect();

    assert!(wrong.is_empty(), "{}\nrun again with UPDATE_GOLDEN=1 and read the difference", wrong.join("\n"));
}

fn check(case: &Path) -> Vec<String> {
    let input = fs::read_to_string(case.join("in.yaml")).unwrap();
    let mut world = World::new();
    let compiled = world.apply(&input).compile();
    let config = engine::dump::dump(&compiled.config);
    let status: Vec<Value> = compiled
        .conditions
        .iter()
        .map(|object| json!({ "object": object.resource.key.to_string(), "status": &*object.status }))
        .collect();
    [("config.json", config), ("status.json", status.into())]
        .into_iter()
        .filter_map(|(name, value)| compare(&case.join(name), &value))
        .collect()
}

fn compare(file: &Path, value: &Value) -> Option<String> {
    let text = format!("{}\n", serde_json::to_string_pretty(value).unwrap());
    assert!(!text.contains("hunter2"), "a key was dumped");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(file, &text).unwrap();
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().zip(expected.lines()).position(|(is, should)| is != should);
    (text != expected).then(|| {
        let line = line.unwrap_or_else(|| text.lines().count().min(expected.lines().count()));
        let of = |text: &str| text.lines().nth(line).unwrap_or("nothing").trim().to_owned();
        format!("{}:{}: is {}, should be {}", file.display(), line + 1, of(&text), of(&expected))
    })
}
