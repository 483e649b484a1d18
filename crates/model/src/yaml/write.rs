//! Trees to YAML, the way people write it.
//!
//! What is written must be read as the same tree by every reader of YAML, those of version 1.1 among them; so
//! whatever could be taken for a number, a date or a truth value stands in quotes. Quotes are those of JSON, which
//! is a part of YAML 1.2. Text of several lines is written as a block, because that is how certificates are read.

use std::fmt::Write as _;

use serde_json::Value;

/// Characters besides letters and digits that may stand in text without quotes.
const PLAIN_MARKS: &str = " -_./:@+=()<>;,~$^*!?\\'\"%&|[]{}#";
/// Those that may not begin it.
const INDICATORS: &str = "-:?,[]{}#&*!|>'\"%@` =<~";

/// One document, with a line end.
#[must_use]
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => object(&mut text, map, 0, false),
        Value::Array(list) if !list.is_empty() => array(&mut text, list, 0),
        scalar => {
            inline(&mut text, scalar, 0);
            text.push('\n');
        }
    }
    text
}

/// The fields of an object; the first goes on with the line that is begun when it follows a dash.
fn object(text: &mut String, map: &serde_json::Map<String, Value>, depth: usize, after_dash: bool) {
    for (position, (key, value)) in map.iter().enumerate() {
        if position > 0 || !after_dash {
            indent(text, depth);
        }
        text.push_str(&word(key));
        text.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text.push('\n');
                object(text, inner, depth + 1, false);
            }
            Value::Array(inner) if !inner.is_empty() => {
                text.push('\n');
                array(text, inner, depth);
            }
            scalar => {
                text.push(' ');
                inline(text, scalar, depth + 1);
                text.push('\n');
            }
        }
    }
}

/// The elements of a list; dashes stand below the key, as `kubectl` writes them.
fn array(text: &mut String, list: &[Value], depth: usize) {
    for value in list {
        indent(text, depth);
        text.push('-');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text.push(' ');
                object(text, inner, depth + 1, true);
            }
            Value::Array(inner) if !inner.is_empty() => {
                text.push('\n');
                array(text, inner, depth + 1);
            }
            scalar => {
                text.push(' ');
                inline(text, scalar, depth + 1);
                text.push('\n');
            }
        }
    }
}

/// What fits behind a key or a dash; a block of lines is indented to `depth`.
fn inline(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(_) => text.push_str("{}"),
        Value::Array(_) => text.push_str("[]"),
        Value::String(string) if is_block(string) => block(text, string, depth),
        Value::String(string) => text.push_str(&word(string)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let _cannot_fail = write!(text, "{value}");
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// Whether text is best read line by line, and may be.
fn is_block(string: &str) -> bool {
    let lines_end_well = string.lines().all(|line| !line.ends_with([' ', '\t']));
    let begins_well = !string.starts_with([' ', '\t', '\n']);
    string.trim_end_matches('\n').contains('\n')
        && lines_end_well
        && begins_well
        && string.chars().all(|c| c == '\n' || is_visible(c))
}

fn block(text: &mut String, string: &str, depth: usize) {
    let body = string.trim_end_matches('\n');
    let ends = string.len() - body.len();
    text.push_str(match ends {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        text.push('\n');
        if !line.is_empty() {
            indent(text, depth.max(1));
            text.push_str(line);
        }
    }
    text.extend(std::iter::repeat_n('\n', ends.saturating_sub(1)));
}

/// Text on one line, in quotes where anybody could take it for something else.
fn word(string: &str) -> String {
    if is_plain(string) {
        return string.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in string.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if is_visible(c) => quoted.push(c),
            c => {
                let _cannot_fail = write!(quoted, "\\U{:08x}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Not a control character, not a mark of byte or text order, and no line end of other scripts.
fn is_visible(c: char) -> bool {
    let marks =
        matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !marks && !turns
}

fn is_plain(string: &str) -> bool {
    let letters = |c: char| c.is_alphanumeric() && is_visible(c);
    let Some(first) = string.chars().next() else { return false };
    !INDICATORS.contains(first)
        && !string.ends_with([' ', ':'])
        && !string.contains(": ")
        && !string.contains(" #")
        && string.chars().all(|c| letters(c) || PLAIN_MARKS.contains(c))
        && !means_something(string)
}

/// Whether some reader takes the word for something that is no text.
fn means_something(string: &str) -> bool {
    const WORDS: [&str; 11] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "inf", "nan"];
    let numberlike = |c: char| c.is_ascii_hexdigit() || "_:.+-xXoOtTzZ ".contains(c);
    WORDS.iter().any(|word| string.trim_start_matches('.').eq_ignore_ascii_case(word))
        || (string.starts_with(|c: char| c.is_ascii_digit() || "+.".contains(c))
            && string.chars().all(numberlike))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::plain::read_plain;
    use super::*;

    #[test]
    fn an_object_reads_like_one_that_a_person_wrote() {
        let value = json!({
            "apiVersion": "v1",
            "metadata": { "name": "shop", "labels": {}, "at": "2026-01-01T00:00:00Z" },
            "spec": { "rules": [{ "name": "a", "ports": [80, 443] }, {}], "empty": [], "on": "yes" },
            "key": "-----BEGIN-----\nabc\n-----END-----\n",
        });

        assert_eq!(
            write(&value),
            "apiVersion: v1
metadata:
  name: shop
  labels: {}
  at: \"2026-01-01T00:00:00Z\"
spec:
  rules:
  - name: a
    ports:
    - 80
    - 443
  - {}
  empty: []
  \"on\": \"yes\"
key: |
  -----BEGIN-----
  abc
  -----END-----
"
        );
    }

    #[test]
    fn text_that_could_be_something_else_is_quoted() {
        for text in
            ["", "1", "0755", "1e3", "12:30", "null", "No", "~", "- a", "a: b", "a #b", "*a", "1.5", ".5"]
        {
            assert!(write(&json!(text)).starts_with('"'), "{text}");
        }
        for text in ["a", "10s", "shop.example", "/cart", "v1", "a-b c"] {
            assert_eq!(write(&json!(text)), format!("{text}\n"));
        }
    }

    fn tree() -> impl Strategy<Value = Value> {
        let text = prop_oneof![".{0,12}", "[ -~\n]{0,24}", "[a-z0-9:#. \n-]{0,12}", "(?s).{0,8}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[ -~]{1,8}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_as_the_same_tree(value in tree()) {
            let text = write(&value);
            prop_assert_eq!(read_plain(&text), Ok(value), "{}", text);
        }
    }
}
