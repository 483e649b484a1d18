//! Schemas as OpenAPI documents hold them: those that objects are judged by, in the dialect of the document.

use model::kinds::KindName;
use model::schema;
use serde_json::{Map, Value, json};

use super::names::{component, list_kind, summary};
use super::words;

/// The two versions of OpenAPI differ in where schemas stand and in what they can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAPI 2.0 ("Swagger").
    V2,
    /// OpenAPI 3.0.
    V3,
}

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

impl Dialect {
    /// A reference to a schema of the document.
    pub fn reference(self, name: &str) -> Value {
        let place = match self {
            Dialect::V2 => "definitions",
            Dialect::V3 => "components/schemas",
        };
        json!({"$ref": format!("#/{place}/{name}")})
    }

    /// A reference to one of the schemas that all kinds share.
    pub fn meta(self, name: &str) -> Value {
        self.reference(&format!("{META}.{name}"))
    }

    /// A reference with words about this use of it.
    fn described(self, name: &str, words: &str) -> Value {
        match self {
            Dialect::V2 => {
                let mut reference = self.meta(name);
                reference["description"] = words.into();
                reference
            }
            Dialect::V3 => json!({"description": words, "allOf": [self.meta(name)]}),
        }
    }

    /// A schema file as the dialect can say it, with words for people. `path` is that of the place it is about.
    fn translated<'p>(self, text: &'p str, path: &[&'p str]) -> Value {
        let mut schema: Value = serde_json::from_str(text).unwrap_or_default();
        self.translate(&mut schema, &mut path.iter().map(|step| (*step).to_owned()).collect());
        schema
    }

    /// As deep as the schema, which is ours.
    fn translate(self, schema: &mut Value, path: &mut Vec<String>) {
        let Value::Object(map) = schema else { return };
        map.retain(|keyword, _| !keyword.starts_with("x-selvedge-"));
        if self == Dialect::V2 {
            map.retain(|keyword, _| !matches!(keyword.as_str(), "oneOf" | "anyOf" | "not"));
            // An object with properties is closed to old clients; what lets everything through has none.
            if map.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true)) {
                ["properties", "required"].iter().for_each(|keyword| drop(map.shift_remove(*keyword)));
            }
        }
        if self == Dialect::V3 && map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
            map.entry("anyOf").or_insert_with(|| json!([{"type": "integer"}, {"type": "string"}]));
        }
        if let Some(Value::Object(properties)) = map.get_mut("properties") {
            for (name, inner) in properties {
                path.push(name.clone());
                self.translate(inner, path);
                let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                if let (Value::Object(inner), Some(words)) = (inner, words::of(&steps)) {
                    inner.insert("description".to_owned(), words.into());
                }
                path.pop();
            }
        }
        for keyword in ["items", "additionalProperties"] {
            if let Some(inner) = map.get_mut(keyword) {
                self.translate(inner, path);
            }
        }
    }
}

/// The schemas of a kind and of its lists, by name.
pub fn of_kind(dialect: Dialect, kind: KindName, version: &str) -> [(String, Value); 2] {
    let (name, list) = (component(kind, version), component_of_list(kind, version));
    let item = dialect.reference(&name);
    let gvk = |kind: &str, group: &str| json!([{"group": group, "version": version, "kind": kind}]);
    let list_schema = json!({
        "type": "object", "required": ["items"],
        "description": format!("A list of {}.", kind.plural()),
        "properties": {
            "apiVersion": word("The version of this schema that the list is written in."),
            "items": {"type": "array", "items": item, "description": "The objects."},
            "kind": word("What the list holds."),
            "metadata": dialect.described("ListMeta", "What is to be known of the list."),
        },
        "x-kubernetes-group-version-kind": gvk(&list_kind(kind), kind.group()),
    });
    [(name, object(dialect, kind, gvk(kind.as_str(), kind.group()))), (list, list_schema)]
}

/// The schema of the lists of a kind, by name.
pub fn component_of_list(kind: KindName, version: &str) -> String {
    format!("{}List", component(kind, version))
}

fn object(dialect: Dialect, kind: KindName, gvk: Value) -> Value {
    let mut schema = dialect.translated(schema::text_of(kind), &[kind.as_str()]);
    let mut properties = Map::new();
    properties
        .insert("apiVersion".to_owned(), word("The version of this schema that the object is written in."));
    properties.insert("kind".to_owned(), word("What the object is."));
    properties
        .insert("metadata".to_owned(), dialect.described("ObjectMeta", "What tells the object from others."));
    if let Some(Value::Object(own)) = schema.get_mut("properties").map(Value::take) {
        properties.extend(own);
    }
    if let Some(text) = schema::status_text_of(kind) {
        let mut status = dialect.translated(text, &[kind.as_str(), "status"]);
        status["description"] = words::of(&["status"]).into();
        properties.insert("status".to_owned(), status);
    }
    schema["properties"] = Value::Object(properties);
    schema["description"] = summary(kind).into();
    schema["x-kubernetes-group-version-kind"] = gvk;
    schema
}

fn word(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

/// The schemas that all kinds share, by name.
pub fn shared(dialect: Dialect) -> Vec<(String, Value)> {
    let mut metadata = dialect.translated(schema::metadata_text(), &["metadata"]);
    metadata["description"] = "What tells an object from others, and what the server knows of it.".into();
    if let Some(map) = metadata.as_object_mut() {
        map.shift_remove("required"); // a name may be made up by the server, or stand in the path
    }
    let text = json!({"type": "string"});
    let number = json!({"type": "integer", "format": "int64"});
    let list_meta = json!({
        "type": "object", "description": "What is to be known of a list.",
        "properties": {
            "continue": text, "remainingItemCount": number, "resourceVersion": text, "selfLink": text,
        },
    });
    let patch = json!({"type": "object", "description": "A change, in one of the patch languages."});
    let schemas = [
        ("ObjectMeta", metadata),
        ("ListMeta", list_meta),
        ("Patch", patch),
        ("Status", status(dialect)),
        ("DeleteOptions", delete_options()),
        ("APIResourceList", resources()),
    ];
    schemas.into_iter().map(|(name, schema)| (format!("{META}.{name}"), schema)).collect()
}

fn status(dialect: Dialect) -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object", "description": "What became of a request.",
        "properties": {
            "apiVersion": text, "kind": text, "metadata": dialect.meta("ListMeta"), "message": text, "reason": text,
            "status": text, "code": {"type": "integer", "format": "int32"},
            "details": {
                "type": "object",
                "properties": {
                    "name": text, "group": text, "kind": text, "uid": text,
                    "retryAfterSeconds": {"type": "integer", "format": "int32"},
                    "causes": {
                        "type": "array",
                        "items": {
                            "type": "object", "properties": {"field": text, "message": text, "reason": text},
                        },
                    },
                },
            },
        },
        "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "Status"}],
    })
}

fn delete_options() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object", "description": "How an object is to be deleted.",
        "properties": {
            "apiVersion": text, "kind": text,
            "dryRun": {"type": "array", "items": text},
            "gracePeriodSeconds": {"type": "integer", "format": "int64"},
            "orphanDependents": {"type": "boolean"},
            "preconditions": {"type": "object", "properties": {"resourceVersion": text, "uid": text}},
            "propagationPolicy": text,
        },
        "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "DeleteOptions"}],
    })
}

fn resources() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    json!({
        "type": "object", "description": "The kinds of a group version.",
        "properties": {
            "apiVersion": text, "kind": text, "groupVersion": text,
            "resources": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": text, "singularName": text, "namespaced": {"type": "boolean"}, "kind": text,
                        "verbs": texts, "shortNames": texts, "categories": texts,
                    },
                },
            },
        },
        "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "APIResourceList"}],
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_field_is_without_words_and_no_words_are_without_a_field() {
        let mut silent = BTreeSet::new();
        let mut paths = Vec::new();
        for kind in KindName::ALL {
            collect(
                &Dialect::V3.translated(schema::text_of(*kind), &[kind.as_str()]),
                kind.as_str(),
                &mut paths,
                &mut silent,
            );
            if let Some(text) = schema::status_text_of(*kind) {
                let path = format!("{kind}.status");
                collect(
                    &Dialect::V3.translated(text, &[kind.as_str(), "status"]),
                    &path,
                    &mut paths,
                    &mut silent,
                );
            }
        }
        let metadata = Dialect::V3.translated(schema::metadata_text(), &["metadata"]);
        collect(&metadata, "metadata", &mut paths, &mut silent);
        assert_eq!(silent, BTreeSet::new(), "fields without words");

        paths.push("Any.status".to_owned());
        let is_used = |end: &str| paths.iter().any(|path| path == end || path.ends_with(&format!(".{end}")));
        let idle: Vec<&str> = words::all().map(|(end, _)| *end).filter(|end| !is_used(end)).collect();
        assert_eq!(idle, [""; 0], "words without a field");
    }

    fn collect(schema: &Value, at: &str, paths: &mut Vec<String>, silent: &mut BTreeSet<String>) {
        for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = format!("{at}.{name}");
            if inner.get("description").is_none() {
                silent.insert(path.clone());
            }
            collect(inner, &path, paths, silent);
            if let Some(items) = inner.get("items") {
                collect(items, &path, paths, silent);
            }
            paths.push(path);
        }
    }
}
