//! No upload makes the reader panic or never end: findings of the fuzzer, and uploads with pieces out of place.

mod checks;

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
