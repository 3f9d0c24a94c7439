//! A numbered view, and the identities in it. They are plain values.

use crate::share::Share;
use crate::wire::forms;
use memberd_membership::{Identity, Name};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The line of views that one founding began. A recovery by an operator begins another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lineage {
    /// The hash of the names of the founders.
    pub founding: [u8; 16],
    /// How often it was recovered.
    pub recoveries: u32,
    /// Which of the recoveries with that count it was; zeroes for the founding itself.
    pub recovery: [u8; 16],
}

/// A life of a machine's agreement file: 128 bits that its owner drew when it made the file. A
/// machine whose file is lost or damaged is another voter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VoterId(pub u128);

impl VoterId {
    /// That of the founders in view 0, whose voter ids are not known yet. No voter has it.
    pub const UNKNOWN: VoterId = VoterId(0);
}

/// A member as a voter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Voter {
    /// The machine.
    pub name: Name,
    /// The life of its agreement file.
    pub id: VoterId,
}

/// The number of an election, and the token of whoever won it: it grows with every change of the
/// leader. Zero before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Term(pub u64);

impl Term {
    /// The largest that a message can say.
    pub const MAX: Term = Term(1 << 62);
    /// By how much a recovery raises it.
    pub const RECOVERY_STEP: u64 = 1 << 20;
}

/// The number of a view. Zero is the one that `initial_council` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ViewNumber(pub u64);

impl ViewNumber {
    /// The largest that a message can say.
    pub const MAX: ViewNumber = ViewNumber(1 << 62);

    /// The one after it.
    #[must_use]
    pub fn next(self) -> ViewNumber {
        ViewNumber(self.0.saturating_add(1))
    }
}

/// A hash (blake3) of all that is in a view.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewHash(pub [u8; 32]);

/// One view, to say which it is without saying what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewId {
    /// Its lineage.
    pub lineage: Lineage,
    /// Its number.
    pub number: ViewNumber,
    /// Its hash.
    pub hash: ViewHash,
}

/// The claim of one member on a key (`memberctl run --once`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// The key: 1 to [`Claim::MAX_KEY`] bytes.
    pub key: String,
    /// The member that has it.
    #[serde(with = "forms::identity")]
    pub holder: Identity,
    /// The number that the owner of the claimant drew for this very claim.
    pub token: u64,
    /// The view that has granted it.
    pub since: ViewNumber,
}

impl Claim {
    /// The longest key, in bytes.
    pub const MAX_KEY: usize = 128;
}

/// One agreed view. All members install views of one number with the same content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Its lineage.
    pub lineage: Lineage,
    /// Its number.
    pub number: ViewNumber,
    /// The hash of the view before it; zeroes for view 0.
    pub parent: ViewHash,
    /// The term in which it was proposed. It never falls from view to view.
    pub term: Term,
    /// The leader of that term; none in view 0 and after a recovery.
    pub leader: Option<Voter>,
    /// Who decides on the next view, in the order in which they stand for election. At most
    /// [`Settings::MAX_COUNCIL`](crate::Settings::MAX_COUNCIL).
    pub council: Vec<Voter>,
    /// The members, in the order of their names; at most [`View::MAX_MEMBERS`].
    #[serde(with = "forms::members")]
    pub members: Vec<Identity>,
    /// The claims, the oldest first; at most [`View::MAX_CLAIMS`], so that the oldest are dropped.
    #[serde(deserialize_with = "forms::bounded::<_, _, { View::MAX_CLAIMS }>")]
    pub claims: Vec<Claim>,
    /// The shares of replicated files, in the order of their names; at most
    /// [`View::MAX_SHARES`]. A view without any has the bytes and the hash of before there were
    /// shares.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "forms::bounded::<_, _, { View::MAX_SHARES }>"
    )]
    pub shares: Vec<Share>,
}

impl View {
    /// The most members.
    pub const MAX_MEMBERS: usize = 65_536;
    /// The most claims.
    pub const MAX_CLAIMS: usize = 1_024;
}

impl fmt::Display for Term {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for ViewNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}.{}", hex(&self.founding[..4]), self.recoveries)?;
        if self.recoveries > 0 {
            write!(formatter, ".{}", hex(&self.recovery[..4]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Lineage {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for VoterId {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl fmt::Debug for VoterId {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{:08x}", self.0 >> 96)
    }
}

impl fmt::Debug for Voter {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}#{:?}", self.name, self.id)
    }
}

impl fmt::Display for ViewHash {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for ViewHash {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&hex(&self.0[..4]))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
