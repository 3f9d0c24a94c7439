//! Encodes records of forgotten members, which datagrams and calls share. It owns no state.

use super::cbor::{Address, Bytes, address_bytes, end, next};
use crate::forgotten::{Forgotten, MAX_FORGOTTEN};
use crate::identity::{Identity, Incarnation};
use crate::time::millis;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

impl Serialize for Forgotten {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Forgotten { identity, by, keep } = self;
        let mut array = serializer.serialize_seq(Some(5))?;
        array.serialize_element(identity.name.as_str())?;
        array.serialize_element(&Bytes(&address_bytes(identity.address)))?;
        array.serialize_element(&identity.incarnation.0)?;
        array.serialize_element(by.as_str())?;
        array.serialize_element(&millis(*keep))?;
        array.end()
    }
}

impl<'de> Deserialize<'de> for Forgotten {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = Forgotten;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a record of a forgotten member")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Forgotten, A::Error> {
                let elements = &mut elements;
                let name = next(elements)?;
                let Address(address) = next(elements)?;
                let incarnation = Incarnation(next(elements)?);
                let (by, keep) = (next(elements)?, Duration::from_millis(next(elements)?));
                end(elements)?;
                Ok(Forgotten { identity: Identity { name, address, incarnation }, by, keep })
            }
        }
        deserializer.deserialize_seq(Array)
    }
}

/// Reads records, at most as many as a member keeps.
pub(super) fn read_forgotten<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Forgotten>, D::Error> {
    struct Array;
    impl<'de> Visitor<'de> for Array {
        type Value = Vec<Forgotten>;
        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            formatter.write_str("records of forgotten members")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
            let mut records = Vec::new();
            while let Some(record) = elements.next_element()? {
                if records.len() == MAX_FORGOTTEN {
                    return Err(A::Error::custom("too many records of forgotten members"));
                }
                records.push(record);
            }
            Ok(records)
        }
    }
    deserializer.deserialize_seq(Array)
}
