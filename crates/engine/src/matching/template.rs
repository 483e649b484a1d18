//! Paths with parameters: `/pets/{}`, matched by a walk over segments.
//!
//! A template is what descriptions of APIs have instead of patterns. It says segment by segment what must stand there,
//! so a thousand of them cost what a path has segments, where a thousand expressions cost a thousand. Written segments
//! beat parameters, from the left; that is what OpenAPI asks for (3.1.1 section 4.8.8.2, "path templating matching").

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::host_table::Entry;
use crate::request::{HeaderView, RequestView};

/// What stands for a parameter, whatever its name.
const HOLE: &str = "{}";

/// A path with parameters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Template {
    text: Arc<str>,
    segments: Box<[Segment]>,
}

/// What one segment must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Segment {
    /// These bytes.
    Literal(Box<[u8]>),
    /// Anything but nothing.
    Parameter,
    /// Parameters between these, `{}.json`: pieces before, between and behind them.
    Mixed(Box<[Box<[u8]>]>),
}

impl Template {
    /// A template out of its text, in which `{}` stands for each parameter; `None` when it has none, or is no path.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let path = text.strip_prefix('/')?;
        if !path.contains(HOLE) {
            return None;
        }
        let segments = path.split('/').map(Segment::new).collect();
        Some(Template { text: text.into(), segments })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Whether a path fits; the slow way, for explanations and as the reference of the tests.
    #[must_use]
    pub fn covers(&self, path: &[u8]) -> bool {
        let Some(path) = path.strip_prefix(b"/") else { return false };
        let mut given = path.split(|byte| *byte == b'/');
        self.segments.iter().all(|segment| given.next().is_some_and(|part| segment.fits(part)))
            && given.next().is_none()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.text)
    }
}

impl Segment {
    fn new(text: &str) -> Self {
        if text == HOLE {
            return Segment::Parameter;
        }
        if !text.contains(HOLE) {
            return Segment::Literal(text.as_bytes().into());
        }
        Segment::Mixed(text.split(HOLE).map(|piece| piece.as_bytes().into()).collect())
    }

    fn fits(&self, part: &[u8]) -> bool {
        match self {
            Segment::Literal(text) => **text == *part,
            Segment::Parameter => !part.is_empty(),
            Segment::Mixed(pieces) => fits_pieces(pieces, part),
        }
    }
}

/// Whether something stands between all pieces. Each piece is taken where it first occurs, which misses nothing: what
/// is left for those behind it only grows.
fn fits_pieces(pieces: &[Box<[u8]>], part: &[u8]) -> bool {
    let [first, between @ .., last] = pieces else { return false };
    let Some(mut rest) = part.strip_prefix(&**first) else { return false };
    for piece in between {
        let at = rest.get(1..).and_then(|inner| memchr::memmem::find(inner, piece));
        match at {
            Some(at) => rest = &rest[1 + at + piece.len()..],
            None => return false,
        }
    }
    rest.strip_suffix(&**last).is_some_and(|value| !value.is_empty())
}

/// The entries of one host whose paths have parameters.
#[derive(Debug, Default)]
pub(super) struct Templates {
    nodes: Vec<Node>,
}

/// What stands around the parameters of a segment.
type Literals = Box<[Box<[u8]>]>;

/// What has been walked so far, and what may come next.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<[u8]>, u32, RandomState>,
    mixed: Vec<(Literals, u32)>,
    parameter: Option<u32>,
    /// Entries that end here, by precedence.
    entries: Vec<Entry>,
}

impl Templates {
    /// Adds an entry; those of one template come by precedence.
    pub(super) fn insert(&mut self, template: &Template, entry: Entry) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0;
        for segment in &template.segments {
            at = self.step(at, segment);
        }
        self.nodes[at as usize].entries.push(entry);
    }

    fn step(&mut self, at: u32, segment: &Segment) -> u32 {
        let fresh = u32::try_from(self.nodes.len()).expect("fewer than four billion segments under one host");
        let node = &mut self.nodes[at as usize];
        let next = match segment {
            Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(fresh),
            Segment::Parameter => *node.parameter.get_or_insert(fresh),
            Segment::Mixed(pieces) => match node.mixed.iter().find(|(known, _)| known == pieces) {
                Some((_, next)) => *next,
                None => {
                    node.mixed.push((pieces.clone(), fresh));
                    // More that is written says more exactly what is meant.
                    let written =
                        |pieces: &[Box<[u8]>]| pieces.iter().map(|piece| piece.len()).sum::<usize>();
                    node.mixed.sort_by_key(|(pieces, _)| std::cmp::Reverse(written(pieces)));
                    fresh
                }
            },
        };
        if next == fresh {
            self.nodes.push(Node::default());
        }
        next
    }

    /// The first entry that a request fits: written segments first, from the left.
    pub(super) fn find<H: HeaderView>(&self, request: &RequestView<'_, H>) -> Option<&Entry> {
        if self.nodes.is_empty() {
            return None;
        }
        self.walk(0, request.path.strip_prefix(b"/")?, request)
    }

    /// Goes as deep as templates do, whatever a request has, and sees each of their nodes at most once.
    fn walk<H: HeaderView>(&self, at: u32, path: &[u8], request: &RequestView<'_, H>) -> Option<&Entry> {
        let node = self.nodes.get(at as usize)?;
        let end = memchr::memchr(b'/', path);
        let (part, rest) = end.map_or((path, None), |end| (&path[..end], Some(&path[end + 1..])));
        let literal = node.literals.get(part).copied();
        let mixed = node.mixed.iter().filter(|(pieces, _)| fits_pieces(pieces, part)).map(|(_, next)| *next);
        let parameter = node.parameter.filter(|_| !part.is_empty());
        literal.into_iter().chain(mixed).chain(parameter).find_map(|next| match rest {
            Some(rest) => self.walk(next, rest, request),
            None => {
                self.nodes.get(next as usize)?.entries.iter().find(|entry| entry.requirements.hold(request))
            }
        })
    }

    /// Every entry, in no order that means anything.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.nodes.iter().flat_map(|node| &node.entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(template: &str, path: &str) -> bool {
        Template::new(template).expect("a template").covers(path.as_bytes())
    }

    #[test]
    fn a_parameter_is_one_segment_and_never_nothing() {
        assert!(covers("/pets/{}", "/pets/1") && covers("/pets/{}/toys", "/pets/1/toys"));
        assert!(!covers("/pets/{}", "/pets/") && !covers("/pets/{}", "/pets"));
        assert!(!covers("/pets/{}", "/pets/1/2") && !covers("/pets/{}", "/pets/1/"));
        assert!(!covers("/pets/{}", "/Pets/1"));
    }

    #[test]
    fn a_segment_may_have_words_around_its_parameters() {
        assert!(covers("/files/{}.json", "/files/a.json") && covers("/{}-{}", "/a-b-c"));
        assert!(covers("/v{}/x", "/v1/x"));
        assert!(!covers("/files/{}.json", "/files/.json") && !covers("/files/{}.json", "/files/a.xml"));
        assert!(!covers("/{}-{}", "/a-") && !covers("/{}-{}", "/-b") && !covers("/{}-{}", "/ab"));
    }

    #[test]
    fn what_has_no_parameter_is_no_template() {
        assert_eq!(Template::new("/pets"), None);
        assert_eq!(Template::new("pets/{}"), None);
    }
}
