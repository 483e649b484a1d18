//! Makes `:authority` readable for our HTTP/2, on a socket that has none.
//!
//! gRPC clients put the percent-encoded path of a Unix socket there, which is no authority (RFC 9113 section 8.3.1); the
//! library refuses such a request before anybody sees it. What they write names nothing that we need, so letters that
//! an authority cannot have are overwritten on the way in, one for one: lengths stay, and with them every frame and the
//! header table of the connection (RFC 7541). What is written in a way that no gRPC client uses passes as it is and is
//! refused as before.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};

/// How an HTTP/2 connection begins.
const PREFACE_BYTES: usize = 24;
const FRAME_HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
const PRIORITY_BYTES: usize = 5;
/// Longest frame that is looked into: the longest that may be sent to us.
const FRAME_BYTES_MAX: usize = 16_384;
/// Bytes between the two sides. Past it whoever writes waits.
const BETWEEN_BYTES: usize = 64 * 1024;

const NAME: &[u8] = b":authority";
/// Its place in the static table.
const NAME_INDEX: usize = 1;

/// The other end of a connection, on which every authority can be read, and what has to be polled for it.
pub fn readable<S>(stream: S) -> (DuplexStream, impl Future<Output = io::Result<()>>)
where
    S: AsyncRead + AsyncWrite,
{
    let (ours, theirs) = tokio::io::duplex(BETWEEN_BYTES);
    let carry = async move {
        let (mut from_client, mut to_client) = tokio::io::split(stream);
        let (mut from_server, mut to_server) = tokio::io::split(theirs);
        let coming = async {
            frames(&mut from_client, &mut to_server).await?;
            to_server.shutdown().await
        };
        let going = async {
            tokio::io::copy(&mut from_server, &mut to_client).await?;
            to_client.shutdown().await
        };
        tokio::try_join!(coming, going).map(drop)
    };
    (ours, carry)
}

async fn frames(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut preface = [0; PREFACE_BYTES];
    from.read_exact(&mut preface).await?;
    to.write_all(&preface).await?;
    let mut head = [0; FRAME_HEAD_BYTES];
    loop {
        if let Err(error) = from.read_exact(&mut head).await {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(()) } else { Err(error) };
        }
        to.write_all(&head).await?;
        let [long, middle, short, kind, flags, ..] = head;
        let length = usize::from(long) << 16 | usize::from(middle) << 8 | usize::from(short);
        if kind == HEADERS && length <= FRAME_BYTES_MAX {
            let mut payload = vec![0; length];
            from.read_exact(&mut payload).await?;
            mend(&mut payload, flags);
            to.write_all(&payload).await?;
        } else {
            let mut payload = from.take(length as u64);
            tokio::io::copy(&mut payload, to).await?;
        }
    }
}

/// Overwrites what no authority can have, in the block of a HEADERS frame. What cannot be read is left alone.
fn mend(payload: &mut [u8], flags: u8) {
    let before = usize::from(flags & PADDED != 0) + if flags & PRIORITY != 0 { PRIORITY_BYTES } else { 0 };
    let Some(block) = payload.get_mut(before..) else { return };
    let mut at = 0;
    while let Some((field, next)) = field(block, at) {
        if let Some(value) = field {
            block[value].iter_mut().filter(|byte| !is_of_authority(**byte)).for_each(|byte| *byte = b'-');
        }
        at = next;
    }
}

fn is_of_authority(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte)
}

/// The field at a place: where its value is, if it is an authority in plain letters, and where the next field begins.
fn field(block: &[u8], at: usize) -> Option<(Option<std::ops::Range<usize>>, usize)> {
    let first = *block.get(at)?;
    // Section 6: indexed, literal with indexing, size update, literal without.
    let prefix = match first {
        0x80.. => 7,
        0x40.. => 6,
        0x20.. => 5,
        _ => 4,
    };
    let (index, mut next) = integer(block, at, prefix)?;
    if matches!(prefix, 7 | 5) {
        return Some((None, next));
    }
    let mut is_authority = index == NAME_INDEX;
    if index == 0 {
        let (name, is_coded) = string(block, next)?;
        next = name.end;
        is_authority = !is_coded && block.get(name)? == NAME;
    }
    let (value, is_coded) = string(block, next)?;
    let next = value.end;
    Some(((is_authority && !is_coded).then_some(value), next))
}

/// A string (section 5.2): where it is, and whether it is Huffman-coded.
fn string(block: &[u8], at: usize) -> Option<(std::ops::Range<usize>, bool)> {
    let is_coded = block.get(at)? & 0x80 != 0;
    let (length, begin) = integer(block, at, 7)?;
    let end = begin.checked_add(length).filter(|end| *end <= block.len())?;
    Some((begin..end, is_coded))
}

/// An integer (section 5.1) with a prefix of so many bits, and where it ends.
fn integer(block: &[u8], at: usize, prefix: u32) -> Option<(usize, usize)> {
    let full = (1usize << prefix) - 1;
    let first = usize::from(*block.get(at)?) & full;
    if first < full {
        return Some((first, at + 1));
    }
    let mut value = full;
    // Four more bytes hold more than a frame does.
    for (shift, place) in (0..28).step_by(7).zip(at + 1..) {
        let byte = *block.get(place)?;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, place + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block as gRPC's C core writes it.
    fn of_grpc(authority: &[u8]) -> Vec<u8> {
        let mut block = b"@\x05:path\x22/SpiffeWorkloadAPI/FetchX509SVID".to_vec();
        block[7] = u8::try_from(block.len() - 8).expect("a short path");
        block.extend(
            [b"@\x0a:authority", &[u8::try_from(authority.len()).expect("short")][..], authority].concat(),
        );
        block.extend(b"\x83\x86@\x02te\x08trailers");
        block
    }

    #[test]
    fn the_path_of_a_socket_becomes_readable_and_nothing_else_changes() {
        let mut block = of_grpc(b"tmp%2Fdata%2Fw.sock");
        mend(&mut block, 0);
        assert_eq!(block, of_grpc(b"tmp-2Fdata-2Fw.sock"));

        let mut padded = [&[0, 0, 0, 0, 0, 0][..], &of_grpc(b"/a/b")].concat();
        mend(&mut padded, PADDED | PRIORITY);
        assert_eq!(padded, [&[0, 0, 0, 0, 0, 0][..], &of_grpc(b"-a-b")].concat());

        let mut indexed = b"\x41\x04a/%b\x82".to_vec();
        mend(&mut indexed, 0);
        assert_eq!(indexed, b"\x41\x04a--b\x82");
    }

    #[test]
    fn what_cannot_be_read_or_is_no_authority_stays_as_it_is() {
        for block in [
            &b""[..],
            b"\x41",
            b"\x41\x7f",
            b"\x41\xff\xff\xff\xff\xff\xff",
            b"\x41\x84\x2f\x2f\x2f\x2f",
            b"@\x05:path\x02/%",
            b"@\xff\x80",
            b"\x3f\xe1\x1f",
        ] {
            let mut after = block.to_vec();
            mend(&mut after, 0);
            assert_eq!(after, block);
        }
        mend(&mut [], PADDED | PRIORITY);
    }
}
