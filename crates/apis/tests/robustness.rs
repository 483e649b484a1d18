//! No upload makes the reader panic or never end: findings of the fuzzer, uploads with pieces out of place, and bombs.
//!
//! | class | what | where it is tested |
//! |---|---|---|
//! | D10 | descriptions and bodies nested without end, aliases of aliases, document types | here |
//! | D10 | bodies at a gateway | `specs::validation::what_harms_parsers_is_refused_described_or_not` |
//! | D12 | `pattern` of a schema | here, `schema::pattern` |
//! | D12 | conditions | `model::condition`: `what_nests_deeply_is_refused_unread`, `what_could_fail_at_a_request_…` |
//!
//! Whatever is refused here is refused when an object is written or compiled, and never on the way of a request.

mod checks;

use apis::{Description, Document, Request, check};
use proptest::prelude::*;

#[test]
fn findings_of_the_fuzzer_stay_found() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/description");
    let files: Vec<_> = std::fs::read_dir(folder).expect("the corpus").flatten().collect();
    assert!(files.len() >= 4, "the corpus has seeds");
    for file in files {
        checks::any_upload_is_read(&std::fs::read(file.path()).expect("readable"));
    }
}

#[test]
fn aliases_of_aliases_are_refused_before_they_unfold() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for at in 1..10 {
        let before = vec![format!("*a{}", at - 1); 10].join(", ");
        laughs.push_str(&format!("a{at}: &a{at} [{before}]\n"));
    }
    assert!(!refused("a.yaml", laughs).is_empty());
}

/// A POST of text that a pattern must match.
fn patterned(pattern: &str) -> Description {
    let schema = serde_json::json!({ "type": "string", "pattern": pattern });
    let content = serde_json::json!({ "application/json": { "schema": schema } });
    let post = serde_json::json!({ "requestBody": { "content": content }, "responses": { "204": { "description": "" } } });
    let whole = serde_json::json!({
        "openapi": "3.1.0", "info": { "title": "t", "version": "1" }, "paths": { "/a": { "post": post } },
    });
    Description::read(&[Document::new("api.json", whole.to_string())]).expect("a description")
}

#[test]
fn a_body_that_is_made_to_keep_its_reader_busy_is_read_once_and_refused() {
    let sent = |description: &Description, body: &[u8]| {
        let headers = [("content-type", "application/json")];
        let request = Request { path: "/a", headers: &headers, body, ..Request::default() };
        check::request(&description.operations[0], &request)
    };

    // Whoever tries all ways to split the letters never comes back from here.
    let text = format!("\"{}!\"", "a".repeat(100_000));
    for pattern in ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^([a-z]+)*b$"] {
        assert_eq!(sent(&patterned(pattern), text.as_bytes())[0].rule, "pattern", "{pattern}");
    }
    let plain = patterned("^a$");
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert!(!sent(&plain, deep.as_bytes()).is_empty());
    let keys: Vec<String> = (0..200_000).map(|at| format!("\"{at}\":0")).collect();
    assert!(!sent(&plain, format!("{{{}}}", keys.join(",")).as_bytes()).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_description_with_a_line_gone_or_doubled_is_read_or_refused(line in 0_usize..160, twice: bool, cut in 0_usize..40) {
        let text = include_str!("descriptions/petstore.yaml");
        let mut lines: Vec<&str> = text.lines().collect();
        let line = line % lines.len();
        if twice {
            lines.insert(line, lines[line]);
        } else {
            let kept = lines[line].char_indices().nth(cut).map_or(lines[line].len(), |(at, _)| at);
            lines[line] = &lines[line][..kept];
        }
        checks::any_upload_is_read(lines.join("\n").as_bytes());
    }
}

/// Everything that is wrong with one document, in words.
fn refused(name: &str, text: String) -> String {
    let problems = Description::read(&[Document::new(name, text)]).expect_err("a bomb");
    problems.iter().map(|problem| problem.to_string() + "\n").collect()
}

const HEAD: &str =
    "{\"openapi\": \"3.1.0\", \"info\": {\"title\": \"t\", \"version\": \"1\"}, \"paths\": {}, ";

#[test]
fn a_million_levels_are_refused_and_not_walked() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{HEAD}\"x-a\": {}1{}}}", open.repeat(1_000_000), close.repeat(1_000_000));

        for name in ["a.json", "a.yaml"] {
            let told = refused(name, deep.clone());
            assert!(told.contains("is nested deeper than 64 levels"), "{told}");
        }
    }
    let levels = |count: usize| format!("{HEAD}\"x-a\": {}1{}}}", "[".repeat(count), "]".repeat(count));
    assert!(refused("a.json", levels(80)).contains("is nested deeper than 64 levels"));
    assert!(Description::read(&[Document::new("a.json", levels(60))]).is_ok());
}

#[test]
fn a_million_keys_are_read_and_more_than_two_million_values_are_not() {
    let mut keys = format!("{HEAD}\"x-a\": {{");
    (0..1_000_000).for_each(|key| keys.push_str(&format!("\"k{key}\":0,")));
    assert!(Description::read(&[Document::new("a.json", keys + "\"last\": 0}}")]).is_ok());

    let values = format!("{HEAD}\"x-a\": [{}0]}}", "0,".repeat(2_000_000));
    assert!(refused("a.json", values).contains("more than 2000000 values"));
}

#[test]
fn another_language_is_no_description() {
    let xml =
        "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>\n<a>&b;</a>\n";
    let told = refused("a.yaml", xml.to_owned());
    assert!(!told.contains("root:") && told.contains("is no OpenAPI description"), "{told}");
}
