//! Rules that others write, and what they think of ours: the declarative part of Spectral's rulesets.
//!
//! A rule says by a JSONPath what it is about and by a function what must be so. Code, aliases, overrides by file and
//! paths beyond RFC 9535 are refused by name: a rule that is left out in silence is believed to hold. Rules see the
//! document as it is written; references are not followed.

mod functions;
mod read;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Finding, Rule, Severity, rules};
use crate::jsonpath::{Path, Step};
use crate::limits::PROBLEMS_MAX;
use crate::problem::Problem;
use crate::source::{Document, Node, Upload, push_step};

use functions::Function;

/// Which rules are asked, and how bad it is to break them.
#[derive(Debug)]
pub struct Ruleset {
    /// Whether ours are asked that nothing is said of.
    extends: bool,
    /// What is said of ours: the severity, or that they are off.
    said: HashMap<String, Option<Severity>>,
    written: Vec<Written>,
}

impl Default for Ruleset {
    /// Ours, as they are.
    fn default() -> Self {
        Ruleset { extends: true, said: HashMap::new(), written: Vec::new() }
    }
}

/// A rule that somebody wrote.
#[derive(Debug)]
struct Written {
    rule: Rule,
    message: Option<String>,
    given: Vec<Path>,
    then: Vec<Then>,
}

#[derive(Debug)]
struct Then {
    /// What of the value is looked at; all of it when absent.
    field: Option<Field>,
    function: Function,
}

#[derive(Debug)]
enum Field {
    /// Each key of an object.
    Keys,
    /// A member, or one inside of it.
    Named(Vec<String>),
}

impl Ruleset {
    /// Reads a ruleset.
    ///
    /// # Errors
    /// Everything that is wrong with it, and everything in it that is not read here.
    pub fn read(document: &Document) -> Result<Ruleset, Vec<Problem>> {
        read::ruleset(document)
    }

    /// Every rule that is asked.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        let ours = rules::ALL.iter().filter_map(|rule| self.of_ours(rule));
        ours.chain(self.written.iter().map(|written| written.rule.clone())).collect()
    }

    /// A rule of ours as it is asked here; `None` when it is off.
    pub(super) fn of_ours(&self, rule: &Rule) -> Option<Rule> {
        let severity = match self.said.get(&*rule.id) {
            Some(said) => (*said)?,
            // What cannot be read is never without fault.
            None if self.extends || rule.id == rules::READABLE.id => rule.severity,
            None => return None,
        };
        Some(Rule { severity, ..rule.clone() })
    }

    /// What the written rules find in the first document of an upload.
    pub(super) fn look(&self, upload: &Upload) -> Vec<Finding> {
        let mut found = Vec::new();
        let Some(first) = upload.trees.first() else { return found };
        for written in &self.written {
            written.look(upload.root(0), &first.name, &mut found);
        }
        found
    }
}

impl Written {
    fn look(&self, root: Node<'_>, file: &Arc<str>, found: &mut Vec<Finding>) {
        for path in &self.given {
            let given = match path.find(root.value) {
                Ok(given) => given,
                Err(why) => {
                    let what = format!("is not asked: its path {why}");
                    found.push(self.finding(file, (1, String::new()), &what, None));
                    continue;
                }
            };
            for place in given {
                let Some(node) = walk(root, &place.steps) else { continue };
                for then in &self.then {
                    then.look(node, &place.steps, &mut |line, steps, what, value| {
                        if found.len() < PROBLEMS_MAX {
                            found.push(self.finding(file, (line, pointer(steps)), what, value));
                        }
                    });
                }
            }
        }
    }

    fn finding(
        &self,
        file: &Arc<str>,
        (line, subject): (u32, String),
        what: &str,
        value: Option<&Value>,
    ) -> Finding {
        let what = match &self.message {
            None => what.to_owned(),
            Some(message) => filled(message, &self.rule, &subject, what, value),
        };
        Finding { rule: self.rule.clone(), file: file.clone(), line, subject, what, fix: String::new() }
    }
}

/// A message with what Spectral lets stand in one.
fn filled(message: &str, rule: &Rule, subject: &str, what: &str, value: Option<&Value>) -> String {
    let value = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(_) | Value::Array(_)) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let property = subject.rsplit('/').next().unwrap_or("").replace("~1", "/").replace("~0", "~");
    message
        .replace("{{error}}", what)
        .replace("{{description}}", &rule.reason)
        .replace("{{path}}", subject)
        .replace("{{property}}", &property)
        .replace("{{value}}", &value)
}

type Tell<'t> = dyn FnMut(u32, &[Step], &str, Option<&Value>) + 't;

impl Then {
    fn look(&self, node: Node<'_>, steps: &[Step], tell: &mut Tell<'_>) {
        match &self.field {
            None => self.ask(Some(node.value), node.line(), steps, tell),
            Some(Field::Keys) => {
                for (name, inner) in node.fields() {
                    let key = Value::String(name.to_owned());
                    let steps = [steps, &[Step::Name(name.to_owned())]].concat();
                    self.ask(Some(&key), inner.line(), &steps, tell);
                }
            }
            Some(Field::Named(names)) => {
                let (mut here, mut line, mut steps) = (Some(node), node.line(), steps.to_vec());
                for name in names {
                    here = here.and_then(|node| inner(node, name));
                    line = here.map_or(line, |node| node.line());
                    steps.push(Step::Name(name.clone()));
                }
                self.ask(here.map(|node| node.value), line, &steps, tell);
            }
        }
    }

    fn ask(&self, value: Option<&Value>, line: u32, steps: &[Step], tell: &mut Tell<'_>) {
        for what in self.function.faults(value) {
            tell(line, steps, &what, value);
        }
    }
}

fn inner<'n>(node: Node<'n>, name: &str) -> Option<Node<'n>> {
    match name.parse::<usize>() {
        Ok(at) if node.value.is_array() => node.items().nth(at),
        Ok(_) | Err(_) => node.field(name),
    }
}

fn walk<'n>(root: Node<'n>, steps: &[Step]) -> Option<Node<'n>> {
    steps.iter().try_fold(root, |node, step| match step {
        Step::Name(name) => node.field(name),
        Step::Index(at) => node.items().nth(*at),
    })
}

fn pointer(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Name(name) => push_step(&mut text, name),
            Step::Index(at) => push_step(&mut text, &at.to_string()),
        }
    }
    text
}

/// A rule with a name of its own.
fn named(id: &str, severity: Severity, reason: &str) -> Rule {
    Rule { id: Cow::Owned(id.to_owned()), severity, reason: Cow::Owned(reason.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::lint_by;

    const PETS: &str = "openapi: 3.1.0
info: {title: pets, version: '1'}
tags: [{name: b}, {name: a}]
paths:
  /petsOfAll:
    get:
      operationId: List_pets
      summary: 'todo: words'
      responses: {'200': {description: all}}
";

    fn found(ruleset: &str) -> Vec<String> {
        let ruleset = Ruleset::read(&Document::new("rules.yaml", ruleset)).unwrap_or_else(|problems| {
            panic!("{}", problems.iter().map(ToString::to_string).collect::<String>())
        });
        let all = lint_by(&[Document::new("pets.yaml", PETS)], &ruleset);
        all.iter()
            .map(|one| {
                format!(
                    "{} {}:{} {} {}",
                    one.rule.severity.word(),
                    one.rule.id,
                    one.line,
                    one.subject,
                    one.what
                )
            })
            .collect()
    }

    #[test]
    fn each_function_says_what_it_asks_for() {
        for (then, wanted) in [
            (
                "given: $.info, then: {field: contact, function: truthy}",
                vec!["2 /info/contact must be there and say something"],
            ),
            (
                "given: $.info, then: {field: contact.email, function: defined}",
                vec!["2 /info/contact/email must be there"],
            ),
            (
                "given: $.info, then: {field: title, function: undefined}",
                vec!["2 /info/title must not be there"],
            ),
            (
                "given: $.info, then: {field: title, function: falsy}",
                vec!["2 /info/title must be empty, or not there"],
            ),
            (
                "given: '$..summary', then: {function: pattern, functionOptions: {notMatch: '/^todo/i'}}",
                vec!["8 /paths/~1petsOfAll/get/summary must not fit `/^todo/i`"],
            ),
            (
                "given: '$..operationId', then: {function: casing, functionOptions: {type: camel}}",
                vec!["7 /paths/~1petsOfAll/get/operationId must be written in camel case"],
            ),
            (
                "given: '$.paths', then: {field: '@key', function: pattern, functionOptions: {match: '^/[a-z/{}]+$'}}",
                vec!["5 /paths/~1petsOfAll must fit `^/[a-z/{}]+$`"],
            ),
            (
                "given: $.info.title, then: {function: length, functionOptions: {min: 5, max: 9}}",
                vec!["2 /info/title must be at least 5 long"],
            ),
            (
                "given: $.openapi, then: {function: enumeration, functionOptions: {values: ['3.0.3', '3.0.4']}}",
                vec!["1 /openapi must be one of `3.0.3`, `3.0.4`"],
            ),
            (
                "given: $.tags, then: {function: alphabetical, functionOptions: {keyedBy: name}}",
                vec!["3 /tags must be in alphabetical order: `a` stands behind `b`"],
            ),
            (
                "given: $.info, then: {function: xor, functionOptions: {properties: [title, version]}}",
                vec!["2 /info must have exactly one of `title`, `version`"],
            ),
            (
                "given: '$.tags[*]', then: {function: schema, functionOptions: {schema: {type: object, required: [description]}}}",
                vec!["3 /tags/0 has no `description`", "3 /tags/1 has no `description`"],
            ),
            (
                "given: $.info, then: [{field: title, function: truthy}, {field: license, function: truthy}]",
                vec!["2 /info/license must be there and say something"],
            ),
            (
                "given: [$.info.title, $.openapi], then: {function: falsy}",
                vec!["1 /openapi must be empty, or not there", "2 /info/title must be empty, or not there"],
            ),
        ] {
            let ruleset = format!("rules: {{mine: {{{then}}}}}");
            let wanted: Vec<String> = wanted.iter().map(|wanted| format!("warning mine:{wanted}")).collect();
            assert_eq!(found(&ruleset), wanted, "{then}");
        }
    }

    #[test]
    fn a_ruleset_says_which_of_our_rules_are_asked_and_how_bad_they_are() {
        let ours = found("extends: selvedge:all");
        let some = found(
            "extends: [[spectral:oas, recommended]]\nrules: {operation-id: off, answer-failure: error, info-description: hint}",
        );
        let none = found("rules: {answer-failure: error}");

        assert_eq!(ours, found("extends: spectral:oas"));
        assert!(ours.iter().any(|one| one.starts_with("hint answer-failure")), "{ours:?}");
        assert!(some.iter().any(|one| one.starts_with("error answer-failure")), "{some:?}");
        assert_eq!(none.len(), 1, "{none:?}");
    }

    #[test]
    fn messages_are_filled_in() {
        let rules = "rules: {mine: {description: why, message: '{{property}} = {{value}}: {{error}} ({{description}})', severity: error, given: $.info, then: {field: title, function: length, functionOptions: {max: 2}}}}";

        assert_eq!(found(rules), ["error mine:2 /info/title title = pets: must be at most 2 long (why)"]);
    }

    #[test]
    fn what_is_not_read_is_told_with_its_line() {
        let ruleset = "functions: [mine]
rules:
  a: {given: '$.paths[get]', then: {function: truthy}}
  b: {given: $.info, then: {function: mine}}
  c: {given: $.info, then: {function: casing, functionOptions: {type: kebap}}}
  d: {given: $.info}
  no-such-rule: error
  e: {severity: loud, given: $, then: {function: truthy}}
";
        let problems = Ruleset::read(&Document::new("rules.yaml", ruleset)).expect_err("problems");

        let told: Vec<(u32, &str)> = problems.iter().map(|one| (one.line, one.pointer.as_str())).collect();
        let wanted = [
            (1, "/functions"),
            (3, "/rules/a/given"),
            (4, "/rules/b/then/function"),
            (5, "/rules/c/then/functionOptions"),
            (6, "/rules/d/then"),
            (7, "/rules/no-such-rule"),
            (8, "/rules/e/severity"),
        ];
        assert_eq!(told, wanted, "{problems:#?}");
    }
}
