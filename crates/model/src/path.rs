//! Where in an object a fact stands: `spec.rules[0].backendRefs[1].name`.
//!
//! A path is written in messages, sent in API answers and looked up in the line table of a file, so it stays a
//! list of steps and is only turned into text at the end.

use std::fmt;
use std::sync::Arc;

/// One step from an object or list to something inside of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// A field of an object, or a key of a map.
    Field(Arc<str>),
    /// A position in a list.
    Index(usize),
}

/// A path from the root of a resource to one field of it. Empty means the resource as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath(Vec<Step>);

impl FieldPath {
    /// The resource as a whole.
    #[must_use]
    pub fn root() -> Self {
        FieldPath::default()
    }

    /// Reads back what was shown of a path, such as `spec.rules[0].backendRefs[1].name`. What is no path leads to the
    /// nearest thing that is one.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let (mut path, mut rest) = (FieldPath::root(), text);
        while !rest.is_empty() {
            let read =
                if let Some(inside) = rest.strip_prefix('[') { bracketed(inside) } else { plain(rest) };
            let Some((step, behind)) = read else { break };
            path.push(step);
            rest = behind;
        }
        path
    }

    /// The path of a field of what this path leads to.
    #[must_use]
    pub fn field(&self, name: impl Into<Arc<str>>) -> Self {
        self.with(Step::Field(name.into()))
    }

    /// The path of an element of the list this path leads to.
    #[must_use]
    pub fn index(&self, position: usize) -> Self {
        self.with(Step::Index(position))
    }

    /// The steps from the root.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The last step's field name, if it is one.
    #[must_use]
    pub fn last_field(&self) -> Option<&str> {
        match self.0.last()? {
            Step::Field(name) => Some(name),
            Step::Index(_) => None,
        }
    }

    /// Goes one step down in place; for walkers that visit many fields and report few.
    pub fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    /// Undoes the last [`FieldPath::push`].
    pub fn pop(&mut self) {
        self.0.pop();
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push(step);
        FieldPath(steps)
    }
}

/// `0]…` or `"app.example/name"]…`
fn bracketed(text: &str) -> Option<(Step, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (name, rest) = quoted.split_once("\"]")?;
        return Some((Step::Field(name.into()), rest));
    }
    let (index, rest) = text.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), rest))
}

/// `spec.…`, `.spec…` or `rules[…`
fn plain(text: &str) -> Option<(Step, &str)> {
    let text = text.strip_prefix('.').unwrap_or(text);
    let (name, rest) = text.split_at(text.find(['.', '[']).unwrap_or(text.len()));
    (!name.is_empty()).then(|| (Step::Field(name.into()), rest))
}

/// Keys that hold other characters (labels, annotations) are shown in brackets, so that a path reads one way.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(name) if !is_plain(name) => write!(f, "[{name:?}]")?,
                Step::Field(name) if position == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_people_write_it() {
        let name = FieldPath::root()
            .field("spec")
            .field("rules")
            .index(0)
            .field("backendRefs")
            .index(1)
            .field("name");

        assert_eq!(name.to_string(), "spec.rules[0].backendRefs[1].name");
        assert_eq!(name.last_field(), Some("name"));
        assert_eq!(FieldPath::root().to_string(), "");
    }

    #[test]
    fn a_path_is_read_back_from_its_text() {
        for text in
            ["", "spec", "spec.rules[0].backendRefs[1].name", r#"metadata.labels["app.example/name"].x"#]
        {
            assert_eq!(FieldPath::read(text).to_string(), text);
        }
        assert_eq!(FieldPath::read("spec.rules[x].name").to_string(), "spec.rules");
    }

    #[test]
    fn a_key_with_dots_cannot_be_mistaken_for_a_path() {
        let label = FieldPath::root().field("metadata").field("labels").field("app.example/name");

        assert_eq!(label.to_string(), r#"metadata.labels["app.example/name"]"#);
    }
}
