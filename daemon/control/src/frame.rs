//! Frames: a big-endian length of four bytes, and a body of that many bytes. This file defines
//! frames and encodes messages into them. It owns no state.
//!
//! All streams of this program are made of such frames: those of the control socket, whose bodies
//! are CBOR (RFC 8949), and those between members. [`FrameDecoder`] splits a stream into frames
//! without I/O. [`FrameReader`] and [`read_frame`] use it with blocking streams, and
//! `memberd-transport` uses it with tokio's streams.

mod bulk;
mod decoder;
mod reader;

pub use decoder::{FrameDecoder, Part};
pub use reader::{FrameReader, read_frame, write_frame};

use crate::grep::{GrepRequest, MAX_ONLY_BYTES, MAX_PATTERN_BYTES};
use crate::message::{Hello, Reply, Request};
use serde::{Serialize, de::DeserializeOwned};

/// The longest body of a [`Hello`], and of a [`Request`] that any number of clients may send at
/// once, in bytes.
pub const SMALL_REQUEST_CAP: usize = 80 * 1024;

/// The longest body of a [`Request`], in bytes: room for the patterns that a search may have. Only
/// they may make it longer than [`SMALL_REQUEST_CAP`].
pub const REQUEST_CAP: usize = MAX_PATTERN_BYTES + 16 * 1024;

/// What a daemon may add to a client's request when it passes it on to other members, in bytes: a
/// limit of files, and who asks.
pub const PASSED_ON_BYTES: usize = MAX_ONLY_BYTES + 1024;

/// The longest body of a [`Reply`], in bytes.
pub const REPLY_CAP: usize = 1024 * 1024;

/// The bytes before a frame's body: its length as a big-endian `u32`.
pub const HEADER_BYTES: usize = 4;

/// How deep a body may nest. The messages need about five levels. A stranger's body must not use up
/// the stack.
const DEPTH_CAP: usize = 32;

/// A message that a frame can carry: one of the three of the protocol, or a grep that a daemon
/// passes on to another member.
pub trait Message: Serialize + DeserializeOwned {
    /// The longest body, in bytes.
    const CAP: usize;

    /// The longest body without its longest byte string, in bytes. All else takes many times its
    /// bytes once it is decoded.
    const CAP_BESIDES: usize = Self::CAP;
}

impl Message for Hello {
    const CAP: usize = SMALL_REQUEST_CAP;
}

impl Message for Request {
    const CAP: usize = REQUEST_CAP;
    const CAP_BESIDES: usize = SMALL_REQUEST_CAP;
}

impl Message for GrepRequest {
    const CAP: usize = REQUEST_CAP + PASSED_ON_BYTES;
    const CAP_BESIDES: usize = SMALL_REQUEST_CAP + PASSED_ON_BYTES;
}

impl Message for Reply {
    const CAP: usize = REPLY_CAP;
}

/// Why a frame could not be sent or understood.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side closed the connection between two frames.
    #[error("the connection was closed")]
    Closed,
    /// The other side closed the connection within a frame.
    #[error("the connection was closed in the middle of a message")]
    CutShort,
    /// The body is longer than the message may be.
    #[error("a message of {length} bytes; at most {cap} are allowed")]
    TooLong {
        /// The body's length, in bytes.
        length: usize,
        /// The longest allowed, in bytes.
        cap: usize,
    },
    /// The body is not CBOR, or not the expected message.
    #[error("not a message of this protocol: {0}")]
    Malformed(String),
    /// The body has bytes after its message.
    #[error("{0} bytes too many after a message")]
    TrailingBytes(usize),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(std::io::Error),
}

/// Encodes a message as a whole frame, including the header.
///
/// # Errors
/// [`FrameError::TooLong`] when the body would be longer than [`Message::CAP`] or
/// [`Message::CAP_BESIDES`].
pub fn encode<M: Message>(message: &M) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; HEADER_BYTES];
    ciborium::into_writer(message, &mut frame)
        .map_err(|error| FrameError::Malformed(error.to_string()))?;
    let header = header(frame.len() - HEADER_BYTES, M::CAP)?;
    check_besides::<M>(frame.get(HEADER_BYTES..).unwrap_or_default())?;
    for (place, byte) in frame.iter_mut().zip(header) {
        *place = byte;
    }
    Ok(frame)
}

/// The header of a frame whose body has this many bytes.
///
/// # Errors
/// [`FrameError::TooLong`] when these are more than `cap`, or more than a header can express.
pub fn header(length: usize, cap: usize) -> Result<[u8; HEADER_BYTES], FrameError> {
    match u32::try_from(length) {
        Ok(announced) if length <= cap => Ok(announced.to_be_bytes()),
        _ => Err(FrameError::TooLong { length, cap }),
    }
}

/// Reads the message in a frame's body, which is given without its header.
///
/// # Errors
/// [`FrameError::TooLong`], [`FrameError::Malformed`] or [`FrameError::TrailingBytes`].
pub fn decode<M: Message>(body: &[u8]) -> Result<M, FrameError> {
    if body.len() > M::CAP {
        return Err(FrameError::TooLong { length: body.len(), cap: M::CAP });
    }
    check_besides::<M>(body)?;
    let mut rest = body;
    let message = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEPTH_CAP)
        .map_err(|error| FrameError::Malformed(describe(error)))?;
    match rest.len() {
        0 => Ok(message),
        extra => Err(FrameError::TrailingBytes(extra)),
    }
}

/// Refuses a body that would take many times its bytes once it is decoded.
fn check_besides<M: Message>(body: &[u8]) -> Result<(), FrameError> {
    if body.len() <= M::CAP_BESIDES {
        return Ok(());
    }
    match bulk::bytes_besides_longest(body) {
        length if length > M::CAP_BESIDES => {
            Err(FrameError::TooLong { length, cap: M::CAP_BESIDES })
        }
        _ => Ok(()),
    }
}

/// The length of the body that follows this header, in bytes.
///
/// # Errors
/// [`FrameError::TooLong`] when it is larger than `cap`.
pub fn length(header: [u8; HEADER_BYTES], cap: usize) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    if length > cap {
        return Err(FrameError::TooLong { length, cap });
    }
    Ok(length)
}

/// Describes what is wrong with a body. Ciborium's own texts are for its developers.
fn describe(error: ciborium::de::Error<std::io::Error>) -> String {
    use ciborium::de::Error;
    match error {
        Error::Io(_) => "it ends too early".to_owned(),
        Error::Syntax(offset) => format!("not CBOR at byte {offset}"),
        Error::Semantic(_, text) => text,
        Error::RecursionLimitExceeded => "it nests too deep".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FilesRequest;
    use crate::grep::{MAX_FILTER_GLOBS, ONLY_GLOB_BYTES, only_bytes};

    fn hello() -> Hello {
        Hello { protocol: 1, program: "memberctl 0.1.0".to_owned() }
    }

    #[test]
    fn a_frame_is_a_big_endian_length_and_a_body_of_that_length() {
        let frame = encode(&hello()).unwrap();
        let (header, body) = frame.split_first_chunk::<HEADER_BYTES>().unwrap();
        assert_eq!(length(*header, REQUEST_CAP).unwrap(), body.len());
        assert_eq!(decode::<Hello>(body).unwrap(), hello());
    }

    #[test]
    fn a_length_over_the_cap_is_refused_with_both_numbers() {
        let error = length(0x0010_0001_u32.to_be_bytes(), REPLY_CAP).unwrap_err();
        assert_eq!(error.to_string(), "a message of 1048577 bytes; at most 1048576 are allowed");
        assert_eq!(length(0x0010_0000_u32.to_be_bytes(), REPLY_CAP).unwrap(), REPLY_CAP);
    }

    #[test]
    fn a_request_over_the_cap_is_not_encoded() {
        let request = Request::Join { introducers: vec!["x".repeat(REQUEST_CAP)] };
        assert!(matches!(encode(&request), Err(FrameError::TooLong { cap: REQUEST_CAP, .. })));
    }

    /// A list of a million empty texts is a megabyte here, and 24 once it is decoded. Only patterns
    /// may be as long.
    #[test]
    fn a_request_that_is_long_without_patterns_is_refused() {
        let mut grep = GrepRequest::default();
        grep.pattern.patterns = vec![vec![b'x'; SMALL_REQUEST_CAP]];
        let body = encode(&grep).unwrap().split_off(HEADER_BYTES);
        assert_eq!(decode::<GrepRequest>(&body).unwrap(), grep);
        let long = Request::Grep(Box::new(grep.clone()));
        let body = encode(&long).unwrap().split_off(HEADER_BYTES);
        assert_eq!(decode::<Request>(&body).unwrap(), long);
        grep.files.globs = vec![String::new(); SMALL_REQUEST_CAP + PASSED_ON_BYTES];
        let mut body = Vec::new();
        ciborium::into_writer(&grep, &mut body).unwrap();
        let error = decode::<GrepRequest>(&body).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { length, cap }
            if cap == GrepRequest::CAP_BESIDES && length < body.len() - SMALL_REQUEST_CAP + 9));
        assert!(matches!(encode(&grep), Err(FrameError::TooLong { .. })));
        let join = Request::Join { introducers: vec![String::new(); SMALL_REQUEST_CAP] };
        assert!(matches!(encode(&join), Err(FrameError::TooLong { cap: SMALL_REQUEST_CAP, .. })));
    }

    /// With the longest limit of files, other members still take the longest request of a client.
    #[test]
    fn the_longest_limit_of_files_fits_into_each_request() {
        let glob = "x".repeat(MAX_ONLY_BYTES / MAX_FILTER_GLOBS - ONLY_GLOB_BYTES);
        let only = vec![glob; MAX_FILTER_GLOBS];
        assert_eq!(only_bytes(&only), MAX_ONLY_BYTES);
        let globs = vec![String::new(); 64 * 1024];
        let mut grep = GrepRequest::default();
        grep.files.globs.clone_from(&globs);
        let length = |request: &Request| encode(request).unwrap().len() - HEADER_BYTES;
        let left = SMALL_REQUEST_CAP - length(&Request::Grep(Box::new(grep.clone())));
        grep.files.globs.extend(vec![String::new(); left]);
        assert_eq!(length(&Request::Grep(Box::new(grep.clone()))), SMALL_REQUEST_CAP);
        grep.files.only.clone_from(&only);
        encode(&grep).unwrap();
        let mut files = FilesRequest { globs, ..FilesRequest::default() };
        let left = SMALL_REQUEST_CAP - length(&Request::Files(files.clone()));
        files.globs.extend(vec![String::new(); left]);
        files.only = only;
        encode(&files).unwrap();
    }

    #[test]
    fn bytes_after_the_message_are_refused() {
        let mut body = encode(&Request::Leave).unwrap().split_off(HEADER_BYTES);
        body.extend([0, 0]);
        assert!(matches!(decode::<Request>(&body), Err(FrameError::TrailingBytes(2))));
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_stack_overflow() {
        let nested =
            |byte: u8| decode::<Hello>(&[&[0xa1, 0x61, b'x'], &vec![byte; 60_000][..]].concat());
        for byte in [0x81, 0x9f, 0xa1, 0xbf, 0xc1, 0xd8, 0x5f, 0x7f] {
            assert!(matches!(nested(byte), Err(FrameError::Malformed(_))), "{byte:x}");
        }
    }

    #[test]
    fn lengths_that_lie_within_a_body_reserve_nothing() {
        // An array, a text and a byte string that claim 2^63 elements or bytes.
        for lie in [0x9b_u8, 0x7b, 0x5b] {
            let body = [&[0xa1, 0x67], &b"Members"[..], &[lie, 0x7f], &[0xff; 7]].concat();
            assert!(matches!(decode::<Reply>(&body), Err(FrameError::Malformed(_))));
        }
    }
}
