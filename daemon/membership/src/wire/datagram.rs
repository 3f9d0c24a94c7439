//! Encodes datagrams as bytes: a CBOR array, and then the sender's incarnation, which sealing
//! leaves readable. It owns no state.

use super::DecodeError;
use super::cbor::{ByteString, Bytes, FromElements, decode_versioned, next};
use super::ends::Ends;
use super::forgotten::read_forgotten;
use crate::detector::peer_clock::SentAt;
use crate::gossip::anti_entropy::digest::Digest;
use crate::gossip::anti_entropy::summary::{MAX_BUCKETS, Summary};
use crate::gossip::views::ViewNews;
use crate::identity::Incarnation;
use crate::message::{Body, MAX_DATAGRAM, Message};
use crate::settings::PROTOCOL_VERSION;
use crate::time::WallTime;
use serde::de::{Error as _, SeqAccess};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Appends an encoded message to `buffer`.
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
/// When the bytes are not exactly one message that this version understands. It never panics, and
/// allocates no more than a small multiple of their length.
pub fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
    if bytes.len() > MAX_DATAGRAM {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    let (array, incarnation) = bytes.split_last_chunk().ok_or(DecodeError::Malformed)?;
    let incarnation = Incarnation::from_bytes(*incarnation);
    let Fields { mono, wall_offset, body } = decode_versioned(array)?;
    Ok(Message {
        incarnation,
        sent: SentAt { mono, wall: wall_time(incarnation, mono, wall_offset) },
        body,
    })
}

const HEARTBEAT: u8 = 0;
const UPDATES: u8 = 1;
const PROBE: u8 = 2;
const PROBE_REPLY: u8 = 3;
const SUMMARY: u8 = 4;
const DECLARED_FAILED: u8 = 5;
const ANNOUNCE: u8 = 6;
const LEAVE: u8 = 7;
const LEAVE_ACKNOWLEDGED: u8 = 8;
const FORGOTTEN: u8 = 9;
const PING: u8 = 10;
const PING_REQUEST: u8 = 11;
const INDIRECT_PING: u8 = 12;
const SUSPICIONS: u8 = 13;
const VIEW: u8 = 14;

/// The array: the whole message without the incarnation.
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, fields) = kind_and_fields(&self.body);
        let ends = Ends::of(self.body.updates());
        let fields = fields + usize::from(!ends.is_empty());
        let mut array = serializer.serialize_seq(Some(4 + fields))?;
        array.serialize_element(&PROTOCOL_VERSION)?;
        array.serialize_element(&kind)?;
        array.serialize_element(&self.sent.mono)?;
        array.serialize_element(&wall_offset(self.incarnation, self.sent))?;
        match &self.body {
            Body::Heartbeat { hash, delay, updates } | Body::Ping { hash, delay, updates } => {
                array.serialize_element(hash)?;
                array.serialize_element(delay)?;
                if !updates.is_empty() {
                    array.serialize_element(updates)?;
                }
            }
            Body::Updates(updates) => array.serialize_element(updates)?,
            Body::Probe { name, incarnation } => {
                array.serialize_element(name.as_str())?;
                array.serialize_element(&incarnation.0)?;
            }
            Body::ProbeReply { name, incarnation, sent, age } => {
                array.serialize_element(name.as_str())?;
                array.serialize_element(&incarnation.0)?;
                array.serialize_element(sent)?;
                array.serialize_element(age)?;
            }
            Body::Summary(summary) => array.serialize_element(summary)?,
            Body::DeclaredFailed { incarnation, side } => {
                array.serialize_element(&incarnation.0)?;
                array.serialize_element(&side.count)?;
                array.serialize_element(&side.hash)?;
            }
            Body::Announce { name, settings, side } => {
                array.serialize_element(name.as_str())?;
                array.serialize_element(settings)?;
                array.serialize_element(&side.count)?;
                array.serialize_element(&side.hash)?;
            }
            Body::Leave | Body::LeaveAcknowledged => {}
            Body::PingRequest { name, incarnation, sent } => {
                array.serialize_element(name.as_str())?;
                array.serialize_element(&incarnation.0)?;
                array.serialize_element(sent)?;
            }
            Body::IndirectPing { requester } => array.serialize_element(requester.as_str())?,
            Body::Suspicions(suspicions) => array.serialize_element(suspicions)?,
            Body::Forgotten { hash, records } => {
                array.serialize_element(hash)?;
                array.serialize_element(records)?;
            }
            Body::View(ViewNews { founding, recoveries, recovery, number, hash }) => {
                array.serialize_element(&Bytes(founding))?;
                array.serialize_element(recoveries)?;
                array.serialize_element(&Bytes(recovery))?;
                array.serialize_element(number)?;
                array.serialize_element(&Bytes(hash))?;
            }
        }
        if !ends.is_empty() {
            array.serialize_element(&ends)?;
        }
        array.end()
    }
}

/// The number of a kind, and of its elements but the ends.
fn kind_and_fields(body: &Body) -> (u8, usize) {
    match body {
        Body::Heartbeat { updates, .. } => (HEARTBEAT, 2 + usize::from(!updates.is_empty())),
        Body::Updates(_) => (UPDATES, 1),
        Body::Probe { .. } => (PROBE, 2),
        Body::ProbeReply { .. } => (PROBE_REPLY, 4),
        Body::Summary(_) => (SUMMARY, 1),
        Body::DeclaredFailed { .. } => (DECLARED_FAILED, 3),
        Body::Announce { .. } => (ANNOUNCE, 4),
        Body::Leave => (LEAVE, 0),
        Body::LeaveAcknowledged => (LEAVE_ACKNOWLEDGED, 0),
        Body::Forgotten { .. } => (FORGOTTEN, 2),
        Body::Ping { updates, .. } => (PING, 2 + usize::from(!updates.is_empty())),
        Body::PingRequest { .. } => (PING_REQUEST, 3),
        Body::IndirectPing { .. } => (INDIRECT_PING, 1),
        Body::Suspicions(_) => (SUSPICIONS, 1),
        Body::View(_) => (VIEW, 5),
    }
}

/// The content of the array of a datagram.
struct Fields {
    mono: u64,
    wall_offset: i64,
    body: Body,
}

impl FromElements for Fields {
    fn from_elements<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<Self, A::Error> {
        let kind: u8 = next(elements)?;
        let (mono, wall_offset) = (next(elements)?, next(elements)?);
        let mut body = match kind {
            HEARTBEAT => Body::Heartbeat {
                hash: next(elements)?,
                delay: next(elements)?,
                updates: elements.next_element()?.unwrap_or_default(),
            },
            UPDATES => Body::Updates(next(elements)?),
            PROBE => {
                Body::Probe { name: next(elements)?, incarnation: Incarnation(next(elements)?) }
            }
            PROBE_REPLY => Body::ProbeReply {
                name: next(elements)?,
                incarnation: Incarnation(next(elements)?),
                sent: next(elements)?,
                age: next(elements)?,
            },
            SUMMARY => Body::Summary(next(elements)?),
            DECLARED_FAILED => Body::DeclaredFailed {
                incarnation: Incarnation(next(elements)?),
                side: digest(elements)?,
            },
            ANNOUNCE => Body::Announce {
                name: next(elements)?,
                settings: next(elements)?,
                side: digest(elements)?,
            },
            LEAVE => Body::Leave,
            LEAVE_ACKNOWLEDGED => Body::LeaveAcknowledged,
            FORGOTTEN => {
                let hash = next(elements)?;
                let Records(records) = next(elements)?;
                Body::Forgotten { hash, records }
            }
            PING => Body::Ping {
                hash: next(elements)?,
                delay: next(elements)?,
                updates: elements.next_element()?.unwrap_or_default(),
            },
            PING_REQUEST => Body::PingRequest {
                name: next(elements)?,
                incarnation: Incarnation(next(elements)?),
                sent: next(elements)?,
            },
            INDIRECT_PING => Body::IndirectPing { requester: next(elements)? },
            SUSPICIONS => Body::Suspicions(next(elements)?),
            VIEW => Body::View(ViewNews {
                founding: exactly(elements)?,
                recoveries: next(elements)?,
                recovery: exactly(elements)?,
                number: next(elements)?,
                hash: exactly(elements)?,
            }),
            other => return Err(A::Error::custom(format_args!("no message is of kind {other}"))),
        };
        if let Some(updates) = body.updates_mut() {
            Ends::take(elements, updates)?;
        }
        Ok(Fields { mono, wall_offset, body })
    }
}

#[derive(Deserialize)]
struct Records(#[serde(deserialize_with = "read_forgotten")] Vec<crate::forgotten::Forgotten>);

/// A byte string of this length.
fn exactly<'de, A: SeqAccess<'de>, const LENGTH: usize>(
    elements: &mut A,
) -> Result<[u8; LENGTH], A::Error> {
    let Sized(bytes) = next(elements)?;
    bytes.try_into().map_err(|_| A::Error::custom("a byte string has another length"))
}

/// A byte string of any length.
struct Sized(Vec<u8>);

impl<'de> Deserialize<'de> for Sized {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(ByteString).map(Sized)
    }
}

fn digest<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<Digest, A::Error> {
    Ok(Digest { count: next(elements)?, hash: next(elements)? })
}

/// The sender's wall clock relative to incarnation plus monotonic time. It is near zero unless a
/// clock was set, so it takes two bytes instead of nine.
fn wall_offset(incarnation: Incarnation, sent: SentAt) -> i64 {
    let reckoned = incarnation.0.wrapping_add(sent.mono);
    sent.wall.0.wrapping_sub(reckoned).cast_signed()
}

fn wall_time(incarnation: Incarnation, mono: u64, offset: i64) -> WallTime {
    WallTime(incarnation.0.wrapping_add(mono).wrapping_add(offset.cast_unsigned()))
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
