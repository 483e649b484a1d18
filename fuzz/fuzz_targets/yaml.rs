//! Configuration files: any bytes end in resources or in reasons, never in a panic or without end.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _read = model::yaml::read(text, "fuzz.yaml");
    }
});
