//! Files to an upload: the description first, then what it may refer to.

use std::path::{Path, PathBuf};

use apis::{Description, Document, Problem};
use clap::Args;

use crate::exit::Failure;

/// Ends of names that are taken from a directory.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Reads files, and the files of directories.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for path in paths {
        collect(path, true, &mut documents)?;
    }
    Ok(documents)
}

fn collect(path: &Path, named: bool, documents: &mut Vec<Document>) -> Result<(), Failure> {
    let failed = |problem: std::io::Error| {
        Failure::machine(
            format!("cannot read {}: {problem}", path.display()),
            "check the path and its permissions",
        )
    };
    if documents.len() > apis::limits::DOCUMENTS_MAX {
        return Ok(()); // too many, which is told with the documents
    }
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(failed)?;
        let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        inside.sort();
        return inside.iter().try_for_each(|inner| collect(inner, false, documents));
    }
    let wanted = path.extension().is_some_and(|end| ENDINGS.iter().any(|known| end == *known));
    if !named && !wanted {
        return Ok(());
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    documents.push(Document::new(path.display().to_string(), text));
    Ok(())
}

/// Overlays, as every command that reads a description takes them.
#[derive(Clone, Debug, Args)]
pub struct Overlays {
    /// Changes to lay over the description (OpenAPI Overlay), in their order; may be given more than once
    #[arg(long = "overlay", value_name = "FILE")]
    overlays: Vec<PathBuf>,
}

impl Overlays {
    /// Reads them.
    pub fn read(&self) -> Result<Vec<Document>, Failure> {
        read(&self.overlays)
    }
}

/// Reads a description with what is laid over it, or tells everything that is wrong with them.
pub fn description(paths: &[PathBuf], overlays: &[Document]) -> Result<Description, Failure> {
    Description::read_overlaid(&read(paths)?, overlays).map_err(|problems| refused(&problems))
}

/// Everything that is wrong with a description.
pub fn refused(problems: &[Problem]) -> Failure {
    let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let count = problems.len();
    let noun = if count == 1 { "problem" } else { "problems" };
    Failure::refused(format_args!("{count} {noun}; the description was not read\n{}", list.join("\n")))
}
