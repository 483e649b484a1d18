//! What a control plane may send: see the checks, which ordinary tests share.
#![no_main]

#[path = "../../crates/discovery/tests/checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::client(data));
