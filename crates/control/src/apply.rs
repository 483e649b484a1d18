//! One change set over the last good resources: all of it or nothing.
//!
//! A set of files is one statement of what is wanted. If any part of it cannot be understood, none of it is
//! applied, because half of an edit is something nobody wrote. What can be understood but cannot work (a route to
//! a service that does not exist) is applied, and said in the conditions.

use std::collections::HashMap;

use model::violation::Violations;
use model::{Resource, ResourceKey, Resources, yaml};

use crate::files::SourceFile;

/// The resources these files ask for, told by what `before` remembers: objects that stay keep their age and
/// generation, those that did not change stay the same by pointer.
pub fn apply(before: &Resources, files: &[SourceFile]) -> Result<Resources, Violations> {
    let mut violations = Violations::new();
    let mut wanted: Vec<Resource> = Vec::new();
    let mut places: HashMap<ResourceKey, String> = HashMap::new();
    for file in files {
        let read = yaml::read(&file.text, &file.name);
        violations.extend(read.violations);
        for resource in read.resources {
            match places.insert(resource.key.clone(), place(&resource)) {
                None => wanted.push(resource),
                Some(first) => violations.add(resource.violation(
                    model::FieldPath::root().field("metadata").field("name"),
                    format!("{} `{}` is written a second time", resource.key.kind, resource.key.place()),
                    Some(format!("the first is at {first}; remove or rename one of them")),
                )),
            }
        }
    }
    if violations.is_empty() {
        return Ok(before.reread(wanted));
    }
    violations.sort();
    Err(violations)
}

fn place(resource: &Resource) -> String {
    resource
        .source
        .as_ref()
        .map_or_else(|| "an unknown place".to_owned(), |source| format!("{}:{}", source.file, source.line))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::kinds::Backend;

    use super::*;

    fn file(name: &str, text: &str) -> SourceFile {
        SourceFile { name: name.into(), text: text.into() }
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
        let before = apply(&Resources::new(), &[file("x.yaml", &both("127.0.0.1:2"))]).expect("sound");

        let after = apply(&before, &[file("x.yaml", &both("127.0.0.1:3"))]).expect("sound");

        let find = |resources: &Resources, name: &str| {
            Arc::clone(resources.find::<Backend>("default", name).expect("an object").resource)
        };
        assert!(Arc::ptr_eq(&find(&before, "a"), &find(&after, "a")));
        assert!(!Arc::ptr_eq(&find(&before, "b"), &find(&after, "b")));
        assert_eq!(find(&before, "b").age, find(&after, "b").age);
        assert_eq!(find(&after, "b").meta.generation, 2);
    }

    #[test]
    fn the_order_of_the_files_decides_who_is_older() {
        let files =
            [file("1.yaml", &backend("z", "127.0.0.1:1")), file("2.yaml", &backend("a", "127.0.0.1:1"))];

        let resources = apply(&Resources::new(), &files).expect("sound");

        let age = |name: &str| resources.find::<Backend>("default", name).expect("an object").resource.age;
        assert!(age("z") < age("a"));
    }

    #[test]
    fn an_object_in_two_files_is_refused_with_both_places() {
        let text = backend("a", "127.0.0.1:1");

        let refused =
            apply(&Resources::new(), &[file("1.yaml", &text), file("2.yaml", &text)]).expect_err("twice");

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

        let refused = apply(&Resources::new(), &files).expect_err("two mistakes");

        assert_eq!(refused.len(), 2, "{refused}");
    }
}
