//! The wire format of protocol buffers, as far as spans need it: <https://protobuf.dev/programming-guides/encoding/>.
//!
//! Spans are written once, by the worker that made them, in the bytes in which they leave. Messages with types of
//! their own would cost an allocation for each string and be written a second time.

use crate::limits::SPAN_TEXT_BYTES_MAX;

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const FIXED32: u32 = 5;

fn tag(out: &mut Vec<u8>, field: u32, kind: u32) {
    varint(out, u64::from(field << 3 | kind));
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that a varint takes.
fn varint_bytes(value: usize) -> usize {
    (usize::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

/// A number: `uint32`, `int64` that is not negative, an enumeration.
pub fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, VARINT);
    varint(out, value);
}

/// A `fixed64`.
pub fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A `fixed32`.
pub fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    tag(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// `bytes`, or a `string` that is known to be UTF-8.
pub fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    tag(out, field, BYTES);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A message within the message.
pub fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, BYTES);
    let start = out.len();
    write(out);
    let length = out.len() - start;
    // How long it is stands before it and is known behind it.
    let room = varint_bytes(length);
    out.resize(out.len() + room, 0);
    out.copy_within(start..start + length, start + room);
    let mut rest = length;
    for (at, place) in out[start..start + room].iter_mut().enumerate() {
        let more = if at + 1 < room { 0x80 } else { 0 };
        *place = (rest as u8 & 0x7f) | more;
        rest >>= 7;
    }
}

/// `KeyValue` of OpenTelemetry with a string, cut at `SPAN_TEXT_BYTES_MAX`. What is not UTF-8 is shown as U+FFFD.
pub fn attribute(out: &mut Vec<u8>, field: u32, key: &str, value: &[u8]) {
    let value = &value[..value.len().min(SPAN_TEXT_BYTES_MAX)];
    let shown = String::from_utf8_lossy(value);
    key_value(out, field, key, |out| bytes(out, 1, shown.as_bytes()));
}

/// `KeyValue` of OpenTelemetry with a number.
pub fn numeric(out: &mut Vec<u8>, field: u32, key: &str, value: u64) {
    key_value(out, field, key, |out| number(out, 3, value));
}

fn key_value(out: &mut Vec<u8>, field: u32, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    message(out, field, |out| {
        bytes(out, 1, key.as_bytes());
        message(out, 2, value);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Inner {
        #[prost(string, tag = "1")]
        key: String,
        #[prost(message, optional, tag = "2")]
        value: Option<Value>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Value {
        #[prost(string, optional, tag = "1")]
        text: Option<String>,
        #[prost(int64, optional, tag = "3")]
        number: Option<i64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Outer {
        #[prost(uint64, tag = "6")]
        number: u64,
        #[prost(fixed64, tag = "7")]
        fixed: u64,
        #[prost(message, repeated, tag = "9")]
        inner: Vec<Inner>,
        #[prost(fixed32, tag = "16")]
        short: u32,
    }

    #[test]
    fn what_is_written_is_what_the_library_reads() {
        for length in [0, 1, 100, 127, 128, 1000] {
            let text = "a".repeat(length);
            let mut out = Vec::new();
            number(&mut out, 6, 1 << 40);
            fixed64(&mut out, 7, u64::MAX);
            attribute(&mut out, 9, "path", text.as_bytes());
            numeric(&mut out, 9, "status", 200);
            fixed32(&mut out, 16, 257);

            let read = Outer::decode(&*out).unwrap();

            assert_eq!((read.number, read.fixed, read.short), (1 << 40, u64::MAX, 257));
            assert_eq!(read.inner[0].key, "path");
            assert_eq!(read.inner[0].value.as_ref().unwrap().text.as_ref(), Some(&text));
            assert_eq!(read.inner[1].value.as_ref().unwrap().number, Some(200));
        }
    }

    #[test]
    fn text_is_cut_and_made_legible() {
        let mut out = Vec::new();
        attribute(&mut out, 9, "a", &vec![0xff; SPAN_TEXT_BYTES_MAX + 9]);

        let read = Outer::decode(&*out).unwrap();

        let text = read.inner[0].value.as_ref().unwrap().text.clone().unwrap();
        assert_eq!(text, "\u{fffd}".repeat(SPAN_TEXT_BYTES_MAX));
    }
}
