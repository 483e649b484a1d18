//! Mends what can be mended without a choice, in the text as people wrote it.
//!
//! A file that somebody keeps is not written anew: comments, order, quotes and every line that is right stay as they
//! are. What was changed is read again and compared with what was meant, value by value, before anybody gets it to
//! see; where that cannot be shown, the mistake stays and is told. Rules whose remedy is a decision (what an API means,
//! what it may be called with) are not mended at all.

mod text;
mod wishes;

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Rule, Ruleset};
use crate::jsonpath::Step;
use crate::limits::PROBLEMS_MAX;
use crate::openapi;
use crate::problem::Problem;
use crate::source::{Document, Tree, Upload};

/// Rules with a remedy that is no choice.
pub const MENDED: [&Rule; 5] = [
    &super::rules::OPERATION_ID,
    &super::rules::ANSWER_WORDS,
    &super::rules::ANSWER_EMPTY,
    &super::rules::CHOICES_UNIQUE,
    &super::rules::TAG_KNOWN,
];

/// What became of an upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// The documents that have changed.
    pub documents: Vec<Document>,
    /// What was mended, in the order of the documents.
    pub fixes: Vec<Fix>,
    /// What has a remedy and was left alone.
    pub left: Vec<Left>,
}

/// One mistake that was mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// The rule.
    pub rule: &'static Rule,
    /// Name of the document.
    pub file: Arc<str>,
    /// Line of what was wrong, before.
    pub line: u32,
    /// What it is about.
    pub subject: String,
    /// What was done, as the end of a sentence.
    pub what: String,
}

/// One mistake that was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What would have been done.
    pub fix: Fix,
    /// Why it was not, as the end of a sentence.
    pub why: &'static str,
}

/// Something that should be done to a document.
struct Wish {
    document: usize,
    fix: Fix,
    /// The way to the value that changes.
    target: Vec<Step>,
    change: Change,
}

/// What happens to a value.
enum Change {
    /// It gets a field, before those that it has.
    Field(&'static str, Value),
    /// It gets one element more.
    Element(Value),
    /// It goes.
    Removal,
}

/// Mends an upload by the rules of a ruleset that `wanted` says yes to. Nothing is written anywhere.
///
/// # Errors
/// Everything that is wrong with the upload: what cannot be read cannot be mended.
pub fn fix(
    documents: &[Document],
    ruleset: &Ruleset,
    wanted: impl Fn(&Rule) -> bool,
) -> Result<Mended, Vec<Problem>> {
    let upload = Upload::read(documents)?;
    let description = openapi::read(&upload)?;
    let asked = |rule: &Rule| ruleset.of_ours(rule).is_some() && wanted(rule);
    let mut mended = Mended::default();
    let mut wishes = wishes::of(&upload, &description, &mut mended.left);
    wishes.retain(|wish| asked(wish.fix.rule));
    mended.left.retain(|left| asked(left.fix.rule));
    wishes.truncate(PROBLEMS_MAX);
    for (number, document) in documents.iter().enumerate() {
        let own: Vec<Wish> = wishes.extract_if(.., |wish| wish.document == number).collect();
        if !own.is_empty() {
            mend(document, &upload.trees[number], own, &mut mended);
        }
    }
    Ok(mended)
}

/// Mends one document.
fn mend(document: &Document, tree: &Tree, wishes: Vec<Wish>, mended: &mut Mended) {
    let mut leave = |wishes: Vec<Wish>, why: &'static str| {
        mended.left.extend(wishes.into_iter().map(|wish| Left { fix: wish.fix, why }));
    };
    let Some(places) = model::yaml::places::places(&document.text) else {
        return leave(wishes, "the places of its values cannot be told");
    };
    let (mut done, mut cuts) = (Vec::new(), Vec::new());
    for wish in wishes {
        match text::cut(&document.text, &places, &wish.target, &wish.change) {
            Ok(cut) => {
                cuts.push(cut);
                done.push(wish);
            }
            Err(why) => leave(vec![wish], why),
        }
    }
    match text::apply(&document.text, cuts).filter(|text| is_meant(document, tree, &done, text)) {
        Some(text) => {
            mended.documents.push(Document::new(document.name.clone(), text));
            mended.fixes.extend(done.into_iter().map(|wish| wish.fix));
        }
        None => leave(done, "it could not be shown that nothing else would change"),
    }
}

/// Whether a text says what the tree says after the changes, and nothing else.
fn is_meant(document: &Document, tree: &Tree, wishes: &[Wish], text: &str) -> bool {
    let mut meant = Tree { name: tree.name.clone(), value: tree.value.clone(), lines: tree.lines.clone() };
    // From the end, so that what goes does not move what is still to change.
    for wish in wishes.iter().rev() {
        let laid = match &wish.change {
            Change::Field(name, value) => {
                let field = Map::from_iter([((*name).to_owned(), value.clone())]);
                meant.update(&wish.target, &Value::Object(field))
            }
            Change::Element(value) => meant.update(&wish.target, value),
            Change::Removal => {
                meant.remove(&wish.target);
                Ok(())
            }
        };
        if laid.is_err() {
            return false;
        }
    }
    let written = Upload::read(&[Document::new(document.name.clone(), text)]);
    written.is_ok_and(|written| written.trees[0].value == meant.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::lint;

    /// The text after, what was left with its reason.
    fn fixed(name: &str, text: &str) -> (String, Vec<String>) {
        let documents = [Document::new(name, text)];
        let mended = fix(&documents, &Ruleset::default(), |_| true).expect("readable");
        let text =
            mended.documents.first().map_or_else(|| text.to_owned(), |document| document.text.to_string());
        let left =
            mended.left.iter().map(|left| format!("{} {}: {}", left.fix.rule.id, left.fix.subject, left.why));
        (text, left.collect())
    }

    /// How often each of the rules that are mended has found something.
    fn found(name: &str, text: &str) -> usize {
        let all = lint(&[Document::new(name, text)]);
        all.iter().filter(|finding| MENDED.iter().any(|rule| rule.id == finding.rule.id)).count()
    }

    const KENNEL: &str = "# Pets
openapi: 3.0.3
info: { title: Pets, version: '1' } # in one line
tags:
- name: pets # all of them
paths:
  /pets/{petId}/toy-box:
    # Nobody knows how many.
    get:

      tags: [pets, toys]
      responses:
        '200': # the usual
          content: {application/json: {schema: {type: string, enum: [a, b, a, 'b']}}}
        '204':
          description: none
          content:
            text/plain: {}
        default: {}
";

    #[test]
    fn what_needs_no_choice_is_mended_and_every_other_byte_stays() {
        let (text, left) = fixed("pets.yaml", KENNEL);

        let expected = KENNEL
            .replace("all of them\n", "all of them\n- name: toys\n")
            .replace("tags: [pets", "operationId: getPetsByPetIdToyBox\n      tags: [pets")
            .replace("          content: {app", "          description: OK\n          content: {app")
            .replace("[a, b, a, 'b']", "[a, b]")
            .replace("          content:\n            text/plain: {}\n", "");
        assert_eq!(text, expected);
        assert_eq!(
            left,
            [
                "answer-description GET /pets/{}/toy-box answer default: its status has no meaning that everybody knows"
            ]
        );
        assert_eq!(fixed("pets.yaml", &text).0, text, "there is nothing more to mend");
        assert_eq!((found("pets.yaml", KENNEL), found("pets.yaml", &text)), (6, 1));
    }

    #[test]
    fn json_stays_json_however_it_is_indented() {
        let yaml = KENNEL.replace("default: {}", "default: { description: d }");
        let value = Upload::read(&[Document::new("a.yaml", yaml)]).expect("readable").trees.remove(0).value;
        for text in [value.to_string(), format!("{value:#}"), format!("{value:#}").replace('\n', "\r\n")] {
            let (mended, left) = fixed("pets.json", &text);

            assert_eq!(left, [] as [&str; 0]);
            assert_eq!(found("pets.json", &mended), 0, "{mended}");
            assert_eq!(mended.contains("\r\n"), text.contains("\r\n"));
            assert!(mended.matches('\n').count() <= text.matches('\n').count() + 8);
            assert!(serde_json::from_str::<Value>(&mended).is_ok());
        }
    }

    #[test]
    fn what_is_not_sure_is_left_and_told() {
        let pets = |operation: &str| {
            format!(
                "openapi: 3.0.3\ninfo: {{title: p, version: '1'}}\ntags: [{{name: toys}}]\npaths:\n  /a:\n    get:\n      operationId: a\n{operation}"
            )
        };
        for (operation, why) in [
            (
                "      responses:\n        '204':\n          description: d\n          # nobody reads it\n          content:\n            text/plain: {}\n",
                "answer-without-body GET /a answer 204: a comment speaks of it",
            ),
            (
                "      responses:\n        '204':\n          description: d\n          content:\n            text/plain: {} # why?\n",
                "answer-without-body GET /a answer 204: a comment speaks of it",
            ),
            (
                "      tags: [toy]\n      responses: {'204': {description: d}}\n",
                "tag-known GET /a: another tag is spelt nearly the same",
            ),
            (
                "      responses: {'299': {}}\n",
                "answer-description GET /a answer 299: its status has no meaning that everybody knows",
            ),
        ] {
            let text = pets(operation);
            assert_eq!(fixed("a.yaml", &text), (text, vec![why.to_owned()]));
        }
    }

    #[test]
    fn names_of_operations_are_never_given_twice() {
        let (text, _) = fixed(
            "a.yaml",
            "openapi: 3.0.3\ninfo: {title: p, version: '1'}\npaths:\n  /a-b: {get: {responses: {'200': {description: d}}}}\n  /a/b: {get: {responses: {'200': {description: d}}}}\n  /c: {get: {operationId: getAB2, responses: {'200': {description: d}}}}\n",
        );

        assert!(
            text.contains("/a-b: {get: {operationId: getAB, ")
                && text.contains("/a/b: {get: {operationId: getAB3, "),
            "{text}"
        );
    }

    #[test]
    fn only_rules_that_are_asked_are_mended() {
        let documents = [Document::new("pets.yaml", KENNEL)];
        let ids = |ruleset: &str, wanted: fn(&Rule) -> bool| -> Vec<String> {
            let ruleset = Ruleset::read(&Document::new("rules.yaml", ruleset)).expect("a ruleset");
            let mended = fix(&documents, &ruleset, wanted).expect("readable");
            mended.fixes.iter().map(|fix| fix.rule.id.to_string()).collect()
        };
        assert_eq!(ids("rules: {operation-id: warn}", |_| true), ["operation-id"]);
        assert_eq!(
            ids("extends: selvedge:all\nrules: {operation-id: off}", |rule| rule.id == "tag-known"),
            ["tag-known"]
        );
    }
}
