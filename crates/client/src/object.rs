//! An object as the API sent it: whole, with what every object has at hand.

use model::{Resource, Violations, yaml};
use serde_json::Value;

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub struct Object(pub Value);

impl Object {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Its `apiVersion`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Its namespace; `None` outside of namespaces.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        Some(self.text("/metadata/namespace")).filter(|namespace| !namespace.is_empty())
    }

    /// `namespace/name`, or the name alone.
    #[must_use]
    pub fn place(&self) -> String {
        match self.namespace() {
            Some(namespace) => format!("{namespace}/{}", self.name()),
            None => self.name().to_owned(),
        }
    }

    /// The number of its last write.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.text("/metadata/resourceVersion")
    }

    /// Text at a JSON pointer; empty when there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The object as the program understands it.
    ///
    /// # Errors
    /// Everything that is wrong with it, or that this version does not know.
    pub fn resource(&self) -> Result<Resource, Violations> {
        yaml::read_value(self.0.clone())
    }

    /// The object without what only the server has to say: who set which field.
    #[must_use]
    pub fn without_managers(mut self) -> Object {
        if let Some(Value::Object(metadata)) = self.0.get_mut("metadata") {
            metadata.shift_remove("managedFields");
        }
        self
    }

    /// The same with its fields in the order in which people write and look for them.
    #[must_use]
    pub fn in_order(mut self) -> Object {
        reorder(&mut self.0, &["apiVersion", "kind", "metadata"], "status");
        if let Some(metadata) = self.0.get_mut("metadata") {
            reorder(metadata, &["name", "namespace", "labels", "annotations"], "managedFields");
        }
        self
    }

    /// Whether a field manager applied it, with server-side apply.
    #[must_use]
    pub fn is_applied_by(&self, manager: &str) -> bool {
        let managers = self.0.pointer("/metadata/managedFields").and_then(Value::as_array);
        managers
            .into_iter()
            .flatten()
            .any(|entry| entry["manager"] == manager && entry["operation"] == "Apply")
    }
}

/// Puts some fields first and one last; the others keep their order between them.
fn reorder(value: &mut Value, first: &[&str], last: &str) {
    let Value::Object(map) = value else { return };
    let mut before = std::mem::take(map);
    for name in first {
        map.extend(before.shift_remove_entry(*name));
    }
    let end = before.shift_remove_entry(last);
    map.extend(before);
    map.extend(end);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_every_object_has_is_at_hand() {
        let object = Object(json!({
            "kind": "Service",
            "metadata": { "name": "cart", "namespace": "shop", "managedFields": [
                { "manager": "selvedge", "operation": "Apply" }, { "manager": "kubectl", "operation": "Update" },
            ]},
        }));

        assert_eq!((object.kind(), object.place()), ("Service", "shop/cart".to_owned()));
        assert!(object.is_applied_by("selvedge") && !object.is_applied_by("kubectl"));
        assert!(!object.without_managers().is_applied_by("selvedge"));
    }

    #[test]
    fn fields_stand_where_people_look_for_them() {
        let object = Object(json!({
            "status": {}, "spec": {}, "kind": "Service", "data": {}, "metadata": { "uid": "1", "name": "a" },
        }));

        assert_eq!(
            object.in_order().0.to_string(),
            r#"{"kind":"Service","metadata":{"name":"a","uid":"1"},"spec":{},"data":{},"status":{}}"#
        );
    }
}
