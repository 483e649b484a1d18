//! Descriptions as they are published: read without a problem, and their mocks keep to them.

use std::path::Path;

use apis::check::{self, Direction};
use apis::mock::make::{self, Look};
use apis::{Description, Document};

fn read(package: &str) -> Description {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/clients/descriptions/node_modules");
    let text = std::fs::read_to_string(root.join(package)).unwrap_or_else(|problem| {
        panic!("{package}: {problem}\n  hint: run `cargo xtask setup tests`");
    });
    let name = package.rsplit('/').next().unwrap_or(package);
    Description::read(&[Document::new(name, text)]).unwrap_or_else(|problems| {
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
