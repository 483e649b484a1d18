//! OpenAPI 2.0 in the binary form that older `kubectl` insists on.
//!
//! Before it sends anything, `kubectl apply` of those days reads the schemas, and it reads them in this form only. The
//! form is that of the gnostic project (`openapi.v2.Document`); what our document does not have is not written. Numbers
//! in here are field numbers of those messages.

use serde_json::{Map, Value};

use super::openapi_v2::openapi_v2;

/// Media type of the binary form, as answers must name it.
pub const OPENAPI_V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// What clients accept when they mean the binary form. It is no proper media type (RFC 9110 section 8.3.1 knows no `@`
/// in one), and the same clients refuse an answer that calls itself so.
pub const OPENAPI_V2_PROTOBUF_ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// `/openapi/v2` for clients that accept the binary form, under either of its names.
#[must_use]
pub fn openapi_v2_protobuf() -> Vec<u8> {
    document(&openapi_v2()).0
}

/// A message of protocol buffers while it is written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number as u8) | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn key(&mut self, field: u32, wire_type: u8) {
        self.varint(u64::from(field) << 3 | u64::from(wire_type));
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u32, value: Option<&Value>) {
        if let Some(text) = value.and_then(Value::as_str) {
            self.bytes(field, text.as_bytes());
        }
    }

    fn texts(&mut self, field: u32, value: Option<&Value>) {
        for text in value.and_then(Value::as_array).into_iter().flatten() {
            self.text(field, Some(text));
        }
    }

    fn flag(&mut self, field: u32, value: Option<&Value>) {
        if value == Some(&Value::Bool(true)) {
            self.key(field, 0);
            self.varint(1);
        }
    }

    fn whole(&mut self, field: u32, value: Option<&Value>) {
        if let Some(number) = value.and_then(Value::as_u64) {
            self.key(field, 0);
            self.varint(number);
        }
    }

    fn double(&mut self, field: u32, value: Option<&Value>) {
        if let Some(number) = value.and_then(Value::as_f64) {
            self.key(field, 1);
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn message(&mut self, field: u32, inner: &Message) {
        self.bytes(field, &inner.0);
    }

    /// A value of any shape, as YAML; JSON is YAML.
    fn any(&mut self, field: u32, value: Option<&Value>) {
        if let Some(value) = value {
            let mut any = Message::default();
            any.bytes(2, value.to_string().as_bytes());
            self.message(field, &any);
        }
    }

    fn named(&mut self, field: u32, name: &str, inner: &Message) {
        let mut named = Message::default();
        named.bytes(1, name.as_bytes());
        named.message(2, inner);
        self.message(field, &named);
    }

    fn extensions(&mut self, field: u32, of: &Value) {
        for (name, value) in fields(of).filter(|(name, _)| name.starts_with("x-")) {
            let mut any = Message::default();
            any.bytes(2, value.to_string().as_bytes());
            self.named(field, name, &any);
        }
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn elements(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn document(value: &Value) -> Message {
    let mut message = Message::default();
    message.text(1, value.get("swagger"));
    let mut info = Message::default();
    info.text(1, value.pointer("/info/title"));
    info.text(2, value.pointer("/info/version"));
    message.message(2, &info);
    let mut paths = Message::default();
    for (name, item) in value.get("paths").into_iter().flat_map(fields) {
        paths.named(2, name, &path_item(item));
    }
    message.message(8, &paths);
    let mut definitions = Message::default();
    for (name, inner) in value.get("definitions").into_iter().flat_map(fields) {
        definitions.named(1, name, &schema(inner));
    }
    message.message(9, &definitions);
    message
}

fn path_item(value: &Value) -> Message {
    let mut message = Message::default();
    for (field, method) in [(2, "get"), (3, "put"), (4, "post"), (5, "delete"), (8, "patch")] {
        if let Some(inner) = value.get(method) {
            message.message(field, &operation(inner));
        }
    }
    for inner in elements(value.get("parameters")) {
        message.message(9, &parameter(inner));
    }
    message
}

fn operation(value: &Value) -> Message {
    let mut message = Message::default();
    message.text(3, value.get("description"));
    message.text(5, value.get("operationId"));
    message.texts(6, value.get("produces"));
    message.texts(7, value.get("consumes"));
    for inner in elements(value.get("parameters")) {
        message.message(8, &parameter(inner));
    }
    let mut responses = Message::default();
    for (code, inner) in value.get("responses").into_iter().flat_map(fields) {
        let (mut response, mut item, mut either) =
            (Message::default(), Message::default(), Message::default());
        response.text(1, inner.get("description"));
        if let Some(inner) = inner.get("schema") {
            item.message(1, &schema(inner));
            response.message(2, &item);
        }
        either.message(1, &response);
        responses.named(1, code, &either);
    }
    message.message(9, &responses);
    message.extensions(13, value);
    message
}

/// `ParametersItem` around `Parameter` around one of three messages.
fn parameter(value: &Value) -> Message {
    let (mut parameter, mut item) = (Message::default(), Message::default());
    match value.get("in").and_then(Value::as_str) {
        Some("body") => {
            let mut body = Message::default();
            body.text(1, value.get("description"));
            body.text(2, value.get("name"));
            body.text(3, value.get("in"));
            body.flag(4, value.get("required"));
            if let Some(inner) = value.get("schema") {
                body.message(5, &schema(inner));
            }
            parameter.message(1, &body);
        }
        place => {
            let is_path = place == Some("path");
            let (mut simple, mut other) = (Message::default(), Message::default());
            simple.flag(1, value.get("required"));
            simple.text(2, value.get("in"));
            simple.text(3, value.get("description"));
            simple.text(4, value.get("name"));
            simple.text(if is_path { 5 } else { 6 }, value.get("type"));
            other.message(if is_path { 4 } else { 3 }, &simple);
            parameter.message(2, &other);
        }
    }
    item.message(1, &parameter);
    item
}

fn schema(value: &Value) -> Message {
    let mut message = Message::default();
    for (field, keyword) in [(1, "$ref"), (2, "format"), (4, "description"), (13, "pattern")] {
        message.text(field, value.get(keyword));
    }
    message.any(5, value.get("default"));
    message.double(7, value.get("maximum"));
    message.double(9, value.get("minimum"));
    let sizes =
        [(11, "maxLength"), (12, "minLength"), (14, "maxItems"), (15, "minItems"), (17, "maxProperties")];
    for (field, keyword) in sizes {
        message.whole(field, value.get(keyword));
    }
    message.texts(19, value.get("required"));
    elements(value.get("enum")).for_each(|choice| message.any(20, Some(choice)));
    let mut wrapped = |field: u32, at: u32, inner: Option<&Value>| {
        if let Some(inner) = inner {
            let mut wrapper = Message::default();
            wrapper.message(at, &schema(inner));
            message.message(field, &wrapper);
        }
    };
    wrapped(21, 1, value.get("additionalProperties"));
    wrapped(23, 1, value.get("items"));
    if value.get("type").is_some() {
        let mut of = Message::default();
        of.text(1, value.get("type"));
        message.message(22, &of);
    }
    if let Some(properties) = value.get("properties") {
        let mut inner = Message::default();
        fields(properties).for_each(|(name, property)| inner.named(1, name, &schema(property)));
        message.message(25, &inner);
    }
    message.extensions(31, value);
    message
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_texts_are_written_as_protocol_buffers_want_them() {
        let mut message = Message::default();
        message.text(1, Some(&json!("ab")));
        message.whole(11, Some(&json!(300)));
        message.flag(4, Some(&json!(true)));
        message.flag(5, Some(&json!(false)));
        message.double(7, Some(&json!(1)));

        assert_eq!(
            message.0,
            [0x0a, 2, b'a', b'b', 0x58, 0xac, 0x02, 0x20, 1, 0x39, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]
        );
    }

    #[test]
    fn a_schema_keeps_its_parts() {
        let bytes = schema(&json!({"type": "object", "properties": {"a": {"$ref": "#/definitions/b"}}})).0;

        // field 22 { 1: "object" }, field 25 { 1 { 1: "a", 2 { 1: "#/definitions/b" } } }
        let mut expected = vec![0xb2, 0x01, 8, 0x0a, 6];
        expected.extend(b"object");
        expected.extend([0xca, 0x01, 24, 0x0a, 22, 0x0a, 1, b'a', 0x12, 17, 0x0a, 15]);
        expected.extend(b"#/definitions/b");
        assert_eq!(bytes, expected);
    }
}
