//! Forms of values on the wire and on disk, with their bounds: names, bytes, lists, roots. It owns
//! no state.

use memberd_membership::Name;
pub(crate) use memberd_membership::wire::bounded;
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Bytes as a CBOR byte string of at most `N`.
pub(crate) struct Bytes<const N: usize>(pub(crate) Vec<u8>);

impl<const N: usize> Serialize for Bytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Bytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AtMost<const N: usize>;
        impl<const N: usize> Visitor<'_> for AtMost<N> {
            type Value = Bytes<N>;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                write!(formatter, "at most {N} bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes<N>, E> {
                if bytes.len() <= N {
                    Ok(Bytes(bytes.to_vec()))
                } else {
                    Err(E::invalid_length(bytes.len(), &self))
                }
            }
            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes<N>, E> {
                if bytes.len() <= N {
                    Ok(Bytes(bytes))
                } else {
                    Err(E::invalid_length(bytes.len(), &self))
                }
            }
        }
        deserializer.deserialize_byte_buf(AtMost::<N>)
    }
}

/// Bytes of a field: `#[serde(with = "forms::bytes")]`, at most the largest piece.
pub(crate) mod bytes {
    use super::{Bytes, Deserialize, Deserializer, Serializer};

    /// The most of any field.
    pub(crate) const MAX: usize = 256 << 10;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        Bytes::<MAX>::deserialize(from).map(|bytes| bytes.0)
    }
}

/// A hash of 32 bytes.
pub(crate) mod hash {
    use super::{Bytes, Deserialize, Deserializer, Error, Serializer};

    pub(crate) fn serialize<S: Serializer>(hash: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(hash)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let bytes = Bytes::<32>::deserialize(from)?.0;
        let length = bytes.len();
        bytes.try_into().map_err(|_| D::Error::invalid_length(length, &"32 bytes"))
    }
}

/// Names of members, of which none comes twice: at most [`crate::HolderSet::MAX_MEMBERS`].
pub(crate) mod names {
    use super::{Deserializer, Error, Name, Serializer, bounded};
    use crate::content::HolderSet;

    pub(crate) fn serialize<S: Serializer>(names: &[Name], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(names)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Name>, D::Error> {
        let names: Vec<Name> = bounded::<_, _, { HolderSet::MAX_MEMBERS }>(from)?;
        let twice = (1..names.len()).any(|at| names[..at].contains(&names[at]));
        if twice { Err(D::Error::custom("a member comes twice")) } else { Ok(names) }
    }
}

/// A value as CBOR.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_into(value, &mut bytes);
    bytes
}

/// Adds a value as CBOR to bytes.
pub(crate) fn encode_into<T: Serialize>(value: &T, bytes: &mut Vec<u8>) {
    let written = ciborium::into_writer(value, bytes);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

/// A value that is all of these bytes.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).ok()?;
    rest.is_empty().then_some(value)
}
