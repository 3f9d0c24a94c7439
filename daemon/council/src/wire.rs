//! Encodes messages and the agreement file as CBOR (RFC 8949). It owns no state.

mod bounds;
pub(crate) mod forms;

use crate::durable::{Durable, DurableError};
use crate::message::{Body, Message};
use crate::view::{Lineage, Voter};
use serde::Deserialize;

/// The version of the messages, and the first element of each.
const VERSION: u8 = 1;
/// That of messages and files that have shares. A member of before refuses them as a whole, and
/// does not take a view for one without shares.
const SHARES_VERSION: u8 = 2;
/// With what an agreement file begins. The version of its form follows.
const FILE_BEGIN: [u8; 4] = *b"mbag";
/// The length of its checksum, which is of all else in it.
const CHECKSUM: usize = 16;

/// The longest message, in bytes: the largest view.
pub const MAX_MESSAGE: usize = 10 << 20;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are longer than [`MAX_MESSAGE`].
    #[error("{0} bytes are too long")]
    TooLong(usize),
    /// They have another version.
    #[error("version {0} of the agreement is neither {VERSION} nor {SHARES_VERSION}")]
    Version(u8),
    /// They are not CBOR, or do not have the form of a message.
    #[error("malformed")]
    Malformed,
}

impl Message {
    /// The bytes of the message: an array of the version, the lineage, the sender and the content.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let version = if bounds::has_shares(self) { SHARES_VERSION } else { VERSION };
        let array = (version, &self.lineage, &self.sender, &self.body);
        let written = ciborium::into_writer(&array, &mut bytes);
        debug_assert!(written.is_ok(), "writing to memory does not fail");
        bytes
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the bytes are not one, or exceed a bound.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(DecodeError::TooLong(bytes.len()));
        }
        // An array of four elements, and the version in one byte.
        match bytes {
            [0x84, VERSION | SHARES_VERSION, ..] => {}
            [0x80..=0x97, version @ 0..=0x17, ..] if *version != VERSION => {
                return Err(DecodeError::Version(*version));
            }
            _ => return Err(DecodeError::Malformed),
        }
        let (_, lineage, sender, body): (u8, Lineage, Voter, Body) =
            read_all(bytes).ok_or(DecodeError::Malformed)?;
        let message = Message { lineage, sender, body };
        if bounds::fit(&message) { Ok(message) } else { Err(DecodeError::Malformed) }
    }
}

impl Durable {
    /// The bytes of the file: a version, a checksum, and the record.
    pub fn encode(&self) -> Vec<u8> {
        let mut record = Vec::new();
        let written = ciborium::into_writer(self, &mut record);
        debug_assert!(written.is_ok(), "writing to memory does not fail");
        let accepted = self.accepted.as_ref().map(|accepted| &accepted.proposal);
        let shares = !self.view.shares.is_empty()
            || accepted.is_some_and(|proposal| bounds::changes_shares(proposal));
        let version = if shares { SHARES_VERSION } else { VERSION };
        let begin = [&FILE_BEGIN[..], &[version]].concat();
        [&begin[..], &checksum(&begin, &record), &record].concat()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it is damaged, or of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, DurableError> {
        let (begin, rest) =
            bytes.split_at_checked(FILE_BEGIN.len() + 1).ok_or(DurableError::Damaged)?;
        let (sum, record) = rest.split_at_checked(CHECKSUM).ok_or(DurableError::Damaged)?;
        if sum != checksum(begin, record) || begin[..4] != FILE_BEGIN {
            return Err(DurableError::Damaged);
        }
        if ![VERSION, SHARES_VERSION].contains(&begin[4]) {
            return Err(DurableError::Version(begin[4]));
        }
        let durable: Durable = read_all(record).ok_or(DurableError::Malformed)?;
        if bounds::view_fits(&durable.view) { Ok(durable) } else { Err(DurableError::Malformed) }
    }
}

fn read_all<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Option<T> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).ok()?;
    rest.is_empty().then_some(value)
}

fn checksum(begin: &[u8], record: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = blake3::Hasher::new_derive_key("memberd agreement file 1");
    hasher.update(begin);
    hasher.update(record);
    let mut sum = [0; CHECKSUM];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

#[cfg(test)]
mod tests;
