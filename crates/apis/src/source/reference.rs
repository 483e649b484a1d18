//! References between values of an upload (`$ref`).
//!
//! A reference is a relative name of a document and a JSON Pointer (RFC 6901). What is not in the upload does not exist:
//! a URL or a file next door is told as such and never fetched.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use super::{Findings, Node, Upload};
use crate::limits::REFERENCE_STEPS_MAX;
use crate::problem::quoted;

/// Looks references up, each text once.
pub struct References<'a> {
    upload: &'a Upload,
    /// Document and text to what it leads to.
    known: HashMap<(usize, &'a str), Result<Node<'a>, Dangling>>,
    /// Fields of large objects by name: ten thousand schemas refer to each other by it.
    fields: HashMap<usize, HashMap<&'a str, Node<'a>>>,
    /// Values by their `$anchor`, for documents in which one was asked for.
    anchors: HashMap<usize, HashMap<&'a str, Node<'a>>>,
    /// How many guesses of what was meant are still made: each looks at all names.
    guesses_left: usize,
}

/// Most guesses of what a reference meant, in one upload.
const GUESSES: usize = 50;

/// From how many fields on an object is looked through once for all.
const MANY_FIELDS: usize = 32;

/// Why a reference leads nowhere.
#[derive(Clone)]
struct Dangling {
    what: String,
    fix: String,
}

impl<'a> References<'a> {
    pub fn new(upload: &'a Upload) -> References<'a> {
        References {
            upload,
            known: HashMap::new(),
            fields: HashMap::new(),
            anchors: HashMap::new(),
            guesses_left: GUESSES,
        }
    }

    /// What a value stands for: itself, or what its reference leads to in the end. Nothing when that is nowhere, which
    /// was told then.
    pub fn follow(&mut self, node: Node<'a>, findings: &mut Findings) -> Option<Node<'a>> {
        self.follow_while(node, findings, |node| node.text_of("$ref").is_some())
    }

    /// The same, as long as values are such that only their reference counts.
    pub fn follow_while(
        &mut self,
        node: Node<'a>,
        findings: &mut Findings,
        counts: impl Fn(Node<'a>) -> bool,
    ) -> Option<Node<'a>> {
        let mut at = node;
        for _step in 0..REFERENCE_STEPS_MAX {
            if !counts(at) {
                return Some(at);
            }
            at = self.step(at, findings)?;
        }
        let what = format!("leads in a circle, or over more than {REFERENCE_STEPS_MAX} references");
        findings.add(node.field("$ref").unwrap_or(node), what, "refer to the value itself");
        None
    }

    /// The name of the document that a value stands in.
    pub fn file_of(&self, node: Node<'_>) -> std::sync::Arc<str> {
        self.upload.trees[node.document].name.clone()
    }

    /// What the reference of a value leads to.
    pub fn step(&mut self, node: Node<'a>, findings: &mut Findings) -> Option<Node<'a>> {
        let reference = node.text_of("$ref")?;
        self.look_up(node.document, reference)
            .inspect_err(|dangling| {
                findings.add(node.field("$ref").unwrap_or(node), &dangling.what, &dangling.fix);
            })
            .ok()
    }

    /// What a value of a discriminator's mapping stands for: a reference as text, or the name of a schema.
    pub fn mapped(&mut self, node: Node<'a>, findings: &mut Findings) -> Option<Node<'a>> {
        let text = node.text()?;
        let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let schemas = || self.upload.root(0).field("components")?.field("schemas");
        if let Some(named) = is_name.then(schemas).flatten().and_then(|schemas| schemas.field(text)) {
            return Some(named);
        }
        match self.look_up(node.document, text) {
            Ok(found) => self.follow(found, findings),
            Err(dangling) => {
                findings.add(node, dangling.what, dangling.fix);
                None
            }
        }
    }

    /// What one reference leads to.
    fn look_up(&mut self, document: usize, reference: &'a str) -> Result<Node<'a>, Dangling> {
        if let Some(known) = self.known.get(&(document, reference)) {
            return known.clone();
        }
        let found = self.find(document, reference);
        self.known.insert((document, reference), found.clone());
        found
    }

    fn find(&mut self, document: usize, reference: &str) -> Result<Node<'a>, Dangling> {
        let upload = self.upload;
        let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let document = if file.is_empty() { document } else { other_document(upload, document, file)? };
        let mut at = upload.root(document);
        if pointer.is_empty() {
            return Ok(at);
        }
        let Some(steps) = pointer.strip_prefix('/') else { return self.anchor(at, pointer, reference) };
        for step in steps.split('/') {
            let step = percent_decode_str(step).decode_utf8_lossy().replace("~1", "/").replace("~0", "~");
            let next = match step.parse::<usize>() {
                Ok(position) if at.value.is_array() => at.items().nth(position),
                _ => self.field(at, &step),
            };
            at = match next {
                Some(next) => next,
                None => return Err(self.missing(at, &step, reference)),
            };
        }
        Ok(at)
    }

    /// `$anchor` of JSON Schema: a name instead of a place.
    fn anchor(&mut self, root: Node<'a>, name: &str, reference: &str) -> Result<Node<'a>, Dangling> {
        let anchors = self.anchors.entry(root.document).or_insert_with(|| {
            let (mut found, mut waiting) = (HashMap::new(), vec![root]);
            while let Some(node) = waiting.pop() {
                found.extend(node.text_of("$anchor").map(|name| (name, node)));
                waiting.extend(node.fields().map(|(_, inner)| inner));
                waiting.extend(node.items());
            }
            found
        });
        anchors.get(name).copied().ok_or_else(|| Dangling {
            what: format!("leads nowhere: {} names no `$anchor`", quoted(reference)),
            fix: "write a pointer such as `#/components/schemas/Pet`".to_owned(),
        })
    }

    fn missing(&mut self, at: Node<'_>, step: &str, reference: &str) -> Dangling {
        self.guesses_left = self.guesses_left.saturating_sub(1);
        let names =
            at.fields().map(|(name, _)| name).take(if self.guesses_left == 0 { 0 } else { usize::MAX });
        let near = model::suggest::did_you_mean(step, names);
        Dangling {
            what: format!("leads nowhere: there is no {} on the way of {}", quoted(step), quoted(reference)),
            fix: near.unwrap_or_else(|| "add it, or mend the reference".to_owned()),
        }
    }

    fn field(&mut self, node: Node<'a>, name: &str) -> Option<Node<'a>> {
        if node.value.as_object()?.len() < MANY_FIELDS {
            return node.field(name);
        }
        self.fields.entry(node.address()).or_insert_with(|| node.fields().collect()).get(name).copied()
    }
}

fn other_document(upload: &Upload, from: usize, file: &str) -> Result<usize, Dangling> {
    if file.contains("://") || file.starts_with("//") {
        return Err(Dangling {
            what: format!("leads out of the upload: {}", quoted(file)),
            fix: "add that document to the upload and refer to it by name; nothing is fetched".to_owned(),
        });
    }
    let folder = upload.trees[from].name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let file = percent_decode_str(file).decode_utf8_lossy();
    let name = normal(&format!("{folder}/{file}"));
    upload.named(&name).ok_or_else(|| {
        let names = upload.trees.iter().map(|tree| &*tree.name);
        let near = model::suggest::did_you_mean(&name, names);
        Dangling {
            what: format!("refers to {}, which is not part of the upload", quoted(&name)),
            fix: near.unwrap_or_else(|| "upload that document as well".to_owned()),
        }
    })
}

/// A path without `.` and `..`; nothing is above the upload.
pub fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::*;

    fn lead(reference: &str) -> Result<String, String> {
        let here = format!(
            "{{\"start\": {{\"$ref\": \"{reference}\"}}, \"a\": [{{\"b~c\": 1}}], \"circle\": {{\"$ref\": \"#/circle\"}}}}"
        );
        let documents = [
            Document::new("api/root.json", here),
            Document::new(
                "shared/pet.yaml",
                "Pet:\n  $anchor: pet\n  x: 2\nnext:\n  $ref: '../api/root.json#/a/0'\n",
            ),
        ];
        let upload = Upload::read(&documents).map_err(|_| "unreadable".to_owned())?;
        let mut findings = Findings::default();
        let start = upload.root(0).field("start").expect("there");
        match References::new(&upload).follow(start, &mut findings) {
            Some(node) => Ok(node.value.to_string()),
            None => Err(findings.settle(&upload).remove(0).what),
        }
    }

    #[test]
    fn references_lead_through_the_documents_of_the_upload() {
        assert_eq!(lead("#/a/0"), Ok("{\"b~c\":1}".to_owned()));
        assert_eq!(lead("#/a/0/b~0c"), Ok("1".to_owned()));
        assert_eq!(lead("../shared/pet.yaml#/Pet/x"), Ok("2".to_owned()));
        assert_eq!(lead("../shared/pet.yaml#pet"), Ok("{\"$anchor\":\"pet\",\"x\":2}".to_owned()));
        assert_eq!(lead("../shared/pet.yaml#/next"), Ok("{\"b~c\":1}".to_owned()));
    }

    #[test]
    fn a_reference_never_leaves_the_upload() {
        for outside in ["http://169.254.169.254/x.yaml#/a", "//host/x.yaml", "file:///etc/passwd"] {
            assert!(lead(outside).expect_err(outside).contains("out of the upload"), "{outside}");
        }
        for elsewhere in ["/etc/passwd", "../../../etc/passwd", "pet.yaml"] {
            assert!(lead(elsewhere).expect_err(elsewhere).contains("not part of the upload"), "{elsewhere}");
        }
    }

    #[test]
    fn a_reference_to_nothing_or_in_a_circle_is_told() {
        assert!(lead("#/b").expect_err("nothing").contains("leads nowhere"));
        assert!(lead("#/circle").expect_err("a circle").contains("circle"));
    }
}
