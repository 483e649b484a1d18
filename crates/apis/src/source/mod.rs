//! The upload: documents as located trees, and the references between them.
//!
//! Nothing in here knows what an OpenAPI is. A reference is looked up among the documents that were uploaded together
//! and nowhere else: no network and no file system (a description comes from a stranger and runs on our machines).

mod findings;
mod json;
mod node;
mod reference;

use std::collections::HashMap;
use std::sync::Arc;

use model::path::{FieldPath, Step};
use model::resource::Lines;
use serde_json::Value;

pub(crate) use findings::Findings;
pub(crate) use node::Node;
pub(crate) use reference::References;

use crate::limits::{DOCUMENTS_MAX, NODES_MAX, UPLOAD_BYTES_MAX};
use crate::problem::Problem;

/// One file of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its name in the upload, with `/` between folders: how other documents refer to it.
    pub name: Arc<str>,
    /// Its text: YAML or JSON.
    pub text: Arc<str>,
}

impl Document {
    /// A document.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Document {
        Document { name: name.into(), text: text.into() }
    }
}

/// A document that was read.
pub(crate) struct Tree {
    pub name: Arc<str>,
    pub value: Value,
    pub lines: Lines,
}

/// All documents of an upload. While they are borrowed nothing in them moves, so a value's address is its identity.
pub(crate) struct Upload {
    pub trees: Vec<Tree>,
    by_name: HashMap<String, usize>,
}

impl Upload {
    /// Reads every document.
    ///
    /// # Errors
    /// Everything that is wrong with the texts as such.
    pub fn read(documents: &[Document]) -> Result<Upload, Vec<Problem>> {
        bounded(documents)?;
        let (mut upload, mut problems) = (Upload { trees: Vec::new(), by_name: HashMap::new() }, Vec::new());
        for document in documents {
            let name = reference::normal(&document.name);
            if upload.by_name.insert(name, upload.trees.len()).is_some() {
                problems.push(Problem::of_file(
                    &document.name,
                    "was uploaded twice",
                    "remove one of the two",
                ));
            }
            match tree(document) {
                Ok((value, lines)) => upload.trees.push(Tree { name: document.name.clone(), value, lines }),
                Err(found) => {
                    problems.extend(found);
                    upload.trees.push(Tree {
                        name: document.name.clone(),
                        value: Value::Null,
                        lines: Lines::default(),
                    });
                }
            }
        }
        if problems.is_empty() { Ok(upload) } else { Err(problems) }
    }

    /// The root of a document.
    pub fn root(&self, document: usize) -> Node<'_> {
        let tree = &self.trees[document];
        Node { document, value: &tree.value, lines: &tree.lines }
    }

    /// The document of this name.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

fn bounded(documents: &[Document]) -> Result<(), Vec<Problem>> {
    let everything: Arc<str> = documents.first().map_or_else(|| "upload".into(), |first| first.name.clone());
    let refuse = |what: String, fix| Err(vec![Problem::of_file(&everything, what, fix)]);
    if documents.is_empty() {
        return refuse("there is no document".to_owned(), "upload a description");
    }
    if documents.len() > DOCUMENTS_MAX {
        return refuse(
            format!("there are {} documents, at most {DOCUMENTS_MAX} are read", documents.len()),
            "join some of them",
        );
    }
    let bytes: usize = documents.iter().map(|document| document.text.len()).sum();
    if bytes > UPLOAD_BYTES_MAX {
        return refuse(
            format!("there are {bytes} bytes, at most {UPLOAD_BYTES_MAX} are read"),
            "split the API into several",
        );
    }
    Ok(())
}

/// Text to a tree. What begins like JSON is read as JSON, whose escapes YAML reads differently.
fn tree(document: &Document) -> Result<(Value, Lines), Vec<Problem>> {
    let text = document.text.strip_prefix('\u{feff}').unwrap_or(&document.text);
    if text.trim_start().starts_with('{')
        && !document.name.ends_with(".yaml")
        && !document.name.ends_with(".yml")
    {
        return json::read(text).map_err(|fault| {
            let fix = "write JSON (RFC 8259), or give the document a name that ends in `.yaml`".to_owned();
            let (line, pointer, what) = fault;
            vec![Problem { file: document.name.clone(), line, pointer, what, fix }]
        });
    }
    match model::yaml::read_located(text, NODES_MAX) {
        Ok(located) => Ok((located.value, located.lines)),
        Err(faults) => Err(faults
            .into_iter()
            .map(|(line, field, problem)| Problem {
                file: document.name.clone(),
                line,
                pointer: pointer(&field),
                what: problem.problem,
                fix: problem.remedy.unwrap_or_default(),
            })
            .collect()),
    }
}

fn pointer(field: &FieldPath) -> String {
    let mut text = String::new();
    for step in field.steps() {
        match step {
            Step::Field(name) => push_step(&mut text, name),
            Step::Index(position) => push_step(&mut text, &position.to_string()),
        }
    }
    text
}

/// Adds a step to a JSON Pointer.
pub(crate) fn push_step(pointer: &mut String, name: &str) {
    pointer.push('/');
    for c in name.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}
