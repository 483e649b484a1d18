//! The types of JSON, as a set.

use std::fmt;

use serde_json::Value;

/// A type of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Type {
    /// `null`
    Null = 1,
    /// `true` and `false`
    Boolean = 2,
    /// A number without a fraction; `1.0` is one.
    Integer = 4,
    /// Any number.
    Number = 8,
    /// Text.
    Text = 16,
    /// A list.
    List = 32,
    /// An object.
    Object = 64,
}

impl Type {
    /// All of them.
    pub const ALL: [Type; 7] =
        [Type::Null, Type::Boolean, Type::Integer, Type::Number, Type::Text, Type::List, Type::Object];

    /// The word of JSON Schema.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Type::Null => "null",
            Type::Boolean => "boolean",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::Text => "string",
            Type::List => "array",
            Type::Object => "object",
        }
    }

    /// The type that a word of JSON Schema names.
    #[must_use]
    pub fn named(word: &str) -> Option<Type> {
        Type::ALL.into_iter().find(|known| known.word() == word)
    }
}

/// A set of types. The default is all of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Types(u8);

impl Default for Types {
    fn default() -> Types {
        Types::ALL
    }
}

impl Types {
    /// Every type.
    pub const ALL: Types = Types(127);
    /// No type.
    pub const NONE: Types = Types(0);

    /// The set of one type.
    #[must_use]
    pub const fn of(one: Type) -> Types {
        Types(one as u8)
    }

    /// With one type more.
    #[must_use]
    pub const fn with(self, one: Type) -> Types {
        Types(self.0 | one as u8)
    }

    /// Whether values of the type may be in it. Integers are numbers.
    #[must_use]
    pub const fn allows(self, one: Type) -> bool {
        self.0 & one as u8 != 0 || (matches!(one, Type::Integer) && self.0 & Type::Number as u8 != 0)
    }

    /// Whether it is every type.
    #[must_use]
    pub const fn is_all(self) -> bool {
        self.0 == Types::ALL.0
    }

    /// Whether no value can have such a type.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The types in both.
    #[must_use]
    pub const fn and(self, other: Types) -> Types {
        Types(Types::with_integers(self.0) & Types::with_integers(other.0))
    }

    /// The types in either.
    #[must_use]
    pub const fn or(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }

    const fn with_integers(set: u8) -> u8 {
        if set & Type::Number as u8 == 0 { set } else { set | Type::Integer as u8 }
    }

    /// The types, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Type> {
        Type::ALL.into_iter().filter(move |one| self.0 & *one as u8 != 0)
    }

    /// Whether the value is of one of these types.
    #[must_use]
    pub fn takes(self, value: &Value) -> bool {
        match value {
            Value::Null => self.allows(Type::Null),
            Value::Bool(_) => self.allows(Type::Boolean),
            Value::Number(number) => {
                self.allows(Type::Number)
                    || (self.allows(Type::Integer)
                        && (!number.is_f64() || number.as_f64().is_some_and(|number| number.fract() == 0.0)))
            }
            Value::String(_) => self.allows(Type::Text),
            Value::Array(_) => self.allows(Type::List),
            Value::Object(_) => self.allows(Type::Object),
        }
    }
}

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Types({self})")
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("anything");
        }
        let mut separator = "";
        for one in self.iter() {
            write!(f, "{separator}{}", one.word())?;
            separator = " or ";
        }
        if separator.is_empty() { f.write_str("nothing") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_integer_is_a_number_without_a_fraction() {
        let integer = Types::of(Type::Integer);

        assert!(integer.takes(&json!(1)) && integer.takes(&json!(1.0)) && !integer.takes(&json!(1.5)));
        assert!(Types::of(Type::Number).takes(&json!(1)));
        assert_eq!(Types::of(Type::Number).and(integer), integer);
        assert_eq!(Types::ALL.and(integer), integer);
    }

    #[test]
    fn a_set_reads_as_a_sentence() {
        assert_eq!(Types::of(Type::Text).with(Type::Null).to_string(), "null or string");
        assert_eq!(Types::ALL.to_string(), "anything");
    }
}
