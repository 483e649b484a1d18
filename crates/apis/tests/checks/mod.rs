//! What must hold for any upload whatsoever. The tests and the fuzz target ask the same, so that a finding of the fuzzer
//! stays found where no fuzzer runs.

use apis::lint::Ruleset;
use apis::lint::fix::fix;
use apis::{Description, Document, Request, cases, lint, mock};

/// Reads bytes as an upload: documents stand behind each other, with a byte 0 between them. Whatever is wrong is told in
/// words; what is right can be looked at, mocked and compared without an end.
pub fn any_upload_is_read(bytes: &[u8]) {
    let texts = bytes.split(|byte| *byte == 0).take(4).map(String::from_utf8_lossy);
    let names = ["api.yaml", "shared/more.json", "other.yaml", "last"];
    let documents: Vec<Document> =
        names.iter().zip(texts).map(|(name, text)| Document::new(*name, text.into_owned())).collect();
    match Description::read(&documents) {
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                assert!(!problem.what.is_empty(), "without words: {problem:?}");
                assert!(names.contains(&&*problem.file), "of no file: {problem:?}");
            }
        }
        Ok(description) => {
            let _found = lint::lint(&documents);
            mending_changes_no_operation(&documents, &description);
            assert_eq!(apis::diff::compare(&description, &description), []);
            for operation in description.operations.iter().take(8) {
                let path = operation.template.filled(|_| "1".to_owned());
                let sent = Request { path: &path, ..Request::default() };
                let answer = mock::answer(operation, &mock::Request { sent, seed: 1 });
                assert!((100..600).contains(&answer.status));
                let _cases = cases::of_operation(operation, &[], 1);
            }
        }
    }
}

/// What is mended can be read, has the operations that it had, and has nothing that could be mended again.
fn mending_changes_no_operation(documents: &[Document], before: &Description) {
    let mend =
        |documents: &[Document]| fix(documents, &Ruleset::default(), |_| true).expect("it can be read");
    let mended = mend(documents);
    let mut after = documents.to_vec();
    for changed in mended.documents {
        let document = after.iter_mut().find(|document| document.name == changed.name).expect("its document");
        *document = changed;
    }
    let read = Description::read(&after).unwrap_or_else(|problems| panic!("{problems:?}\n{after:?}"));
    let keys = |description: &Description| -> Vec<_> {
        description.operations.iter().map(|operation| operation.key.clone()).collect()
    };
    assert_eq!(keys(&read), keys(before));
    assert_eq!(mend(&after).fixes, [], "{after:?}");
}
