//! No upload makes the reader panic or never end: findings of the fuzzer, and uploads with pieces out of place.

mod checks;

use apis::{Description, Document};
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
