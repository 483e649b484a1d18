//! Bodies in the binary encoding of Kubernetes, which typed Go clients send for core kinds without being asked.
//!
//! They are decoded into the tree that the same object has in JSON, and everything behind goes its usual way; answers
//! are JSON, which every such client reads. What a number means stands in `messages.txt`, made by `generate.py` from
//! the published types. A field that is not there is refused: dropping it would keep something else than was sent.

mod reader;
mod table;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::units::Moment;
use serde_json::{Map, Value};

use crate::objects::Status;
use crate::objects::body::BODY_NODES_MAX;
use reader::{Malformed, Reader, Word};
use table::{Field, Leaf, Shape, Type};

/// Media type of the encoding.
pub const MEDIA: &str = "application/vnd.kubernetes.protobuf";
/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Decodes a body; nothing is a body as well.
pub fn decode(bytes: &[u8]) -> Result<Value, Status> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let envelope = bytes.strip_prefix(MAGIC).ok_or_else(|| refused(&Malformed::Envelope))?;
    let envelope = Envelope::read(envelope).map_err(|fault| refused(&fault))?;
    let message = table::root(&envelope.api_version, &envelope.kind);
    let message = message.ok_or_else(|| refused(&Malformed::Kind(envelope.kind.clone())))?;
    let mut decoder = Decoder { nodes_left: BODY_NODES_MAX };
    let mut object = Map::new();
    object.insert("kind".to_owned(), envelope.kind.into());
    object.insert("apiVersion".to_owned(), envelope.api_version.into());
    decoder.message(message, envelope.raw, &mut object).map_err(|fault| refused(&fault))?;
    Ok(Value::Object(object))
}

fn refused(fault: &Malformed) -> Status {
    match fault {
        // In the way that makes clients fall back to JSON, those of them that can.
        Malformed::Kind(_) | Malformed::Unknown(_) => {
            Status::unsupported_media_type(&[crate::objects::media::JSON, crate::objects::media::YAML])
                .because(&fault.to_string())
        }
        Malformed::Many => Status::bad_request(format!("the body holds more than {BODY_NODES_MAX} values")),
        Malformed::Envelope | Malformed::Early | Malformed::Wire | Malformed::Text | Malformed::Json => {
            Status::bad_request(format!("the body is no object in the encoding that it names: {fault}"))
        }
    }
}

/// `runtime.Unknown`: what kind the object inside is of.
struct Envelope<'b> {
    api_version: String,
    kind: String,
    raw: &'b [u8],
}

impl<'b> Envelope<'b> {
    fn read(bytes: &'b [u8]) -> Result<Envelope<'b>, Malformed> {
        let mut envelope = Envelope { api_version: String::new(), kind: String::new(), raw: &[] };
        let mut reader = Reader(bytes);
        while let Some((number, word)) = reader.next()? {
            match number {
                1 => {
                    let mut meta = Reader(word.bytes()?);
                    while let Some((number, word)) = meta.next()? {
                        match number {
                            1 => envelope.api_version = word.text()?,
                            2 => envelope.kind = word.text()?,
                            _ => {}
                        }
                    }
                }
                2 => envelope.raw = word.bytes()?,
                _ => {}
            }
        }
        Ok(envelope)
    }
}

struct Decoder {
    nodes_left: usize,
}

impl Decoder {
    /// Adds the fields of a message to an object. Messages of the table contain each other to a fixed depth, so this
    /// does not recurse further than the table is deep.
    fn message(
        &mut self,
        name: &str,
        bytes: &[u8],
        object: &mut Map<String, Value>,
    ) -> Result<(), Malformed> {
        let fields = table::fields(name);
        let mut reader = Reader(bytes);
        while let Some((number, word)) = reader.next()? {
            self.nodes_left = self.nodes_left.checked_sub(1).ok_or(Malformed::Many)?;
            let field = fields.iter().find(|field| field.number == number);
            let field = field.ok_or_else(|| Malformed::Unknown(format!("{name}, field {number}")))?;
            self.field(field, word, object)?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &Field,
        word: Word<'_>,
        object: &mut Map<String, Value>,
    ) -> Result<(), Malformed> {
        let name = || field.name.to_owned();
        match (&field.shape, &field.of) {
            (Shape::Inline, Type::Message(inner)) => self.message(inner, word.bytes()?, object),
            (Shape::List, of) => {
                let element = self.value(of, word)?;
                let list = object.entry(name()).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    list.push(element);
                }
                Ok(())
            }
            (Shape::Map, of) => {
                let (key, value) = self.entry(of, word.bytes()?)?;
                let map = object.entry(name()).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(map) = map {
                    map.insert(key, value);
                }
                Ok(())
            }
            (Shape::One { keep }, of) => {
                let value = self.value(of, word)?;
                if *keep || !is_zero(&value) {
                    object.insert(name(), value);
                }
                Ok(())
            }
            (Shape::Inline, Type::Leaf(_)) => Err(Malformed::Unknown(name())),
        }
    }

    fn entry(&mut self, of: &Type, bytes: &[u8]) -> Result<(String, Value), Malformed> {
        let (mut key, mut value) = (String::new(), None);
        let mut reader = Reader(bytes);
        while let Some((number, word)) = reader.next()? {
            match number {
                1 => key = word.text()?,
                2 => value = Some(self.value(of, word)?),
                _ => return Err(Malformed::Wire),
            }
        }
        let empty = || if matches!(of, Type::Message(_)) { Value::Object(Map::new()) } else { "".into() };
        Ok((key, value.unwrap_or_else(empty)))
    }

    fn value(&mut self, of: &Type, word: Word<'_>) -> Result<Value, Malformed> {
        match of {
            Type::Message(name) => {
                let mut object = Map::new();
                self.message(name, word.bytes()?, &mut object)?;
                Ok(Value::Object(object))
            }
            Type::Leaf(leaf) => leaf_value(*leaf, word),
        }
    }
}

fn leaf_value(leaf: Leaf, word: Word<'_>) -> Result<Value, Malformed> {
    Ok(match leaf {
        Leaf::Text => word.text()?.into(),
        Leaf::Integer => word.integer()?.into(),
        Leaf::Flag => (word.integer()? != 0).into(),
        Leaf::Bytes => STANDARD.encode(word.bytes()?).into(),
        Leaf::Raw => match inner(word.bytes()?, 1)? {
            Some(raw) => {
                crate::objects::body::read(crate::objects::media::Encoding::Json, raw.bytes()?)
                    .map_err(|_| Malformed::Json)?
                    .value
            }
            None => Value::Null,
        },
        Leaf::Quantity => inner(word.bytes()?, 1)?.map_or(Ok(String::new()), Word::text)?.into(),
        Leaf::Time => match inner(word.bytes()?, 1)?.map(Word::integer).transpose()? {
            Some(seconds) => Moment(seconds).to_string().into(),
            None => Value::Null,
        },
        Leaf::IntegerOrText => {
            let bytes = word.bytes()?;
            let is_text = inner(bytes, 1)?.map(Word::integer).transpose()? == Some(1);
            match is_text {
                true => inner(bytes, 3)?.map_or(Ok(String::new()), Word::text)?.into(),
                false => inner(bytes, 2)?.map_or(Ok(0), Word::integer)?.into(),
            }
        }
    })
}

/// The last field with a number, of a message of which no more is needed.
fn inner(bytes: &[u8], wanted: u32) -> Result<Option<Word<'_>>, Malformed> {
    let (mut reader, mut found) = (Reader(bytes), None);
    while let Some((number, word)) = reader.next()? {
        if number == wanted {
            found = Some(word);
        }
    }
    Ok(found)
}

/// What is sent for a field that nobody has set.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).expect("short");
        [&[number << 3 | 2, length], bytes].concat()
    }

    fn number(number: u8, value: u8) -> Vec<u8> {
        vec![number << 3, value]
    }

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &meta), field(2, raw)].concat()
    }

    #[test]
    fn an_object_becomes_what_it_is_in_json() {
        let metadata = [field(1, b"a"), field(3, b""), number(7, 0), field(8, b"")].concat();
        let entry = [field(1, b"k"), field(2, b"v")].concat();
        let secret = [field(1, &metadata), field(2, &entry), field(3, b"Opaque")].concat();

        let object = decode(&body("v1", "Secret", &secret));

        assert_eq!(
            object.expect("sound"),
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" }, "data": { "k": "dg==" },
                "type": "Opaque",
            })
        );
    }

    #[test]
    fn a_port_that_nobody_set_is_not_port_zero() {
        let port =
            [field(1, b"http"), field(2, b"TCP"), number(3, 80), field(4, &number(1, 0)), number(5, 0)];
        let service = field(2, &field(1, &port.concat()));

        let object = decode(&body("v1", "Service", &service)).expect("sound");

        assert_eq!(object["spec"], json!({ "ports": [{ "name": "http", "protocol": "TCP", "port": 80 }] }));
    }

    #[test]
    fn options_of_a_delete_are_read_with_the_zeros_that_mean_something() {
        let object = decode(&body("v1", "DeleteOptions", &number(1, 0))).expect("sound");

        assert_eq!(object, json!({ "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0 }));
    }

    #[test]
    fn what_is_not_known_or_cut_off_is_refused() {
        let code = |bytes: &[u8]| decode(bytes).expect_err("refused").code();

        assert_eq!(code(b"k9s\0"), 400);
        assert_eq!(code(&body("v1", "Node", b"")), 415);
        assert_eq!(code(&body("v1", "Secret", &field(15, b"x"))), 415);
        let whole = body("v1", "Secret", &field(3, b"Opaque"));
        // Cut between two fields it is a whole message again, of an object that says nothing.
        let head = body("v1", "Secret", b"").len() - field(2, b"").len();
        for length in (MAGIC.len() + 1..whole.len()).filter(|length| *length != head) {
            assert!(decode(&whole[..length]).is_err(), "cut off after {length} bytes");
        }
    }

    #[test]
    fn a_flood_of_empty_elements_is_refused() {
        let ports = field(1, b"").repeat(BODY_NODES_MAX + 1);
        let length = ports.len();
        let mut spec = vec![2 << 3 | 2];
        spec.extend(
            [0x80 | (length & 0x7f), 0x80 | (length >> 7 & 0x7f), length >> 14].map(|part| part as u8),
        );
        spec.extend(ports);
        let mut raw = body("v1", "Service", b"");
        raw.truncate(raw.len() - 1);
        let length = spec.len();
        raw.extend(
            [0x80 | (length & 0x7f), 0x80 | (length >> 7 & 0x7f), length >> 14].map(|part| part as u8),
        );
        raw.extend(spec);

        let refused = decode(&raw).expect_err("too many");

        assert!(refused.message().contains("more than"), "{refused}");
    }
}
