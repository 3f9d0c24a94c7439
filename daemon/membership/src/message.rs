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

/// Room that a datagram leaves for news: what else is in a heartbeat never exceeds 86 bytes.
pub const NEWS_ROOM: usize = MAX_DATAGRAM - 86;

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
    /// I am up, my list looks like this, and this is new.
    Heartbeat {
        /// The hash of the sender's list: see [`Digest`].
        hash: u32,
        /// The delay that the sender sees on the receiver's datagrams by the two wall clocks, in
        /// milliseconds, if it has heard it.
        delay: Option<i64>,
        /// News. A sender that has not heard the receiver yet puts its own entry in, so that it
        /// need not be known.
        news: Vec<Update>,
    },
    /// This is new, or differs between our lists.
    News(Vec<Update>),
    /// A heartbeat of this member is missing here: what do you know? The member itself answers with
    /// a heartbeat.
    Ask {
        /// The member.
        name: Name,
        /// Its incarnation.
        incarnation: Incarnation,
    },
    /// The newest send time that I know of this member.
    Answer {
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
    /// Our lists differ; mine in brief. The receiver sends what it has in the buckets that differ.
    Summary(Summary),
    /// You, in this incarnation, are gone in my list.
    Verdict {
        /// The receiver's incarnation that is gone.
        incarnation: Incarnation,
        /// The sender's list: of two sides that declared each other failed, the one with the
        /// smaller digest yields.
        side: Digest,
    },
    /// Is anybody there? Said now and then to those that were lost and to introducers that are
    /// absent.
    Knock {
        /// The sender's name; with address and incarnation it introduces the sender.
        name: Name,
        /// [`crate::settings::GroupSettings::fingerprint`]: groups of other settings do not merge.
        settings: u32,
        /// The sender's list.
        side: Digest,
    },
    /// I leave.
    Leave,
    /// I heard that you leave.
    LeaveHeard,
}

impl Body {
    /// The kind in one word, for logs and counters.
    pub fn kind(&self) -> &'static str {
        match self {
            Body::Heartbeat { .. } => "heartbeat",
            Body::News(_) => "news",
            Body::Ask { .. } => "ask",
            Body::Answer { .. } => "answer",
            Body::Summary(_) => "summary",
            Body::Verdict { .. } => "verdict",
            Body::Knock { .. } => "knock",
            Body::Leave => "leave",
            Body::LeaveHeard => "leave-heard",
        }
    }

    /// Where updates can be put, in a body that carries some.
    pub(crate) fn updates_mut(&mut self) -> Option<&mut Vec<Update>> {
        match self {
            Body::Heartbeat { news, .. } | Body::News(news) => Some(news),
            _ => None,
        }
    }

    /// The news in it.
    pub fn news(&self) -> &[Update] {
        match self {
            Body::Heartbeat { news, .. } | Body::News(news) => news,
            _ => &[],
        }
    }
}

impl Update {
    /// The most bytes that this update takes in a datagram.
    pub fn wire_size(&self) -> usize {
        let identity = 1 + 2 + self.identity.name.as_str().len() + 19 + 9;
        let tags = self.tags.told().map_or(0, |tags| {
            let each =
                tags.iter().map(|(key, value)| 2 + key.as_str().len() + 2 + value.as_str().len());
            5 + 1 + each.sum::<usize>()
        });
        match &self.claim {
            Claim::Alive | Claim::Left => identity + 1 + tags,
            Claim::Failed(evidence) => {
                identity + 1 + 2 + evidence.accuser.as_str().len() + 9 + tags
            }
        }
    }
}

/// Cuts news into pieces that fit into a datagram each. All begin with the introduction, if there
/// is one.
pub fn pack(news: &[Update], introduction: Option<&Update>) -> Vec<Vec<Update>> {
    let mut pieces: Vec<Vec<Update>> = Vec::new();
    let mut room = 0;
    for update in news.iter().filter(|update| Some(*update) != introduction) {
        let size = update.wire_size();
        if size > room || pieces.is_empty() {
            pieces.push(introduction.into_iter().cloned().collect());
            room = NEWS_ROOM - introduction.map_or(0, Update::wire_size);
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(update.clone());
            room -= size;
        }
    }
    if pieces.is_empty() && !news.is_empty() {
        pieces.push(news.to_vec());
    }
    pieces
}
