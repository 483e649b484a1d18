//! Request heads: see the checks, which ordinary tests share.
#![no_main]

#[path = "../../crates/proxy/tests/checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::request::check(data));
