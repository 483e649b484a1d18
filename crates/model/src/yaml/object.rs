//! Documents of a known kind to resources: defaults, schema, names, typed content.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Reading;
use super::document::key_of;
use crate::kinds::{KindName, NameRule, Scope};
use crate::labels::Labels;
use crate::names::{LABEL_BYTES_MAX, Name, Namespace};
use crate::path::FieldPath;
use crate::resource::{Age, Lines, ObjectMeta, Resource, Source};
use crate::schema::{self, Fault, Finding, Judge};
use crate::violation::{Problem, Subject};

/// A document whose kind is known.
pub struct Written {
    pub kind: KindName,
    pub subject: Subject,
    pub value: Value,
    pub lines: Lines,
    /// Whether reading its text found faults already.
    pub malformed: bool,
}

/// Checks a document and keeps it as a resource when nothing is wrong.
pub fn read(mut written: Written, reading: &mut Reading) {
    fill(&mut written);
    let findings = findings(&written, &reading.judge);
    let sound = findings.is_empty() && !written.malformed;
    for finding in findings {
        let line = written.lines.find(&written.value, &finding.field);
        reading.add(&written.subject, Some(line), finding.field, finding.problem, finding.remedy);
    }
    if !sound {
        return;
    }
    let (subject, line) = (written.subject.clone(), written.lines.line);
    match resource(written, reading.file.clone()) {
        Ok(resource) => reading.read.resources.push(resource),
        // The schema admits what the type does not: still a violation, never a guess.
        Err(problem) => reading.add(&subject, Some(line), FieldPath::root(), problem.problem, problem.remedy),
    }
}

/// Checks a tree of a known kind; for those who tell what is wrong in words of their own.
pub fn read_known(kind: KindName, value: Value) -> Result<Resource, Vec<Finding>> {
    let subject = Subject::File;
    let mut written = Written { kind, subject, value, lines: Lines::default(), malformed: false };
    fill(&mut written);
    let findings = findings(&written, &Judge::new());
    if !findings.is_empty() {
        return Err(findings);
    }
    let whole = |Problem { problem, remedy }| {
        vec![Finding { fault: Fault::Invalid, field: FieldPath::root(), problem, remedy }]
    };
    let mut resource = resource(written, Arc::default()).map_err(whole)?;
    resource.source = None;
    Ok(resource)
}

/// A tree of a known kind that was judged when it was written: only what cannot be understood is found.
pub fn read_judged(kind: KindName, value: Value) -> Result<Resource, Problem> {
    let subject = Subject::File;
    let mut written = Written { kind, subject, value, lines: Lines::default(), malformed: false };
    fill(&mut written);
    let mut resource = resource(written, Arc::default())?;
    resource.source = None;
    Ok(resource)
}

fn fill(written: &mut Written) {
    schema::of(written.kind).fill(&mut written.value, &mut written.lines);
    let Written { kind, value: Value::Object(map), lines, .. } = written else { return };
    let position = map.keys().position(|key| key == "metadata");
    let Some(metadata) = map.get_mut("metadata") else { return };
    let mut unwritten = Lines::default();
    let place = position.and_then(|at| lines.children.get_mut(at)).unwrap_or(&mut unwritten);
    schema::metadata().fill(metadata, place);
    if let (Scope::Namespaced, Value::Object(metadata)) = (kind.scope(), metadata) {
        metadata.entry("namespace").or_insert_with(|| Namespace::default_namespace().as_str().into());
    }
}

fn findings(written: &Written, judge: &Judge) -> Vec<Finding> {
    let metadata = FieldPath::root().field("metadata");
    let mut found = match written.value.get("metadata") {
        None => {
            vec![Finding {
                fault: Fault::Missing,
                field: metadata.field("name"),
                problem: "is missing".to_owned(),
                remedy: Some("add `name:` with text".to_owned()),
            }]
        }
        Some(value) => schema::metadata().check(metadata.clone(), value, judge),
    };
    let problems = [
        ("name", text_of(&written.value, "name").and_then(|name| name_problem(written.kind, name))),
        ("namespace", namespace_of(written.kind, text_of(&written.value, "namespace")).err()),
    ];
    for (field, problem) in problems {
        let field = metadata.field(field);
        if let Some(problem) = problem.filter(|_| found.iter().all(|finding| finding.field != field)) {
            let Problem { problem, remedy } = problem;
            found.push(Finding { fault: Fault::Invalid, field, problem, remedy });
        }
    }
    found.extend(schema::of(written.kind).check_object(&written.value, judge));
    found
}

fn text_of<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get("metadata")?.get(field)?.as_str()
}

fn name_problem(kind: KindName, text: &str) -> Option<Problem> {
    let label = |letter_first: bool| {
        let first = |c: char| c.is_ascii_lowercase() || (!letter_first && c.is_ascii_digit());
        text.len() <= LABEL_BYTES_MAX && !text.contains('.') && text.starts_with(first)
    };
    let invalid = |remedy: &str| {
        Some(Problem::new(format!("{} is not a name for a {kind}", schema::quoted(text))).remedy(remedy))
    };
    match (text.parse::<Name>(), kind.name_rule()) {
        (Err(problem), _) => Some(problem),
        (Ok(_), NameRule::Subdomain) => None,
        (Ok(_), NameRule::Label) if label(false) => None,
        (Ok(_), NameRule::Label) => invalid("use a-z, 0-9 and `-`, at most 63 characters"),
        (Ok(_), NameRule::LetterLabel) if label(true) => None,
        (Ok(_), NameRule::LetterLabel) => {
            invalid("use a-z, 0-9 and `-`, starting with a letter, at most 63 characters")
        }
    }
}

/// The namespace of an object of a kind that names this one.
pub fn namespace_of(kind: KindName, written: Option<&str>) -> Result<Option<Namespace>, Problem> {
    match (kind.scope(), written) {
        (Scope::Cluster, None) => Ok(None),
        (Scope::Cluster, Some(_)) => {
            Err(Problem::new(format!("a {kind} lives in no namespace")).remedy("remove the field"))
        }
        (Scope::Namespaced, None) => Ok(Some(Namespace::default_namespace())),
        (Scope::Namespaced, Some(text)) => text.parse().map(Some),
    }
}

fn resource(written: Written, file: Arc<str>) -> Result<Resource, Problem> {
    let Written { kind, value, lines, .. } = written;
    let no_name = || Problem::new("has no name");
    let empty = Map::new();
    let metadata = value.get("metadata").and_then(Value::as_object).unwrap_or(&empty);
    let text = |field: &str| metadata.get(field).and_then(Value::as_str);
    let name = text("name").ok_or_else(no_name)?.parse()?;
    let namespace = namespace_of(kind, text("namespace"))?;
    let meta = ObjectMeta {
        labels: labels_of(metadata.get("labels")).into(),
        uid: text("uid").map(Into::into),
        generation: metadata.get("generation").and_then(Value::as_u64).unwrap_or(1).max(1),
        creation_timestamp: text("creationTimestamp").map(str::parse).transpose()?,
        deletion_timestamp: text("deletionTimestamp").map(str::parse).transpose()?,
        resource_version: text("resourceVersion").map(Into::into),
    };
    let content = kind.decode(&value).map_err(|fault| Problem::new(format!("is not a {kind}: {fault}")))?;
    Ok(Resource {
        key: key_of(kind, namespace, name),
        api_version: value.get("apiVersion").and_then(Value::as_str).unwrap_or_default().into(),
        age: Age::new(meta.creation_timestamp, 0),
        meta,
        kind: content,
        source: Some(Box::new(Source { file, line: lines.line })),
        written: crate::written::Written::new(&value, &lines),
    })
}

fn labels_of(value: Option<&Value>) -> Labels {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into()))).collect()
}
