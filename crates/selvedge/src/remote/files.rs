//! The files of a command, read as resources; `-` is standard input.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use control::files::SourceFile;
use control::sources::Sources;
use model::{Resource, Violations, yaml};

use crate::exit::Failure;

/// Reads everything. Every mistake of every file is reported at once, and then nothing is done.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Resource>, Failure> {
    let (inputs, named): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.iter().partition(|path| path.as_path() == Path::new("-"));
    let mut files = match named.is_empty() {
        true => Vec::new(),
        false => {
            let named = named.into_iter().cloned().collect();
            Sources::new(named).read().map_err(Failure::refused)?
        }
    };
    if !inputs.is_empty() {
        files.push(SourceFile { name: "(standard input)".into(), text: input()?.into() });
    }
    parse(&files).map_err(Failure::refused)
}

/// Reads texts as resources, in the order in which they can be applied.
pub fn parse(files: &[SourceFile]) -> Result<Vec<Resource>, Violations> {
    let yaml::Read { mut resources, mut violations } =
        yaml::join(files.iter().map(|file| yaml::read(&file.text, &file.name)));
    if !violations.is_empty() {
        violations.sort();
        return Err(violations);
    }
    // Kinds are declared so that what is referred to comes before what refers to it.
    resources.sort_by_key(Resource::kind_name);
    Ok(resources)
}

fn input() -> Result<String, Failure> {
    let mut text = String::new();
    let limit = yaml::FILE_BYTES_MAX as u64 + 1;
    match std::io::stdin().lock().take(limit).read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => {
            Err(Failure::machine(format!("cannot read standard input: {error}"), "it must be UTF-8 text"))
        }
    }
}
