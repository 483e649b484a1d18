//! What must hold for any file whatsoever. The tests and the fuzz target ask the same, so that a finding of the fuzzer
//! stays found where no fuzzer runs.

/// Reads bytes as a configuration file. Whatever is wrong with them is told in words, and with the line it is on.
pub fn any_bytes_are_read(bytes: &[u8]) {
    let read = model::yaml::read_bytes(bytes, "any.yaml");
    for found in &read.violations {
        assert!(found.line.is_some(), "without a line: {found}");
        assert!(!found.to_string().trim().is_empty(), "without words: {found:?}");
    }
}
