//! Finds out what a document is: a resource, a list of resources, nothing, or something unknown.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::object::Written;
use super::tree::{Document, Fault};
use super::{Reading, object};
use crate::kinds::KindName;
use crate::names::{Name, Namespace, ResourceKey};
use crate::path::{FieldPath, Step};
use crate::resource::Lines;
use crate::suggest;
use crate::violation::{Problem, Subject};

/// Reads one document.
pub fn read(document: Document, reading: &mut Reading) {
    let Document { value, lines, faults, whole } = document;
    if !whole {
        // The tree is gone with the fault that ended it; all that can be told is where that was.
        for fault in faults {
            reading.add(
                &Subject::File,
                Some(fault.line),
                fault.field,
                fault.problem.problem,
                fault.problem.remedy,
            );
        }
        return;
    }
    match value {
        Value::Object(map) if is_list(&map) => unfold(map, lines, faults, reading),
        Value::Object(map) => resource(map, lines, faults, reading),
        Value::Null if faults.is_empty() => {}
        _ => {
            reading.file_problem(
                Some(lines.line),
                "a document must be an object".to_owned(),
                "write `apiVersion:`, `kind:` and so on",
            );
        }
    }
}

/// Reads a tree that is one object.
pub fn read_value(value: Value, reading: &mut Reading) {
    match value {
        Value::Object(map) => resource(map, Lines::default(), Vec::new(), reading),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            reading.file_problem(
                None,
                "must be an object".to_owned(),
                "write `apiVersion`, `kind` and so on",
            );
        }
    }
}

/// `kind: List`, or the lists that a Kubernetes API answers with (`HTTPRouteList`).
fn is_list(map: &Map<String, Value>) -> bool {
    let kind = map.get("kind").and_then(Value::as_str);
    kind.is_some_and(|kind| kind.ends_with("List")) && map.get("items").is_some_and(Value::is_array)
}

fn unfold(mut map: Map<String, Value>, lines: Lines, faults: Vec<Fault>, reading: &mut Reading) {
    let position = map.keys().position(|key| key == "items").unwrap_or(0);
    let Some(Value::Array(items)) = map.get_mut("items").map(Value::take) else { return };
    let mut places = lines.children.into_iter().nth(position).unwrap_or_default().children;
    places.resize(items.len(), Lines { line: lines.line, children: Vec::new() });
    let mut faults: Vec<Option<Fault>> = faults.into_iter().map(Some).collect();
    for (position, (item, place)) in items.into_iter().zip(places).enumerate() {
        let own =
            faults.iter_mut().filter_map(|fault| fault.take_if(|fault| stands_in(&fault.field, position)));
        let own: Vec<Fault> = own.map(|fault| Fault { field: below_item(&fault.field), ..fault }).collect();
        match item {
            Value::Object(item) => resource(item, place, own, reading),
            _ => reading.file_problem(
                Some(place.line),
                "an element of a list must be an object".to_owned(),
                "",
            ),
        }
    }
    for fault in faults.into_iter().flatten() {
        reading.add(
            &Subject::File,
            Some(fault.line),
            fault.field,
            fault.problem.problem,
            fault.problem.remedy,
        );
    }
}

fn stands_in(field: &FieldPath, position: usize) -> bool {
    matches!(field.steps(), [Step::Field(items), Step::Index(at), ..] if &**items == "items" && *at == position)
}

fn below_item(field: &FieldPath) -> FieldPath {
    field.steps().iter().skip(2).fold(FieldPath::root(), |mut path, step| {
        path.push(step.clone());
        path
    })
}

fn resource(map: Map<String, Value>, lines: Lines, faults: Vec<Fault>, reading: &mut Reading) {
    let value = Value::Object(map);
    let kind = identify(&value);
    let subject = subject_of(&value, kind.as_ref().ok().copied());
    let malformed = !faults.is_empty();
    for fault in faults {
        reading.add(&subject, Some(fault.line), fault.field, fault.problem.problem, fault.problem.remedy);
    }
    match kind {
        Ok(kind) => object::read(Written { kind, subject, value, lines, malformed }, reading),
        Err((field, problem)) => {
            let field = FieldPath::root().field(field);
            let line = lines.find(&value, &field);
            reading.add(&subject, Some(line), field, problem.problem, problem.remedy);
        }
    }
}

/// The kind that `apiVersion` and `kind` name, or which of them is wrong and why.
fn identify(value: &Value) -> Result<KindName, (&'static str, Problem)> {
    let word = |field: &'static str, example: &str| match value.get(field) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.as_str()),
        Some(Value::Null) | None => {
            Err((field, Problem::new("is missing").remedy(format!("write `{field}: {example}`"))))
        }
        Some(_) => Err((field, Problem::new("must be text").remedy(format!("write `{field}: {example}`")))),
    };
    let kind = word("kind", "HTTPRoute")?;
    let Some(meant) = KindName::ALL.iter().copied().find(|known| known.as_str() == kind) else {
        let known = KindName::ALL.iter().map(|known| known.as_str());
        let problem = Problem::new(format!("the kind {} is not known", crate::schema::quoted(kind)));
        let all = || format!("known are {}", known.clone().collect::<Vec<_>>().join(", "));
        return Err(("kind", problem.remedy(suggest::did_you_mean(kind, known.clone()).unwrap_or_else(all))));
    };
    let api_version = word("apiVersion", &meant.api_version())?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if group == meant.group() && meant.versions().contains(&version) {
        return Ok(meant);
    }
    let problem = Problem::new(format!("{} has no {kind}", crate::schema::quoted(api_version)));
    Err(("apiVersion", problem.remedy(format!("write `apiVersion: {}`", meant.api_version()))))
}

/// What messages call the document: by its key when it has a proper one, by what was written otherwise.
fn subject_of(value: &Value, kind: Option<KindName>) -> Subject {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let (name, namespace) = (text("/metadata/name"), text("/metadata/namespace"));
    if let (Some(kind), Some(Ok(name))) = (kind, name.map(str::parse::<Name>))
        && let Ok(namespace) = object::namespace_of(kind, namespace)
    {
        return Subject::Resource(key_of(kind, namespace, name));
    }
    let place = match (namespace, name) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        (None, Some(name)) => name.to_owned(),
        (_, None) => "without a name".to_owned(),
    };
    let kind = text("/kind").unwrap_or("document");
    Subject::Document(format!("{} {}", crate::schema::cut(kind), crate::schema::cut(&place)).into())
}

/// The key of an object of a kind.
pub fn key_of(kind: KindName, namespace: Option<Namespace>, name: Name) -> ResourceKey {
    let word = |text: &str| -> Arc<str> { text.into() };
    ResourceKey { group: word(kind.group()), kind: word(kind.as_str()), namespace, name }
}
