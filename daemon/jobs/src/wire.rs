//! Messages as bytes: the version of the form in one byte, and CBOR. Owns no state.
//!
//! A field that is not known is passed over, so that later versions can add some.

use crate::message::Message;

/// The most bytes of a message.
pub const MESSAGE_CAP: usize = 1 << 20;

/// The version of this form. Version 1 had no lists of rows.
const VERSION: u8 = 2;

/// How deep values may be nested. A table has ten levels.
const DEPTH_CAP: usize = 32;

/// A message cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It has more bytes than [`MESSAGE_CAP`].
    #[error("a message of a job has {0} bytes, and {MESSAGE_CAP} are allowed")]
    TooLong(usize),
    /// It cannot be encoded. Encoding to memory does not fail in practice.
    #[error("a message of a job cannot be encoded: {0}")]
    Encode(String),
    /// It has no byte.
    #[error("a message of a job is empty")]
    Empty,
    /// A newer memberd wrote it.
    #[error("version {0} of the messages of jobs is not known: it needs a newer memberd")]
    Version(u8),
    /// It is none, or has a list beyond its bounds.
    #[error("a message of a job cannot be read: {0}")]
    Malformed(String),
    /// So many bytes follow it.
    #[error("{0} bytes follow a message of a job")]
    Trailing(usize),
}

/// The bytes of a message.
///
/// # Errors
/// When it has more than [`MESSAGE_CAP`]. The protocol makes none.
pub fn encode(message: &Message) -> Result<Vec<u8>, WireError> {
    let mut bytes = vec![VERSION];
    ciborium::into_writer(message, &mut bytes)
        .map_err(|error| WireError::Encode(error.to_string()))?;
    match bytes.len() {
        length if length > MESSAGE_CAP => Err(WireError::TooLong(length)),
        _ => Ok(bytes),
    }
}

/// The message in these bytes. What it takes in memory is a small multiple of them.
///
/// # Errors
/// When they are none.
pub fn decode(bytes: &[u8]) -> Result<Message, WireError> {
    if bytes.len() > MESSAGE_CAP {
        return Err(WireError::TooLong(bytes.len()));
    }
    let (version, mut rest) = bytes.split_first().ok_or(WireError::Empty)?;
    if *version != VERSION {
        return Err(WireError::Version(*version));
    }
    let message = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEPTH_CAP)
        .map_err(|error| WireError::Malformed(error.to_string()))?;
    match rest.len() {
        0 => Ok(message),
        more => Err(WireError::Trailing(more)),
    }
}

#[cfg(test)]
mod tests;
