//! Configuration files: any bytes end in resources or in reasons, never in a panic or without end.
#![no_main]

#[path = "../../crates/model/tests/checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::any_bytes_are_read(data));
