//! How values are written: names as text, incarnations as numbers, bytes as byte strings; and
//! lists that are bounded while they are read. Owns no state.

use memberd_membership::Name;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// Of a name.
pub(crate) mod name {
    use super::{Deserialize, Deserializer, Error, Name, Serializer};

    pub(crate) fn serialize<S: Serializer>(name: &Name, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(name.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Name, D::Error> {
        Name::new(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// Of an incarnation.
pub(crate) mod incarnation {
    use super::{Deserialize, Deserializer, Serializer};
    use memberd_membership::Incarnation;

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(crate) fn serialize<S: Serializer>(one: &Incarnation, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(one.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Incarnation, D::Error> {
        Ok(Incarnation(u64::deserialize(from)?))
    }
}

/// Of values by name: at most [`MAX_SOURCES`](crate::MAX_SOURCES).
pub(crate) mod by_name {
    use super::{BTreeMap, Deserialize, Deserializer, Error, Name, Serialize, Serializer};
    use crate::table::MAX_SOURCES;

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        values: &BTreeMap<Name, T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_map(values.iter().map(|(name, value)| (name.as_str(), value)))
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Name, T>, D::Error> {
        let values: BTreeMap<String, T> = super::map_at_most::<D, _, _, MAX_SOURCES>(from)?;
        let named = |(name, value): (String, T)| Ok((Name::new(&name)?, value));
        let named: Result<_, memberd_membership::NameError> =
            values.into_iter().map(named).collect();
        named.map_err(D::Error::custom)
    }
}

/// Of a table that is shared.
pub(crate) mod shared {
    use super::{Deserialize, Deserializer, Serialize, Serializer};
    use crate::table::Table;
    use std::sync::Arc;

    pub(crate) fn serialize<S: Serializer>(table: &Arc<Table>, to: S) -> Result<S::Ok, S::Error> {
        table.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Table>, D::Error> {
        Table::deserialize(from).map(Arc::new)
    }
}

/// Of bytes. serde's own form is a list of numbers, which takes up to twice their length.
pub(crate) mod bytes {
    use super::{Bytes, Cow, Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        Bytes::deserialize(from).map(|Bytes(bytes)| Cow::into_owned(bytes))
    }
}

/// Of a list of bytes.
pub(crate) mod pieces {
    use super::{Bytes, Cow, Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(pieces: &[Vec<u8>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(pieces.iter().map(|piece| Bytes(Cow::Borrowed(piece))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Vec<u8>>, D::Error> {
        let pieces = Vec::<Bytes>::deserialize(from)?;
        Ok(pieces.into_iter().map(|Bytes(bytes)| Cow::into_owned(bytes)).collect())
    }
}

/// Of lists of bytes by window.
pub(crate) mod by_window {
    use super::{Deserialize, Deserializer, Serialize, Serializer};
    use crate::record::WindowSums;

    #[derive(Serialize)]
    struct To<'a>(i64, #[serde(with = "super::pieces")] &'a [Vec<u8>]);

    #[derive(Deserialize)]
    struct From(i64, #[serde(with = "super::pieces")] Vec<Vec<u8>>);

    pub(crate) fn serialize<S: Serializer>(
        windows: &[WindowSums],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(windows.iter().map(|(window, pieces)| To(*window, pieces)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<WindowSums>, D::Error> {
        let windows = Vec::<From>::deserialize(from)?;
        Ok(windows.into_iter().map(|From(window, pieces)| (window, pieces)).collect())
    }
}

/// A byte string.
#[derive(Clone)]
struct Bytes<'a>(Cow<'a, [u8]>);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes<'_> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_byte_buf(BytesVisitor).map(|bytes| Bytes(Cow::Owned(bytes)))
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("a byte string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}

/// At most `MOST` elements. More are an error, as soon as there is one more.
pub(crate) fn at_most<'de, D, T, const MOST: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    from.deserialize_seq(List::<T, MOST>(PhantomData))
}

/// At most `MOST` entries. More are an error, as soon as there is one more.
pub(crate) fn map_at_most<'de, D, K, V, const MOST: usize>(
    from: D,
) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    from.deserialize_map(Map::<K, V, MOST>(PhantomData))
}

struct List<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for List<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        write!(to, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            if list.len() == MOST {
                return Err(A::Error::invalid_length(MOST + 1, &self));
            }
            list.push(element);
        }
        Ok(list)
    }
}

struct Map<K, V, const MOST: usize>(PhantomData<(K, V)>);

impl<'de, K, V, const MOST: usize> Visitor<'de> for Map<K, V, MOST>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    type Value = BTreeMap<K, V>;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        write!(to, "a map of at most {MOST}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<BTreeMap<K, V>, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry()? {
            if map.len() == MOST {
                return Err(A::Error::invalid_length(MOST + 1, &self));
            }
            map.insert(key, value);
        }
        Ok(map)
    }
}
