//! What the numbers mean: `messages.txt`, read once.

use std::collections::HashMap;
use std::sync::LazyLock;

/// One field of a message.
#[derive(Debug)]
pub struct Field {
    /// Its number.
    pub number: u32,
    /// Its name in JSON.
    pub name: &'static str,
    /// How often it stands there.
    pub shape: Shape,
    /// What it holds.
    pub of: Type,
}

/// How often a field stands there.
#[derive(Debug)]
pub enum Shape {
    /// Once; kept when it is zero, or not.
    One {
        /// Whether a zero means something.
        keep: bool,
    },
    /// Any number of times.
    List,
    /// Once for each key.
    Map,
    /// Its own fields are those of the message around it.
    Inline,
}

/// What a field holds.
#[derive(Debug)]
pub enum Type {
    /// A message of this name.
    Message(&'static str),
    /// Something else.
    Leaf(Leaf),
}

/// What has no fields of its own in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// Text.
    Text,
    /// A number.
    Integer,
    /// True or false.
    Flag,
    /// Bytes, base64 in JSON.
    Bytes,
    /// JSON text.
    Raw,
    /// A quantity, text in JSON.
    Quantity,
    /// A moment.
    Time,
    /// A number or a name.
    IntegerOrText,
}

static MESSAGES: LazyLock<HashMap<&'static str, Vec<Field>>> =
    LazyLock::new(|| include_str!("messages.txt").split("\n\n").filter_map(message).collect());

/// The message of a kind of objects or requests.
pub fn root(api_version: &str, kind: &str) -> Option<&'static str> {
    let package = match (api_version, kind) {
        // Each group calls these its own.
        (_, "DeleteOptions") => "meta",
        ("v1", _) => "v1",
        ("discovery.k8s.io/v1", _) => "discovery",
        ("authentication.k8s.io/v1", _) => "authentication",
        ("authorization.k8s.io/v1", _) => "authorization",
        (_, _) => return None,
    };
    let name = format!("{package}.{kind}");
    MESSAGES.get_key_value(name.as_str()).map(|(name, _)| *name)
}

/// The fields of a message.
pub fn fields(message: &str) -> &'static [Field] {
    MESSAGES.get(message).map_or(&[], Vec::as_slice)
}

fn message(text: &'static str) -> Option<(&'static str, Vec<Field>)> {
    let mut lines = text.lines();
    Some((lines.next()?, lines.filter_map(field).collect()))
}

fn field(line: &'static str) -> Option<Field> {
    let mut words = line.split(' ');
    let (number, name) = (words.next()?.parse().ok()?, words.next()?);
    let (first, rest) = (words.next()?, words.next());
    let (shape, of) = match (name, first) {
        ("-", message) => (Shape::Inline, message),
        (_, "list") => (Shape::List, rest?),
        (_, "map") => (Shape::Map, rest?),
        (_, of) => (Shape::One { keep: rest == Some("keep") }, of),
    };
    Some(Field { number, name, shape, of: type_of(of) })
}

fn type_of(word: &'static str) -> Type {
    match word {
        "string" => Type::Leaf(Leaf::Text),
        "int" => Type::Leaf(Leaf::Integer),
        "bool" => Type::Leaf(Leaf::Flag),
        "bytes" => Type::Leaf(Leaf::Bytes),
        "Raw" => Type::Leaf(Leaf::Raw),
        "Quantity" => Type::Leaf(Leaf::Quantity),
        "Time" => Type::Leaf(Leaf::Time),
        "IntOrString" => Type::Leaf(Leaf::IntegerOrText),
        message => Type::Message(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read_and_every_message_in_it_is_there() {
        let lines = include_str!("messages.txt").lines().filter(|line| !line.is_empty()).count();
        let read: usize = MESSAGES.values().map(|fields| 1 + fields.len()).sum();

        assert_eq!(read, lines);
        for field in MESSAGES.values().flatten() {
            if let Type::Message(name) = field.of {
                assert!(MESSAGES.contains_key(name), "{name}, named by {}, is missing", field.name);
            }
        }
    }

    #[test]
    fn no_message_contains_itself() {
        fn depth(message: &str, left: usize) -> usize {
            assert!(left > 0, "{message} is nested without an end");
            let inner = fields(message).iter().map(|field| match field.of {
                Type::Message(name) => depth(name, left - 1),
                Type::Leaf(_) => 0,
            });
            1 + inner.max().unwrap_or(0)
        }

        for message in MESSAGES.keys() {
            assert!(depth(message, 30) < 20);
        }
    }
}
