//! One change set over the last good resources: all of it or nothing.
//!
//! A set of files is one statement of what is wanted. If any part of it cannot be understood, none of it is
//! applied, because half of an edit is something nobody wrote. What can be understood but cannot work (a route to
//! a service that does not exist) is applied, and said in the conditions.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use model::violation::Violations;
use model::{FieldPath, Resource, ResourceKey, Resources, yaml};

use crate::files::SourceFile;
use crate::pieces::{blank, pieces};

/// Turns files into resources, and remembers which text gave which: most edits touch one document of many, and
/// judging documents is the dearest part of a change.
#[derive(Debug, Default)]
pub struct Applier {
    accepted: HashMap<Arc<str>, Accepted>,
}

/// A file that is part of the last good resources.
#[derive(Debug)]
struct Accepted {
    text: Arc<str>,
    documents: Vec<Document>,
}

/// A document of such a file.
#[derive(Clone, Debug)]
struct Document {
    line: u32,
    bytes: Range<usize>,
    keys: Vec<ResourceKey>,
}

impl Accepted {
    fn by_text(&self) -> HashMap<&str, &Document> {
        self.documents.iter().map(|document| (&self.text[document.bytes.clone()], document)).collect()
    }
}

/// What is gathered from the files of one change.
#[derive(Default)]
struct Gathered {
    kept: Vec<ResourceKey>,
    read: Vec<Resource>,
    places: HashMap<ResourceKey, String>,
    violations: Violations,
    accepted: HashMap<Arc<str>, Accepted>,
}

impl Applier {
    /// The resources these files ask for, told by what `before`, the last good ones, remembers: objects that stay
    /// keep their age and generation, those that did not change stay the same by pointer.
    ///
    /// # Errors
    /// Everything that is not allowed; the last good resources then stay what they are.
    pub fn apply(&mut self, before: &Resources, files: &[SourceFile]) -> Result<Resources, Violations> {
        let mut gathered = Gathered::default();
        for file in files {
            match self.accepted.get(&file.name) {
                Some(known) if known.text == file.text => gathered.keep(file, known, before),
                known => gathered.read(file, known, before),
            }
        }
        let Gathered { kept, read, mut violations, accepted, .. } = gathered;
        if violations.is_empty() {
            self.accepted = accepted;
            return Ok(before.reread_beside(&kept, read));
        }
        violations.sort();
        Err(violations)
    }
}

impl Gathered {
    fn keep(&mut self, file: &SourceFile, known: &Accepted, before: &Resources) {
        for document in &known.documents {
            self.keep_document(document, document.line, before);
        }
        self.accept(file, known.documents.clone());
    }

    /// Takes over what a document gave the last time; it may stand on another line now.
    fn keep_document(&mut self, known: &Document, line: u32, before: &Resources) {
        for resource in known.keys.iter().filter_map(|key| before.get(key)) {
            if !self.is_first(resource) {
                continue;
            }
            match line == known.line {
                true => self.kept.push(resource.key.clone()),
                false => self.read.push(resource.moved(i64::from(line) - i64::from(known.line))),
            }
        }
    }

    /// Reads the documents that are new in a file. What is known is blanked out, so that the rest keeps its lines.
    fn read(&mut self, file: &SourceFile, known: Option<&Accepted>, before: &Resources) {
        let known = known.map(Accepted::by_text).unwrap_or_default();
        let (mut documents, mut unread, mut at) = (Vec::new(), String::with_capacity(file.text.len()), 0);
        for piece in pieces(&file.text) {
            let bytes = at..at + piece.text.len();
            at = bytes.end;
            let mut document = Document { line: piece.line, bytes, keys: Vec::new() };
            if let Some(known) = known.get(piece.text) {
                self.keep_document(known, piece.line, before);
                document.keys.clone_from(&known.keys);
                unread.extend(blank(piece.text));
            } else {
                unread.push_str(piece.text);
            }
            documents.push(document);
        }
        let read = yaml::read(&unread, &file.name);
        self.violations.extend(read.violations);
        for resource in read.resources {
            if self.is_first(&resource) {
                let line = resource.source.as_ref().map_or(1, |source| source.line);
                let after = documents.partition_point(|document| document.line <= line);
                let keys = &mut documents[after.saturating_sub(1)].keys;
                keys.reserve_exact(1); // Nearly every document is one object.
                keys.push(resource.key.clone());
                self.read.push(resource);
            }
        }
        self.accept(file, documents);
    }

    fn accept(&mut self, file: &SourceFile, documents: Vec<Document>) {
        self.accepted.insert(Arc::clone(&file.name), Accepted { text: Arc::clone(&file.text), documents });
    }

    /// Whether no other file of this change holds the same object; when one does, that is a violation.
    fn is_first(&mut self, resource: &Resource) -> bool {
        let Some(first) = self.places.insert(resource.key.clone(), place(resource)) else { return true };
        self.violations.add(resource.violation(
            FieldPath::root().field("metadata").field("name"),
            format!("{} `{}` is written a second time", resource.key.kind, resource.key.place()),
            Some(format!("the first is at {first}; remove or rename one of them")),
        ));
        false
    }
}

fn place(resource: &Resource) -> String {
    let source = resource.source.as_ref().map(|source| format!("{}:{}", source.file, source.line));
    source.unwrap_or_else(|| "an unknown place".to_owned())
}

#[cfg(test)]
mod tests {
    use model::kinds::Backend;

    use super::*;

    fn file(name: &str, text: &str) -> SourceFile {
        SourceFile { name: name.into(), text: text.into() }
    }

    /// Applies to nothing.
    fn first(files: &[SourceFile]) -> Result<Resources, Violations> {
        Applier::default().apply(&Resources::new(), files)
    }

    fn backend(name: &str, endpoint: &str) -> String {
        format!(
            "apiVersion: mesh.selvedge.dev/v1alpha1\nkind: Backend\nmetadata:\n  name: {name}\n\
             spec:\n  endpoints: [\"{endpoint}\"]\n---\n"
        )
    }

    #[test]
    fn what_did_not_change_stays_the_same_object_and_what_did_keeps_its_age() {
        let both = |second: &str| backend("a", "127.0.0.1:1") + &backend("b", second);
        let mut applier = Applier::default();
        let before =
            applier.apply(&Resources::new(), &[file("x.yaml", &both("127.0.0.1:2"))]).expect("sound");

        let after = applier.apply(&before, &[file("x.yaml", &both("127.0.0.1:3"))]).expect("sound");

        let find = |resources: &Resources, name: &str| {
            Arc::clone(resources.find::<Backend>("default", name).expect("an object").resource)
        };
        assert!(Arc::ptr_eq(&find(&before, "a"), &find(&after, "a")));
        assert!(!Arc::ptr_eq(&find(&before, "b"), &find(&after, "b")));
        assert_eq!(find(&before, "b").age, find(&after, "b").age);
        assert_eq!(find(&after, "b").meta.generation, 2);
    }

    #[test]
    fn only_the_document_that_was_edited_is_judged_again() {
        let all =
            |second: &str| backend("a", "127.0.0.1:1") + &backend("b", second) + &backend("c", "127.0.0.1:1");
        let mut applier = Applier::default();
        let before = applier.apply(&Resources::new(), &[file("x.yaml", &all("127.0.0.1:2"))]).expect("sound");
        let known = &applier.accepted["x.yaml"];

        let mut gathered = Gathered::default();
        gathered.read(&file("x.yaml", &all("127.0.0.1:3")), Some(known), &before);

        let names = |keys: &[ResourceKey]| keys.iter().map(|key| key.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&gathered.kept), ["a", "c"]);
        assert_eq!(gathered.read.iter().map(|read| read.key.name.to_string()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn what_an_edit_moves_down_is_told_with_its_new_line() {
        let text = backend("a", "127.0.0.1:1") + &backend("b", "127.0.0.1:1");
        let mut applier = Applier::default();
        let before = applier.apply(&Resources::new(), &[file("x.yaml", &text)]).expect("sound");

        let moved = [file("x.yaml", &format!("# one\n# two\n{text}"))];
        let after = applier.apply(&before, &moved).expect("sound");

        let fresh = first(&moved).expect("sound");
        for (mine, read) in after.iter().zip(fresh.iter()) {
            assert_eq!((&mine.source, &mine.written), (&read.source, &read.written));
            assert_eq!(mine.meta.generation, 1, "moving is no change of what is wanted");
        }
        assert_eq!(after.len(), 2);
    }

    #[test]
    fn the_order_of_the_files_decides_who_is_older() {
        let files =
            [file("1.yaml", &backend("z", "127.0.0.1:1")), file("2.yaml", &backend("a", "127.0.0.1:1"))];

        let resources = first(&files).expect("sound");

        let age = |name: &str| resources.find::<Backend>("default", name).expect("an object").resource.age;
        assert!(age("z") < age("a"));
    }

    #[test]
    fn an_object_in_two_files_is_refused_with_both_places() {
        let text = backend("a", "127.0.0.1:1");

        let refused = first(&[file("1.yaml", &text), file("2.yaml", &text)]).expect_err("twice");

        assert_eq!(refused.len(), 1);
        let said = refused.to_string();
        assert!(said.contains("2.yaml:4  Backend default/a  metadata.name"), "{said}");
        assert!(said.contains("the first is at 1.yaml:1"), "{said}");
    }

    #[test]
    fn one_mistake_in_one_file_refuses_all_of_them_and_all_mistakes_are_told() {
        let files = [
            file("1.yaml", &backend("a", "127.0.0.1:1")),
            file("2.yaml", &backend("b", "nowhere")),
            file("3.yaml", &backend("C", "127.0.0.1:1")),
        ];

        let refused = first(&files).expect_err("two mistakes");

        assert_eq!(refused.len(), 2, "{refused}");
    }

    #[test]
    fn a_file_that_stays_is_not_read_again_and_still_counts() {
        let mut applier = Applier::default();
        let stays = file("1.yaml", &(backend("a", "127.0.0.1:1") + &backend("b", "127.0.0.1:1")));
        let before = applier
            .apply(&Resources::new(), &[stays.clone(), file("2.yaml", &backend("c", "127.0.0.1:1"))])
            .expect("sound");
        let names = |resources: &Resources| -> Vec<String> {
            resources.all::<Backend>().map(|found| found.resource.key.name.to_string()).collect()
        };

        let twice = applier.apply(&before, &[stays.clone(), file("2.yaml", &backend("a", "127.0.0.1:2"))]);
        assert_eq!(twice.expect_err("`a` stands in both").len(), 1);

        let after = applier
            .apply(&before, &[stays.clone(), file("2.yaml", &backend("d", "127.0.0.1:1"))])
            .expect("sound");
        assert_eq!(names(&after), ["a", "b", "d"]);

        let alone = applier.apply(&after, &[stays]).expect("sound");
        assert_eq!(names(&alone), ["a", "b"]);
    }
}
