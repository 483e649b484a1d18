//! Where values stand in a text, to the byte: what a program mends in a file that people write, it mends there, and
//! every other byte stays as it was, comments and order included.
//!
//! Read beside the tree, and only when something is to be changed. JSON is read as well: it is a part of YAML.

use std::ops::Range;

use granit_parser::{Event, Parser, Span, StrInput, StructureStyle};

use super::DEPTH_MAX;

/// A text with the places of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The value of its one document.
    pub root: Place,
    /// Its comments, from the mark to the end of their lines.
    pub comments: Vec<Range<usize>>,
}

/// A value's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From its first byte to behind its last.
    pub bytes: Range<usize>,
    /// What is in it.
    pub inner: Inner,
}

/// What is in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inner {
    /// Nothing: a word, or an alias.
    Word,
    /// Elements.
    List {
        /// Whether it stands in brackets.
        flow: bool,
        /// The elements, in order.
        elements: Vec<Place>,
    },
    /// Fields.
    Object {
        /// Whether it stands in braces.
        flow: bool,
        /// The fields, in order.
        fields: Vec<Field>,
    },
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The bytes of its name, quotes included.
    pub key: Range<usize>,
    /// Its value.
    pub value: Place,
}

impl Place {
    /// The field of a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Place> {
        match &self.inner {
            Inner::Object { fields, .. } => {
                fields.iter().find(|field| field.name == name).map(|field| &field.value)
            }
            Inner::Word | Inner::List { .. } => None,
        }
    }

    /// The element at a position.
    #[must_use]
    pub fn element(&self, position: usize) -> Option<&Place> {
        match &self.inner {
            Inner::List { elements, .. } => elements.get(position),
            Inner::Word | Inner::Object { .. } => None,
        }
    }
}

/// The places of a text that holds one document; `None` where they cannot be told: the text is no YAML, nested too
/// deeply, or has keys that are no words.
#[must_use]
pub fn places(text: &str) -> Option<Places> {
    let options = granit_parser::options! {
        flow_nesting_limit: DEPTH_MAX + 1,
        block_nesting_limit: DEPTH_MAX + 1,
    };
    let mut reader =
        Reader { parser: Parser::new_from_str_with_options(text, options), comments: Vec::new(), depth: 0 };
    let root = loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (event, bytes) => break reader.place(&event, bytes)?,
        }
    };
    while !matches!(reader.next()?, (Event::StreamEnd, _)) {}
    Some(Places { root, comments: reader.comments })
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    comments: Vec<Range<usize>>,
    depth: usize,
}

impl<'t> Reader<'t> {
    /// The next event that is no comment.
    fn next(&mut self) -> Option<(Event<'t>, Range<usize>)> {
        loop {
            let (event, span) = self.parser.next_event()?.ok()?;
            let bytes = bytes_of(&span)?;
            match event {
                Event::Comment(..) => self.comments.push(bytes),
                event => return Some((event, bytes)),
            }
        }
    }

    fn place(&mut self, event: &Event<'t>, bytes: Range<usize>) -> Option<Place> {
        match event {
            Event::Scalar(..) | Event::Alias(_) => Some(Place { bytes, inner: Inner::Word }),
            Event::SequenceStart(style, ..) => {
                self.nested(|reader| reader.list(bytes.start, is_flow(*style)))
            }
            Event::MappingStart(style, ..) => {
                self.nested(|reader| reader.object(bytes.start, is_flow(*style)))
            }
            _ => None,
        }
    }

    fn list(&mut self, start: usize, flow: bool) -> Option<Place> {
        let mut elements: Vec<Place> = Vec::new();
        loop {
            let (event, bytes) = self.next()?;
            if event == Event::SequenceEnd {
                let last = elements.last().map_or(start, |last| last.bytes.end);
                let bytes = start..if flow { bytes.end } else { last };
                return Some(Place { bytes, inner: Inner::List { flow, elements } });
            }
            elements.push(self.place(&event, bytes)?);
        }
    }

    fn object(&mut self, start: usize, flow: bool) -> Option<Place> {
        let mut fields: Vec<Field> = Vec::new();
        loop {
            let (event, bytes) = self.next()?;
            let (name, key) = match event {
                Event::MappingEnd => {
                    let last = fields.last().map_or(start, |last| last.value.bytes.end);
                    let bytes = start..if flow { bytes.end } else { last };
                    return Some(Place { bytes, inner: Inner::Object { flow, fields } });
                }
                Event::Scalar(name, ..) => (name.into_owned(), bytes),
                _ => return None,
            };
            let (event, bytes) = self.next()?;
            let mut value = self.place(&event, bytes)?;
            if value.bytes.is_empty() {
                value.bytes = key.end..key.end; // nothing is written; where that stands is the parser's guess
            }
            fields.push(Field { name, key, value });
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Option<Place>) -> Option<Place> {
        self.depth += 1;
        let place = if self.depth > DEPTH_MAX { None } else { read(self) };
        self.depth -= 1;
        place
    }
}

fn is_flow(style: StructureStyle) -> bool {
    matches!(style, StructureStyle::Flow)
}

fn bytes_of(span: &Span) -> Option<Range<usize>> {
    Some(span.start.byte_offset()?..span.end.byte_offset()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# häufig\na:\n  - b: 'ü' # old\n    c: {d: [1, \"x\"]}\n  - |\n    text\nlast:\n";

    fn at(place: &Place) -> &str {
        &TEXT[place.bytes.clone()]
    }

    #[test]
    fn every_value_is_found_by_its_bytes() {
        let places = places(TEXT).expect("places");
        let first = places.root.field("a").and_then(|list| list.element(0)).expect("the first");

        assert_eq!(first.field("b").map(at), Some("'ü'"));
        assert_eq!(first.field("c").map(at), Some("{d: [1, \"x\"]}"));
        let list = first.field("c").and_then(|object| object.field("d")).expect("a list");
        assert_eq!((at(list), list.element(1).map(at)), ("[1, \"x\"]", Some("\"x\"")));
        assert_eq!(at(first), "b: 'ü' # old\n    c: {d: [1, \"x\"]}");
        assert_eq!(places.root.field("last").map(at), Some(""));
        let comments: Vec<&str> = places.comments.iter().map(|comment| &TEXT[comment.clone()]).collect();
        assert_eq!(comments, ["# häufig", "# old"]);
    }

    #[test]
    fn what_is_no_yaml_has_no_places() {
        assert_eq!(places("a: [1"), None);
        assert_eq!(places("{? [a]: 1}"), None);
        assert_eq!(places(&"[".repeat(10_000)), None);
    }
}
