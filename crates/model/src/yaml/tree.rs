//! Text to located trees, within a budget.
//!
//! Events of the parser become JSON values with a line beside every one of them. Size, depth, number of values
//! and what aliases may repeat are bounded *before* memory is spent. A key that stands twice is a violation, not
//! a silent winner.

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::{ALIAS_BYTES_MAX, ALIAS_NODES_MAX, DEPTH_MAX, NODES_MAX, scalar};
use crate::path::{FieldPath, Step};
use crate::resource::Lines;
use crate::violation::Problem;

/// A problem at a place of a document, found before anybody knows what the document is.
pub struct Fault {
    pub line: u32,
    pub field: FieldPath,
    pub problem: Problem,
}

/// One document of a file.
pub struct Document {
    pub value: Value,
    pub lines: Lines,
    pub faults: Vec<Fault>,
    /// Whether the text could be read up to the end of the document.
    pub whole: bool,
}

/// All documents of a text, one at a time: a tree takes many times the room of its text. After text that is no YAML
/// there is one last document that holds the fault.
pub fn documents(text: &str) -> impl Iterator<Item = Document> {
    documents_within(text, NODES_MAX)
}

/// All documents of a text that may hold this many values.
pub fn documents_within(text: &str, nodes_max: usize) -> impl Iterator<Item = Document> {
    documents_by(text, nodes_max, scalar::plain)
}

/// What a plain word means.
pub type Words = fn(&str) -> Result<Value, Problem>;

/// All documents of a text that may hold this many values, with words that mean what `words` says.
pub fn documents_by(text: &str, nodes_max: usize, words: Words) -> impl Iterator<Item = Document> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: DEPTH_MAX + 1,
        block_nesting_limit: DEPTH_MAX + 1,
    };
    let mut builder = Builder {
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        at: FieldPath::root(),
        words,
        depth: 0,
        nodes_left: nodes_max,
        nodes_max,
        alias_nodes_left: ALIAS_NODES_MAX,
        alias_bytes_left: ALIAS_BYTES_MAX,
        faults: Vec::new(),
    };
    let mut ended = false;
    std::iter::from_fn(move || {
        let document = if ended { None } else { builder.document() };
        ended = document.as_ref().is_none_or(|document| !document.whole);
        document
    })
}

/// Reading cannot go on; the reason stands among the faults.
struct Stop;

/// A subtree under an anchor, with what repeating it costs.
struct Anchored {
    value: Value,
    lines: Lines,
    nodes: usize,
    bytes: usize,
    depth: usize,
}

struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Option<Rc<Anchored>>>,
    at: FieldPath,
    words: Words,
    depth: usize,
    nodes_left: usize,
    nodes_max: usize,
    alias_nodes_left: usize,
    alias_bytes_left: usize,
    faults: Vec<Fault>,
}

impl<'t> Builder<'t> {
    /// The next document, or nothing at the end of the text.
    fn document(&mut self) -> Option<Document> {
        let root = loop {
            match self.next() {
                Ok(None) => return None,
                Ok(Some((
                    Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd | Event::Comment(..),
                    _,
                ))) => {}
                Ok(Some((Event::StreamEnd, _))) => return None,
                Ok(Some((event, span))) => break self.node(event, span),
                Err(Stop) => break Err(Stop),
            }
        };
        self.anchors.clear();
        self.at = FieldPath::root();
        self.depth = 0;
        let whole = root.is_ok();
        let (value, lines) = root.unwrap_or_default();
        Some(Document { value, lines, faults: std::mem::take(&mut self.faults), whole })
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Stop> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(fault)) => Err(self.not_yaml(&fault)),
        }
    }

    /// The next event where the grammar promises one.
    fn must(&mut self) -> Result<(Event<'t>, Span), Stop> {
        loop {
            match self.next()? {
                Some((Event::Comment(..), _)) => {}
                Some(event) => return Ok(event),
                None => return Err(Stop),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<(Value, Lines), Stop> {
        let line = line_of(&span);
        self.charge(1, line)?;
        let anchor = event.anchor_id();
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, None); // an alias inside of its own anchor has no end
        }
        let before = self.nodes_left;
        let (value, lines) = match event {
            Event::Scalar(text, style, _, tag) => {
                (self.scalar(&text, style, tag.as_deref(), line), leaf(line))
            }
            Event::SequenceStart(_, _, tag) => {
                self.collection_tag(tag.as_deref(), "tag:yaml.org,2002:seq", line);
                self.nested(line, |builder| builder.list(line))?
            }
            Event::MappingStart(_, _, tag) => {
                self.collection_tag(tag.as_deref(), "tag:yaml.org,2002:map", line);
                self.nested(line, |builder| builder.object(line))?
            }
            Event::Alias(anchor) => return self.alias(anchor, line),
            _ => return Err(Stop),
        };
        if let Some(anchor) = anchor {
            let kept = Anchored {
                nodes: before - self.nodes_left + 1,
                bytes: bytes_of(&value),
                depth: depth_of(&value),
                value: value.clone(),
                lines: lines.clone(),
            };
            self.anchors.insert(anchor, Some(Rc::new(kept)));
        }
        Ok((value, lines))
    }

    fn list(&mut self, line: u32) -> Result<(Value, Lines), Stop> {
        let (mut elements, mut lines) = (Vec::new(), leaf(line));
        loop {
            let (event, span) = self.must()?;
            if event == Event::SequenceEnd {
                return Ok((Value::Array(elements), lines));
            }
            self.at.push(Step::Index(elements.len()));
            let (element, inner) = self.node(event, span)?;
            self.at.pop();
            elements.push(element);
            lines.children.push(inner);
        }
    }

    fn object(&mut self, line: u32) -> Result<(Value, Lines), Stop> {
        let (mut map, mut lines) = (Map::new(), leaf(line));
        loop {
            let (event, span) = self.must()?;
            if event == Event::MappingEnd {
                return Ok((Value::Object(map), lines));
            }
            let key_line = line_of(&span);
            // In quotes it is a name like any other.
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if *text == "<<");
            let key = self.key(event, span)?;
            let (event, span) = self.must()?;
            self.at.push(Step::Field(key.as_deref().unwrap_or("?").into()));
            let (value, mut inner) = self.node(event, span)?;
            inner.line = key_line;
            match key.map(|key| map.entry(key)) {
                None => {}
                Some(_) if is_merge => {
                    self.fault(key_line, Problem::new("merges are not read").remedy("write the fields out"));
                }
                Some(Entry::Occupied(known)) => {
                    let key = known.key().clone();
                    let first =
                        map.keys().position(|known| *known == key).map_or(0, |at| lines.children[at].line);
                    let problem = Problem::new(format!("`{key}` stands on line {first} already"));
                    self.fault(key_line, problem.remedy("remove one of the two"));
                }
                Some(Entry::Vacant(free)) => {
                    free.insert(value);
                    lines.children.push(inner);
                }
            }
            self.at.pop();
        }
    }

    /// The text of a key; `None` for a key that is no text, which is a fault.
    fn key(&mut self, event: Event<'t>, span: Span) -> Result<Option<String>, Stop> {
        let line = line_of(&span);
        match event {
            Event::Scalar(text, _, 0, _) => {
                self.charge(1, line)?;
                Ok(Some(text.into_owned()))
            }
            other => {
                let anchored_text = matches!(other, Event::Scalar(..));
                let (value, _) = self.node(other, span)?;
                match value {
                    Value::String(text) if anchored_text => Ok(Some(text)),
                    _ => {
                        self.fault(
                            line,
                            Problem::new("a key must be a plain word").remedy("write `name: value`"),
                        );
                        Ok(None)
                    }
                }
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, line: u32) -> Value {
        let is_plain = matches!(style, ScalarStyle::Plain);
        let read = match tag.map(|tag| tag.core_suffix().unwrap_or("")) {
            None if is_plain => (self.words)(text),
            None | Some("str") => Ok(Value::String(text.to_owned())),
            Some("int" | "bool" | "null" | "float") => (self.words)(text),
            Some(_) => Err(Problem::new("has a tag that is not read").remedy("remove the tag")),
        };
        read.unwrap_or_else(|problem| {
            self.fault(line, problem);
            Value::String(text.to_owned()) // keeps its place, so that the rest is checked as well
        })
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, expected: &str, line: u32) {
        let suffix = expected.rsplit(':').next();
        if tag.is_some_and(|tag| tag.core_suffix() != suffix) {
            self.fault(line, Problem::new("has a tag that is not read").remedy("remove the tag"));
        }
    }

    fn alias(&mut self, anchor: usize, line: u32) -> Result<(Value, Lines), Stop> {
        let Some(Some(anchored)) = self.anchors.get(&anchor).cloned() else {
            self.fault(
                line,
                Problem::new("the alias repeats what it is part of").remedy("write the value out"),
            );
            return Ok((Value::Null, leaf(line)));
        };
        self.charge(anchored.nodes, line)?;
        let bomb = || Problem::new("aliases repeat too much").remedy("write the values out");
        let (Some(nodes), Some(bytes)) = (
            self.alias_nodes_left.checked_sub(anchored.nodes),
            self.alias_bytes_left.checked_sub(anchored.bytes),
        ) else {
            return Err(self.stop(line, bomb()));
        };
        (self.alias_nodes_left, self.alias_bytes_left) = (nodes, bytes);
        if self.depth + anchored.depth > DEPTH_MAX {
            return Err(self.stop(line, too_deep()));
        }
        Ok((anchored.value.clone(), anchored.lines.clone()))
    }

    fn nested<T>(&mut self, line: u32, read: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.stop(line, too_deep()));
        }
        let inner = read(self)?;
        self.depth -= 1;
        Ok(inner)
    }

    fn charge(&mut self, nodes: usize, line: u32) -> Result<(), Stop> {
        match self.nodes_left.checked_sub(nodes) {
            Some(left) => {
                self.nodes_left = left;
                Ok(())
            }
            None => {
                let problem = Problem::new(format!("the file holds more than {} values", self.nodes_max));
                Err(self.stop(line, problem.remedy("split the file")))
            }
        }
    }

    fn not_yaml(&mut self, fault: &ScanError) -> Stop {
        let line = u32::try_from(fault.marker().line()).unwrap_or(u32::MAX);
        let problem = match fault.kind() {
            ErrorKind::RecursionLimitExceeded => too_deep(),
            _ => Problem::new(format!("is not YAML: {}", fault.info())),
        };
        self.stop(line, problem)
    }

    fn stop(&mut self, line: u32, problem: Problem) -> Stop {
        self.fault(line, problem);
        Stop
    }

    fn fault(&mut self, line: u32, problem: Problem) {
        if self.faults.len() < crate::violation::VIOLATIONS_KEPT_MAX {
            self.faults.push(Fault { line, field: self.at.clone(), problem });
        }
    }
}

fn too_deep() -> Problem {
    Problem::new(format!("is nested deeper than {DEPTH_MAX} levels"))
}

fn line_of(span: &Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(u32::MAX)
}

fn leaf(line: u32) -> Lines {
    Lines { line, children: Vec::new() }
}

/// Bytes of text in a tree. The depth of trees is bounded, so this ends.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(bytes_of).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + bytes_of(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth_of).max().unwrap_or(0),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
