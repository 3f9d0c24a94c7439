//! The messages of members in datagrams. They are plain values. `wire.rs` encodes them, and
//! `PROTOCOL.md` describes every byte.

use crate::detector::peer_clock::SentAt;
use crate::forgotten::Forgotten;
use crate::gossip::anti_entropy::digest::Digest;
use crate::gossip::anti_entropy::summary::Summary;
use crate::gossip::views::ViewNews;
use crate::identity::{Incarnation, Name};
use crate::list::{Claim, Update};
use crate::suspicion::Suspicion;

/// The longest datagram that is sent or accepted, in bytes. Its owner may seal it, which adds 26
/// bytes: 1,200 bytes of UDP payload.
pub const MAX_DATAGRAM: usize = 1_174;

/// The room for updates in a datagram. The rest of a heartbeat never exceeds 86 bytes.
pub const UPDATES_ROOM: usize = MAX_DATAGRAM - 86;

/// One datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The sender's incarnation. Together with the source address it identifies the sender.
    pub incarnation: Incarnation,
    /// The send time.
    pub sent: SentAt,
    /// The content.
    pub body: Body,
}

/// The content of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The sender is up. It adds the hash of its list, and new updates.
    Heartbeat {
        /// The hash of the sender's list: see [`Digest`].
        hash: u32,
        /// The delay of the receiver's datagrams by the two wall clocks, in milliseconds, if the
        /// sender has heard it.
        delay: Option<i64>,
        /// Updates. A sender that has not heard the receiver yet adds its own entry, so that the
        /// receiver need not know it.
        updates: Vec<Update>,
    },
    /// New updates, or differences between the lists of sender and receiver.
    Updates(Vec<Update>),
    /// The sender misses a heartbeat of this member. The member itself answers with a heartbeat,
    /// and another monitor with its newest evidence.
    Probe {
        /// The member.
        name: Name,
        /// Its incarnation.
        incarnation: Incarnation,
    },
    /// The newest send time of this member that the sender knows.
    ProbeReply {
        /// The member.
        name: Name,
        /// Its incarnation.
        incarnation: Incarnation,
        /// The send time, by the member's own monotonic clock: milliseconds since its incarnation
        /// began.
        sent: u64,
        /// The age of that at the sender of this answer, in milliseconds.
        age: u64,
    },
    /// The lists differ. This is a summary of the sender's list. The receiver sends its entries in
    /// the buckets that differ.
    Summary(Summary),
    /// The receiver has failed or left in the sender's list, in this incarnation.
    DeclaredFailed {
        /// The incarnation of the receiver that has failed or left.
        incarnation: Incarnation,
        /// The digest of the sender's list. If two sides declared each other failed, the one with
        /// the smaller digest yields.
        side: Digest,
    },
    /// Announces the sender at an address where nobody may be. It is sent now and then to lost
    /// members and absent introducers.
    Announce {
        /// The sender's name. Together with address and incarnation it introduces the sender.
        name: Name,
        /// [`crate::settings::GroupSettings::fingerprint`]. Groups with other settings do not
        /// merge.
        settings: u32,
        /// The digest of the sender's list.
        side: Digest,
    },
    /// The sender leaves.
    Leave,
    /// The sender acknowledges that the receiver leaves.
    LeaveAcknowledged,
    /// The sender is up, and the receiver must acknowledge that with a heartbeat. It carries what a
    /// heartbeat does. It and the next three are those of SWIM.
    Ping {
        /// The hash of the sender's list: see [`Digest`].
        hash: u32,
        /// The delay of the receiver's datagrams, as in a heartbeat.
        delay: Option<i64>,
        /// Updates, as in a heartbeat.
        updates: Vec<Update>,
    },
    /// The sender asks the receiver to ping a silent member. The receiver answers with its newest
    /// evidence, or with a heartbeat if it has none that is newer.
    PingRequest {
        /// The silent member.
        name: Name,
        /// Its incarnation.
        incarnation: Incarnation,
        /// Its newest send time that the sender knows; zero if it knows none.
        sent: u64,
    },
    /// A ping on behalf of another member, which is acknowledged to both.
    IndirectPing {
        /// The member that asked for it. The receiver finds its address in its own list.
        requester: Name,
    },
    /// What the sender says of suspected members.
    Suspicions(Vec<Suspicion>),
    /// Members were forgotten on request.
    Forgotten {
        /// The hash of all that the sender holds for forgotten, if the receiver is to compare it.
        hash: Option<u32>,
        /// Some of those.
        records: Vec<Forgotten>,
    },
    /// The newest agreed view that the sender has. Only members that agree on views say so.
    View(ViewNews),
}

impl Body {
    /// The kind as one word, for logs and counters.
    pub fn kind(&self) -> &'static str {
        match self {
            Body::Heartbeat { .. } => "heartbeat",
            Body::Updates(_) => "news",
            Body::Probe { .. } => "ask",
            Body::ProbeReply { .. } => "answer",
            Body::Summary(_) => "summary",
            Body::DeclaredFailed { .. } => "verdict",
            Body::Announce { .. } => "knock",
            Body::Leave => "leave",
            Body::LeaveAcknowledged => "leave-heard",
            Body::Forgotten { .. } => "forgotten",
            Body::Ping { .. } => "ping",
            Body::PingRequest { .. } => "ping-request",
            Body::IndirectPing { .. } => "indirect-ping",
            Body::Suspicions(_) => "suspicions",
            Body::View(_) => "view",
        }
    }

    /// The updates of a body that can carry some, to add more.
    pub(crate) fn updates_mut(&mut self) -> Option<&mut Vec<Update>> {
        match self {
            Body::Heartbeat { updates, .. }
            | Body::Ping { updates, .. }
            | Body::Updates(updates) => Some(updates),
            _ => None,
        }
    }

    /// The updates in the body.
    pub fn updates(&self) -> &[Update] {
        match self {
            Body::Heartbeat { updates, .. }
            | Body::Ping { updates, .. }
            | Body::Updates(updates) => updates,
            _ => &[],
        }
    }
}

impl Update {
    /// The most bytes that this update takes in a datagram.
    pub fn wire_size(&self) -> usize {
        let identity = 1 + 2 + self.identity.name.as_str().len() + 19 + 9;
        let tags = self.tags.tags().map_or(0, |tags| {
            let each =
                tags.iter().map(|(key, value)| 2 + key.as_str().len() + 2 + value.as_str().len());
            5 + 1 + each.sum::<usize>()
        });
        // Behind the updates: its number among them, and the time.
        let ended = if self.ended.is_some() { 3 + 9 } else { 0 };
        let evidence = match &self.claim {
            Claim::Alive | Claim::Left => 0,
            Claim::Failed(evidence) => 2 + evidence.detected_by.as_str().len() + 9,
        };
        identity + 1 + evidence + tags + ended
    }
}

impl Forgotten {
    /// The most bytes that this record takes in a datagram.
    pub(crate) fn wire_size(&self) -> usize {
        let identity = 2 + self.identity.name.as_str().len() + 19 + 9;
        1 + identity + 2 + self.by.as_str().len() + 9
    }
}

/// Splits updates into parts that fit into a datagram each. All begin with the introduction, if
/// there is one.
pub fn pack(updates: &[Update], introduction: Option<&Update>) -> Vec<Vec<Update>> {
    let others = updates.iter().filter(|update| Some(*update) != introduction).cloned().collect();
    let room = UPDATES_ROOM - introduction.map_or(0, Update::wire_size);
    let mut pieces = pieces(others, room, Update::wire_size);
    for piece in &mut pieces {
        piece.splice(0..0, introduction.cloned());
    }
    if pieces.is_empty() && !updates.is_empty() {
        pieces.push(updates.to_vec());
    }
    pieces
}

/// Splits what is sent into parts that fit into a datagram each. `room` and `size` are in bytes.
pub(crate) fn pieces<T>(mut items: Vec<T>, room: usize, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut pieces = Vec::new();
    while !items.is_empty() {
        let rest = items.split_off(fitting(&items, room, &size));
        pieces.push(items);
        items = rest;
    }
    pieces
}

/// How many of these fit into this room in bytes. One always does.
pub(crate) fn fitting<T>(items: &[T], mut room: usize, size: impl Fn(&T) -> usize) -> usize {
    let fits = |item: &&T| match room.checked_sub(size(item)) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    items.iter().take_while(fits).count().max(1)
}
