//! Our rules beside real Spectral, finding by finding: what both have a rule for, both find at the same place, but for
//! the differences that are listed here with their reasons.

use std::path::{Path, PathBuf};
use std::process::Command;

use apis::lint::{Finding, lint};
use apis::{Description, Document, Statuses};
use serde_json::Value;

/// A rule of theirs, and ours for the same. What is wrong with an example or a default is one rule there, two here.
const RULES: [(&str, &[&str]); 12] = [
    ("operation-operationId", &["operation-id"]),
    ("operation-operationId-unique", &["operation-id-unique"]),
    ("operation-success-response", &["answer-success"]),
    ("operation-tag-defined", &["tag-known"]),
    ("info-description", &["info-description"]),
    ("path-keys-no-trailing-slash", &["path-trailing-slash"]),
    ("array-items", &["array-items"]),
    ("duplicated-entry-in-enum", &["enum-unique"]),
    ("oas3-unused-component", &["schema-used"]),
    ("oas3-valid-media-example", &["example-valid"]),
    ("oas3-valid-schema-example", &["example-valid", "default-valid"]),
    ("oas3-parameter-description", &["parameter-description"]),
];

/// How many lines a finding of theirs may stand below ours: theirs names the field, ours what the field belongs to.
const LINES_APART: u32 = 12;

/// Found by them only.
const THEIRS_ONLY: &[(&str, &str, &str)] = &[
    ("discriminators.yaml", "schema ElectricVehicle", "a discriminator leads to it by its name"),
    ("discriminators.yaml", "schema FueledVehicle", "a discriminator leads to it by its name"),
    ("discriminators.yaml", "schema PedaledVehicle", "a discriminator leads to it by its name"),
];

/// Found by us only.
const OURS_ONLY: &[(&str, &str, &str)] = &[
    ("schema-circular.yaml", "schema FormDataBodyPart", "behind a circle of references they do not look"),
    ("train-travel.yaml", "schema", "they do not look at `examples` of schemas"),
];

/// A finding of theirs.
struct Theirs {
    code: String,
    file: String,
    line: u32,
    subject: String,
    path: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Descriptions of our own and of others; those that we refuse to read are no part of it.
fn files() -> Vec<PathBuf> {
    let own = ["crates/apis/tests/descriptions/petstore.yaml", "crates/selvedge/tests/cases/pets-2.yaml"];
    let own = own
        .into_iter()
        .chain(["crates/selvedge/tests/cases/pets-unfixed.yaml"])
        .map(|name| root().join(name));
    let examples = root().join("target/clients/descriptions/node_modules/@readme/oas-examples");
    let folder = std::fs::read_dir(examples.join("3.0/yaml")).unwrap_or_else(|problem| {
        panic!("{}: {problem}\n  hint: run `cargo xtask setup tests`", examples.display())
    });
    let more = folder.flatten().map(|entry| entry.path());
    let all = own.chain(more).chain([examples.join("3.1/yaml/train-travel.yaml")]);
    all.map(|path| path.canonicalize().expect("a file"))
        // Large, and nothing in it that is not in a smaller one.
        .filter(|path| std::fs::metadata(path).is_ok_and(|file| file.len() < 200_000))
        .collect()
}

fn spectral(files: &[PathBuf]) -> Vec<Theirs> {
    let program = root().join("target/clients/spectral/node_modules/@stoplight/spectral-cli/dist/index.js");
    assert!(program.is_file(), "Spectral is not installed\n  hint: run `cargo xtask setup tests`");
    let ruleset = std::env::temp_dir().join(format!("selvedge-spectral-{}.yaml", std::process::id()));
    let mut text = "extends: [[spectral:oas, off]]\nrules:\n".to_owned();
    RULES.iter().for_each(|(rule, _)| text.push_str(&format!("  {rule}: warn\n")));
    std::fs::write(&ruleset, text).expect("a file");
    let output = Command::new("node")
        .arg(program)
        .args(["lint", "-q", "-f", "json", "-r"])
        .arg(&ruleset)
        .args(files)
        .output()
        .expect("node runs");
    std::fs::remove_file(ruleset).expect("removed");
    let found: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|problem| panic!("{problem}: {}", String::from_utf8_lossy(&output.stderr)));
    found.iter().map(theirs).collect()
}

fn theirs(found: &Value) -> Theirs {
    let text = |name: &str| found[name].as_str().expect(name).to_owned();
    let path: Vec<String> = found["path"]
        .as_array()
        .expect("a path")
        .iter()
        .filter_map(|step| step.as_str().map(str::to_owned))
        .collect();
    let line =
        found["range"]["start"]["line"].as_u64().and_then(|line| u32::try_from(line).ok()).expect("a line");
    Theirs { code: text("code"), file: text("source"), line: line + 1, subject: subject(&path), path }
}

/// What a path is about, in our words.
fn subject(path: &[String]) -> String {
    match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["paths", path, method, ..] if method != "parameters" => {
            format!("{} {}", method.to_uppercase(), erased(path))
        }
        ["components", "schemas", name, ..] => format!("schema {name}"),
        ["info", ..] => "/info".to_owned(),
        _ => path.join("/"),
    }
}

fn erased(path: &str) -> String {
    let mut pieces = path.split('{');
    let first = pieces.next().unwrap_or("").to_owned();
    pieces.fold(first, |erased, piece| erased + "{}" + piece.split_once('}').map_or("", |(_, rest)| rest))
}

fn is_same(theirs: &Theirs, ours: &Finding) -> bool {
    let rule = RULES.iter().any(|(code, rules)| *code == theirs.code && rules.contains(&&*ours.rule.id));
    let subject = ours.subject == theirs.subject || ours.subject.starts_with(&format!("{} ", theirs.subject));
    let near = theirs.line.checked_sub(ours.line).is_some_and(|apart| apart <= LINES_APART);
    rule && (subject || near)
}

/// Why only they find it, when there is a reason.
fn why_theirs(found: &Theirs, description: &Description) -> Option<&'static str> {
    let operation = description.operation(&found.subject);
    match &*found.code {
        "operation-tag-defined" if description.tags.is_empty() => {
            Some("a description that lists no tags at all misspells none")
        }
        "operation-success-response" => {
            let answers = &operation?.responses;
            let says = |statuses| matches!(statuses, Statuses::Default | Statuses::One(100..=199));
            answers
                .iter()
                .any(|answer| says(answer.statuses))
                .then_some("`default` and 1xx tell what to expect as well")
        }
        "oas3-unused-component" if found.path.get(1).is_some_and(|kind| kind != "schemas") => {
            Some("ours is about schemas")
        }
        _ => listed(THEIRS_ONLY, &found.file, &found.subject),
    }
}

/// Why only we find it, when there is a reason.
fn why_ours(found: &Finding) -> Option<&'static str> {
    match &*found.rule.id {
        "schema-used" => Some("what is used by something that nobody uses is not used"),
        _ => listed(OURS_ONLY, &found.file, &found.subject),
    }
}

fn listed(table: &[(&str, &str, &'static str)], file: &str, subject: &str) -> Option<&'static str> {
    table.iter().find(|(name, about, _)| file.ends_with(name) && *about == subject).map(|(_, _, why)| *why)
}

#[test]
fn what_spectral_finds_we_find_at_the_same_place_but_for_known_differences() {
    let files = files();
    let all = spectral(&files);
    let (mut same, mut differences) = (0, Vec::new());
    for file in &files {
        let name = file.display().to_string();
        let documents = [Document::new(&*name, std::fs::read_to_string(file).expect("text"))];
        let Ok(description) = Description::read(&documents) else { continue };
        let is_compared = |found: &Finding| RULES.iter().any(|(_, rules)| rules.contains(&&*found.rule.id));
        let ours: Vec<Finding> = lint(&documents).into_iter().filter(is_compared).collect();
        let theirs: Vec<&Theirs> = all.iter().filter(|found| found.file == name).collect();
        for found in &theirs {
            if ours.iter().any(|other| is_same(found, other)) {
                same += 1;
            } else if why_theirs(found, &description).is_none() {
                differences.push(format!("theirs: {name}:{} {} {}", found.line, found.code, found.subject));
            }
        }
        for found in &ours {
            if !theirs.iter().any(|other| is_same(other, found)) && why_ours(found).is_none() {
                differences.push(format!("ours: {found}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(same >= 300, "{same} findings are the same");
}
