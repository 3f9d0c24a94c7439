//! Encodes and decodes the bytes before grep's output in a frame, so that nobody copies the output
//! itself; and encodes those before a file's bytes. It owns no state. The frames are those of
//! [`frame`](crate::frame).

use crate::frame::{FrameError, HEADER_BYTES, Message, encode, header};
use crate::message::{FileReply, Reply};
use ciborium_ll::{Decoder, Encoder, Header};

/// The frame of a [`Reply::GrepOutput`] up to its output. The output follows and has `length`
/// bytes.
///
/// # Errors
/// [`FrameError::TooLong`] when the whole frame would be longer than a reply may be.
pub fn head(member: &str, length: usize) -> Result<Vec<u8>, FrameError> {
    before(&Reply::GrepOutput { member: member.to_owned(), bytes: Vec::new() }, length)
}

/// The frame of a [`FileReply::Bytes`] up to its bytes. These follow, and are `length`.
///
/// # Errors
/// As [`head`].
pub fn file_head(length: usize) -> Result<Vec<u8>, FrameError> {
    before(&Reply::File(FileReply::Bytes(Vec::new())), length)
}

/// The frame of a reply that ends with bytes, up to these.
fn before(empty: &Reply, length: usize) -> Result<Vec<u8>, FrameError> {
    let mut frame = encode(empty)?;
    // The frame ends with the length of no bytes, which is one byte.
    frame.pop();
    Encoder::from(&mut frame).push(Header::Bytes(Some(length))).map_err(FrameError::Io)?;
    let body = (frame.len() - HEADER_BYTES).saturating_add(length);
    frame.iter_mut().zip(header(body, Reply::CAP)?).for_each(|(place, byte)| *place = byte);
    Ok(frame)
}

/// The member's name, and the offset of the output, in a frame's body of `length` bytes that begins
/// with `body`. `None` unless it is a [`Reply::GrepOutput`] whose fields come in the order of
/// [`head`]. [`decode`](crate::frame::decode) reads other bodies.
pub fn begin(body: &[u8], length: usize) -> Option<(&str, usize)> {
    let mut rest = body;
    take_map(1, &mut rest)?;
    take_word("GrepOutput", &mut rest)?;
    take_map(2, &mut rest)?;
    take_word("member", &mut rest)?;
    let member = take_text(&mut rest)?;
    take_word("bytes", &mut rest)?;
    let Header::Bytes(Some(output)) = pull(&mut rest)? else { return None };
    let at = body.len() - rest.len();
    (at.checked_add(output)? == length).then_some((member, at))
}

/// Takes the header of the next item of CBOR (RFC 8949, 3).
fn pull(rest: &mut &[u8]) -> Option<Header> {
    let mut decoder = Decoder::from(*rest);
    let header = decoder.pull().ok()?;
    *rest = rest.get(decoder.offset()..)?;
    Some(header)
}

/// Takes the beginning of a map with this many pairs.
fn take_map(pairs: usize, rest: &mut &[u8]) -> Option<()> {
    (pull(rest)? == Header::Map(Some(pairs))).then_some(())
}

/// Takes this text.
fn take_word(expected: &str, rest: &mut &[u8]) -> Option<()> {
    (take_text(rest)? == expected).then_some(())
}

/// Takes a text.
fn take_text<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
    let Header::Text(Some(length)) = pull(rest)? else { return None };
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::REPLY_CAP;
    use crate::message::FILE_PIECE_BYTES;
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
    fn the_head_and_a_files_bytes_equal_the_encoders_frame() {
        for length in [0, 1, 24, 65_536, FILE_PIECE_BYTES] {
            let bytes = vec![b'x'; length];
            let frame = [file_head(length).unwrap(), bytes.clone()].concat();
            assert_eq!(frame, encode(&Reply::File(FileReply::Bytes(bytes))).unwrap());
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
