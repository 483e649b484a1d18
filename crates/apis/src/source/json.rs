//! JSON with the line of every value.
//!
//! The text is walked once for its shape (lines, depth, number of values, keys that stand twice), within bounds and
//! before memory is spent on a tree; what the values are is serde_json's to say. The walk is no judge of JSON: whatever
//! it cannot follow is refused by the reader behind it.

use model::resource::Lines;
use serde_json::Value;

use super::push_step;
use crate::limits::{DEPTH_MAX, NODES_MAX};

/// Line, pointer, what is wrong.
pub type Fault = (u32, String, String);

/// Reads one document.
pub fn read(text: &str) -> Result<(Value, Lines), Fault> {
    // Syntax first, without building anything: behind it the walk may trust the text.
    if let Err(fault) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(not_json(&fault));
    }
    let mut walk =
        Walk { bytes: text.as_bytes(), at: 0, line: 1, nodes_left: NODES_MAX, pointer: String::new() };
    let lines = walk.value(0)?;
    let value = serde_json::from_str(text).map_err(|fault| not_json(&fault))?;
    Ok((value, lines))
}

fn not_json(fault: &serde_json::Error) -> Fault {
    let line = u32::try_from(fault.line()).unwrap_or(u32::MAX);
    (line, String::new(), format!("is not JSON: {fault}"))
}

struct Walk<'t> {
    bytes: &'t [u8],
    at: usize,
    line: u32,
    nodes_left: usize,
    pointer: String,
}

impl Walk<'_> {
    fn value(&mut self, depth: usize) -> Result<Lines, Fault> {
        self.space();
        let mut lines = Lines { line: self.line, children: Vec::new() };
        self.nodes_left = match self.nodes_left.checked_sub(1) {
            Some(left) => left,
            None => return Err(self.fault(format!("holds more than {NODES_MAX} values"))),
        };
        if depth > DEPTH_MAX {
            return Err(self.fault(format!("is nested deeper than {DEPTH_MAX} levels")));
        }
        match self.bytes.get(self.at) {
            Some(b'{') => self.object(depth, &mut lines.children)?,
            Some(b'[') => self.list(depth, &mut lines.children)?,
            Some(b'"') => self.string(),
            _ => self.word(),
        }
        Ok(lines)
    }

    fn object(&mut self, depth: usize, children: &mut Vec<Lines>) -> Result<(), Fault> {
        let mut keys = std::collections::HashSet::new();
        self.at += 1;
        loop {
            self.space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'"') => {
                    let (line, start) = (self.line, self.at);
                    self.string();
                    let key: String = serde_json::from_slice(&self.bytes[start..self.at]).unwrap_or_default();
                    let before = self.pointer.len();
                    push_step(&mut self.pointer, &key);
                    if !keys.insert(key) {
                        return Err(self.fault("stands twice".to_owned()));
                    }
                    self.space();
                    self.at += 1; // the colon
                    let mut inner = self.value(depth + 1)?;
                    inner.line = line;
                    children.push(inner);
                    self.pointer.truncate(before);
                }
                _ => {
                    self.at += 1;
                    return Ok(());
                }
            }
        }
    }

    fn list(&mut self, depth: usize, children: &mut Vec<Lines>) -> Result<(), Fault> {
        self.at += 1;
        loop {
            self.space();
            match self.bytes.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b']') | None => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => {
                    let before = self.pointer.len();
                    push_step(&mut self.pointer, &children.len().to_string());
                    let inner = self.value(depth + 1)?;
                    children.push(inner);
                    self.pointer.truncate(before);
                }
            }
        }
    }

    fn space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.bytes.get(self.at) {
            self.line += u32::from(*byte == b'\n');
            self.at += 1;
        }
    }

    /// Text has no line end of its own in JSON.
    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                return;
            }
        }
    }

    fn word(&mut self) {
        while let Some(byte) = self.bytes.get(self.at) {
            if matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n') {
                return;
            }
            self.at += 1;
        }
    }

    fn fault(&self, what: String) -> Fault {
        (self.line, self.pointer.clone(), what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_the_line_of_its_key() {
        let (value, lines) =
            read("{\n \"a\": [1,\n  \"x\\\"\\n\"],\n \"b\":\n {\"\\u00e9\\ud83d\\ude00\": true}\n}")
                .expect("JSON");

        assert_eq!(value["b"]["é😀"], true);
        assert_eq!((lines.line, lines.children[0].line, lines.children[1].line), (1, 2, 4));
        assert_eq!(lines.children[0].children.iter().map(|line| line.line).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(lines.children[1].children[0].line, 5);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_place() {
        assert_eq!(read("{\n\"a\": }").expect_err("no value").0, 2);
        let (line, pointer, what) = read("{\"x\": {\"a/b\": 1,\n\"a/b\": 2}}").expect_err("a key twice");
        assert_eq!((line, pointer.as_str(), what.as_str()), (2, "/x/a~1b", "stands twice"));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));

        assert!(read(&nested(DEPTH_MAX)).is_ok());
        assert!(read(&nested(DEPTH_MAX + 2)).expect_err("too deep").2.contains("deeper"));
        assert!(read(&"[".repeat(100_000)).is_err());
    }
}
