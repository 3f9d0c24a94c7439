//! Encodes what members tell each other of suspected ones. It owns no state.

use super::cbor::{end, next};
use crate::identity::{Incarnation, Name};
use crate::suspicion::Suspicion;
use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

impl Serialize for Suspicion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_seq(Some(4))?;
        array.serialize_element(self.name.as_str())?;
        array.serialize_element(&self.incarnation.0)?;
        array.serialize_element(&self.sent)?;
        array.serialize_element(&self.by.as_ref().map(Name::as_str))?;
        array.end()
    }
}

impl<'de> Deserialize<'de> for Suspicion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = Suspicion;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a suspicion")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Suspicion, A::Error> {
                let elements = &mut elements;
                let (name, incarnation) = (next(elements)?, Incarnation(next(elements)?));
                let (sent, by) = (next(elements)?, next(elements)?);
                end(elements)?;
                Ok(Suspicion { name, incarnation, sent, by })
            }
        }
        deserializer.deserialize_seq(Array)
    }
}
