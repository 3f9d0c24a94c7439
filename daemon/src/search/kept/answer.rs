//! Tells other members, and this daemon itself, what is kept here of the logs of given members. It
//! owns no state.

use super::{KeptCopies, Reach};
use crate::blocking::run_low_priority;
use crate::search::local::LocalSearcher;
use memberd_control::frame::{HEADER_BYTES, Message, SMALL_REQUEST_CAP, decode, encode};
use memberd_copies::kept::{self, KeptList};
use memberd_membership::Name;
use memberd_transport::Source;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The most members of which one request asks.
pub(super) const MOST_NAMES: usize = 1_000;

/// The longest request, in bytes.
pub const KEPT_REQUEST_CAP: usize = KeptRequest::CAP;

/// The longest reply, in bytes.
pub(super) const KEPT_REPLY_CAP: usize = KeptReply::CAP;

/// How long a look waits for its place. Whoever asks waits for 2 s.
const PLACE_LIMIT: Duration = Duration::from_secs(1);

/// Asks what is kept of the logs of these members.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptRequest {
    /// Their names.
    pub(super) members: Vec<String>,
}

impl Message for KeptRequest {
    const CAP: usize = SMALL_REQUEST_CAP;
}

/// What a member keeps of the logs of others.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptReply {
    /// Of each asked member of whose logs something is kept and offered.
    pub(super) kept: Vec<KeptAnswer>,
    /// Whether copies are switched off here.
    #[serde(default)]
    pub(super) off: bool,
}

impl Message for KeptReply {
    const CAP: usize = 256 * 1024;
}

/// What a member keeps of the logs of another one. Later versions may append fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptAnswer {
    /// Whose logs they are.
    pub(super) member: String,
    /// When their member read what it sent last, in milliseconds since the Unix epoch.
    pub(super) read_ms: u64,
    /// Up to when they are whole, in milliseconds since the Unix epoch, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) whole_ms: Option<u64>,
    /// Whether their member said last that it had more to send.
    #[serde(default)]
    pub(super) is_behind: bool,
    /// How many files there are.
    pub(super) streams: u64,
    /// The bytes of text.
    pub(super) bytes: u64,
    /// The bytes of older text that were dropped here, or never sent.
    pub(super) dropped_bytes: u64,
    /// The bytes that their member could not send.
    #[serde(default)]
    pub(super) lost_bytes: u64,
    /// How many files there are that cannot be read, or 1 if none can.
    #[serde(default)]
    pub(super) unread: u64,
}

/// Answers another member's question. The look is counted for that machine.
///
/// # Errors
/// When the request is not understood, or too many look at once: whoever asks then does not know
/// what is kept here.
pub async fn answer(
    searcher: &Arc<LocalSearcher>,
    bytes: &[u8],
    source: Source,
) -> io::Result<Vec<u8>> {
    let request = decode::<KeptRequest>(bytes).map_err(io::Error::other)?;
    let reply = look(searcher, request.members, source).await?;
    let frame = encode(&reply).map_err(io::Error::other)?;
    Ok(frame.get(HEADER_BYTES..).unwrap_or_default().to_vec())
}

/// What is kept here of the logs of these members.
///
/// # Errors
/// When too many look at once.
pub(super) async fn look(
    searcher: &Arc<LocalSearcher>,
    members: Vec<String>,
    source: Source,
) -> io::Result<KeptReply> {
    let Some(copies) = searcher.kept_copies() else {
        return Ok(KeptReply { off: true, ..KeptReply::default() });
    };
    let place = searcher.kept_looks.enter_within_as(source, PLACE_LIMIT).await;
    let place = place.map_err(io::Error::other)?;
    run_low_priority(move || {
        let names = members.iter().take(MOST_NAMES).filter_map(|name| Name::new(name).ok());
        let kept = names.filter_map(|name| look_at(&copies, &name)).collect();
        drop(place);
        KeptReply { kept, off: false }
    })
    .await
}

/// What is kept of one member's logs, if there is anything that it offers.
fn look_at(copies: &KeptCopies, member: &Name) -> Option<KeptAnswer> {
    let (whole_ms, is_behind) = match (copies.reach)(member) {
        Reach::Whole(until_ms) => (Some(until_ms), false),
        Reach::Behind => (None, true),
        Reach::Unknown => (None, false),
    };
    let mut answer =
        KeptAnswer { member: member.to_string(), whole_ms, is_behind, ..KeptAnswer::default() };
    let KeptList { streams, unlisted, dropped_bytes } =
        match kept::list_all(&copies.directory, member) {
            Ok(list) => list,
            // The search tells why.
            Err(_) => return Some(KeptAnswer { unread: 1, ..answer }),
        };
    answer.unread = unlisted.len() as u64;
    answer.dropped_bytes = dropped_bytes;
    for stream in streams {
        if stream.head.offered {
            answer.read_ms = answer.read_ms.max(stream.read_ms);
            answer.streams += 1;
            answer.bytes = answer.bytes.saturating_add(stream.end.saturating_sub(stream.begin));
            answer.dropped_bytes = answer.dropped_bytes.saturating_add(stream.dropped_bytes);
            answer.lost_bytes = answer.lost_bytes.saturating_add(stream.head.lost_bytes);
        }
    }
    (answer.streams > 0 || answer.unread > 0).then_some(answer)
}
