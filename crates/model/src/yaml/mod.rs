//! Reads files: YAML or JSON text in, typed resources and *all* violations out.
//!
//! A file is read in three steps, each blind to the next: text becomes located trees (`tree`), trees become
//! documents of known kinds (`document`), and documents become resources by schema (`object`). A step
//! reports what it can and hands on what is sound, so one run shows every mistake.

mod document;
mod object;
pub mod places;
mod plain;
mod scalar;
mod tree;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

pub use plain::read_plain;
pub use write::write;

use crate::names::ResourceKey;
use crate::path::FieldPath;
use crate::resource::{Lines, Resource};
use crate::violation::{Problem, Subject, Violation, Violations};

/// Largest file. Past it nothing of it is read.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// Deepest nesting of lists and objects.
pub const DEPTH_MAX: usize = 64;
/// Most values in one file, those repeated by aliases included.
pub const NODES_MAX: usize = 2_000_000;
/// Most values that aliases may repeat in one file; what grows past it is a bomb, not a configuration.
pub const ALIAS_NODES_MAX: usize = 100_000;
/// Most bytes of text that aliases may repeat in one file.
pub const ALIAS_BYTES_MAX: usize = 1 << 20;

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Resources without a fault, in the order of the file. Apply them only when `violations` is empty.
    pub resources: Vec<Resource>,
    /// Everything that is wrong.
    pub violations: Violations,
}

/// Reads a file. `file` is how messages call it.
#[must_use]
pub fn read(text: &str, file: &str) -> Read {
    let mut reading = Reading::new(file);
    if text.len() > FILE_BYTES_MAX {
        reading.file_problem(
            None,
            format!("has {} bytes, at most {FILE_BYTES_MAX} are read", text.len()),
            "split the file",
        );
        return reading.finish();
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for document in tree::documents(text) {
        document::read(document, &mut reading);
    }
    reading.finish()
}

/// Reads bytes, which must be UTF-8.
#[must_use]
pub fn read_bytes(bytes: &[u8], file: &str) -> Read {
    match std::str::from_utf8(bytes) {
        Ok(text) => read(text, file),
        Err(fault) => {
            let line = 1 + bytes[..fault.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            let mut reading = Reading::new(file);
            reading.file_problem(
                u32::try_from(line).ok(),
                "is not UTF-8 text".to_owned(),
                "save the file as UTF-8",
            );
            reading.finish()
        }
    }
}

/// Reads text that must hold exactly one document, of whatever kind, as a tree of at most `nodes_max` values.
///
/// # Errors
/// Everything that is wrong with the text, each with its line.
pub fn read_tree(text: &str, nodes_max: usize) -> Result<serde_json::Value, Vec<(u32, Problem)>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = tree::documents_within(text, nodes_max);
    let Some(first) = documents.next() else { return Ok(serde_json::Value::Null) };
    let mut faults: Vec<(u32, Problem)> =
        first.faults.into_iter().map(|fault| (fault.line, fault.problem)).collect();
    if first.whole
        && let Some(second) = documents.next()
    {
        faults
            .push((second.lines.line, Problem::new("a second document begins").remedy("send one at a time")));
    }
    if faults.is_empty() && first.whole { Ok(first.value) } else { Err(faults) }
}

/// A document that is no resource, with the lines of its values.
#[derive(Clone, Debug, Default)]
pub struct Located {
    /// The document.
    pub value: serde_json::Value,
    /// Where its values stand.
    pub lines: Lines,
}

/// What is wrong with a text: line, field, problem.
pub type Fault = (u32, FieldPath, Problem);

/// Reads text that must hold exactly one document, by the letter of YAML 1.2's core schema and with the lines of its
/// values: a description of an API, which others write and read as well.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn read_located(text: &str, nodes_max: usize) -> Result<Located, Vec<Fault>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = tree::documents_by(text, nodes_max, scalar::by_the_letter);
    let Some(first) = documents.next() else { return Ok(Located::default()) };
    let mut faults: Vec<Fault> =
        first.faults.into_iter().map(|fault| (fault.line, fault.field, fault.problem)).collect();
    if first.whole
        && let Some(second) = documents.next()
    {
        let problem = Problem::new("a second document begins").remedy("put it into a file of its own");
        faults.push((second.lines.line, FieldPath::root(), problem));
    }
    let located = Located { value: first.value, lines: first.lines };
    if faults.is_empty() && first.whole { Ok(located) } else { Err(faults) }
}

/// Reads one object that came as a tree and not as text: through an API, from a store, from a control plane. What
/// it holds is judged like what stands in a file, but no message can name a line.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_value(value: serde_json::Value) -> Result<Resource, Violations> {
    let mut reading = Reading::new("");
    document::read_value(value, &mut reading);
    let Read { mut resources, mut violations } = reading.finish();
    match resources.pop() {
        Some(mut resource) if violations.is_empty() => {
            resource.source = None;
            Ok(resource)
        }
        _ => {
            violations.forget_places();
            Err(violations)
        }
    }
}

/// Reads one object of a known kind that came as a tree, like [`read_value`], and tells of what sort each fault is.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_known(
    kind: crate::kinds::KindName,
    value: serde_json::Value,
) -> Result<Resource, Vec<crate::schema::Finding>> {
    object::read_known(kind, value)
}

/// Reads one object of a known kind that this program has judged already, and that nobody has changed since: the schema
/// and its rules are not asked a second time, which is most of the cost of reading.
///
/// # Errors
/// What cannot be understood at all.
pub fn read_judged(kind: crate::kinds::KindName, value: serde_json::Value) -> Result<Resource, Problem> {
    object::read_judged(kind, value)
}

/// Joins what several files hold; an object that stands in two of them is a violation.
#[must_use]
pub fn join(reads: impl IntoIterator<Item = Read>) -> Read {
    let mut whole = Read::default();
    let mut first: HashMap<ResourceKey, Option<(Arc<str>, u32)>> = HashMap::new();
    for read in reads {
        whole.violations.extend(read.violations);
        for resource in read.resources {
            let place = resource.source.as_ref().map(|source| (source.file.clone(), source.line));
            if let Some(earlier) = first.get(&resource.key) {
                whole.violations.add(defined_twice(&resource, earlier.as_ref()));
                continue;
            }
            first.insert(resource.key.clone(), place);
            whole.resources.push(resource);
        }
    }
    whole
}

fn defined_twice(resource: &Resource, earlier: Option<&(Arc<str>, u32)>) -> Violation {
    let place = earlier.map_or_else(|| "elsewhere".to_owned(), |(file, line)| format!("at {file}:{line}"));
    let field = FieldPath::root().field("metadata").field("name");
    let remedy = "remove one of the two, or give it another name".to_owned();
    resource.violation(field, format!("{} is defined {place} already", resource.key), Some(remedy))
}

/// What has been read of a file so far.
struct Reading {
    file: Arc<str>,
    judge: crate::schema::Judge,
    read: Read,
}

impl Reading {
    fn new(file: &str) -> Self {
        Reading { file: file.into(), judge: crate::schema::Judge::new(), read: Read::default() }
    }

    /// Reports a problem of the file as such.
    fn file_problem(&mut self, line: Option<u32>, problem: String, remedy: &str) {
        let remedy = (!remedy.is_empty()).then(|| remedy.to_owned());
        self.add(&Subject::File, line, FieldPath::root(), problem, remedy);
    }

    fn add(
        &mut self,
        subject: &Subject,
        line: Option<u32>,
        field: FieldPath,
        problem: String,
        remedy: Option<String>,
    ) {
        let file = Some(self.file.clone());
        self.read.violations.add(Violation { resource: subject.clone(), file, line, field, problem, remedy });
    }

    fn finish(self) -> Read {
        let mut whole = join([self.read]);
        whole.violations.sort();
        whole
    }
}
