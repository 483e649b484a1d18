//! Bodies of requests: bytes to a tree, within bounds that hold before memory is spent.
//!
//! What a stranger sends may be a million brackets deep or one line that repeats itself a billion times. Depth, number
//! of values and bytes are counted while reading, so such a body costs no more than its length and no recursion goes
//! deeper than the bound; every later walk over a tree may rely on that. A key that stands twice in an object is kept
//! as its last value and remembered, because it depends on the request whether that is a mistake.

use std::fmt;

use model::path::{FieldPath, Step};
use model::yaml;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::media::Encoding;
use super::status::Status;

/// Longest body, in bytes.
pub const BODY_BYTES_MAX: usize = 3 << 20;
/// Deepest nesting of lists and objects in a body.
pub const BODY_DEPTH_MAX: usize = 64;
/// Most values in a body. A value takes tens of bytes in memory and two in a body.
pub const BODY_NODES_MAX: usize = 200_000;
/// Most keys that are remembered for standing twice.
const DUPLICATES_KEPT_MAX: usize = 100;

/// A body that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// The tree; null for an empty body.
    pub value: Value,
    /// Keys that stood twice in their object. The last value was kept.
    pub duplicates: Vec<FieldPath>,
}

impl From<Value> for Body {
    fn from(value: Value) -> Self {
        Body { value, duplicates: Vec::new() }
    }
}

/// Reads a body.
///
/// # Errors
/// 413 when it is too large, 400 when it is too deep or is not what it says.
pub fn read(encoding: Encoding, bytes: &[u8]) -> Result<Body, Status> {
    if bytes.len() > BODY_BYTES_MAX {
        return Err(Status::request_entity_too_large(BODY_BYTES_MAX));
    }
    let Some(first) = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) else {
        return Ok(Body::default());
    };
    match encoding {
        Encoding::Json => json(bytes).map_err(|fault| not_json(&fault)),
        // Much of what calls itself YAML is JSON, and only JSON has a word for a key that stands twice.
        Encoding::Yaml if matches!(first, b'{' | b'[') => json(bytes).or_else(|_| yaml(bytes)),
        Encoding::Yaml => yaml(bytes),
    }
}

fn not_json(fault: &serde_json::Error) -> Status {
    let words = fault.to_string();
    if words.starts_with(TOO_MANY) {
        return Status::request_entity_too_large(BODY_BYTES_MAX).because(&words);
    }
    Status::bad_request(format!("the body of the request is not JSON that can be read: {words}"))
}

fn yaml(bytes: &[u8]) -> Result<Body, Status> {
    let refused = |why: &str| {
        Status::bad_request(format!("the body of the request is not YAML that can be read: {why}"))
    };
    let text = std::str::from_utf8(bytes).map_err(|_| refused("it is not UTF-8 text"))?;
    match yaml::read_tree(text, BODY_NODES_MAX) {
        Ok(value) => Ok(value.into()),
        Err(faults) => {
            let words = faults.iter().take(10).map(|(line, problem)| match &problem.remedy {
                Some(remedy) => format!("line {line}: {} ({remedy})", problem.problem),
                None => format!("line {line}: {}", problem.problem),
            });
            Err(refused(&words.collect::<Vec<_>>().join("; ")))
        }
    }
}

const TOO_MANY: &str = "it holds more than";

fn json(bytes: &[u8]) -> Result<Body, serde_json::Error> {
    let mut reading =
        Reading { at: FieldPath::root(), depth: 0, nodes_left: BODY_NODES_MAX, duplicates: Vec::new() };
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let value = Node(&mut reading).deserialize(&mut text)?;
    text.end()?;
    Ok(Body { value, duplicates: reading.duplicates })
}

struct Reading {
    at: FieldPath,
    depth: usize,
    nodes_left: usize,
    duplicates: Vec<FieldPath>,
}

impl Reading {
    fn enter<E: Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > BODY_DEPTH_MAX {
            return Err(E::custom(format_args!("it is nested deeper than {BODY_DEPTH_MAX} levels")));
        }
        Ok(())
    }

    fn count<E: Error>(&mut self) -> Result<(), E> {
        match self.nodes_left.checked_sub(1) {
            Some(left) => {
                self.nodes_left = left;
                Ok(())
            }
            None => Err(E::custom(format_args!("{TOO_MANY} {BODY_NODES_MAX} values"))),
        }
    }

    fn duplicate(&mut self, key: &str) {
        if self.duplicates.len() < DUPLICATES_KEPT_MAX {
            self.duplicates.push(self.at.field(key));
        }
    }
}

/// The next value of a text.
struct Node<'r>(&'r mut Reading);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, text: D) -> Result<Value, D::Error> {
        self.0.count()?;
        text.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        self.0.enter()?;
        let mut list = Vec::new();
        loop {
            self.0.at.push(Step::Index(list.len()));
            let element = elements.next_element_seed(Node(self.0))?;
            self.0.at.pop();
            match element {
                Some(element) => list.push(element),
                None => break,
            }
        }
        self.0.depth -= 1;
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        self.0.enter()?;
        let mut map = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            if map.contains_key(&key) {
                self.0.duplicate(&key);
            }
            self.0.at.push(Step::Field(key.as_str().into()));
            let value = fields.next_value_seed(Node(self.0))?;
            self.0.at.pop();
            map.insert(key, value);
        }
        self.0.depth -= 1;
        Ok(Value::Object(map))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(encoding: Encoding, bytes: &[u8]) -> Status {
        read(encoding, bytes).expect_err("is refused")
    }

    #[test]
    fn a_million_brackets_are_refused_without_a_deep_stack() {
        for text in ["[".repeat(1 << 20), "{\"a\":".repeat(1 << 18)] {
            for encoding in [Encoding::Json, Encoding::Yaml] {
                let status = refusal(encoding, text.as_bytes());
                assert_eq!(status.code(), 400);
                let words = ["nested deeper than 64 levels", "recursion limit"];
                assert!(words.iter().any(|words| status.message().contains(words)), "{status}");
            }
        }
    }

    #[test]
    fn what_is_as_deep_as_allowed_is_read() {
        let text = format!("{}{}", "[".repeat(BODY_DEPTH_MAX), "]".repeat(BODY_DEPTH_MAX));

        assert!(read(Encoding::Json, text.as_bytes()).is_ok());
        assert_eq!(refusal(Encoding::Json, format!("[{text}]").as_bytes()).code(), 400);
    }

    #[test]
    fn many_small_values_and_many_bytes_are_too_large() {
        let values = format!("[{}1]", "1,".repeat(BODY_NODES_MAX));
        let bytes = format!("\"{}\"", "a".repeat(BODY_BYTES_MAX));

        for (encoding, text) in
            [(Encoding::Json, &values), (Encoding::Json, &bytes), (Encoding::Yaml, &bytes)]
        {
            let status = refusal(encoding, text.as_bytes());
            assert_eq!((status.code(), status.reason()), (413, "RequestEntityTooLarge"), "{status}");
        }
    }

    #[test]
    fn aliases_that_repeat_themselves_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let before = level - 1;
            let row = vec![format!("*a{before}"); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{row}]\n"));
        }

        let status = refusal(Encoding::Yaml, bomb.as_bytes());

        assert_eq!(status.code(), 400);
        assert!(status.message().contains("aliases repeat too much"), "{status}");
    }

    #[test]
    fn a_key_that_stands_twice_keeps_its_last_value_and_is_remembered() {
        let body =
            read(Encoding::Json, br#"{"a": [{"b": 1, "b": 2}], "a": [{"b": 3, "b": 4}]}"#).expect("is read");

        assert_eq!(body.value, json!({"a": [{"b": 4}]}));
        let names: Vec<String> = body.duplicates.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a[0].b", "a", "a[0].b"]);
    }

    #[test]
    fn json_may_call_itself_yaml_and_yaml_may_look_like_json() {
        let expected = json!({"a": 1});

        assert_eq!(read(Encoding::Yaml, b" {\"a\": 1}\n").expect("json").value, expected);
        assert_eq!(read(Encoding::Yaml, b"{a: 1}").expect("flow").value, expected);
        assert_eq!(read(Encoding::Yaml, b"a: 1\n").expect("block").value, expected);
        assert_eq!(read(Encoding::Json, b"").expect("nothing").value, Value::Null);
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        assert!(refusal(Encoding::Yaml, b"a: 1\nb: [").message().contains("line "));
        assert!(refusal(Encoding::Json, b"{\"a\": 1,\n}").message().contains("line 2"));
        assert!(refusal(Encoding::Yaml, b"a: 1\n---\nb: 2\n").message().contains("second document"));
        assert_eq!(refusal(Encoding::Json, b"{} {}").code(), 400);
        assert_eq!(refusal(Encoding::Json, b"\xff").code(), 400);
    }
}
