//! Nothing that can be written makes the reader panic, and what is shown can be read again.

mod checks;

use std::path::PathBuf;

use model::units::{ByteQuantity, GatewayDuration};
use model::{Hostname, Name, Namespace, yaml};
use proptest::prelude::*;

const SOUND: &str = include_str!("golden/every-kind-of-fault.yaml");

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        checks::any_bytes_are_read(&bytes);
    }

    #[test]
    fn any_punctuation_is_read_without_panic(text in "([-?:,{}\\[\\]&*!|>'\"%@` \n#a~]|apiVersion: v1|kind: Service|<<|- |&a|\\*a){0,80}") {
        let _ = yaml::read(&text, "any").violations.to_string();
    }

    #[test]
    fn a_sound_file_with_a_hole_or_an_insertion_is_read_without_panic(
        at in 0..SOUND.len(), hole in 0..200usize, insertion in "[\\PC\n]{0,8}"
    ) {
        let end = (at + hole).min(SOUND.len());
        let text = format!("{}{insertion}{}", &SOUND[..at], &SOUND[end..]);
        for found in &yaml::read(&text, "any").violations {
            prop_assert!(found.line.is_some(), "without a line: {found}");
        }
    }

    #[test]
    fn names_are_shown_as_they_are_read(text in "[a-z0-9.*-]{0,70}") {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert_eq!(name.to_string(), text.clone());
            let json = serde_json::to_string(&name).expect("json");
            prop_assert_eq!(serde_json::from_str::<Name>(&json).expect("a name"), name);
        }
        if let Ok(namespace) = text.parse::<Namespace>() {
            prop_assert_eq!(namespace.to_string(), text.clone());
            prop_assert!(text.parse::<Name>().is_ok(), "every namespace could be a name");
        }
        if let Ok(host) = text.parse::<Hostname>() {
            prop_assert_eq!(host.to_string(), text);
            prop_assert_eq!(host.intersect(&host), Some(host.clone()));
        }
    }

    #[test]
    fn units_are_shown_as_they_are_read(millis in 0..359_996_400_000u64, bytes in any::<u64>()) {
        let duration = GatewayDuration(std::time::Duration::from_millis(millis));
        prop_assert_eq!(duration.to_string().parse::<GatewayDuration>().expect("a duration"), duration);
        let bytes = ByteQuantity(bytes);
        prop_assert_eq!(bytes.to_string().parse::<ByteQuantity>().expect("bytes"), bytes);
    }
}

#[test]
fn every_file_in_the_corpus_is_read_without_panic() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/yaml");
    let entries = std::fs::read_dir(&directory).expect("the corpus is part of the repository");
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable corpus").path()).collect();
    for path in &paths {
        let bytes = std::fs::read(path).expect("a readable input");
        if std::panic::catch_unwind(|| checks::any_bytes_are_read(&bytes)).is_err() {
            panic!("{} breaks what must hold; the first panic above says how", path.display());
        }
    }
    assert!(paths.len() >= 8, "the corpus is missing: {} files", paths.len());
}
