//! A value of a document together with its place.

use model::resource::Lines;
use serde_json::Value;

/// A value of a document. Two nodes are the same when they stand at the same place.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    /// Which document of the upload.
    pub document: usize,
    /// The value.
    pub value: &'a Value,
    /// Lines of the value and of what is in it.
    pub lines: &'a Lines,
}

static NO_LINES: Lines = Lines { line: 0, children: Vec::new() };

impl<'a> Node<'a> {
    /// What tells this value from every other of the upload.
    pub fn address(&self) -> usize {
        std::ptr::from_ref(self.value) as usize
    }

    /// The line it begins on; for a field, that of its key.
    pub fn line(&self) -> u32 {
        self.lines.line
    }

    /// A field of an object.
    pub fn field(&self, name: &str) -> Option<Node<'a>> {
        let position = self.value.as_object()?.keys().position(|key| key == name)?;
        let value = self.value.get(name)?;
        Some(self.inner(position, value))
    }

    /// The fields of an object in the order written; none of anything else.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> + use<'a> {
        let node = *self;
        let fields = node.value.as_object().into_iter().flatten().enumerate();
        fields.map(move |(position, (key, value))| (key.as_str(), node.inner(position, value)))
    }

    /// The elements of a list; none of anything else.
    pub fn items(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let node = *self;
        let items = node.value.as_array().into_iter().flatten().enumerate();
        items.map(move |(position, value)| node.inner(position, value))
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The text of a field that is a string.
    pub fn text_of(&self, name: &str) -> Option<&'a str> {
        self.value.get(name)?.as_str()
    }

    fn inner(&self, position: usize, value: &'a Value) -> Node<'a> {
        Node { document: self.document, value, lines: self.lines.children.get(position).unwrap_or(&NO_LINES) }
    }
}
