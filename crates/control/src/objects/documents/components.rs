//! Schemas as OpenAPI documents hold them: those that objects are judged by, in the dialect of the document.

use model::kinds::KindName;
use model::schema;
use serde_json::{Map, Value, json};

use super::names::{component, list_kind, summary};

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

    /// A schema file as the dialect can say it.
    fn translated(self, text: &str) -> Value {
        let mut schema: Value = serde_json::from_str(text).unwrap_or_default();
        self.translate(&mut schema);
        schema
    }

    fn translate(self, schema: &mut Value) {
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
            properties.values_mut().for_each(|inner| self.translate(inner));
        }
        for keyword in ["items", "additionalProperties", "not"] {
            if let Some(inner) = map.get_mut(keyword) {
                self.translate(inner);
            }
        }
        for keyword in ["oneOf", "anyOf"] {
            if let Some(Value::Array(branches)) = map.get_mut(keyword) {
                branches.iter_mut().for_each(|inner| self.translate(inner));
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
    let mut schema = dialect.translated(schema::text_of(kind));
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
        properties.insert("status".to_owned(), dialect.translated(text));
    }
    for (name, words) in
        [("spec", "What is wanted."), ("status", "How it is; written by controllers through `/status`.")]
    {
        if let Some(part) = properties.get_mut(name) {
            part["description"] = words.into();
        }
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
    let mut metadata = dialect.translated(schema::metadata_text());
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
