//! Encodes and decodes CBOR (RFC 8949): arrays that begin with the version of the protocol, and
//! values that datagrams and calls share. It owns no state.

use super::DecodeError;
use super::ends::{CarriesUpdates, Ends};
use crate::identity::{Identity, Incarnation, Name, can_be_a_members};
use crate::list::tags::{TagKey, TagValue, Tags, VersionedTags};
use crate::list::{Claim, FailureEvidence, Update};
use crate::settings::{PROTOCOL_VERSION, is_understood};
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Encodes a value after the protocol's version, for messages over TCP. Behind it is what the
/// updates in it cannot say.
pub fn encode_versioned<T: Serialize + CarriesUpdates>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let ends = Ends::of(value.updates());
    let written = if ends.is_empty() {
        ciborium::into_writer(&(PROTOCOL_VERSION, value), &mut bytes)
    } else {
        ciborium::into_writer(&(PROTOCOL_VERSION, value, ends), &mut bytes)
    };
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    bytes
}

/// Decodes an array whose first element is the version of the protocol. It understands the parts of
/// neighbouring versions that this version has too, and skips elements that they have appended.
///
/// # Errors
/// The same as those of [`super::decode`].
pub fn decode_versioned<T: FromElements>(bytes: &[u8]) -> Result<T, DecodeError> {
    match read::<T>(bytes) {
        Ok(Versioned { version, value }) => value.ok_or(DecodeError::Version(version)),
        // In this version they are a fault, however they go on.
        Err(malformed) if bytes.get(1) == Some(&PROTOCOL_VERSION) => Err(malformed),
        // The bytes are well formed but not understood. In a neighbouring version this is nobody's
        // fault.
        Err(malformed) => match read::<Skipped>(bytes) {
            Ok(Versioned { version, .. }) if version != PROTOCOL_VERSION => {
                Err(DecodeError::Version(version))
            }
            _ => Err(malformed),
        },
    }
}

fn read<T: FromElements>(bytes: &[u8]) -> Result<Versioned<T>, DecodeError> {
    let mut rest = bytes;
    let versioned: Versioned<T> =
        ciborium::from_reader(&mut rest).map_err(|_| DecodeError::Malformed)?;
    if versioned.value.is_some() && !rest.is_empty() {
        Err(DecodeError::Malformed)
    } else {
        Ok(versioned)
    }
}

/// Builds a value from the elements of an array after the version.
pub trait FromElements: Sized {
    /// Takes the elements that the value needs.
    ///
    /// # Errors
    /// When an element is missing or has another form.
    fn from_elements<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<Self, A::Error>;
}

/// A value that takes no elements.
struct Skipped;

impl FromElements for Skipped {
    fn from_elements<'de, A: SeqAccess<'de>>(_: &mut A) -> Result<Self, A::Error> {
        Ok(Skipped)
    }
}

/// A value and its version. There is no value if the version is too far from this one.
struct Versioned<T> {
    version: u8,
    value: Option<T>,
}

impl<'de, T: FromElements> Deserialize<'de> for Versioned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array<T>(std::marker::PhantomData<T>);
        impl<'de, T: FromElements> Visitor<'de> for Array<T> {
            type Value = Versioned<T>;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an array that begins with a version")
            }
            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut elements: A,
            ) -> Result<Versioned<T>, A::Error> {
                let version: u8 = next(&mut elements)?;
                if !is_understood(version) {
                    return Ok(Versioned { version, value: None });
                }
                let value = T::from_elements(&mut elements)?;
                if version == PROTOCOL_VERSION {
                    end(&mut elements)?;
                } else {
                    while elements.next_element::<IgnoredAny>()?.is_some() {}
                }
                Ok(Versioned { version, value: Some(value) })
            }
        }
        deserializer.deserialize_seq(Array(std::marker::PhantomData))
    }
}

pub(super) fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(
    elements: &mut A,
) -> Result<T, A::Error> {
    elements.next_element()?.ok_or_else(|| A::Error::custom("too few elements"))
}

pub(super) fn end<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<(), A::Error> {
    match elements.next_element::<IgnoredAny>()? {
        None => Ok(()),
        Some(_) => Err(A::Error::custom("too many elements")),
    }
}

/// Reads a list of at most `N` elements, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// Those of the deserializer, and when the list is longer.
pub fn bounded<'de, T: Deserialize<'de>, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct AtMost<T, const N: usize>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for AtMost<T, N> {
        type Value = Vec<T>;
        fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
            write!(formatter, "at most {N} elements")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = elements.next_element()? {
                if list.len() == N {
                    return Err(A::Error::invalid_length(N + 1, &self));
                }
                list.push(element);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_seq(AtMost::<T, N>(std::marker::PhantomData))
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Name::new(&text).map_err(D::Error::custom)
    }
}

const ALIVE: u8 = 0;
const FAILED: u8 = 1;
const LEFT: u8 = 2;

impl Serialize for Update {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Identity { name, address, incarnation } = &self.identity;
        let (claim, fields) = match &self.claim {
            Claim::Alive => (ALIVE, 4),
            Claim::Failed(_) => (FAILED, 6),
            Claim::Left => (LEFT, 4),
        };
        let tags = self.tags.tags();
        let mut array =
            serializer.serialize_seq(Some(fields + if tags.is_some() { 2 } else { 0 }))?;
        array.serialize_element(name.as_str())?;
        array.serialize_element(&Bytes(&address_bytes(*address)))?;
        array.serialize_element(&incarnation.0)?;
        array.serialize_element(&claim)?;
        if let Claim::Failed(FailureEvidence { detected_by, silent_ms }) = &self.claim {
            array.serialize_element(detected_by.as_str())?;
            array.serialize_element(silent_ms)?;
        }
        if let Some(tags) = tags {
            array.serialize_element(&self.tags.version())?;
            array.serialize_element(tags)?;
        }
        array.end()
    }
}

impl<'de> Deserialize<'de> for Update {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = Update;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an update")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Update, A::Error> {
                let elements = &mut elements;
                let name = next(elements)?;
                let Address(address) = next(elements)?;
                let incarnation = Incarnation(next(elements)?);
                let claim = match next(elements)? {
                    ALIVE => Claim::Alive,
                    FAILED => Claim::Failed(FailureEvidence {
                        detected_by: next(elements)?,
                        silent_ms: next(elements)?,
                    }),
                    LEFT => Claim::Left,
                    other => {
                        return Err(A::Error::custom(format_args!("no claim is of kind {other}")));
                    }
                };
                let tags = match elements.next_element()? {
                    None => VersionedTags::default(),
                    Some(0) => return Err(A::Error::custom("tags have a version")),
                    Some(version) => VersionedTags::new(version, next(elements)?),
                };
                end(elements)?;
                let identity = Identity { name, address, incarnation };
                Ok(Update { identity, claim, tags, ended: None })
            }
        }
        deserializer.deserialize_seq(Array)
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Tags;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("tags")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut tags: Vec<(TagKey, TagValue)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    let key = TagKey::new(&key).map_err(A::Error::custom)?;
                    if tags.last().is_some_and(|(last, _)| *last >= key) {
                        return Err(A::Error::custom(
                            "the keys of tags are in order, and each is there once",
                        ));
                    }
                    tags.push((key, TagValue::new(&value).map_err(A::Error::custom)?));
                }
                Tags::new(tags).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Four or sixteen bytes of address, and two bytes of port, in network order.
pub(super) fn address_bytes(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => [&ip.octets()[..], &port].concat(),
        IpAddr::V6(ip) => [&ip.octets()[..], &port].concat(),
    }
}

pub(super) struct Address(pub(super) SocketAddr);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = deserializer.deserialize_bytes(ByteString)?;
        let (ip, port) = bytes.split_last_chunk().ok_or_else(|| D::Error::custom("no address"))?;
        let ip: IpAddr = if let Ok(v4) = <[u8; 4]>::try_from(ip) {
            Ipv4Addr::from(v4).into()
        } else if let Ok(v6) = <[u8; 16]>::try_from(ip) {
            Ipv6Addr::from(v6).into()
        } else {
            return Err(D::Error::custom("an address is 6 or 18 bytes"));
        };
        let address = SocketAddr::new(ip, u16::from_be_bytes(*port));
        if !can_be_a_members(address) {
            return Err(D::Error::custom(format_args!("no member can have the address {address}")));
        }
        Ok(Address(address))
    }
}

pub(super) struct ByteString;

impl Visitor<'_> for ByteString {
    type Value = Vec<u8>;
    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a byte string")
    }
    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A receiver would send heartbeats there for nothing, or to itself.
    #[test]
    fn addresses_that_no_member_can_have_are_malformed() {
        let read = |address: &str| {
            let bytes = address_bytes(address.parse().unwrap());
            let mut cbor = Vec::new();
            ciborium::into_writer(&Bytes(&bytes), &mut cbor).unwrap();
            ciborium::from_reader::<Address, _>(&cbor[..]).map(|Address(address)| address).ok()
        };
        for good in ["192.0.2.1:8946", "127.0.0.1:1", "[2001:db8::1]:8946", "[::1]:65535"] {
            assert_eq!(read(good), good.parse().ok());
        }
        for bad in [
            "192.0.2.1:0",
            "0.0.0.0:8946",
            "255.255.255.255:8946",
            "224.0.0.1:8946",
            "[::]:8946",
            "[ff02::1]:8946",
            "[::ffff:192.0.2.1]:8946",
            "[2001:db8::1]:0",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
