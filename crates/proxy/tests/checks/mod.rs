//! What must hold for the codec whatever bytes it is given.
//!
//! One function per parser, used three times: by property tests, by the replay of the fuzzing corpora, and by
//! the fuzz targets themselves, so that a finding of the fuzzer is a test as soon as its input is committed.
//! The emitters in here are deliberately naive and share nothing with the product.

#![allow(dead_code, reason = "each user takes what it needs")]

pub mod body;
pub mod canonical;
pub mod request;
pub mod response;

use proxy::codec::http1::Parsed;
use proxy::message::{Field, Known};

/// Fields as owned text, to be compared across buffers.
type Fields = Vec<(Vec<u8>, Vec<u8>, Known)>;

fn owned(fields: &[Field], bytes: &[u8]) -> Fields {
    fields
        .iter()
        .map(|field| (field.name.of(bytes).to_vec(), field.value.of(bytes).to_vec(), field.known))
        .collect()
}

/// Nothing that could end a line, or be trimmed differently, may be inside a parsed field.
fn assert_carriable(fields: &Fields) {
    for (name, value, _) in fields {
        assert!(!name.is_empty() && name.iter().all(|byte| (0x21..0x7f).contains(byte) && *byte != b':'));
        assert!(!name.iter().any(u8::is_ascii_uppercase));
        assert!(value.iter().all(|byte| *byte == b'\t' || *byte >= 0x20 && *byte != 0x7f));
        assert_eq!(value.trim_ascii(), value);
    }
}

/// At most one field says where the body ends.
fn assert_one_framing(fields: &Fields) {
    let framing = |known: &Known| matches!(known, Known::ContentLength | Known::TransferEncoding);
    assert!(fields.iter().filter(|(_, _, known)| framing(known)).count() <= 1);
}

/// Compares what came of a whole input with what came of it byte by byte. A client that sends so slowly may be
/// told of its mistake later, but not later than at the end of the line, and it must be the same mistake.
fn assert_same<T: PartialEq + std::fmt::Debug>(
    data: &[u8],
    whole: &(Parsed, T),
    bytewise: impl Fn(&[u8]) -> (Parsed, T),
) {
    let mut cut = bytewise(data);
    if matches!((whole.0, cut.0), (Parsed::Failed(_), Parsed::Incomplete)) {
        cut = bytewise(&[data, b"\n"].concat());
    }
    assert_eq!(cut, *whole, "cut into bytes");
}
