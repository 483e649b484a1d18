//! Descriptions as others have published them become rules: every operation answers the requests that it describes.

use std::path::Path;

use apis::{Description, Document};
use engine::config::Config;
use engine::{RequestView, Verdict};

use super::support::{BASE, World};
use super::{mocked, revision, version};

fn text(package: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/clients/descriptions/node_modules");
    std::fs::read_to_string(root.join(package))
        .unwrap_or_else(|problem| panic!("{package}: {problem}\n  hint: run `cargo xtask setup tests`"))
}

/// The key of the operation that answers.
fn answers<'c>(config: &'c Config, method: &str, path: &str) -> Option<&'c str> {
    let headers: [(String, String); 0] = [];
    let (method, path) = (method.as_bytes(), path.as_bytes());
    let view = RequestView { method, host: b"a.example", path, query: None, headers: headers.as_slice() };
    match config.ports[0].table().expect("requests").find(&view, None) {
        Verdict::Rule(rule) => Some(&rule.operation.as_ref()?.key),
        Verdict::NoMatch | Verdict::Misdirected => None,
    }
}

#[test]
fn every_operation_of_a_published_description_is_a_rule() {
    for package in [
        "@blockfrost/openapi/openapi.yaml",
        "rclone-openapi/openapi.json",
        "shipengine-openapi/openapi.yaml",
        "@readme/oas-examples/3.0/yaml/star-trek.yaml",
        "@octokit/openapi/generated/api.github.com.json",
    ] {
        let text = text(package);
        let description = Description::read(&[Document::new("pets.yaml", text.as_str())]).expect(package);
        let mut world = World::new();
        world.apply(BASE).apply(&revision("one", &text)).apply(&(version("a", "one") + &mocked("a")));

        let config = world.compile().config;

        for operation in &description.operations {
            let path = operation.template.filled(|name| format!("1-{name}").replace(['/', ':'], ""));
            let key = answers(&config, &operation.method, &path);
            assert_eq!(key, Some(operation.key.as_str()), "{package}: {} {path}", operation.method);
        }
    }
}
