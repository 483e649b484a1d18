//! How the values of a place are merged, for whoever joins two objects: patches and field managers.
//!
//! A whole object is put together from several schemas (its kind's own, that of `metadata`, that of `status`), and
//! below fields that a schema lets through unseen there is none at all. A [`Place`] hides both, so that a walk over an
//! object asks the same questions everywhere.

use super::{ListShape, ObjectShape, Schema, Shape, Unique, metadata, of, status};
use crate::kinds::KindName;

/// A place in an object.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// A whole object of a kind.
    Whole(KindName),
    /// A place with a schema.
    Known(&'static Schema),
    /// A place of which no schema speaks.
    Unknown,
}

/// How a value is joined with another one of the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// A single value: one of the two.
    Leaf,
    /// An object or list that is taken as a whole.
    Atomic,
    /// An object: field by field.
    Object,
    /// A list of single values without order between owners: value by value.
    Set,
    /// A list whose elements are told apart by these fields: element by element.
    Map(&'static [String]),
    /// As the value is: objects field by field, all else as a whole.
    ByValue,
}

/// How a strategic merge patch treats a list or object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Elements are merged instead of the list being replaced.
    pub merge: bool,
    /// Fields that the patch does not list under `$retainKeys` go.
    pub retain_keys: bool,
    /// The field that tells elements apart; absent for lists of single values.
    pub merge_key: Option<String>,
}

const ONE_BY_ONE: PatchStrategy = PatchStrategy { merge: false, retain_keys: false, merge_key: None };

impl Place {
    /// The place of a field.
    #[must_use]
    pub fn field(self, name: &str) -> Place {
        match self {
            Place::Whole(kind) => match name {
                "metadata" => Place::Known(metadata()),
                "status" => {
                    status(kind).or_else(|| of(kind).child(name)).map_or(Place::Unknown, Place::Known)
                }
                _ => of(kind).child(name).map_or(Place::Unknown, Place::Known),
            },
            Place::Known(schema) => schema.child(name).map_or(Place::Unknown, Place::Known),
            Place::Unknown => Place::Unknown,
        }
    }

    /// Whether the field is one of a fixed set and not a key somebody chose.
    #[must_use]
    pub fn has_field(self, name: &str) -> bool {
        match self {
            Place::Whole(_) => true,
            Place::Known(schema) => schema.object().is_some_and(|object| object.fields.get(name).is_some()),
            Place::Unknown => false,
        }
    }

    /// The place of the elements of a list.
    #[must_use]
    pub fn items(self) -> Place {
        match self {
            Place::Whole(_) | Place::Unknown => Place::Unknown,
            Place::Known(schema) => schema.list().map_or(Place::Unknown, |list| Place::Known(&list.items)),
        }
    }

    /// How its values are merged.
    #[must_use]
    pub fn merging(self) -> Merging {
        match self {
            Place::Whole(_) => Merging::Object,
            Place::Unknown => Merging::ByValue,
            Place::Known(schema) => match &schema.shape {
                Shape::Object(object) if object.atomic => Merging::Atomic,
                Shape::Object(_) => Merging::Object,
                Shape::List(list) => match &list.unique {
                    Unique::Nothing => Merging::Atomic,
                    Unique::Elements => Merging::Set,
                    Unique::Fields(keys) => Merging::Map(keys),
                },
                Shape::Text | Shape::Integer | Shape::Number | Shape::Boolean | Shape::IntOrText => {
                    Merging::Leaf
                }
                Shape::Any => Merging::ByValue,
            },
        }
    }

    /// How strategic merge patches treat it.
    #[must_use]
    pub fn patch(self) -> &'static PatchStrategy {
        match self {
            Place::Whole(_) | Place::Unknown => &ONE_BY_ONE,
            Place::Known(schema) => &schema.patch,
        }
    }

    /// The value it has when nobody wrote one.
    #[must_use]
    pub fn default(self) -> Option<&'static serde_json::Value> {
        match self {
            Place::Whole(_) | Place::Unknown => None,
            Place::Known(schema) => schema.default.as_ref(),
        }
    }
}

impl Schema {
    pub(super) fn object(&self) -> Option<&ObjectShape> {
        if let Shape::Object(object) = &self.shape { Some(object) } else { None }
    }

    pub(super) fn list(&self) -> Option<&ListShape> {
        if let Shape::List(list) = &self.shape { Some(list) } else { None }
    }

    /// The schema of a field, or of the values of a map.
    pub(super) fn child(&self, name: &str) -> Option<&Schema> {
        let object = self.object()?;
        object.fields.get(name).or(object.values.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merging(kind: KindName, fields: &[&str]) -> Merging {
        let place = fields.iter().fold(Place::Whole(kind), |place, field| match *field {
            "[]" => place.items(),
            name => place.field(name),
        });
        place.merging()
    }

    fn keys(place: Merging) -> Option<Vec<&'static str>> {
        if let Merging::Map(keys) = place { Some(keys.iter().map(String::as_str).collect()) } else { None }
    }

    #[test]
    fn lists_merge_as_their_schemas_say() {
        let ports = merging(KindName::Service, &["spec", "ports"]);
        assert_eq!(keys(ports), Some(vec!["port", "protocol"]));
        assert_eq!(keys(merging(KindName::Gateway, &["spec", "listeners"])), Some(vec!["name"]));
        assert_eq!(keys(merging(KindName::Gateway, &["status", "conditions"])), Some(vec!["type"]));
        assert_eq!(merging(KindName::HttpRoute, &["spec", "parentRefs"]), Merging::Atomic);
        assert_eq!(merging(KindName::EndpointSlice, &["endpoints", "[]", "addresses"]), Merging::Set);
        assert_eq!(merging(KindName::Service, &["spec", "selector"]), Merging::Atomic);
        assert_eq!(merging(KindName::Secret, &["metadata", "finalizers"]), Merging::Set);
        assert_eq!(merging(KindName::Pod, &["spec", "affinity", "anything"]), Merging::ByValue);
    }

    #[test]
    fn a_field_is_told_from_a_key() {
        let metadata = Place::Whole(KindName::Secret).field("metadata");

        assert!(metadata.has_field("labels"));
        assert!(!metadata.field("labels").has_field("app"));
    }
}
