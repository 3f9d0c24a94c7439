//! Measures a message without its one long field. It owns no state.
//!
//! A list of CBOR takes many times its bytes once it is decoded; a byte string does not. So only a
//! byte string may make a message long: the patterns of a grep.

use ciborium_ll::{Decoder, Header};

/// The bytes of a body without the content of its longest byte string. Bytes behind an error of
/// CBOR count, too.
pub(super) fn bytes_besides_longest(body: &[u8]) -> usize {
    let (mut rest, mut longest) = (body, 0);
    while let Some((header, after)) = pull(rest) {
        rest = match header {
            Header::Bytes(Some(length)) if length <= after.len() => {
                longest = longest.max(length);
                after.get(length..).unwrap_or_default()
            }
            Header::Text(Some(length)) => after.get(length..).unwrap_or_default(),
            _ => after,
        };
    }
    body.len() - longest
}

/// The next header, and the bytes after it.
fn pull(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let mut decoder = Decoder::from(bytes);
    let header = decoder.pull().ok()?;
    bytes.get(decoder.offset()..).map(|after| (header, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_longest_byte_string_is_left_out() {
        // RFC 8949, 3.1: 0x42 begins two bytes, 0x43 three, 0x63 a text of three, 0x82 a list.
        for (body, besides) in [
            (&b"\x43abc"[..], 1),
            (b"\x63abc", 4),
            (b"\x82\x42ab\x43cde", 5),
            (b"\xa2\x61x\x43\x60\x60\x60\x61y\x82\x60\x60", 9),
            (b"\x84\x60\x60\x60\x60", 5),
            // Broken: a byte string that claims more than there is, and no header at all.
            (b"\x43ab", 3),
            (b"\x41a\xff\xfe\xfd", 4),
            (b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", 9),
            (b"", 0),
        ] {
            assert_eq!(bytes_besides_longest(body), besides, "{}", body.escape_ascii());
        }
    }
}
