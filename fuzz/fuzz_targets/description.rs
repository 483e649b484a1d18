//! Descriptions of APIs: any upload ends in operations or in reasons, never in a panic or without end.
#![no_main]

#[path = "../../crates/apis/tests/checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::any_upload_is_read(data));
