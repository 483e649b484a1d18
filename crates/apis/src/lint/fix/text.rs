//! Changes of a text: a piece goes, or a piece comes in, in the style of what stands around it.
//!
//! Whatever would take a comment along, or leave something empty behind, is not done.

use std::ops::Range;

use model::yaml::places::{Field, Inner, Place, Places};
use serde_json::{Map, Value};

use super::Change;
use crate::jsonpath::Step;

/// Bytes that are replaced.
#[derive(Debug)]
pub struct Cut {
    bytes: Range<usize>,
    with: String,
}

/// The cut that makes a change, or why there is none.
pub fn cut(text: &str, places: &Places, target: &[Step], change: &Change) -> Result<Cut, &'static str> {
    let page = Page { text, places, end: if text.contains("\r\n") { "\r\n" } else { "\n" } };
    match change {
        Change::Field(name, value) => page.field(page.at(target)?, name, value),
        Change::Element(value) => page.element(page.at(target)?, value),
        Change::Removal => {
            let Some((last, before)) = target.split_last() else { return Err(NO_PLACE) };
            page.kept(page.removal(page.at(before)?, last)?)
        }
    }
}

/// A text after all cuts; `None` when two of them touch each other.
pub fn apply(text: &str, mut cuts: Vec<Cut>) -> Option<String> {
    // Pieces that come in at one place stay in the order in which they were asked for.
    cuts.sort_by_key(|cut| cut.bytes.start);
    let (mut changed, mut at) = (String::with_capacity(text.len() + 64 * cuts.len()), 0);
    for cut in cuts {
        changed.push_str(text.get(at..cut.bytes.start)?);
        changed.push_str(&cut.with);
        at = cut.bytes.end;
    }
    changed.push_str(text.get(at..)?);
    Some(changed)
}

const NO_PLACE: &str = "it stands behind an alias, or its place cannot be told";
const EMPTIED: &str = "nothing would be left around it";
const COMMENTED: &str = "a comment speaks of it";
const STYLE: &str = "it is written in a style that is left alone";

struct Page<'t> {
    text: &'t str,
    places: &'t Places,
    end: &'static str,
}

impl<'t> Page<'t> {
    fn at(&self, steps: &[Step]) -> Result<&'t Place, &'static str> {
        let found = steps.iter().try_fold(&self.places.root, |place, step| match step {
            Step::Name(name) => place.field(name),
            Step::Index(at) => place.element(*at),
        });
        found.ok_or(NO_PLACE)
    }

    /// A field comes in before the others of an object.
    fn field(&self, object: &Place, name: &str, value: &Value) -> Result<Cut, &'static str> {
        let Inner::Object { flow, fields } = &object.inner else { return Err(NO_PLACE) };
        let Some(Field { key, .. }) = fields.first() else {
            let inside = object.bytes.start + 1;
            let is_braces = self.text.get(object.bytes.clone()).is_some_and(|text| text.starts_with('{'));
            let with = format!("{}: {}", self.name(name), self.inline(value));
            return if is_braces { Ok(Cut { bytes: inside..inside, with }) } else { Err(NO_PLACE) };
        };
        let before = self.before(key.start);
        let with = match (flow, blank(before)) {
            (true, true) => format!("{}: {},{}{before}", self.name(name), self.inline(value), self.end),
            (true, false) => format!("{}: {}, ", self.name(name), self.inline(value)),
            (false, _) if before.chars().all(|c| matches!(c, ' ' | '-')) => {
                let entry =
                    model::yaml::write(&Value::Object(Map::from_iter([(name.to_owned(), value.clone())])));
                format!("{}{}{}", entry.trim_end(), self.end, " ".repeat(before.len()))
            }
            (false, _) => return Err(STYLE),
        };
        Ok(Cut { bytes: key.start..key.start, with })
    }

    /// An element comes in behind the others of a list.
    fn element(&self, list: &Place, value: &Value) -> Result<Cut, &'static str> {
        let Inner::List { flow, elements } = &list.inner else { return Err(NO_PLACE) };
        let Some(last) = elements.last() else { return Err(STYLE) };
        let before = self.before(last.bytes.start);
        if *flow {
            let between = if blank(before) { format!("{}{before}", self.end) } else { " ".to_owned() };
            let with = format!(",{between}{}", self.inline(value));
            return Ok(Cut { bytes: last.bytes.end..last.bytes.end, with });
        }
        if !is_dash(before) {
            return Err(STYLE);
        }
        let at = self.line_end(last.bytes.end);
        let begins = if self.text[..at].ends_with('\n') { "" } else { self.end };
        let with = format!("{begins}{before}{}{}", model::yaml::write(value).trim_end(), self.end);
        Ok(Cut { bytes: at..at, with })
    }

    fn removal(&self, around: &Place, step: &Step) -> Result<Range<usize>, &'static str> {
        let (flow, whole, position) = match (&around.inner, step) {
            (Inner::Object { flow, fields }, Step::Name(name)) => {
                let position = fields.iter().position(|field| field.name == *name).ok_or(NO_PLACE)?;
                let whole = fields.iter().map(|field| field.key.start..field.value.bytes.end);
                (*flow, whole.collect::<Vec<_>>(), position)
            }
            (Inner::List { flow, elements }, Step::Index(at)) => {
                (*flow, elements.iter().map(|element| element.bytes.clone()).collect(), *at)
            }
            _ => return Err(NO_PLACE),
        };
        let own = whole.get(position).ok_or(NO_PLACE)?.clone();
        if whole.len() == 1 {
            return Err(EMPTIED);
        }
        let next = whole.get(position + 1).map(|next| next.start);
        if flow {
            let before = position.checked_sub(1).map(|before| whole[before].end);
            return match (before, next) {
                (Some(before), _) => Ok(before..own.end),
                (None, Some(next)) => Ok(own.start..next),
                (None, None) => Err(EMPTIED),
            };
        }
        let before = self.before(own.start);
        let of_its_own = if matches!(step, Step::Name(_)) { blank(before) } else { is_dash(before) };
        match next {
            _ if of_its_own => Ok(own.start - before.len()..self.line_end(own.end)),
            Some(next) => Ok(own.start..next),
            None => Err(STYLE),
        }
    }

    /// A removal that takes no comment along, neither one inside nor one on the line above.
    fn kept(&self, bytes: Range<usize>) -> Result<Cut, &'static str> {
        let inside =
            self.places.comments.iter().any(|comment| comment.start < bytes.end && bytes.start < comment.end);
        let above = self.text[..bytes.start].trim_end_matches(['\n', '\r']);
        let above = above.rsplit('\n').next().unwrap_or("");
        let is_of_line = self.text[..bytes.start].ends_with('\n') && above.trim_start().starts_with('#');
        if inside || is_of_line { Err(COMMENTED) } else { Ok(Cut { bytes, with: String::new() }) }
    }

    /// What stands before a place on its line.
    fn before(&self, at: usize) -> &'t str {
        self.text[..at].rsplit('\n').next().unwrap_or("")
    }

    /// Behind the end of the line on which something ends.
    fn line_end(&self, at: usize) -> usize {
        if self.text[..at].ends_with('\n') {
            return at;
        }
        self.text[at..].find('\n').map_or(self.text.len(), |more| at + more + 1)
    }

    /// A name inside of braces: in quotes where everything is.
    fn name(&self, name: &str) -> String {
        if self.text.trim_start().starts_with('{') { Value::from(name).to_string() } else { name.to_owned() }
    }

    /// A value inside of braces or brackets. JSON is YAML, and where nothing else is said it is used.
    fn inline(&self, value: &Value) -> String {
        let is_word = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ')
                && model::yaml::write(&Value::from(text)).trim_end() == text
        };
        match value {
            Value::Object(map) => {
                let fields =
                    map.iter().map(|(name, value)| format!("{}: {}", self.name(name), self.inline(value)));
                format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
            }
            Value::String(text) if !self.text.trim_start().starts_with('{') && is_word(text) => text.clone(),
            value => value.to_string(),
        }
    }
}

fn blank(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' ' | '\t'))
}

/// A dash with nothing but room around it.
fn is_dash(before: &str) -> bool {
    before.trim_start_matches(' ').strip_prefix('-').is_some_and(|rest| !rest.is_empty() && blank(rest))
}
