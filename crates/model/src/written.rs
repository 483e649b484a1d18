//! An object as it was written, packed.
//!
//! Requests never ask for it: it is shown, compared after an edit, and asked for the line of a field now and then.
//! So it is kept small instead of handy. A tree of values with a tree of lines beside it takes fifteen times the
//! room of what stands here: one text, and one number a node.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::path::{FieldPath, Step};
use crate::resource::{Lines, moved_line};

/// The whole of an object with its defaults filled in, and the line of each of its fields.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    json: Box<str>,
    /// A line for every node of the tree in the order of the text; 0 for what nobody wrote. None at all when nobody
    /// wrote any of it into a file.
    lines: Box<[u32]>,
}

impl Written {
    /// Packs a tree with its lines.
    #[must_use]
    pub fn new(value: &Value, lines: &Lines) -> Self {
        let mut numbers = Vec::new();
        number(value, Some(lines), &mut numbers);
        if numbers.iter().all(|line| *line == 0) {
            numbers.clear();
        }
        Written { json: value.to_string().into(), lines: numbers.into_boxed_slice() }
    }

    /// Nothing, for whoever acts on objects and never shows them.
    #[must_use]
    pub fn nothing() -> Self {
        Written { json: Box::default(), lines: Box::default() }
    }

    /// The tree as JSON.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The tree.
    #[must_use]
    pub fn value(&self) -> Value {
        // The text was made from a tree and never changed since.
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    /// The tree without the fields that nobody wrote, which defaults filled in: what to say to somebody who fills
    /// them in alike. Of an object that was read from no file, nothing is known to be written.
    #[must_use]
    pub fn as_written(&self) -> Value {
        let mut value = self.value();
        let mut lines = self.lines.iter();
        lines.next();
        leave_written(&mut value, &mut lines);
        value
    }

    /// The line of a field, or of the nearest thing around it that was written.
    #[must_use]
    pub fn line_of(&self, field: &FieldPath) -> u32 {
        let mut walk = Walk { lines: self.lines.iter(), nearest: 0 };
        let root = Node { walk: &mut walk, path: Some(field.steps()) };
        let _whole = root.deserialize(&mut serde_json::Deserializer::from_str(&self.json));
        walk.nearest
    }

    /// Moves all that was written some lines down its file, or up.
    pub(crate) fn move_lines(&mut self, by: i64) {
        for line in self.lines.iter_mut().filter(|line| **line != 0) {
            *line = moved_line(*line, by);
        }
    }

    /// Whether every part stands on the line on which the other one's stood.
    pub(crate) fn has_lines_of(&self, before: &Written) -> bool {
        self.lines == before.lines
    }

    /// Whether both were written the same, the other one so many lines further up.
    pub(crate) fn is_moved(&self, before: &Written, by: i64) -> bool {
        let moved = |line: u32| if line == 0 { 0 } else { moved_line(line, by) };
        self.json == before.json
            && self.lines.iter().copied().eq(before.lines.iter().map(|line| moved(*line)))
    }

    /// Whether both want the same, whatever is told about them and in whatever order it is written.
    #[must_use]
    pub fn wants_the_same(&self, other: &Written) -> bool {
        self.json == other.json || self.wanted() == other.wanted()
    }

    /// The part that is wanted rather than told about it.
    fn wanted(&self) -> Value {
        let mut value = self.value();
        if let Value::Object(map) = &mut value {
            map.retain(|key, _| !matches!(key.as_str(), "metadata" | "status"));
        }
        value
    }
}

impl fmt::Debug for Written {
    /// Its size only: it may hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").field("bytes", &self.json.len()).finish_non_exhaustive()
    }
}

fn number(value: &Value, lines: Option<&Lines>, numbers: &mut Vec<u32>) {
    numbers.push(lines.map_or(0, |lines| lines.line));
    let child = |position| lines.and_then(|lines: &Lines| lines.children.get(position));
    match value {
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(at, element)| number(element, child(at), numbers));
        }
        Value::Object(map) => {
            map.values().enumerate().for_each(|(at, field)| number(field, child(at), numbers));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Takes out the fields without a line, whose numbers come in the order of the text.
fn leave_written(value: &mut Value, lines: &mut std::slice::Iter<'_, u32>) {
    match value {
        Value::Array(elements) => {
            for element in elements {
                lines.next();
                leave_written(element, lines);
            }
        }
        Value::Object(map) => map.retain(|_, field| {
            let is_written = lines.next().is_some_and(|line| *line != 0);
            leave_written(field, lines);
            is_written
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A walk through the text, one line further with every node.
struct Walk<'w> {
    lines: std::slice::Iter<'w, u32>,
    /// Line of the deepest node on the path so far that was written.
    nearest: u32,
}

/// The next node of a walk.
struct Node<'n, 'w> {
    walk: &'n mut Walk<'w>,
    /// What is left of the path; `None` off the path.
    path: Option<&'n [Step]>,
}

impl<'n> Node<'n, '_> {
    /// The path below this node for the children to whom its next step leads.
    fn below(&self, is_next: impl FnOnce(&Step) -> bool) -> Option<&'n [Step]> {
        let (next, rest) = self.path?.split_first()?;
        is_next(next).then_some(rest)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<(), D::Error> {
        let line = self.walk.lines.next().copied().unwrap_or(0);
        if self.path.is_some() && line != 0 {
            self.walk.nearest = line;
        }
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        for position in 0.. {
            let path = self.below(|step| matches!(step, Step::Index(at) if *at == position));
            if elements.next_element_seed(Node { walk: self.walk, path })?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(key) = fields.next_key::<String>()? {
            let path = self.below(|step| matches!(step, Step::Field(name) if **name == *key));
            fields.next_value_seed(Node { walk: self.walk, path })?;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn leaf(line: u32, children: Vec<Lines>) -> Lines {
        Lines { line, children }
    }

    fn packed(value: &Value) -> Written {
        Written::new(value, &Lines::default())
    }

    #[test]
    fn a_field_is_found_behind_everything_that_stands_before_it() {
        let tree = json!({"a": [null, true, -1, 2.5, {"\"b\"": "x"}], "c": {"d": "e"}});
        let list = (3..=7).map(|line| leaf(line, vec![leaf(8, vec![])])).collect();
        let lines = leaf(1, vec![leaf(2, list), leaf(9, vec![leaf(10, vec![])])]);
        let written = Written::new(&tree, &lines);
        let root = FieldPath::root();

        assert_eq!(written.line_of(&root.field("a").index(3)), 6);
        assert_eq!(written.line_of(&root.field("a").index(4).field("\"b\"")), 8);
        assert_eq!(written.line_of(&root.field("c").field("d")), 10);
        assert_eq!(written.value(), tree);
    }

    #[test]
    fn a_field_that_was_not_written_has_the_line_of_what_is_around_it() {
        let tree = json!({"spec": {"rules": [{"name": "a"}], "filled": 1}});
        let lines = leaf(1, vec![leaf(2, vec![leaf(3, vec![leaf(4, vec![leaf(5, vec![])])])])]);
        let written = Written::new(&tree, &lines);
        let spec = FieldPath::root().field("spec");
        let rule = spec.field("rules").index(0);

        for (field, line) in [
            (rule.field("name"), 5),
            (rule.field("absent"), 4),
            (spec.field("rules").index(7), 3),
            (spec.field("filled"), 2),
            (FieldPath::root(), 1),
        ] {
            assert_eq!(written.line_of(&field), line, "{field}");
            assert_eq!(lines.find(&tree, &field), line, "{field} in the tree");
        }
    }

    #[test]
    fn what_defaults_filled_in_was_not_written() {
        let tree =
            json!({"spec": {"rules": [{"name": "a", "weight": 1}], "filled": [{"b": 1}]}, "status": {}});
        let lines = leaf(1, vec![leaf(2, vec![leaf(3, vec![leaf(4, vec![leaf(5, vec![])])])])]);

        assert_eq!(Written::new(&tree, &lines).as_written(), json!({"spec": {"rules": [{"name": "a"}]}}));
    }

    #[test]
    fn what_is_told_about_an_object_is_not_what_it_wants() {
        let wanted = packed(&json!({"metadata": {"name": "a"}, "spec": {"a": 1, "b": 2}}));

        assert!(wanted.wants_the_same(&packed(&json!({"spec": {"b": 2, "a": 1}, "status": {"c": 3}}))));
        assert!(!wanted.wants_the_same(&packed(&json!({"spec": {"a": 1, "b": 3}}))));
    }
}
