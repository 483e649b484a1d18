//! A ruleset's text to rules.

use std::collections::HashMap;

use serde_json::Value;

use super::functions::{Casing, Function, Written as WrittenPattern};
use super::{Field, Ruleset, Severity, Then, Written, named, pointer};
use crate::description::Dialect;
use crate::jsonpath::{Path, Step};
use crate::lint::rules;
use crate::problem::{Problem, quoted};
use crate::schema::Pattern;
use crate::schema::read::Schematics;
use crate::source::{Document, Findings, Node, References, Upload};

/// Names by which our rules are extended. Spectral's rules for OpenAPI are not ours, and ours stand for them.
const OURS: [&str; 2] = ["selvedge:all", "spectral:oas"];
/// What changes nothing about what is found.
const WITHOUT_EFFECT: [&str; 4] = ["documentationUrl", "formats", "description", "parserOptions"];

pub(super) fn ruleset(document: &Document) -> Result<Ruleset, Vec<Problem>> {
    let upload = Upload::read(std::slice::from_ref(document))?;
    let mut reader = Reader { upload: &upload, problems: Vec::new() };
    let root = upload.root(0);
    let mut ruleset = Ruleset { extends: false, said: HashMap::new(), written: Vec::new() };
    if !root.value.is_object() {
        reader.problem(root, &[], "is no ruleset".to_owned(), "write `extends` and `rules`");
    }
    for (name, node) in root.fields() {
        let at = [Step::Name(name.to_owned())];
        match name {
            "extends" => ruleset.extends = reader.extends(node, &at),
            "rules" => {
                for (name, node) in node.fields() {
                    reader.rule(name, node, &[at[0].clone(), Step::Name(name.to_owned())], &mut ruleset);
                }
            }
            name if WITHOUT_EFFECT.contains(&name) || name.starts_with("x-") => {}
            name => reader.problem(
                node,
                &at,
                format!("{} is not read", quoted(name)),
                "write it as rules with core functions",
            ),
        }
    }
    if reader.problems.is_empty() { Ok(ruleset) } else { Err(reader.problems) }
}

struct Reader<'u> {
    upload: &'u Upload,
    problems: Vec<Problem>,
}

impl<'u> Reader<'u> {
    /// `selvedge:all`, `[selvedge:all]`, `[[selvedge:all, recommended]]`.
    fn extends(&mut self, node: Node<'u>, at: &[Step]) -> bool {
        let one = |value: &Value| match value {
            Value::String(name) => Some((name.clone(), true)),
            Value::Array(pair) => {
                let name = pair.first()?.as_str()?.to_owned();
                Some((name, pair.get(1).and_then(Value::as_str) != Some("off")))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        };
        let all: Vec<Option<(String, bool)>> = match node.value {
            Value::Array(all) => all.iter().map(one).collect(),
            value => vec![one(value)],
        };
        let mut extends = false;
        for named in all {
            match named {
                Some((name, on)) if OURS.contains(&name.as_str()) => extends |= on,
                Some((name, _)) => {
                    self.problem(
                        node,
                        at,
                        format!("there is no ruleset {}", quoted(&name)),
                        "extend `selvedge:all`, and write other rules here",
                    );
                }
                None => self.problem(node, at, "names no ruleset".to_owned(), "extend `selvedge:all`"),
            }
        }
        extends
    }

    fn rule(&mut self, name: &str, node: Node<'u>, at: &[Step], ruleset: &mut Ruleset) {
        let ours = rules::ALL.iter().find(|rule| rule.id == name);
        if node.value.is_object() {
            let severity = match node.field("severity") {
                None => Some(Severity::Warning),
                Some(written) => self.severity(written, &inside(at, "severity"), Severity::Warning),
            };
            if let (Some(written), Some(severity)) = (self.written(name, node, at), severity) {
                ruleset
                    .written
                    .push(Written { rule: named(name, severity, &written.rule.reason), ..written });
            }
            return;
        }
        match ours {
            Some(rule) => {
                let severity = self.severity(node, at, rule.severity);
                ruleset.said.insert(name.to_owned(), severity);
            }
            None if matches!(node.value.as_str(), Some("off")) || node.value == &Value::Bool(false) => {}
            None => {
                let near = model::suggest::did_you_mean(name, rules::ALL.iter().map(|rule| &*rule.id));
                let fix = near.unwrap_or_else(|| "`selvedge api lint --rules` lists ours".to_owned());
                self.problem(node, at, format!("there is no rule {}", quoted(name)), &fix);
            }
        }
    }

    /// `None` for a rule that is off.
    fn severity(&mut self, node: Node<'u>, at: &[Step], usual: Severity) -> Option<Severity> {
        match node.value {
            Value::String(word) => match word.as_str() {
                "error" => return Some(Severity::Error),
                "warn" | "warning" => return Some(Severity::Warning),
                "info" | "hint" => return Some(Severity::Hint),
                "on" => return Some(usual),
                "off" => return None,
                _ => {}
            },
            Value::Bool(on) => return on.then_some(usual),
            Value::Number(number) => match number.as_u64() {
                Some(0) => return Some(Severity::Error),
                Some(1) => return Some(Severity::Warning),
                Some(2 | 3) => return Some(Severity::Hint),
                Some(_) | None => {}
            },
            Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
        self.problem(node, at, "is no severity".to_owned(), "write `error`, `warn`, `info`, `hint` or `off`");
        Some(usual)
    }

    fn written(&mut self, name: &str, node: Node<'u>, at: &[Step]) -> Option<Written> {
        let reason = node.text_of("description").unwrap_or(name);
        let Some(given) = node.field("given") else {
            self.problem(
                node,
                &inside(at, "given"),
                "`given` is missing".to_owned(),
                "say what the rule is about, for example `$.info`",
            );
            return None;
        };
        let texts: Vec<Node<'u>> = if given.value.is_array() { given.items().collect() } else { vec![given] };
        let mut paths = Vec::new();
        for text in texts {
            let read = text.text().ok_or_else(|| "is no text".to_owned()).and_then(Path::parse);
            match read {
                Ok(path) => paths.push(path),
                Err(why) => {
                    self.problem(text, &inside(at, "given"), why, "write the path as RFC 9535 has it")
                }
            }
        }
        let Some(then) = node.field("then") else {
            self.problem(
                node,
                &inside(at, "then"),
                "`then` is missing".to_owned(),
                "say what must be so, for example `{field: contact, function: truthy}`",
            );
            return None;
        };
        let several = then.value.is_array();
        let all: Vec<Node<'u>> = if several { then.items().collect() } else { vec![then] };
        let mut read = Vec::new();
        for (number, one) in all.into_iter().enumerate() {
            let mut at = inside(at, "then");
            if several {
                at.push(Step::Index(number));
            }
            read.extend(self.then(one, &at));
        }
        let message = node.text_of("message").map(str::to_owned);
        Some(Written { rule: named(name, Severity::Warning, reason), message, given: paths, then: read })
    }

    fn then(&mut self, node: Node<'u>, at: &[Step]) -> Option<Then> {
        let field = match node.text_of("field") {
            None => None,
            Some("@key") => Some(Field::Keys),
            Some(text) => Some(Field::Named(text.split('.').map(str::to_owned).collect())),
        };
        let name = node.text_of("function").unwrap_or("");
        let options = node.field("functionOptions");
        let read = match name {
            "truthy" => Ok(Function::Truthy),
            "falsy" => Ok(Function::Falsy),
            "defined" => Ok(Function::Defined),
            "undefined" => Ok(Function::Undefined),
            "pattern" => patterns(options),
            "casing" => casing(options),
            "length" => length(options),
            "enumeration" => values(options).map(Function::Enumeration),
            "alphabetical" => Ok(Function::Alphabetical {
                by: option(options, "keyedBy").and_then(Value::as_str).map(str::to_owned),
            }),
            "xor" => names(options).map(Function::Xor),
            "schema" => self.schema(options),
            _ => {
                let what = if name.is_empty() {
                    "`function` is missing".to_owned()
                } else {
                    format!("there is no function {}", quoted(name))
                };
                let fix = "there are truthy, falsy, defined, undefined, pattern, casing, length, enumeration, alphabetical, xor and schema";
                self.problem(node.field("function").unwrap_or(node), &inside(at, "function"), what, fix);
                return None;
            }
        };
        match read {
            Ok(function) => Some(Then { field, function }),
            Err(what) => {
                self.problem(
                    options.unwrap_or(node),
                    &inside(at, "functionOptions"),
                    what,
                    "see the function in Spectral's documentation",
                );
                None
            }
        }
    }

    fn schema(&mut self, options: Option<Node<'u>>) -> Result<Function, String> {
        let Some(node) = options.and_then(|options| options.field("schema")) else {
            return Err("`schema` is missing".to_owned());
        };
        let (mut findings, mut warnings) = (Findings::default(), Findings::default());
        let mut references = References::new(self.upload);
        let mut schematics = Schematics::new(Dialect::OpenApi31);
        let id = schematics.number(node, &mut references, &mut findings);
        let schemas = schematics.finish(&mut references, &mut findings, &mut warnings);
        match findings.settle(self.upload).first() {
            None => Ok(Function::Schema(Box::new(schemas), id)),
            Some(problem) => Err(format!("`schema` at {} {}", problem.pointer, problem.what)),
        }
    }

    fn problem(&mut self, node: Node<'_>, at: &[Step], what: String, fix: &str) {
        let file = self.upload.trees[0].name.clone();
        self.problems.push(Problem {
            file,
            line: node.line(),
            pointer: pointer(at),
            what,
            fix: fix.to_owned(),
        });
    }
}

fn inside(at: &[Step], name: &str) -> Vec<Step> {
    [at, &[Step::Name(name.to_owned())]].concat()
}

fn option<'n>(options: Option<Node<'n>>, name: &str) -> Option<&'n Value> {
    options?.value.get(name)
}

fn patterns(options: Option<Node<'_>>) -> Result<Function, String> {
    let read = |name: &str| match option(options, name) {
        None => Ok(None),
        Some(Value::String(text)) => written(text).map(Some),
        Some(_) => Err(format!("`{name}` is no text")),
    };
    let (fits, fits_not) = (read("match")?, read("notMatch")?);
    if fits.is_none() && fits_not.is_none() {
        return Err("neither `match` nor `notMatch` is there".to_owned());
    }
    Ok(Function::Pattern { fits, fits_not })
}

/// `^a$` or `/^a$/i`.
fn written(text: &str) -> Result<WrittenPattern, String> {
    let inner = text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    let (body, flags) =
        inner.filter(|(_, flags)| flags.chars().all(|c| c.is_ascii_lowercase())).unwrap_or((text, ""));
    let flags: String = flags.chars().filter(|flag| matches!(flag, 'i' | 'm' | 's')).collect();
    let pattern = if flags.is_empty() { body.to_owned() } else { format!("(?{flags}){body}") };
    let pattern = Pattern::new(&pattern);
    if pattern.translated().is_none() {
        return Err(format!("the pattern {} is not understood", quoted(text)));
    }
    Ok(WrittenPattern { text: text.to_owned(), pattern })
}

fn casing(options: Option<Node<'_>>) -> Result<Function, String> {
    let word = option(options, "type").and_then(Value::as_str).unwrap_or("");
    let Some((_, casing)) = Casing::ALL.iter().find(|(known, _)| *known == word) else {
        return Err("`type` is none of flat, camel, pascal, kebab, cobol, snake and macro".to_owned());
    };
    if option(options, "separator").is_some() {
        return Err("`separator` is not read".to_owned());
    }
    let digits = option(options, "disallowDigits").and_then(Value::as_bool) != Some(true);
    Ok(Function::Casing { casing: *casing, digits })
}

fn length(options: Option<Node<'_>>) -> Result<Function, String> {
    let number = |name: &str| match option(options, name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| format!("`{name}` is no number")),
    };
    let (min, max) = (number("min")?, number("max")?);
    if min.is_none() && max.is_none() {
        return Err("neither `min` nor `max` is there".to_owned());
    }
    Ok(Function::Length { min, max })
}

fn values(options: Option<Node<'_>>) -> Result<Vec<Value>, String> {
    let values = option(options, "values").and_then(Value::as_array).filter(|values| !values.is_empty());
    values.cloned().ok_or_else(|| "`values` is no list of values".to_owned())
}

fn names(options: Option<Node<'_>>) -> Result<Vec<String>, String> {
    let names = option(options, "properties").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<String> = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if names.len() < 2 { Err("`properties` is no list of two names or more".to_owned()) } else { Ok(names) }
}
