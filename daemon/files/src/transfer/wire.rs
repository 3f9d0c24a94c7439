//! Encodes messages about extents as CBOR (RFC 8949), and reads them within their bounds. Owns no
//! state.

use super::{Piece, ReadError, Transfer};
use crate::extent::PIECE_BYTES;
use crate::forms::{self, Bytes};
use memberd_membership::Name;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// The version of the messages, and the first element of each.
const VERSION: u8 = 1;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// They are longer than [`Transfer::MAX_BYTES`].
    #[error("{0} bytes are too long")]
    TooLong(usize),
    /// They are not CBOR, or do not have the form of a message of this version.
    #[error("malformed, or of another version")]
    Malformed,
}

impl Transfer {
    /// The longest message, in bytes: a piece and what is around it.
    pub const MAX_BYTES: usize = PIECE_BYTES + (8 << 10);

    /// The bytes of the message: an array of the version and the content.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        forms::encode(&(VERSION, self))
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the bytes are not one, or exceed a bound.
    pub fn decode(bytes: &[u8]) -> Result<Self, TransferError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(TransferError::TooLong(bytes.len()));
        }
        let (version, message): (u8, Transfer) =
            forms::decode(bytes).ok_or(TransferError::Malformed)?;
        if version == VERSION { Ok(message) } else { Err(TransferError::Malformed) }
    }
}

/// A piece as a byte string.
struct PieceForm(Piece);

impl Serialize for PieceForm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for PieceForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Bytes::<PIECE_BYTES>::deserialize(deserializer)?;
        Ok(PieceForm(bytes.0.into()))
    }
}

/// For `#[serde(with = "wire::piece")]`.
pub(super) mod piece {
    use super::{Deserialize, Deserializer, Piece, PieceForm, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(piece: &Piece, to: S) -> Result<S::Ok, S::Error> {
        PieceForm(piece.clone()).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Piece, D::Error> {
        PieceForm::deserialize(from).map(|form| form.0)
    }
}

/// For `#[serde(with = "wire::read")]`.
pub(super) mod read {
    use super::{Deserialize, Deserializer, Piece, PieceForm, ReadError, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        read: &Result<Piece, ReadError>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        read.clone().map(PieceForm).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Result<Piece, ReadError>, D::Error> {
        Result::<PieceForm, ReadError>::deserialize(from).map(|read| read.map(|form| form.0))
    }
}

/// For `#[serde(deserialize_with = "wire::hint")]`.
pub(super) fn hint<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
    let hint = String::deserialize(from)?;
    if hint.len() > Transfer::MAX_HINT {
        return Err(serde::de::Error::invalid_length(hint.len(), &"at most 4,096 bytes"));
    }
    Ok(hint.into())
}

/// For `#[serde(with = "wire::next")]`: the next of a chain, as a list of none or one.
pub(super) mod next {
    use super::{Deserializer, Name, Serializer, forms};

    // Its signature is serde's.
    #[allow(clippy::ref_option)]
    pub(crate) fn serialize<S: Serializer>(next: &Option<Name>, to: S) -> Result<S::Ok, S::Error> {
        forms::names::serialize(next.as_slice(), to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Name>, D::Error> {
        forms::names::deserialize(from).map(|names| names.into_iter().next())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        CopyOrder, PullOrder, ReadOrder, ReadPurpose, RefusalReason, Transfer, TransferError,
    };
    use super::ReadError;
    use crate::content::HolderSet;
    use crate::extent::PIECE_BYTES;
    use crate::ids::ExtentId;
    use crate::path::ShareName;
    use memberd_membership::Name;
    use proptest::prelude::*;

    fn name(i: usize) -> Name {
        Name::new(&format!("vm{i}")).unwrap()
    }

    fn messages() -> Vec<Transfer> {
        let (extent, share) = (ExtentId(u128::MAX - 3), ShareName::new("share").unwrap());
        let set = HolderSet { version: 9, members: vec![name(1), name(2)] };
        let copy = Some(CopyOrder { from: name(3), upto: 1 << 40 });
        let purpose = ReadPurpose::Repair { urgent: true };
        let order = ReadOrder { request: u64::MAX, extent, offset: 5, bytes: 6, purpose };
        let (length, root, from) = (1 << 26, [8; 32], vec![name(1), name(2), name(3)]);
        let pull = PullOrder { extent, share: share.clone(), length, root, from, urgent: false };
        let (piece, hint) = (vec![7; PIECE_BYTES], "/".repeat(Transfer::MAX_HINT));
        vec![
            Transfer::Begin { extent, share, next: Some(name(4)), copy, hint: hint.into() },
            Transfer::Piece { extent, offset: 77, bytes: piece.clone().into() },
            Transfer::Finish { extent, length },
            Transfer::Abandon { extent },
            Transfer::Pull(pull),
            Transfer::SetIs { extent, set },
            Transfer::Read(order),
            Transfer::Verify { request: 3, extents: vec![(extent, 4); Transfer::MAX_VERIFY] },
            Transfer::Got { extent, upto: 3 },
            Transfer::Sealed { extent, length, root },
            Transfer::Refused { extent, why: RefusalReason::Full },
            Transfer::Data { request: 1, bytes: Ok(piece.into()) },
            Transfer::Data { request: 1, bytes: Err(ReadError::Bad) },
            Transfer::Lacks { request: u64::MAX, extents: vec![extent; Transfer::MAX_VERIFY] },
        ]
    }

    /// Each message is read as it was written, and none is longer than the bound.
    #[test]
    fn messages_are_read_as_they_were_written() {
        for message in messages() {
            let bytes = message.encode();
            assert!(bytes.len() <= Transfer::MAX_BYTES, "{} bytes", bytes.len());
            assert_eq!(Transfer::decode(&bytes), Ok(message));
        }
    }

    /// A list or a piece beyond its bound is none, and neither is another version.
    #[test]
    fn bounds_hold() {
        let extents = vec![ExtentId(1); Transfer::MAX_VERIFY + 1];
        let long = Transfer::Lacks { request: 3, extents }.encode();
        assert_eq!(Transfer::decode(&long), Err(TransferError::Malformed));
        let bytes = vec![0; PIECE_BYTES + 1].into();
        let long = Transfer::Piece { extent: ExtentId(1), offset: 0, bytes }.encode();
        assert_eq!(Transfer::decode(&long), Err(TransferError::Malformed));
        let mut other = Transfer::Abandon { extent: ExtentId(1) }.encode();
        other[1] += 1;
        assert_eq!(Transfer::decode(&other), Err(TransferError::Malformed));
    }

    proptest! {
        /// Whatever comes, reading it ends.
        #[test]
        fn any_bytes_are_read_to_an_end(
            which: prop::sample::Index, at: prop::sample::Index, to: u8, cut: prop::sample::Index,
        ) {
            let messages = messages();
            let mut bytes = messages[which.index(messages.len())].encode();
            let at = at.index(bytes.len().min(200));
            bytes[at] = to;
            let _ = Transfer::decode(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            let _ = Transfer::decode(&bytes);
        }
    }
}
