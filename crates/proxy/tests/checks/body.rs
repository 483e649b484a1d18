//! Bodies: cut anywhere, passed or decoded, they end at the same byte with the same content.

use proxy::codec::http1::{
    BadBody, Body, BodyState, LAST_CHUNK, Parsed, Resume, Sender, chunk_header, parse_trailers,
};
use proxy::message::{Framing, Known};

use super::{assert_carriable, assert_same, owned};

/// Checks everything for one input. Its first byte says into how large pieces the rest is cut.
pub fn check(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let piece = usize::from(first % 32) + 1;
    for framing in [Framing::Chunked, Framing::Length(u64::from(first) + 1), Framing::UntilClose] {
        let decoded = decode(data, data.len().max(1), framing);
        assert_eq!(decode(data, piece, framing), decoded, "cut into pieces of {piece}");
        assert_eq!(pass(data, data.len().max(1), framing), decoded.as_ref().map(End::of).map_err(|bad| *bad));
        assert_eq!(pass(data, piece, framing), decoded.as_ref().map(End::of).map_err(|bad| *bad));
        if let Ok(decoded) = decoded {
            check_written_again(&decoded.content);
            check_trailers(&data[decoded.consumed..]);
        }
    }
}

/// A decoded body.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    content: Vec<u8>,
    consumed: usize,
    state: BodyState,
}

/// Where a passed body ended.
#[derive(Debug, PartialEq, Eq)]
struct End {
    content_bytes: u64,
    consumed: usize,
    state: BodyState,
}

impl End {
    fn of(whole: &Whole) -> End {
        End { content_bytes: whole.content.len() as u64, consumed: whole.consumed, state: whole.state }
    }
}

fn pass(data: &[u8], piece: usize, framing: Framing) -> Result<End, BadBody> {
    let mut body = Body::new(framing);
    let mut consumed = 0;
    for bytes in data.chunks(piece) {
        let progress = body.advance(bytes)?;
        assert!(progress.passed == bytes.len() || progress.state != BodyState::More);
        consumed += progress.passed;
    }
    Ok(End { content_bytes: body.content_bytes(), consumed, state: body.state() })
}

fn decode(data: &[u8], piece: usize, framing: Framing) -> Result<Whole, BadBody> {
    let mut body = Body::new(framing);
    let mut whole = Whole { content: Vec::new(), consumed: 0, state: body.state() };
    for bytes in data.chunks(piece) {
        let mut bytes = bytes.to_vec();
        let decoded = body.decode_in_place(&mut bytes)?;
        assert!(decoded.data <= decoded.consumed && decoded.consumed <= bytes.len());
        whole.content.extend_from_slice(&bytes[..decoded.data]);
        whole.consumed += decoded.consumed;
        whole.state = decoded.state;
    }
    Ok(whole)
}

/// Written as one chunk by our own encoder, the content is read back.
fn check_written_again(content: &[u8]) {
    let mut text = Vec::new();
    if !content.is_empty() {
        text.extend_from_slice(chunk_header(content.len(), &mut [0; 18]));
        text.extend_from_slice(content);
        text.extend(b"\r\n");
    }
    text.extend_from_slice(LAST_CHUNK);
    let whole = decode(&text, text.len(), Framing::Chunked).expect("our own chunks");
    let consumed = text.len() - b"\r\n".len();
    assert_eq!(whole, Whole { content: content.to_vec(), consumed, state: BodyState::Trailers });
}

fn check_trailers(data: &[u8]) {
    for sender in [Sender::Client, Sender::Upstream] {
        let mut bytes = data.to_vec();
        let mut fields = Vec::new();
        let parsed = parse_trailers(&mut bytes, &mut fields, sender, &mut Resume::default());
        if let Parsed::Complete { length } = parsed {
            assert_eq!(bytes[length..], data[length..], "bytes of the next message were touched");
            let fields = owned(&fields, &bytes);
            assert_carriable(&fields);
            assert!(fields.iter().all(|(_, _, known)| *known == Known::Other));
        }
        assert_same(data, &(parsed, ()), |data| (parse_trailers_bytewise(data, sender), ()));
    }
}

fn parse_trailers_bytewise(data: &[u8], sender: Sender) -> Parsed {
    let mut bytes = data.to_vec();
    let mut fields = Vec::new();
    let mut resume = Resume::default();
    for length in 0..=bytes.len() {
        let parsed = parse_trailers(&mut bytes[..length], &mut fields, sender, &mut resume);
        if parsed != Parsed::Incomplete {
            return parsed;
        }
    }
    Parsed::Incomplete
}
