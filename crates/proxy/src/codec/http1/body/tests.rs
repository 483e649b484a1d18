use super::*;
use proptest::prelude::*;

/// A whole chunked body as its line of the last chunk ends it.
fn walk(bytes: &[u8]) -> Result<(Progress, u64), BadBody> {
    let mut body = Body::new(Framing::Chunked);
    let progress = body.advance(bytes)?;
    Ok((progress, body.content_bytes()))
}

#[test]
fn a_body_of_known_length_ends_there() {
    let mut body = Body::new(Framing::Length(5));

    assert_eq!(body.advance(b"abc"), Ok(Progress { passed: 3, state: BodyState::More }));
    assert!(!body.close());
    assert_eq!(body.advance(b"deNEXT"), Ok(Progress { passed: 2, state: BodyState::Done }));
    assert_eq!(body.advance(b"NEXT"), Ok(Progress { passed: 0, state: BodyState::Done }));
    assert_eq!(body.content_bytes(), 5);
    assert!(body.close());
}

#[test]
fn no_body_takes_nothing() {
    for framing in [Framing::None, Framing::Length(0)] {
        let mut body = Body::new(framing);
        assert_eq!(body.state(), BodyState::Done);
        assert_eq!(body.advance(b"GET"), Ok(Progress { passed: 0, state: BodyState::Done }));
    }
}

#[test]
fn a_body_until_close_ends_with_the_connection() {
    let mut body = Body::new(Framing::UntilClose);

    assert_eq!(body.advance(b"abc"), Ok(Progress { passed: 3, state: BodyState::More }));
    assert!(body.close());
    assert_eq!(body.state(), BodyState::Done);
}

#[test]
fn a_chunked_body_cut_off_is_not_whole() {
    for text in ["", "5", "5\r\n", "5\r\nabc", "5\r\nabcde", "5\r\nabcde\r\n", "0", "0\r", "0\r\n"] {
        let mut body = Body::new(Framing::Chunked);
        body.advance(text.as_bytes()).unwrap();
        assert!(!body.close(), "{text:?}");
    }
}

#[test]
fn chunks_pass_up_to_the_trailers_and_not_further() {
    let text = b"5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1";

    let (progress, content) = walk(text).unwrap();

    let trailers = text.len() - b"\r\nGET / HTTP/1.1".len();
    assert_eq!((progress, content), (Progress { passed: trailers, state: BodyState::Trailers }, 15));
}

#[test]
fn a_message_ends_when_its_trailers_were_read() {
    let mut body = Body::new(Framing::Chunked);
    body.advance(b"0\r\n").unwrap();
    assert_eq!(body.state(), BodyState::Trailers);

    body.finish_trailers();

    assert_eq!(body.advance(b"GET"), Ok(Progress { passed: 0, state: BodyState::Done }));
}

#[test]
fn chunk_lines_within_the_grammar_are_taken() {
    for line in [
        "5",
        "05",
        "000000000000005",
        "5;a",
        "5;a=b",
        "5;a=\"b c\"",
        "5;a=\"\\\"\"",
        "5;a;b=c;d=\"e\"",
        "5;a=\"\t\u{e9};\"",
    ] {
        let text = format!("{line}\r\nhello\r\n0;end=1\r\n");
        assert_eq!(walk(text.as_bytes()).map(|(_, content)| content), Ok(5), "{line}");
    }
    let mut text = b"fF\r\n".to_vec();
    text.resize(4 + 255, b'x');
    assert_eq!(walk(&text).map(|(_, content)| content), Ok(255));
}

#[test]
fn chunk_lines_outside_the_grammar_are_refused() {
    let long_extension = format!("5;{}\r\n", "a".repeat(CHUNK_EXTENSION_BYTES_MAX));
    let endless_extension = format!("5;{}", "a".repeat(1 << 20));
    for text in [
        "5;\nhello\r\n",
        "5;a\rb\r\nhello",
        "5;a\nb\r\n",
        "5;a=\"\r\n\"\r\n",
        "5;a=\"x\ny\"\r\n",
        "5\nhello\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "-1\r\n",
        "+5\r\n",
        "0x5\r\n",
        "0X5\r\n",
        "5_0\r\n",
        "5 \r\nhello",
        " 5\r\nhello",
        "5\t\r\nhello",
        "5 ;a\r\nhello",
        "5; a\r\nhello",
        "5;a =b\r\nhello",
        "5;\r\nhello",
        "5;;\r\nhello",
        "5;a=\r\nhello",
        "5;a=b c\r\n",
        "5;a=\"b\r\n",
        "5;a=\"b\"c\r\n",
        "5;=b\r\n",
        "5,6\r\n",
        "5\r\r\n",
        "5\r5\r\n",
        "\r\n",
        ";a\r\n",
        "g\r\n",
        "5\0\r\n",
        "5;a\0\r\n",
        "5;a=\"\x7f\"\r\n",
        "ffffffffffffffff\r\n",
        "0000000000000005\r\n",
        "10000000000000005\r\n",
        &long_extension,
        &endless_extension,
    ] {
        assert_eq!(walk(text.as_bytes()), Err(BadBody), "{:.40}", text.escape_debug());
        assert_eq!(
            Body::new(Framing::Chunked).decode_in_place(&mut text.as_bytes().to_vec()),
            Err(BadBody),
            "{:.40}",
            text.escape_debug()
        );
    }
}

#[test]
fn the_largest_chunk_and_the_longest_extension_are_taken() {
    let text = format!("{}\r\nxyz", "f".repeat(CHUNK_SIZE_DIGITS_MAX));
    assert_eq!(walk(text.as_bytes()).map(|(_, content)| content), Ok(3));
    let text = format!("1;{}\r\nx", "a".repeat(CHUNK_EXTENSION_BYTES_MAX - 1));
    assert_eq!(walk(text.as_bytes()).map(|(_, content)| content), Ok(1));
}

#[test]
fn a_failure_is_blamed_on_its_sender() {
    assert_eq!(BadBody.of_request(), Failure::BadChunk);
    assert_eq!(BadBody.of_response(), Failure::UpstreamProtocol);
}

#[test]
fn decoding_leaves_the_content_in_front() {
    let mut body = Body::new(Framing::Chunked);
    let mut bytes = b"5;a=b\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\nGET".to_vec();
    let trailers = bytes.len() - b"\r\nGET".len();

    let decoded = body.decode_in_place(&mut bytes).unwrap();

    assert_eq!(decoded, Decoded { data: 11, consumed: trailers, state: BodyState::Trailers });
    assert_eq!(&bytes[..11], b"hello world");
    assert_eq!(&bytes[trailers..], b"\r\nGET");
}

#[test]
fn a_chunk_header_is_the_length_in_hexadecimal() {
    for length in [1, 9, 10, 15, 16, 255, 4096, 65_535, usize::MAX >> 8, usize::MAX] {
        let mut room = [0; 18];
        assert_eq!(chunk_header(length, &mut room), format!("{length:x}\r\n").as_bytes());
    }
}

/// Content in chunks, written by the test's own hand.
fn write_chunks(chunks: &[Vec<u8>], extension: &str) -> Vec<u8> {
    let mut text = Vec::new();
    for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
        text.extend(format!("{:X}{extension}\r\n", chunk.len()).bytes());
        text.extend_from_slice(chunk);
        text.extend(b"\r\n");
    }
    text.extend(b"0\r\n");
    text
}

/// The cuts as slice boundaries within `length`.
fn pieces(length: usize, cuts: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut edges: Vec<usize> = cuts.iter().map(|cut| cut % (length + 1)).chain([0, length]).collect();
    edges.sort_unstable();
    edges.windows(2).map(|edge| edge[0]..edge[1]).collect()
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "5\r\nhello\r\n",
        "3;a=b\r\nabc\r\n",
        "1\r\nx",
        "0\r\n",
        "\r\n",
        "\r",
        "\n",
        "1",
        "a",
        ";",
        "=\"",
        "\"",
        " ",
        "\0",
    ];
    proptest::collection::vec(proptest::sample::select(PIECES), 0..12)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_in_chunks_is_read_back_however_it_is_cut(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..6),
        extension in prop_oneof![Just(""), Just(";a"), Just(";a=\"b;\\\"\"")],
        cuts in proptest::collection::vec(any::<usize>(), 0..8),
    ) {
        let text = write_chunks(&chunks, extension);
        let mut raw = Body::new(Framing::Chunked);
        let mut decoder = Body::new(Framing::Chunked);
        let mut content = Vec::new();
        for piece in pieces(text.len(), &cuts) {
            let progress = raw.advance(&text[piece.clone()]).unwrap();
            prop_assert_eq!(progress.passed, piece.len());
            let mut bytes = text[piece.clone()].to_vec();
            let decoded = decoder.decode_in_place(&mut bytes).unwrap();
            prop_assert_eq!(decoded.consumed, piece.len());
            prop_assert_eq!(decoded.state, progress.state);
            content.extend_from_slice(&bytes[..decoded.data]);
        }
        prop_assert_eq!(raw.state(), BodyState::Trailers);
        prop_assert_eq!(raw.content_bytes(), content.len() as u64);
        prop_assert_eq!(content, chunks.concat());
    }

    #[test]
    fn any_bytes_give_one_answer_however_they_are_cut(text in noise(), cuts in proptest::collection::vec(any::<usize>(), 0..6)) {
        let mut whole = Body::new(Framing::Chunked);
        let expected = whole.advance(&text);
        let mut cut = Body::new(Framing::Chunked);
        let mut passed = 0;
        let mut result = Ok(BodyState::More);
        for piece in pieces(text.len(), &cuts) {
            match cut.advance(&text[piece]) {
                Ok(progress) => {
                    passed += progress.passed;
                    result = Ok(progress.state);
                }
                Err(bad) => {
                    result = Err(bad);
                    break;
                }
            }
        }
        match (expected, result) {
            (Ok(progress), Ok(state)) => prop_assert_eq!(progress, Progress { passed, state }),
            (expected, result) => prop_assert_eq!(expected.map(|_| ()), result.map(|_| ())),
        }

        let mut bytes = text.clone();
        let decoded = Body::new(Framing::Chunked).decode_in_place(&mut bytes);
        match (expected, decoded) {
            (Ok(progress), Ok(decoded)) => {
                prop_assert_eq!((progress.passed, progress.state), (decoded.consumed, decoded.state));
                prop_assert_eq!(decoded.data as u64, whole.content_bytes());
            }
            (expected, decoded) => prop_assert_eq!(expected.map(|_| ()), decoded.map(|_| ())),
        }
    }
}
