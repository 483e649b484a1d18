//! Descriptions as they are published: read without a problem, and their mocks keep to them.

mod spectral;

use std::path::Path;
use std::time::Instant;

use apis::check::{self, Direction};
use apis::lint::{self, fix::fix};
use apis::mock::make::{self, Look};
use apis::{Description, Document};

fn document(package: &str) -> Document {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/clients/descriptions/node_modules");
    let text = std::fs::read_to_string(root.join(package)).unwrap_or_else(|problem| {
        panic!("{package}: {problem}\n  hint: run `cargo xtask setup tests`");
    });
    let name = package.rsplit('/').next().unwrap_or(package);
    Document::new(name, text)
}

fn read(package: &str) -> Description {
    Description::read(&[document(package)]).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

/// Every answer that is described can be made, and what is made keeps to its schema.
fn every_answer_is_made(description: &Description) -> (usize, Vec<String>) {
    let (mut made, mut missing) = (0, Vec::new());
    for operation in &description.operations {
        for response in &operation.responses {
            for media in response.content.iter() {
                let Some(id) = media.schema else { continue };
                match make::value(&operation.schemas, id, Look::Plain, 1, Direction::Answer) {
                    Some(value) => {
                        assert!(
                            check::holds(&operation.schemas, id, &value, Direction::Answer),
                            "{}",
                            operation.key
                        );
                        made += 1;
                    }
                    None => missing.push(format!("{} {} {}", operation.key, response.statuses, media.range)),
                }
            }
        }
    }
    (made, missing)
}

#[test]
fn blockfrost() {
    let description = read("@blockfrost/openapi/openapi.yaml");
    assert!(description.operations.len() > 100);
    let (made, missing) = every_answer_is_made(&description);
    assert!(missing.is_empty(), "{made} made, not {missing:#?}");
}

#[test]
fn github() {
    let description = read("@octokit/openapi/generated/api.github.com.json");
    assert!(description.operations.len() > 1_000);
    let (made, missing) = every_answer_is_made(&description);
    assert!(made > 2_500, "{made}");
    // Exactly one of two alternatives must hold, and all that one describes fits the other.
    assert_eq!(missing, ["PUT /repos/{}/{}/contents/{} 409 application/json"]);
}

#[test]
fn a_description_has_not_changed_against_itself() {
    let old = read("@octokit/openapi/generated/api.github.com.json");
    let new = read("@octokit/openapi/generated/api.github.com.json");
    assert_eq!(apis::diff::compare(&old, &new), []);
}

/// A description, how many operations it has at least, and how many broken things are in it: examples that do not keep
/// to their schemas, a body of a 204.
const PUBLISHED: [(&str, usize, usize); 6] = [
    ("@blockfrost/openapi/openapi.yaml", 100, usize::MAX),
    ("rclone-openapi/openapi.yaml", 90, 0),
    ("rclone-openapi/openapi.json", 90, 0),
    ("shipengine-openapi/openapi.yaml", 70, usize::MAX),
    ("@readme/oas-examples/3.0/yaml/star-trek.yaml", 100, 0),
    ("@readme/oas-examples/3.1/yaml/readme.yaml", 50, 0),
];

/// Figures: `cargo test -p selvedge-apis --test wild -- --nocapture published`.
#[test]
fn what_others_have_published_is_read_linted_and_mended() {
    for (package, operations, errors) in PUBLISHED {
        let documents = [document(package)];
        let start = Instant::now();
        let description = read(package);
        let reading = start.elapsed();
        let findings = lint::lint(&documents);
        let linting = start.elapsed() - reading;

        assert!(description.operations.len() >= operations, "{package}: {}", description.operations.len());
        let broken = findings.iter().filter(|finding| finding.rule.severity == lint::Severity::Error).count();
        assert!(broken <= errors, "{package}: {broken} errors");
        assert!(findings.iter().all(|finding| finding.rule.id != "readable"), "{package}");
        println!(
            "{package}: {} bytes, {} operations, {} findings; read in {} ms, read and linted in {} ms",
            documents[0].text.len(),
            description.operations.len(),
            findings.len(),
            reading.as_millis(),
            linting.as_millis()
        );
        let mended = fix(&documents, &lint::Ruleset::default(), |_| true).expect("it was read");
        let left = mended.left.iter().filter(|left| left.why.contains("could not be shown")).count();
        assert_eq!(left, 0, "{package}");
        if let Some(document) = mended.documents.first() {
            let after = Description::read(std::slice::from_ref(document)).expect("readable");
            let keys = |description: &Description| {
                description.operations.iter().map(|operation| operation.key.clone()).collect::<Vec<_>>()
            };
            assert_eq!(keys(&after), keys(&description), "{package}");
        }
    }
}

#[test]
fn what_cannot_be_served_is_told_and_not_guessed() {
    for (package, what) in [
        ("@readme/oas-examples/3.0/yaml/parameters-common.yaml", "names the parameter `id` twice"),
        ("@readme/oas-examples/3.0/yaml/parameters-style.yaml", "has a `#`; a path ends before the query"),
        ("@readme/oas-examples/3.0/yaml/response-http-behavior.yaml", "`api_key` is no security scheme"),
        ("@readme/oas-examples/3.1/yaml/webhooks.yaml", "has no `paths`"),
        ("@readme/oas-examples/2.0/yaml/petstore.yaml", "Swagger 2.0"),
    ] {
        let problems = Description::read(&[document(package)]).expect_err(package);
        assert!(problems.iter().any(|problem| problem.what.contains(what)), "{package}: {problems:?}");
    }
}
