//! Names with values: parameters of a query, fields of a head. What nobody speaks of stays as it was written.

use std::sync::Arc;

use model::kinds::transform::{FieldTransform, NamedText, Rename};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Names with values, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    list: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    /// As it is compared: decoded, or in lower case.
    name: String,
    value: String,
    /// As it came, where it was not touched.
    written: Option<String>,
}

impl Fields {
    /// The parameters of a query.
    pub fn of_query(query: &str) -> Fields {
        let decoded = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let list = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Field { name: decoded(name), value: decoded(value), written: Some(pair.to_owned()) }
        });
        Fields { list: list.collect() }
    }

    /// As a query.
    pub fn into_query(self) -> String {
        let mut query = String::new();
        for field in self.list {
            if !query.is_empty() {
                query.push('&');
            }
            match field.written {
                Some(written) => query.push_str(&written),
                None => {
                    query.extend(utf8_percent_encode(&field.name, NON_ALPHANUMERIC));
                    query.push('=');
                    query.extend(utf8_percent_encode(&field.value, NON_ALPHANUMERIC));
                }
            }
        }
        query
    }

    /// Those fields of a head that somebody speaks of. Names in lower case.
    pub fn of_head(headers: &[(&str, &str)], names: &[Arc<str>]) -> Fields {
        let mut list = Vec::new();
        for (name, value) in headers {
            if let Some(name) = names.iter().find(|known| known.eq_ignore_ascii_case(name)) {
                list.push(Field { name: name.to_string(), value: (*value).to_owned(), written: None });
            }
        }
        Fields { list }
    }

    /// As fields of a head.
    pub fn into_head(self) -> Vec<(String, String)> {
        self.list.into_iter().map(|field| (field.name, field.value)).collect()
    }

    /// Takes out the first value of a name and drops the others.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let first = self.list.iter().position(|field| field.name == name)?;
        let value = self.list.remove(first).value;
        self.remove(name);
        Some(value)
    }

    /// Puts one value under a name, in the place of those that are there.
    pub fn put(&mut self, name: &str, value: String) {
        let field = Field { name: name.to_owned(), value, written: None };
        match self.list.iter().position(|known| known.name == name) {
            Some(at) => {
                self.remove(name);
                self.list.insert(at, field);
            }
            None => self.list.push(field),
        }
    }

    fn remove(&mut self, name: &str) {
        self.list.retain(|field| field.name != name);
    }

    fn has(&self, name: &str) -> bool {
        self.list.iter().any(|field| field.name == name)
    }
}

/// Changes of fields, compiled: names as they are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldEdits(FieldTransform);

impl FieldEdits {
    pub fn of_query(written: &FieldTransform) -> FieldEdits {
        FieldEdits(written.clone())
    }

    /// Names of a head know no case.
    pub fn of_head(written: &FieldTransform) -> FieldEdits {
        let lower = |name: &Arc<str>| -> Arc<str> { name.to_ascii_lowercase().into() };
        let named = |list: &[NamedText]| {
            list.iter().map(|one| NamedText { name: lower(&one.name), value: one.value.clone() }).collect()
        };
        let FieldTransform { rename, remove, default, set, add } = written;
        FieldEdits(FieldTransform {
            rename: rename.iter().map(|one| Rename { from: lower(&one.from), to: lower(&one.to) }).collect(),
            remove: remove.iter().map(lower).collect(),
            default: named(default),
            set: named(set),
            add: named(add),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.names()
    }

    pub fn apply(&self, fields: &mut Fields) {
        let FieldTransform { rename, remove, default, set, add } = &self.0;
        for Rename { from, to } in rename {
            if from != to && fields.has(from) {
                fields.remove(to);
                for field in fields.list.iter_mut().filter(|field| field.name == **from) {
                    field.name = to.to_string();
                    field.written = None;
                }
            }
        }
        remove.iter().for_each(|name| fields.remove(name));
        for NamedText { name, value } in default {
            if !fields.has(name) {
                fields.put(name, value.to_string());
            }
        }
        set.iter().for_each(|one| fields.put(&one.name, one.value.to_string()));
        for NamedText { name, value } in add {
            fields.list.push(Field { name: name.to_string(), value: value.to_string(), written: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(written: serde_json::Value) -> FieldTransform {
        serde_json::from_value(written).expect("edits")
    }

    #[test]
    fn what_nobody_speaks_of_stays_as_it_was_written() {
        let mut query = Fields::of_query("ids=1,2&flag&q=a%2Cb&old=x%20y");
        let edits = FieldEdits::of_query(&edits(serde_json::json!({
            "rename": [{ "from": "old", "to": "new" }],
            "default": [{ "name": "limit", "value": "10" }, { "name": "flag", "value": "no" }],
        })));

        edits.apply(&mut query);

        assert_eq!(query.into_query(), "ids=1,2&flag&q=a%2Cb&new=x%20y&limit=10");
    }

    #[test]
    fn a_name_that_is_given_to_a_field_is_no_longer_the_callers_to_give() {
        let edits = FieldEdits::of_head(&edits(serde_json::json!({
            "rename": [{ "from": "X-User", "to": "X-Owner" }], "remove": ["X-Secret"],
        })));
        let names: Vec<Arc<str>> = edits.names().cloned().collect();
        let given = [("x-user", "kim"), ("X-OWNER", "forged"), ("x-secret", "1"), ("accept", "*/*")];
        let mut head = Fields::of_head(&given, &names);

        edits.apply(&mut head);

        assert_eq!(head.into_head(), [("x-owner".to_owned(), "kim".to_owned())]);
    }
}
