//! What members say to each other in datagrams. How it looks in bytes is in `wire.rs` and, byte for
//! byte, in `PROTOCOL.md`.

use crate::detector::peer_clock::SentAt;
use crate::gossip::anti_entropy::digest::Digest;
use crate::gossip::anti_entropy::summary::Summary;
use crate::identity::{Incarnation, Name};
use crate::list::{Claim, Update};

/// The longest datagram sent or taken, in bytes. Sealing it, which is its owner's business, may add
/// 26: 1,200 bytes of UDP payload.
pub const MAX_DATAGRAM: usize = 1_174;

/// Room that a datagram leaves for updates: what else is in a heartbeat never exceeds 86 bytes.
pub const UPDATES_ROOM: usize = MAX_DATAGRAM - 86;

/// One datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The sender's incarnation; with the address that the datagram came from it names the sender.
    pub incarnation: Incarnation,
    /// When it was sent.
    pub sent: SentAt,
    /// What it says.
    pub body: Body,
}

/// What a datagram says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The sender is up; with the hash of its list and what is new.
    Heartbeat {
        /// The hash of the sender's list: see [`Digest`].
        hash: u32,
        /// The delay that the sender sees on the receiver's datagrams by the two wall clocks, in
        /// milliseconds, if it has heard it.
        delay: Option<i64>,
        /// Updates. A sender that has not heard the receiver yet puts its own entry in, so that it
        /// need not be known.
        updates: Vec<Update>,
    },
    /// What is new, or differs between the lists of sender and receiver.
    Updates(Vec<Update>),
    /// A heartbeat of this member is missing at the sender. The member itself answers with a
    /// heartbeat, another monitor with what it knows.
    Probe {
        /// The member.
        name: Name,
        /// Its incarnation.
        incarnation: Incarnation,
    },
    /// The newest send time that the sender knows of this member.
    ProbeReply {
        /// The member.
        name: Name,
        /// Its incarnation.
        incarnation: Incarnation,
        /// The send time, by the member's own monotonic clock: milliseconds since its incarnation
        /// began.
        sent: u64,
        /// How old that was here when this answer was sent, in milliseconds.
        age: u64,
    },
    /// The lists differ; the sender's in brief. The receiver sends what it has in the buckets that
    /// differ.
    Summary(Summary),
    /// The receiver, in this incarnation, is gone in the sender's list.
    DeclaredFailed {
        /// The receiver's incarnation that is gone.
        incarnation: Incarnation,
        /// The sender's list: of two sides that declared each other failed, the one with the
        /// smaller digest yields.
        side: Digest,
    },
    /// Shows the sender where nobody may be: sent now and then to those that were lost and to
    /// introducers that are absent.
    Announce {
        /// The sender's name; with address and incarnation it introduces the sender.
        name: Name,
        /// [`crate::settings::GroupSettings::fingerprint`]: groups of other settings do not merge.
        settings: u32,
        /// The sender's list.
        side: Digest,
    },
    /// The sender leaves.
    Leave,
    /// The sender has heard that the receiver leaves.
    LeaveAcknowledged,
}

impl Body {
    /// The kind in one word, for logs and counters.
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
        }
    }

    /// Where updates can be put, in a body that carries some.
    pub(crate) fn updates_mut(&mut self) -> Option<&mut Vec<Update>> {
        match self {
            Body::Heartbeat { updates, .. } | Body::Updates(updates) => Some(updates),
            _ => None,
        }
    }

    /// The updates in it.
    pub fn updates(&self) -> &[Update] {
        match self {
            Body::Heartbeat { updates, .. } | Body::Updates(updates) => updates,
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
        match &self.claim {
            Claim::Alive | Claim::Left => identity + 1 + tags,
            Claim::Failed(evidence) => {
                identity + 1 + 2 + evidence.detected_by.as_str().len() + 9 + tags
            }
        }
    }
}

/// Cuts updates into pieces that fit into a datagram each. All begin with the introduction, if
/// there is one.
pub fn pack(updates: &[Update], introduction: Option<&Update>) -> Vec<Vec<Update>> {
    let mut pieces: Vec<Vec<Update>> = Vec::new();
    let mut room = 0;
    for update in updates.iter().filter(|update| Some(*update) != introduction) {
        let size = update.wire_size();
        if size > room || pieces.is_empty() {
            pieces.push(introduction.into_iter().cloned().collect());
            room = UPDATES_ROOM - introduction.map_or(0, Update::wire_size);
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(update.clone());
            room -= size;
        }
    }
    if pieces.is_empty() && !updates.is_empty() {
        pieces.push(updates.to_vec());
    }
    pieces
}
