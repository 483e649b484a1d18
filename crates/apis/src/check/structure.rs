//! What a JSON text is like before anything is built of it: whether it is JSON at all, how deep, how wide, how long.
//!
//! Attacks on parsers need no schema to be told from requests: nesting that overflows a stack, a million keys that fall
//! into one bucket, a text of megabytes where a name was expected. And a key that stands twice is read in two ways by
//! two readers, so what was judged here need not be what the service reads. One pass over the bytes, no recursion,
//! memory for the open levels and their keys only.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::{Fault, Where};
use crate::limits::FAULTS_MAX;

/// What a JSON text may be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Deepest nesting of lists and objects.
    pub depth: u32,
    /// Most keys of one object.
    pub keys: u32,
    /// Most items of one list.
    pub items: u32,
    /// Longest text, keys included, in bytes as written.
    pub text_bytes: u32,
    /// Most keys and items in all.
    pub values: u32,
}

/// Everything about a text (RFC 8259) that is past a bound, and whether it is no JSON, or has a key twice. Each fault
/// names its place; past the bounds on depth and on values nothing more is looked at.
#[must_use]
pub fn structure(text: &[u8], bounds: &Bounds) -> Vec<Fault> {
    let mut scan = Scan { text, at: 0, bounds, open: Vec::new(), values: 1, found: Vec::new() };
    if let Err(at) = std::str::from_utf8(text).map_err(|error| error.valid_up_to()) {
        scan.at = at;
        scan.malformed("is no UTF-8");
    } else if scan.whole().is_err() && scan.found.is_empty() {
        scan.malformed("is no JSON");
    }
    scan.found
}

/// Nothing more is to be looked at: the text is malformed, or past a bound that was noted.
struct Stop;

struct Scan<'t> {
    text: &'t [u8],
    at: usize,
    bounds: &'t Bounds,
    open: Vec<Level<'t>>,
    values: u32,
    found: Vec<Fault>,
}

enum Level<'t> {
    Object { keys: u32, last: Range<usize>, seen: HashSet<Cow<'t, [u8]>> },
    List { items: u32 },
}

#[derive(Clone, Copy)]
enum Expected {
    Value,
    KeyOrEnd,
    Key,
    ItemOrEnd,
    CommaOrEnd,
}

impl<'t> Scan<'t> {
    fn whole(&mut self) -> Result<(), Stop> {
        let mut expected = Expected::Value;
        loop {
            self.skip_space();
            expected = match expected {
                Expected::Value => self.value()?,
                Expected::KeyOrEnd if self.takes(b'}') => self.close(),
                Expected::KeyOrEnd | Expected::Key => self.key()?,
                Expected::ItemOrEnd if self.takes(b']') => self.close(),
                Expected::ItemOrEnd => self.item()?,
                Expected::CommaOrEnd => {
                    let is_object = match self.open.last() {
                        None if self.at == self.text.len() => return Ok(()),
                        None => return Err(Stop),
                        Some(Level::Object { .. }) => true,
                        Some(Level::List { .. }) => false,
                    };
                    if self.takes(if is_object { b'}' } else { b']' }) {
                        self.close()
                    } else if !self.takes(b',') {
                        return Err(Stop);
                    } else if is_object {
                        Expected::Key
                    } else {
                        self.skip_space();
                        self.item()?
                    }
                }
            };
        }
    }

    fn value(&mut self) -> Result<Expected, Stop> {
        match self.peek().ok_or(Stop)? {
            b'{' => {
                self.at += 1;
                self.open(Level::Object { keys: 0, last: 0..0, seen: HashSet::new() })?;
                Ok(Expected::KeyOrEnd)
            }
            b'[' => {
                self.at += 1;
                self.open(Level::List { items: 0 })?;
                Ok(Expected::ItemOrEnd)
            }
            b'"' => {
                let text = self.string()?;
                self.judge_length(&text)?;
                Ok(Expected::CommaOrEnd)
            }
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn open(&mut self, level: Level<'t>) -> Result<(), Stop> {
        if self.open.len() >= self.bounds.depth as usize {
            self.note(format!("is nested deeper than {} levels", self.bounds.depth))?;
            return Err(Stop);
        }
        self.open.push(level);
        Ok(())
    }

    fn close(&mut self) -> Expected {
        self.open.pop();
        Expected::CommaOrEnd
    }

    fn item(&mut self) -> Result<Expected, Stop> {
        let Some(Level::List { items }) = self.open.last_mut() else { return Err(Stop) };
        *items += 1;
        if *items == self.bounds.items.saturating_add(1) {
            self.note_of_level(format!("has more than {} items", self.bounds.items))?;
        }
        self.count()?;
        Ok(Expected::Value)
    }

    fn key(&mut self) -> Result<Expected, Stop> {
        let range = self.string()?;
        let text = self.text;
        let name = unescaped(&text[range.clone()]);
        let Some(Level::Object { keys, last, seen }) = self.open.last_mut() else { return Err(Stop) };
        *keys += 1;
        *last = range.clone();
        let (count, is_new) = (*keys, seen.insert(name));
        if !is_new {
            let fault = Fault {
                place: Where::Body,
                pointer: self.pointer(),
                rule: "unique",
                what: "stands twice".into(),
            };
            self.push(fault)?;
        }
        if count == self.bounds.keys.saturating_add(1) {
            self.note_of_level(format!("has more than {} keys", self.bounds.keys))?;
        }
        self.judge_length(&range)?;
        self.count()?;
        self.skip_space();
        if self.takes(b':') { Ok(Expected::Value) } else { Err(Stop) }
    }

    fn count(&mut self) -> Result<(), Stop> {
        self.values += 1;
        if self.values <= self.bounds.values {
            return Ok(());
        }
        let what = format!("holds more than {} keys and items", self.bounds.values);
        self.push(Fault { place: Where::Body, pointer: String::new(), rule: "limit", what })?;
        Err(Stop)
    }

    fn judge_length(&mut self, text: &Range<usize>) -> Result<(), Stop> {
        if text.len() <= self.bounds.text_bytes as usize {
            return Ok(());
        }
        self.note(format!("is longer than {} bytes", self.bounds.text_bytes))
    }

    /// The range between the quotation marks.
    fn string(&mut self) -> Result<Range<usize>, Stop> {
        if !self.takes(b'"') {
            return Err(Stop);
        }
        let start = self.at;
        loop {
            let byte = self.peek().ok_or(Stop)?;
            self.at += 1;
            match byte {
                b'"' => return Ok(start..self.at - 1),
                b'\\' => self.escape()?,
                0..0x20 => return Err(Stop),
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Result<(), Stop> {
        let byte = self.peek().ok_or(Stop)?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                let digits = self.text.get(self.at..self.at + 4).ok_or(Stop)?;
                self.at += 4;
                if digits.iter().all(u8::is_ascii_hexdigit) { Ok(()) } else { Err(Stop) }
            }
            _ => Err(Stop),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<Expected, Stop> {
        if !self.text[self.at..].starts_with(word) {
            return Err(Stop);
        }
        self.at += word.len();
        Ok(Expected::CommaOrEnd)
    }

    fn number(&mut self) -> Result<Expected, Stop> {
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _sign = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        Ok(Expected::CommaOrEnd)
    }

    fn digits(&mut self) -> Result<(), Stop> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(Stop) }
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// A fault of the value that is being looked at.
    fn note(&mut self, what: String) -> Result<(), Stop> {
        let pointer = self.pointer();
        self.push(Fault { place: Where::Body, pointer, rule: "limit", what })
    }

    /// A fault of the list or object around it.
    fn note_of_level(&mut self, what: String) -> Result<(), Stop> {
        let pointer = self.pointer_of(self.open.len().saturating_sub(1));
        self.push(Fault { place: Where::Body, pointer, rule: "limit", what })
    }

    fn push(&mut self, fault: Fault) -> Result<(), Stop> {
        self.found.push(fault);
        if self.found.len() < FAULTS_MAX { Ok(()) } else { Err(Stop) }
    }

    fn malformed(&mut self, what: &str) {
        let pointer = self.pointer();
        let what = format!("{what}: byte {} makes no sense", self.at + 1);
        self.found.push(Fault { place: Where::Body, pointer, rule: "content", what });
    }

    /// Where we are, as a JSON Pointer (RFC 6901).
    fn pointer(&self) -> String {
        self.pointer_of(self.open.len())
    }

    fn pointer_of(&self, levels: usize) -> String {
        let mut pointer = String::new();
        for level in &self.open[..levels] {
            match level {
                Level::Object { keys: 0, .. } | Level::List { items: 0 } => {}
                Level::Object { last, .. } => {
                    let name = unescaped(&self.text[last.clone()]);
                    let name = String::from_utf8_lossy(&name).replace('~', "~0").replace('/', "~1");
                    pointer.push('/');
                    pointer.push_str(&name);
                }
                Level::List { items } => {
                    pointer.push('/');
                    pointer.push_str(&(items - 1).to_string());
                }
            }
        }
        pointer
    }
}

/// A text without its escapes, as a reader has it.
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let quoted = [b"\"", text, b"\""].concat();
    match serde_json::from_slice::<String>(&quoted) {
        Ok(text) => Cow::Owned(text.into_bytes()),
        Err(_) => Cow::Borrowed(text), // half of a surrogate pair: readers differ, and it is refused as it stands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { depth: 3, keys: 3, items: 4, text_bytes: 8, values: 20 };

    fn faults(text: &str) -> Vec<String> {
        structure(text.as_bytes(), &BOUNDS).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn json_within_bounds_is_without_fault() {
        for text in [
            "null",
            " -0.5e+3 ",
            "\"\\u00e9\\n\"",
            "[]",
            "{}",
            "[1, [2, [3]], {\"a\": {}}]",
            r#"{"a": 1, "b": [true, false], "c": "d"}"#,
            "0",
            "10.25",
        ] {
            assert_eq!(faults(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn every_bound_is_told_with_its_place() {
        assert_eq!(faults("[[[[1]]]]"), ["body at /0/0/0 is nested deeper than 3 levels"]);
        assert_eq!(faults(r#"{"o":{"a":1,"b":2,"c":3,"d":4}}"#), ["body at /o has more than 3 keys"]);
        assert_eq!(faults(r#"{"l":[1,2,3,4,5,6]}"#), ["body at /l has more than 4 items"]);
        assert_eq!(
            faults(r#"{"a/b":["123456789"],"123456789":1}"#),
            ["body at /a~1b/0 is longer than 8 bytes", "body at /123456789 is longer than 8 bytes"]
        );
        let many = format!("[{0},{0},{0},{0}]", "[1,2,3,4]");
        assert_eq!(faults(&many), ["body holds more than 20 keys and items"]);
    }

    #[test]
    fn a_key_that_stands_twice_is_told_however_it_is_written() {
        assert_eq!(faults(r#"{"a":1,"\u0061":2}"#), ["body at /a stands twice"]);
        assert_eq!(faults(r#"[{"a":1},{"a":1}]"#), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_json_is_told_with_the_byte() {
        for (text, byte) in [
            ("", 1),
            ("{", 2),
            ("[1,]", 4),
            ("{\"a\":1,}", 8),
            ("[1 2]", 4),
            ("01", 2),
            ("1.", 3),
            ("nul", 1),
            ("\"\u{1}\"", 3),
            ("\"\\x\"", 4),
            ("[1]]", 4),
            ("{'a':1}", 2),
            ("// c\n1", 1),
            ("NaN", 1),
            ("\"\\u12g4\"", 8),
            ("+1", 1),
            ("{\"a\" 1}", 6),
        ] {
            let found = structure(text.as_bytes(), &BOUNDS);
            assert_eq!(found.len(), 1, "{text}");
            assert!(found[0].what.contains(&format!("byte {byte} ")), "{text}: {}", found[0].what);
        }
        assert_eq!(structure(b"\"\xff\"", &BOUNDS)[0].what, "is no UTF-8: byte 2 makes no sense");
    }

    #[test]
    fn no_text_makes_it_work_beyond_its_bounds() {
        let deep = "[".repeat(1 << 20);
        let wide = format!("[{}]", "1,".repeat(1 << 18));

        assert_eq!(structure(deep.as_bytes(), &BOUNDS).len(), 1);
        assert!(structure(wide.as_bytes(), &BOUNDS).len() <= 2);
    }

    #[test]
    fn it_agrees_with_another_reader_on_what_json_is() {
        let bounds = Bounds { depth: 100, keys: 100, items: 100, text_bytes: 100, values: 1000 };
        let alphabet = *b"{}[]\",:1-e.tn \\u0a";
        let mut seed = 7_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize
        };
        for _ in 0..20_000 {
            let length = next() % 9;
            let text: Vec<u8> = (0..length).map(|_| alphabet[next() % alphabet.len()]).collect();
            let ours = structure(&text, &bounds);
            let theirs = serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok();
            let malformed = ours.iter().any(|fault| fault.rule == "content");
            assert_eq!(!malformed, theirs, "{:?}: {ours:?}", String::from_utf8_lossy(&text));
        }
    }
}
