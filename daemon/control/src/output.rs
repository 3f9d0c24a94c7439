//! Encodes and decodes the bytes before grep's output in a frame, so that nobody copies the output
//! itself. It owns no state. The frames are those of [`frame`](crate::frame).

use crate::frame::{FrameError, HEADER_BYTES, Message, encode, header};
use crate::message::Reply;

/// The beginning of a [`Reply::GrepOutput`], up to the member's name: CBOR's maps of one and of two
/// pairs, and their keys.
const BEFORE_MEMBER: &[u8] = b"\xa1\x6aGrepOutput\xa2\x66member";

/// The bytes between the member's name and the output.
const BEFORE_BYTES: &[u8] = b"\x65bytes";

/// The major types of strings, in the upper bits of their first byte (RFC 8949, 3.1).
const BYTES: u8 = 0x40;
const TEXT: u8 = 0x60;

/// The frame of a [`Reply::GrepOutput`] up to its output. The output follows and has `length`
/// bytes.
///
/// # Errors
/// [`FrameError::TooLong`] when the whole frame would be longer than a reply may be.
pub fn head(member: &str, length: usize) -> Result<Vec<u8>, FrameError> {
    let mut frame = encode(&Reply::GrepOutput { member: member.to_owned(), bytes: Vec::new() })?;
    // The frame ends with the length of the empty output, which is one byte.
    frame.pop();
    let announced = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let [_, _, high, low] = announced;
    match length {
        0..24 => frame.push(BYTES | low),
        24..0x100 => frame.extend([BYTES | 24, low]),
        0x100..0x1_0000 => frame.extend([BYTES | 25, high, low]),
        _ => frame.extend([BYTES | 26].iter().chain(&announced)),
    }
    let body = (frame.len() - HEADER_BYTES).saturating_add(length);
    frame.iter_mut().zip(header(body, Reply::CAP)?).for_each(|(place, byte)| *place = byte);
    Ok(frame)
}

/// The member's name, and the offset of the output, in a frame's body of `length` bytes that begins
/// with `body`. `None` unless it is a [`Reply::GrepOutput`] as [`head`] encodes it.
/// [`decode`](crate::frame::decode) reads other bodies.
pub fn begin(body: &[u8], length: usize) -> Option<(&str, usize)> {
    let (member, rest) = string(body.strip_prefix(BEFORE_MEMBER)?, TEXT)?;
    let (output, rest) = string_length(rest.strip_prefix(BEFORE_BYTES)?, BYTES)?;
    let at = body.len() - rest.len();
    Some((std::str::from_utf8(member).ok()?, (at.checked_add(output)? == length).then_some(at)?))
}

/// Splits off a string of this major type from the rest.
fn string(body: &[u8], major: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = string_length(body, major)?;
    rest.split_at_checked(length)
}

/// Splits off the length of a string of this major type from the rest.
fn string_length(body: &[u8], major: u8) -> Option<(usize, &[u8])> {
    let (first, rest) = body.split_first()?;
    Some(match first.checked_sub(major)? {
        length @ 0..24 => (usize::from(length), rest),
        24 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        25 => rest
            .split_first_chunk()
            .map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        26 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u32::from_be_bytes(*length)).ok()?, rest)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::REPLY_CAP;
    use proptest::prelude::*;

    /// The member and the output of a whole body.
    fn parts(body: &[u8]) -> Option<(&str, &[u8])> {
        let (member, at) = begin(body, body.len())?;
        Some((member, &body[at..]))
    }

    fn reply(member: &str, bytes: &[u8]) -> Vec<u8> {
        encode(&Reply::GrepOutput { member: member.to_owned(), bytes: bytes.to_vec() }).unwrap()
    }

    #[test]
    fn the_head_and_the_output_equal_the_encoders_frame() {
        for length in [0, 1, 23, 24, 255, 256, 65_535, 65_536, 300_000] {
            for member in [
                "",
                "vm3",
                "a name of more than three-and-twenty bytes",
                &"n".repeat(255),
                &"ü".repeat(300),
            ] {
                let bytes = vec![b'x'; length];
                let frame = [head(member, length).unwrap(), bytes.clone()].concat();
                assert_eq!(frame, reply(member, &bytes));
                let body = &frame[HEADER_BYTES..];
                assert_eq!(parts(body), Some((member, bytes.as_slice())));
                let at = body.len() - length;
                assert_eq!(
                    begin(&body[..at], body.len()),
                    Some((member, at)),
                    "before any output has come"
                );
            }
        }
    }

    #[test]
    fn other_replies_and_wrong_lengths_are_left_to_the_decoder() {
        let frame = reply("vm3", b"line\n");
        let body = &frame[HEADER_BYTES..];
        (0..body.len()).for_each(|cut| assert_eq!(parts(&body[..cut]), None));
        assert_eq!(parts(&[body, b"x"].concat()), None);
        assert_eq!(
            parts(&encode(&Reply::GrepNotice("x".to_owned())).unwrap()[HEADER_BYTES..]),
            None
        );
    }

    #[test]
    fn a_frame_longer_than_a_reply_may_be_is_refused() {
        assert!(matches!(head("vm3", REPLY_CAP), Err(FrameError::TooLong { .. })));
        assert!(matches!(head("vm3", usize::MAX), Err(FrameError::TooLong { .. })));
        assert!(head("vm3", REPLY_CAP - 100).is_ok());
    }

    proptest! {
        #[test]
        fn any_body_is_read_as_the_decoder_reads_it(
            mut body in proptest::collection::vec(any::<u8>(), 0..40),
            changed in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            alike in any::<bool>(),
        ) {
            if alike {
                body = reply("vm3", &body).split_off(HEADER_BYTES);
                let at = changed.index(body.len());
                body[at] = byte;
            }
            if let Some((member, bytes)) = parts(&body) {
                let read = Reply::GrepOutput { member: member.to_owned(), bytes: bytes.to_vec() };
                prop_assert_eq!(crate::frame::decode::<Reply>(&body).unwrap(), read);
            }
        }
    }
}
