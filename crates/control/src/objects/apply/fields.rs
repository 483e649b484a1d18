//! Sets of fields: which places of an object somebody owns.
//!
//! A set is a tree of the steps that lead to its members. A step may be a member itself and lead to others: whoever put
//! an element into a list owns the element and the fields in it, and somebody else may own one more field of it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// One step into an object. Keys and values are kept as JSON in one spelling, so that they compare as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// A field of an object.
    Field(String),
    /// The element of a list whose distinguishing fields have these values.
    Key(String),
    /// The element of a list that is this value.
    Value(String),
    /// The element of a list at this position.
    Index(usize),
}

impl Element {
    /// The element with these distinguishing fields.
    pub fn key(mut fields: Vec<(&str, &Value)>) -> Self {
        fields.sort_by_key(|(name, _)| *name);
        let map: Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        Element::Key(Value::Object(map).to_string())
    }

    /// The element that is this value.
    pub fn value(value: &Value) -> Self {
        Element::Value(value.to_string())
    }

    /// As `FieldsV1` writes it.
    pub fn text(&self) -> String {
        match self {
            Element::Field(name) => format!("f:{name}"),
            Element::Key(key) => format!("k:{key}"),
            Element::Value(value) => format!("v:{value}"),
            Element::Index(position) => format!("i:{position}"),
        }
    }

    /// What `FieldsV1` means by a text.
    pub fn read(text: &str) -> Option<Self> {
        let (sort, rest) = text.split_once(':')?;
        match sort {
            "f" => Some(Element::Field(rest.to_owned())),
            "k" => match serde_json::from_str(rest).ok()? {
                Value::Object(map) => {
                    Some(Element::key(map.iter().map(|(name, value)| (&**name, value)).collect()))
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
            },
            "v" => Some(Element::value(&serde_json::from_str(rest).ok()?)),
            "i" => rest.parse().ok().map(Element::Index),
            _ => None,
        }
    }
}

impl fmt::Display for Element {
    /// As Kubernetes writes steps in messages: `.ports[port=80,protocol="TCP"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Field(name) => write!(f, ".{name}"),
            Element::Key(key) => {
                let map: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let fields: Vec<String> = map.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "[{}]", fields.join(","))
            }
            Element::Value(value) => write!(f, "[={value}]"),
            Element::Index(position) => write!(f, "[{position}]"),
        }
    }
}

/// A set of fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<Element, Node>);

/// What a set has at one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Whether the place itself is a member.
    pub owned: bool,
    /// The members below it.
    pub below: Fields,
}

impl Fields {
    /// Nothing.
    pub fn new() -> Self {
        Fields::default()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What it has at a step.
    pub fn at(&self, element: &Element) -> Option<&Node> {
        self.0.get(element)
    }

    /// Puts in what it is to have at a step, unless that is nothing.
    pub fn put(&mut self, element: Element, node: Node) {
        if node.owned || !node.below.is_empty() {
            self.0.insert(element, node);
        }
    }

    /// Takes out all that it has at and below a field.
    pub fn take_field(&mut self, name: &str) -> Option<Node> {
        self.0.remove(&Element::Field(name.to_owned()))
    }

    /// A set of whole branches below fields.
    pub fn of_field(name: &str, node: Node) -> Self {
        let mut fields = Fields::new();
        fields.put(Element::Field(name.to_owned()), node);
        fields
    }

    /// Members of either.
    pub fn union(mut self, other: &Fields) -> Fields {
        for (element, node) in &other.0 {
            let own = self.0.entry(element.clone()).or_default();
            own.owned |= node.owned;
            own.below = std::mem::take(&mut own.below).union(&node.below);
        }
        self
    }

    /// Members of this that are none of the other.
    pub fn difference(&self, other: &Fields) -> Fields {
        self.combined(other, |own, others| own && !others)
    }

    /// Members of both.
    pub fn intersection(&self, other: &Fields) -> Fields {
        self.combined(other, |own, others| own && others)
    }

    fn combined(&self, other: &Fields, keep: fn(bool, bool) -> bool) -> Fields {
        let nothing = Node::default();
        let mut fields = Fields::new();
        for (element, node) in &self.0 {
            let others = other.0.get(element).unwrap_or(&nothing);
            let owned = keep(node.owned, others.owned);
            fields.put(element.clone(), Node { owned, below: node.below.combined(&others.below, keep) });
        }
        fields
    }

    /// The members as messages call them, in order.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, at: &str, paths: &mut Vec<String>) {
        for (element, node) in &self.0 {
            let path = format!("{at}{element}");
            node.below.collect_paths(&path, paths);
            if node.owned {
                paths.push(path);
            }
        }
    }

    /// The set as `FieldsV1`.
    pub fn written(&self) -> Value {
        self.written_with(false)
    }

    fn written_with(&self, owned: bool) -> Value {
        let mut map = Map::new();
        if owned && !self.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (element, node) in &self.0 {
            map.insert(element.text(), node.below.written_with(node.owned));
        }
        Value::Object(map)
    }

    /// The set that `FieldsV1` describes; `None` when it is something else.
    pub fn read(value: &Value) -> Option<Fields> {
        let mut fields = Fields::new();
        for (text, inner) in value.as_object()?.iter().filter(|(text, _)| *text != ".") {
            let below = Fields::read(inner)?;
            let owned = below.is_empty() || inner.get(".").is_some();
            fields.put(Element::read(text)?, Node { owned, below });
        }
        Some(fields)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_is_written_as_kubernetes_does_and_read_back() {
        let written = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {
                "f:ports": {
                    "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}},
                },
                "f:values": {"v:\"a\"": {}, "i:3": {}},
            },
        });

        let fields = Fields::read(&written).expect("is one");

        assert_eq!(fields.written(), written);
        assert_eq!(
            fields.paths(),
            [
                ".metadata.labels.app",
                ".metadata.labels",
                r#".spec.ports[port=80,protocol="TCP"].port"#,
                r#".spec.ports[port=80,protocol="TCP"]"#,
                r#".spec.values[="a"]"#,
                ".spec.values[3]",
            ]
        );
    }

    #[test]
    fn the_order_in_which_a_key_names_its_fields_does_not_matter() {
        assert_eq!(Element::read(r#"k:{"b":1,"a":"x"}"#), Element::read(r#"k:{"a":"x","b":1}"#));
        for text in ["", "f", "x:a", "k:[1]", "v:", "i:-1", "k:{"] {
            assert_eq!(Element::read(text), None, "{text}");
        }
    }

    #[test]
    fn members_are_told_from_the_way_to_them() {
        let both = Fields::read(&json!({"f:a": {".": {}, "f:b": {}}})).expect("is one");
        let inner = Fields::read(&json!({"f:a": {"f:b": {}}})).expect("is one");
        let outer = Fields::read(&json!({"f:a": {}})).expect("is one");

        assert_eq!(both.difference(&inner), outer);
        assert_eq!(both.difference(&outer), inner);
        assert_eq!(both.intersection(&inner), inner);
        assert_eq!(inner.clone().union(&outer), both);
        assert!(inner.intersection(&outer).is_empty());
    }
}
