//! Messages as bytes, as `PROTOCOL.md` writes them down: a CBOR (RFC 8949) array, and behind it the
//! sender's incarnation, which sealing leaves readable.

use crate::detector::peer_clock::SentAt;
use crate::gossip::anti_entropy::digest::Digest;
use crate::gossip::anti_entropy::summary::{MAX_BUCKETS, Summary};
use crate::identity::{Identity, Incarnation, Name};
use crate::list::tags::{TagKey, TagValue, Tags, VersionedTags};
use crate::list::{Claim, Evidence, Update};
use crate::message::{Body, MAX_DATAGRAM, Message};
use crate::settings::{PROTOCOL_VERSION, is_understood};
use crate::time::WallTime;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`MAX_DATAGRAM`].
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

/// Encodes a message behind what is in `buffer`.
pub fn encode(message: &Message, buffer: &mut Vec<u8>) {
    let begin = buffer.len();
    let written = ciborium::into_writer(message, &mut *buffer);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    buffer.extend_from_slice(&message.incarnation.to_bytes());
    debug_assert!(
        buffer.len() - begin <= MAX_DATAGRAM,
        "{} bytes: {message:?}",
        buffer.len() - begin
    );
}

/// Decodes a datagram.
///
/// # Errors
/// When the bytes are not exactly one message of this version, or of a neighbouring one that says
/// what this one has too. It never panics and allocates no more than a small multiple of their
/// length.
pub fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
    if bytes.len() > MAX_DATAGRAM {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    let (array, incarnation) = bytes.split_last_chunk().ok_or(DecodeError::Malformed)?;
    let incarnation = Incarnation::from_bytes(*incarnation);
    let Said { mono, wall_offset, body } = decode_versioned(array)?;
    Ok(Message {
        incarnation,
        sent: SentAt { mono, wall: wall_time(incarnation, mono, wall_offset) },
        body,
    })
}

/// Encodes anything behind the protocol's version, for what goes over TCP.
pub fn encode_versioned<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = ciborium::into_writer(&(PROTOCOL_VERSION, value), &mut bytes);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    bytes
}

/// Decodes an array whose first element is the version of the protocol. The versions before and
/// after this one are understood as far as they say what this one has: elements that they have
/// appended are skipped.
///
/// # Errors
/// As [`decode`]'s.
pub fn decode_versioned<T: FromElements>(bytes: &[u8]) -> Result<T, DecodeError> {
    match read::<T>(bytes) {
        Ok(Versioned { version, value }) => value.ok_or(DecodeError::Version(version)),
        // Well-formed but not understood: nobody's fault, if it is a neighbour's.
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

/// What is made of the elements of an array behind the version.
pub trait FromElements: Sized {
    /// Takes all elements that it needs.
    ///
    /// # Errors
    /// When one is missing or of another form.
    fn from_elements<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<Self, A::Error>;
}

/// Takes none of them.
struct Skipped;

impl FromElements for Skipped {
    fn from_elements<'de, A: SeqAccess<'de>>(_: &mut A) -> Result<Self, A::Error> {
        Ok(Skipped)
    }
}

/// A value and the version it was said in; no value if that version is too far from this one.
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

const HEARTBEAT: u8 = 0;
const NEWS: u8 = 1;
const ASK: u8 = 2;
const ANSWER: u8 = 3;
const SUMMARY: u8 = 4;
const VERDICT: u8 = 5;
const KNOCK: u8 = 6;
const LEAVE: u8 = 7;
const LEAVE_HEARD: u8 = 8;

/// The array: all of the message but the incarnation.
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, fields) = match &self.body {
            Body::Heartbeat { news, .. } => (HEARTBEAT, 2 + usize::from(!news.is_empty())),
            Body::News(_) => (NEWS, 1),
            Body::Ask { .. } => (ASK, 2),
            Body::Answer { .. } => (ANSWER, 4),
            Body::Summary(_) => (SUMMARY, 1),
            Body::Verdict { .. } => (VERDICT, 3),
            Body::Knock { .. } => (KNOCK, 4),
            Body::Leave => (LEAVE, 0),
            Body::LeaveHeard => (LEAVE_HEARD, 0),
        };
        let mut array = serializer.serialize_seq(Some(4 + fields))?;
        array.serialize_element(&PROTOCOL_VERSION)?;
        array.serialize_element(&kind)?;
        array.serialize_element(&self.sent.mono)?;
        array.serialize_element(&wall_offset(self.incarnation, self.sent))?;
        match &self.body {
            Body::Heartbeat { hash, delay, news } => {
                array.serialize_element(hash)?;
                array.serialize_element(delay)?;
                if !news.is_empty() {
                    array.serialize_element(news)?;
                }
            }
            Body::News(news) => array.serialize_element(news)?,
            Body::Ask { name, incarnation } => {
                array.serialize_element(name.as_str())?;
                array.serialize_element(&incarnation.0)?;
            }
            Body::Answer { name, incarnation, sent, age } => {
                array.serialize_element(name.as_str())?;
                array.serialize_element(&incarnation.0)?;
                array.serialize_element(sent)?;
                array.serialize_element(age)?;
            }
            Body::Summary(summary) => array.serialize_element(summary)?,
            Body::Verdict { incarnation, side } => {
                array.serialize_element(&incarnation.0)?;
                array.serialize_element(&side.count)?;
                array.serialize_element(&side.hash)?;
            }
            Body::Knock { name, settings, side } => {
                array.serialize_element(name.as_str())?;
                array.serialize_element(settings)?;
                array.serialize_element(&side.count)?;
                array.serialize_element(&side.hash)?;
            }
            Body::Leave | Body::LeaveHeard => {}
        }
        array.end()
    }
}

/// What is in the array of a datagram.
struct Said {
    mono: u64,
    wall_offset: i64,
    body: Body,
}

impl FromElements for Said {
    fn from_elements<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<Self, A::Error> {
        let kind: u8 = next(elements)?;
        let (mono, wall_offset) = (next(elements)?, next(elements)?);
        let body = match kind {
            HEARTBEAT => Body::Heartbeat {
                hash: next(elements)?,
                delay: next(elements)?,
                news: elements.next_element()?.unwrap_or_default(),
            },
            NEWS => Body::News(next(elements)?),
            ASK => Body::Ask { name: next(elements)?, incarnation: Incarnation(next(elements)?) },
            ANSWER => Body::Answer {
                name: next(elements)?,
                incarnation: Incarnation(next(elements)?),
                sent: next(elements)?,
                age: next(elements)?,
            },
            SUMMARY => Body::Summary(next(elements)?),
            VERDICT => {
                Body::Verdict { incarnation: Incarnation(next(elements)?), side: digest(elements)? }
            }
            KNOCK => Body::Knock {
                name: next(elements)?,
                settings: next(elements)?,
                side: digest(elements)?,
            },
            LEAVE => Body::Leave,
            LEAVE_HEARD => Body::LeaveHeard,
            other => return Err(A::Error::custom(format_args!("no message is of kind {other}"))),
        };
        Ok(Said { mono, wall_offset, body })
    }
}

fn digest<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<Digest, A::Error> {
    Ok(Digest { count: next(elements)?, hash: next(elements)? })
}

/// The sender's wall clock relative to incarnation plus monotonic time, which is near zero unless a
/// clock was set: two bytes, not nine.
fn wall_offset(incarnation: Incarnation, sent: SentAt) -> i64 {
    let reckoned = incarnation.0.wrapping_add(sent.mono);
    sent.wall.0.wrapping_sub(reckoned).cast_signed()
}

fn wall_time(incarnation: Incarnation, mono: u64, offset: i64) -> WallTime {
    WallTime(incarnation.0.wrapping_add(mono).wrapping_add(offset.cast_unsigned()))
}

fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(elements: &mut A) -> Result<T, A::Error> {
    elements.next_element()?.ok_or_else(|| A::Error::custom("too few elements"))
}

fn end<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<(), A::Error> {
    match elements.next_element::<IgnoredAny>()? {
        None => Ok(()),
        Some(_) => Err(A::Error::custom("too many elements")),
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
        let tags = self.tags.told();
        let mut array =
            serializer.serialize_seq(Some(fields + if tags.is_some() { 2 } else { 0 }))?;
        array.serialize_element(name.as_str())?;
        array.serialize_element(&Bytes(&address_bytes(*address)))?;
        array.serialize_element(&incarnation.0)?;
        array.serialize_element(&claim)?;
        if let Claim::Failed(Evidence { accuser, silent_for }) = &self.claim {
            array.serialize_element(accuser.as_str())?;
            array.serialize_element(silent_for)?;
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
                    FAILED => Claim::Failed(Evidence {
                        accuser: next(elements)?,
                        silent_for: next(elements)?,
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
                Ok(Update { identity: Identity { name, address, incarnation }, claim, tags })
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

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.buckets.iter().flat_map(|sum| sum.to_be_bytes()).collect();
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Summary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = deserializer.deserialize_bytes(ByteString)?;
        let (sums, rest) = bytes.as_chunks();
        if !rest.is_empty() || !sums.len().is_power_of_two() || sums.len() > MAX_BUCKETS {
            return Err(D::Error::custom("no summary has that many buckets"));
        }
        Ok(Summary { buckets: sums.iter().map(|sum| u32::from_be_bytes(*sum)).collect() })
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Four or sixteen bytes of address and two of port, in network order.
fn address_bytes(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => [&ip.octets()[..], &port].concat(),
        IpAddr::V6(ip) => [&ip.octets()[..], &port].concat(),
    }
}

struct Address(SocketAddr);

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
        Ok(Address(SocketAddr::new(ip, u16::from_be_bytes(*port))))
    }
}

struct ByteString;

impl Visitor<'_> for ByteString {
    type Value = Vec<u8>;
    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a byte string")
    }
    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}
