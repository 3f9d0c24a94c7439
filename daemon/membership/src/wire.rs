//! Messages as bytes, as `PROTOCOL.md` writes them down: `datagram` for UDP, `call` for TCP, and
//! `cbor` for what both carry.

pub(crate) mod call;
mod cbor;
mod datagram;

use crate::settings::PROTOCOL_VERSION;

pub use call::{CALL_TIMEOUT, CallReply, CallRequest, MAX_CALL, Refusal};
pub use cbor::{FromElements, decode_versioned, encode_versioned};
pub use datagram::{decode, encode};

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`crate::MAX_DATAGRAM`].
    #[error("{0} bytes are too long")]
    TooLong(usize),
    /// Said in a version of the protocol that is not next to this one, or something that only that
    /// version has.
    #[error("protocol version {0} is not {PROTOCOL_VERSION}")]
    Version(u8),
    /// Not CBOR, or not in the form of a message.
    #[error("malformed")]
    Malformed,
}
