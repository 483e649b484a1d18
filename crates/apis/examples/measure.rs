//! How long a description takes to read and to lint: `cargo run --profile fast --example measure -- FILE…`.
#![allow(clippy::disallowed_methods, reason = "a measurement asks for the time")]

use std::time::Instant;

use apis::{Description, Document};

fn main() {
    for file in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|problem| panic!("{file}: {problem}"));
        let bytes = text.len();
        let documents = [Document::new(file.as_str(), text)];
        let start = Instant::now();
        let read = Description::read(&documents);
        let reading = start.elapsed();
        let start = Instant::now();
        let findings = apis::lint::lint(&documents);
        let linting = start.elapsed();
        match read {
            Ok(read) => println!(
                "{file}: {bytes} bytes, {} operations, {} schemas, {} warnings, {} findings; read {reading:?}, read and lint {linting:?}",
                read.operations.len(),
                read.schemas.iter().count(),
                read.warnings.len(),
                findings.len(),
            ),
            Err(problems) => {
                println!("{file}: {bytes} bytes, {} problems; read {reading:?}", problems.len());
                problems.iter().take(20).for_each(|problem| println!("{problem}"));
            }
        }
    }
}
