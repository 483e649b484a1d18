//! Messages are a promise, so they are kept as files: beside each `golden/*.yaml` stands the report that it gets.
//! `UPDATE_GOLDEN=1` writes the reports anew; read the difference before committing it.

use std::path::Path;

#[test]
fn every_faulty_file_gets_its_report() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut seen = 0;
    for entry in std::fs::read_dir(&directory).expect("the golden directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let text = std::fs::read_to_string(&path).expect("the input");

        let report = format!("{}\n", model::yaml::read(&text, name).violations);

        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &report).expect("the report is written");
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(report, expected, "the report of {name} changed");
        seen += 1;
    }
    assert_eq!(seen, 4, "a golden pair was added or lost: say so here");
}

#[test]
fn five_mistakes_are_five_violations_with_file_line_field_problem_and_hint() {
    let text = include_str!("golden/five-mistakes.yaml");

    let read = model::yaml::read(text, "shop.yaml");

    let places: Vec<(Option<u32>, String)> =
        read.violations.iter().map(|found| (found.line, found.field.to_string())).collect();
    let expected = [
        (10, "spec.listeners[0].port"),
        (16, "metadata.name"),
        (24, "spec.rules[0].matches[0].path.type"),
        (26, "spec.rules[0].backendRef"),
        (30, "spec.rules[0].timeouts.request"),
    ];
    assert_eq!(places, expected.map(|(line, field)| (Some(line), field.to_owned())));
    assert!(
        read.violations
            .iter()
            .all(|found| found.file.as_deref() == Some("shop.yaml") && found.remedy.is_some())
    );
    assert!(read.resources.is_empty(), "a faulty object was let through");
}
