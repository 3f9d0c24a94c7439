//! Encodes messages as bytes, as described in `PROTOCOL.md`: `datagram` for UDP, `call` for TCP,
//! `cbor` and `ends` for both. It owns no state.

pub(crate) mod call;
mod cbor;
mod datagram;
mod ends;
mod entries;
mod forgotten;
mod settings;
mod suspicions;

use crate::settings::PROTOCOL_VERSION;

pub use call::{CALL_TIMEOUT, CallReply, CallRequest, JoinRefusal, MAX_CALL};
pub use cbor::{FromElements, bounded, decode_versioned, encode_versioned};
pub use datagram::{decode, encode};
pub use ends::CarriesUpdates;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are longer than [`crate::MAX_DATAGRAM`].
    #[error("{0} bytes are too long")]
    TooLong(usize),
    /// They have a version of the protocol that is not next to this one, or a part that only
    /// another version has.
    #[error("protocol version {0} is not {PROTOCOL_VERSION}")]
    Version(u8),
    /// They are not CBOR, or do not have the form of a message.
    #[error("malformed")]
    Malformed,
}
