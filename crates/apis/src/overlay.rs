//! Changes that are laid over a description (OpenAPI Overlay 1.0): what an author wrote stays as it is, and what its
//! publisher adds or leaves out stands apart.
//!
//! Actions apply one after the other, each to what those before have made. What is laid over keeps the line of where it
//! was laid, so that whatever is wrong with it later leads close to it.

use std::sync::Arc;

use model::resource::Lines;
use serde_json::Value;

use crate::jsonpath::{Path, Step};
use crate::limits::{NODES_MAX, OVERLAY_ACTIONS_MAX};
use crate::problem::{Problem, quoted};
use crate::source::{Document, Node, Tree, Upload, push_step};

/// Reads an upload and lays overlays over it.
///
/// # Errors
/// Everything that is wrong with the texts, or with the overlays.
pub(crate) fn read(documents: &[Document], overlays: &[Document]) -> Result<Upload, Vec<Problem>> {
    let mut upload = Upload::read(documents)?;
    lay(&mut upload, overlays)?;
    Ok(upload)
}

/// Lays overlays over the first document of an upload, in their order. A target that leads nowhere is a problem: it is
/// mostly a path that has changed, and the overlay was to hide something.
///
/// # Errors
/// Everything that is wrong with the overlays.
fn lay(upload: &mut Upload, overlays: &[Document]) -> Result<(), Vec<Problem>> {
    if overlays.is_empty() {
        return Ok(());
    }
    let written = Upload::read(overlays)?;
    let Some(description) = upload.trees.first_mut() else { return Ok(()) };
    let mut problems = Vec::new();
    for number in 0..written.trees.len() {
        let mut overlay =
            Overlay { root: written.root(number), file: &written.trees[number].name, problems: Vec::new() };
        overlay.lay(description);
        problems.append(&mut overlay.problems);
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

struct Overlay<'a> {
    root: Node<'a>,
    file: &'a Arc<str>,
    problems: Vec<Problem>,
}

impl Overlay<'_> {
    fn lay(&mut self, description: &mut Tree) {
        let root = self.root;
        match root.text_of("overlay") {
            Some(version) if version.starts_with("1.") => {}
            _ => {
                let fix = "say `overlay: 1.0.0` at the top";
                return self.problem(root, "", "is no OpenAPI Overlay of version 1".to_owned(), fix);
            }
        }
        let Some(actions) = root.field("actions") else {
            return self.problem(root, "", "has no `actions`".to_owned(), "list what is to be changed");
        };
        if actions.value.as_array().is_none_or(|all| all.is_empty() || all.len() > OVERLAY_ACTIONS_MAX) {
            let what = format!("`actions` is no list of 1 to {OVERLAY_ACTIONS_MAX} actions");
            return self.problem(actions, "/actions", what, "list what is to be changed");
        }
        for (number, action) in actions.items().enumerate() {
            self.act(action, &format!("/actions/{number}"), description);
        }
    }

    fn act(&mut self, action: Node<'_>, place: &str, description: &mut Tree) {
        let at = |field: &str| (action.field(field).unwrap_or(action), format!("{place}/{field}"));
        for (name, node) in action.fields() {
            let is_known = matches!(name, "target" | "description" | "update" | "remove");
            if !is_known && !name.starts_with("x-") {
                let fix = "an action has `target`, `description`, `update` and `remove`";
                self.problem(node, &format!("{place}/{name}"), format!("{} is unknown", quoted(name)), fix);
            }
        }
        let (node, pointer) = at("target");
        let Some(target) = action.text_of("target") else {
            return self.problem(
                node,
                &pointer,
                "`target` is missing".to_owned(),
                "say what is to be changed, for example `$.info`",
            );
        };
        let remove = action.value.get("remove").and_then(Value::as_bool) == Some(true);
        let update = action.field("update");
        if !remove && update.is_none() {
            return self.problem(
                action,
                place,
                "neither updates nor removes".to_owned(),
                "add `update` or `remove: true`",
            );
        }
        let places = Path::parse(target).and_then(|path| {
            let found = path.find(&description.value)?;
            Ok(found.into_iter().map(|found| found.steps).collect::<Vec<_>>())
        });
        let mut places = match places {
            Ok(places) => places,
            Err(why) => {
                let what = format!("{} {why}", quoted(target));
                return self.problem(node, &pointer, what, "write the path as RFC 9535 has it");
            }
        };
        if places.is_empty() {
            let what = format!("{} leads nowhere in `{}`", quoted(target), description.name);
            return self.problem(node, &pointer, what, "mend the target, or remove the action");
        }
        if remove {
            // From the end, so that what is removed does not move what is still to be.
            places.reverse();
            places.iter().for_each(|steps| description.remove(steps));
        } else if let Some(update) = update {
            for steps in &places {
                if let Err(why) = description.update(steps, update.value) {
                    let (node, pointer) = at("update");
                    self.problem(
                        node,
                        &pointer,
                        format!("{why}, at {} of `{}`", quoted(&pointer_of(steps)), description.name),
                        "change what is updated or where",
                    );
                }
            }
        }
    }

    fn problem(&mut self, node: Node<'_>, pointer: &str, what: String, fix: &str) {
        let (file, line, pointer) = (self.file.clone(), node.line(), pointer.to_owned());
        self.problems.push(Problem { file, line, pointer, what, fix: fix.to_owned() });
    }
}

fn pointer_of(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Name(name) => push_step(&mut text, name),
            Step::Index(at) => push_step(&mut text, &at.to_string()),
        }
    }
    text
}

impl Tree {
    /// The value at the end of a way, with its lines. `None` when an action before has taken it out.
    fn at(&mut self, steps: &[Step]) -> Option<(&mut Value, &mut Lines)> {
        let (mut value, mut lines) = (&mut self.value, &mut self.lines);
        for step in steps {
            let position = position(value, step)?;
            lines = lines.children.get_mut(position)?;
            value = match step {
                Step::Name(name) => value.get_mut(name)?,
                Step::Index(at) => value.get_mut(*at)?,
            };
        }
        Some((value, lines))
    }

    /// Takes out what is at the end of a way.
    pub(crate) fn remove(&mut self, steps: &[Step]) {
        let Some((last, before)) = steps.split_last() else { return self.clear() };
        let Some((value, lines)) = self.at(before) else { return };
        let Some(position) = position(value, last) else { return };
        match (value, last) {
            (Value::Object(members), Step::Name(name)) => drop(members.shift_remove(name)),
            (Value::Array(items), Step::Index(at)) => drop(items.remove(*at)),
            _ => return,
        }
        lines.children.remove(position);
    }

    fn clear(&mut self) {
        self.value = Value::Null;
        self.lines.children.clear();
    }

    /// Objects are merged, lists get one element more (Overlay 1.0, section 4.4.3).
    pub(crate) fn update(&mut self, steps: &[Step], with: &Value) -> Result<(), String> {
        let Some((value, lines)) = self.at(steps) else { return Ok(()) };
        match value {
            Value::Object(_) if with.is_object() => merge(value, lines, with),
            Value::Object(_) => return Err("is no object, and the target is one".to_owned()),
            Value::Array(items) => {
                items.push(with.clone());
                lines.children.push(lines_of(with, lines.line));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err("has a target that is neither an object nor a list".to_owned());
            }
        }
        if nodes(&self.value) > NODES_MAX {
            return Err(format!("makes the description hold more than {NODES_MAX} values"));
        }
        Ok(())
    }
}

fn position(value: &Value, step: &Step) -> Option<usize> {
    match (value, step) {
        (Value::Object(members), Step::Name(name)) => members.keys().position(|key| key == name),
        (Value::Array(items), Step::Index(at)) => (*at < items.len()).then_some(*at),
        _ => None,
    }
}

fn merge(value: &mut Value, lines: &mut Lines, with: &Value) {
    match (value, with) {
        (Value::Object(members), Value::Object(others)) => {
            for (name, other) in others {
                match members.keys().position(|key| key == name) {
                    Some(position) => {
                        if let (Some(value), Some(lines)) =
                            (members.get_mut(name), lines.children.get_mut(position))
                        {
                            merge(value, lines, other);
                        }
                    }
                    None => {
                        members.insert(name.clone(), other.clone());
                        lines.children.push(lines_of(other, lines.line));
                    }
                }
            }
        }
        (Value::Array(items), Value::Array(others)) => {
            items.extend(others.iter().cloned());
            let line = lines.line;
            lines.children.extend(others.iter().map(|other| lines_of(other, line)));
        }
        (value, other) => {
            *value = other.clone();
            *lines = lines_of(other, lines.line);
        }
    }
}

/// Lines of something that is laid over: all of them that of the place.
fn lines_of(value: &Value, line: u32) -> Lines {
    let children = match value {
        Value::Object(members) => members.values().map(|value| lines_of(value, line)).collect(),
        Value::Array(items) => items.iter().map(|value| lines_of(value, line)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    Lines { line, children }
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Object(members) => members.values().map(nodes).sum(),
        Value::Array(items) => items.iter().map(nodes).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::Description;

    const PETS: &str = "openapi: 3.1.0
info: {title: Pets, version: '1'}
tags: [{name: a}]
paths:
  /pets:
    get: {operationId: list, x-internal: false, responses: {'200': {description: all}}}
    delete: {x-internal: true, responses: {'204': {description: gone}}}
  /debug:
    get: {x-internal: true, responses: {'200': {description: state}}}
";

    fn read(actions: &str) -> Result<Description, Vec<String>> {
        let overlay = format!("overlay: 1.0.0\ninfo: {{title: o, version: '1'}}\nactions:\n{actions}");
        let documents = [Document::new("pets.yaml", PETS)];
        let overlays = [Document::new("public.yaml", overlay)];
        Description::read_overlaid(&documents, &overlays)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    fn keys(description: &Description) -> Vec<String> {
        description.operations.iter().map(|operation| operation.key.as_str().to_owned()).collect()
    }

    #[test]
    fn what_is_internal_is_left_out_and_what_is_missing_is_added() {
        let read = read(
            "- {target: \"$.paths[*][?@['x-internal'] == true]\", remove: true}
- {target: '$.info', update: {title: Pets of the public, description: by the publisher}}
- {target: '$.tags', update: {name: b}}
- {target: \"$.paths['/pets'].get\", update: {summary: All pets, responses: {'404': {description: none}}}}
",
        )
        .expect("a description");

        assert_eq!(keys(&read), ["GET /pets"]);
        assert_eq!((&*read.title, read.about.as_deref()), ("Pets of the public", Some("by the publisher")));
        assert_eq!(read.tags.len(), 2);
        let list = &read.operations[0];
        assert_eq!((list.id.as_deref(), list.summary.as_deref()), (Some("list"), Some("All pets")));
        assert_eq!((list.responses.len(), list.line), (2, 6));
    }

    #[test]
    fn what_is_wrong_with_an_overlay_is_told_with_its_line_and_place() {
        let problems = read(
            "- {target: '$.nothing', remove: true}
- {target: 'info', update: {}}
- {target: '$.info'}
- {target: '$.info.title', update: {a: b}}
- {target: '$.info', updat: {}, remove: true}
",
        )
        .expect_err("problems");

        assert_eq!(problems.len(), 5, "{problems:#?}");
        for (problem, (line, pointer, what)) in problems.iter().zip([
            (4, "/actions/0/target", "leads nowhere"),
            (5, "/actions/1/target", "character 1"),
            (6, "/actions/2", "neither updates nor removes"),
            (7, "/actions/3/update", "neither an object nor a list"),
            (8, "/actions/4/updat", "unknown"),
        ]) {
            assert!(problem.starts_with(&format!("  public.yaml:{line}  {pointer}\n")), "{problem}");
            assert!(problem.contains(what), "{problem}");
        }
    }

    #[test]
    fn what_an_overlay_breaks_is_told_where_it_was_laid() {
        let problems =
            read("- {target: \"$.paths['/pets'].get\", update: {parameters: [{name: a, in: nowhere}]}}\n")
                .expect_err("a problem");

        assert!(problems[0].starts_with("  pets.yaml:6  /paths/~1pets/get/parameters/0"), "{}", problems[0]);
    }
}
