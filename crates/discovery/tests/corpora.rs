//! Every input the fuzzer was started from, or ever found something with, stays a test.

mod checks;

use std::path::PathBuf;

fn replay(target: &str, check: fn(&[u8])) -> usize {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&directory).expect("the corpus is part of the repository");
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable corpus").path()).collect();
    for path in &paths {
        let input = std::fs::read(path).expect("a readable input");
        if std::panic::catch_unwind(|| check(&input)).is_err() {
            panic!("{} breaks what must hold; the first panic above says how", path.display());
        }
    }
    paths.len()
}

#[test]
fn every_input_in_the_corpora_keeps_what_must_hold() {
    let replayed = [replay("discovery_client", checks::client), replay("discovery_server", checks::server)];

    assert!(replayed.iter().all(|&count| count >= 4), "a corpus is missing: {replayed:?}");
}
