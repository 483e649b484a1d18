//! Fields of a head taken out and put in. New text stands behind the old one, so that what points there still does.

use apis::shim::ChangedHead;

use crate::buffer::Text;
use crate::message::names::classify;
use crate::message::{Field, Fields, Known, Span};

/// Names and values as a transform reads them. A value that is no text is as absent as one that ends here.
pub(super) fn texts<'t>(fields: &Fields, text: &'t [u8]) -> Vec<(&'t str, &'t str)> {
    let own = fields.iter().filter(|field| field.known != Known::Listed);
    own.filter_map(|field| {
        let name = std::str::from_utf8(field.name.of(text)).ok()?;
        Some((name, std::str::from_utf8(field.value.of(text)).ok()?))
    })
    .collect()
}

/// Changes a head.
pub(super) fn change(fields: &mut Fields, text: &mut Text, changed: &ChangedHead) {
    if !changed.removed.is_empty() {
        fields.retain(|field| {
            let name = field.name.of(text);
            !changed.removed.iter().any(|removed| removed.as_bytes() == name)
        });
    }
    for (name, value) in &changed.added {
        put(fields, text, name.as_bytes(), value.as_bytes());
    }
}

/// Puts one field behind the others.
pub fn put(fields: &mut Fields, text: &mut Text, name: &[u8], value: &[u8]) {
    let (name, value) = (append(text, name), append(text, value));
    // What a rule says of a client is ours to say, whoever may not.
    let known = match classify(name.of(text)) {
        Known::Vouched => Known::Other,
        known => known,
    };
    fields.push(Field { name, value, known });
}

/// Takes out fields by name.
pub fn remove(fields: &mut Fields, text: &[u8], names: &[&[u8]]) {
    fields.retain(|field| !names.contains(&field.name.of(text)));
}

/// New text behind the old one.
pub fn append(text: &mut Text, bytes: &[u8]) -> Span {
    let start = text.len();
    text.extend_from_slice(bytes);
    Span::new(start, text.len())
}
