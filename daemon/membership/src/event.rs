//! The events of a [`crate::Node`] for its owner: membership changes, and the results of requests.
//! It owns no state.

use crate::gossip::views::ViewNews;
use crate::identity::{Identity, Incarnation, Name};
use crate::join::JoinError;
use crate::list::{Entry, FailureEvidence};
use crate::node::ForgetReport;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The list changed.
    Member(MemberEvent),
    /// A member that is up has changed its tags.
    Tagged(Identity),
    /// The end of a member that is gone already is known better: when it was, and who noticed.
    Evidence(Identity),
    /// An operator had a member forgotten that is gone.
    Forgotten {
        /// Its entry, which is not in the list any more.
        entry: Arc<Entry>,
        /// The member whose operator asked for it.
        by: Name,
    },
    /// A monitor suspects a member, which is alive in every list meanwhile.
    Suspected {
        /// The member.
        member: Identity,
        /// The monitor.
        by: Name,
        /// The age of its newest datagram that this node knows of, if it watches the member.
        silent: Option<Duration>,
    },
    /// A suspicion is over: the member was heard, or nobody has repeated it.
    Cleared {
        /// The member.
        member: Identity,
        /// The monitor that suspected it.
        suspected_by: Name,
        /// How long this node held it for suspected.
        after: Duration,
    },
    /// This node itself was suspected, and said that it is up.
    Refuted {
        /// This node.
        member: Identity,
        /// The monitor that suspected it.
        by: Name,
        /// The age of the newest datagram of this node that the monitor knew of.
        last_sent: Duration,
    },
    /// This node itself detected a failure. [`Event::Member`] follows.
    FailureDetected {
        /// The member.
        member: Identity,
        /// The age of its newest known datagram, in milliseconds.
        silent_ms: u64,
    },
    /// A failure was told to others, in as many rounds as that took.
    FailureTold {
        /// The member that failed.
        member: Identity,
        /// To whom.
        told: Vec<Name>,
    },
    /// The others were asked to forget as well.
    ForgetDone(ForgetReport),
    /// This member uses this incarnation from now on. It must be on disk before anything more is
    /// sent, so that the next incarnation is larger.
    Incarnation(Incarnation),
    /// Nobody welcomed this member, and it founds the group. The end of the join follows.
    Founded,
    /// The join is done. The member exchanges heartbeats with a monitor, so a crash from now on is
    /// noticed.
    JoinDone,
    /// The join failed. The node is out of the group again.
    JoinFailed(JoinError),
    /// The leave is done. The node is out of the group.
    LeaveDone {
        /// Whether a member acknowledged it. If none did, the others will report this one failed.
        acknowledged: bool,
    },
    /// The others had declared this member failed. It is back under a new incarnation.
    Rejoined {
        /// The incarnation that was declared failed.
        old: Incarnation,
        /// The new one.
        new: Incarnation,
    },
    /// Another machine took this one's name and is the newer of the two. This node has left the
    /// group.
    Superseded {
        /// The other member.
        by: Identity,
    },
    /// The daemon itself did not run for this long. It accuses nobody of that.
    Stalled(Duration),
    /// A neighbour's wall clock is this many milliseconds ahead of ours, or behind if negative. The
    /// detector ignores this clock.
    ClockDisagrees {
        /// The neighbour.
        member: Identity,
        /// In milliseconds.
        ahead: i64,
    },
    /// A neighbour's wall clock agrees with ours again.
    ClockAgrees {
        /// The neighbour.
        member: Identity,
    },
    /// Others reported this many members since the last such event, and none of them answered.
    /// The list never had them.
    Unconfirmed {
        /// How many.
        count: u64,
    },
    /// A member has this agreed view, and it is newer than what was heard lately. Only in groups
    /// that agree on views.
    ViewHeard {
        /// Who.
        from: Name,
        /// Which view.
        news: ViewNews,
    },
    /// A group with other settings answers at this address. The two groups do not merge.
    OtherSettings {
        /// Where.
        address: SocketAddr,
    },
}

/// A change of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberEvent {
    /// The member.
    pub member: Identity,
    /// What happened to it.
    pub kind: MemberEventKind,
    /// The other member that told this one; `None` if this one noticed it, or if the member itself
    /// said it.
    pub told_by: Option<Name>,
}

/// The kinds of change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberEventKind {
    /// It is up.
    Joined,
    /// A monitor declared it failed.
    Failed(FailureEvidence),
    /// It is back under a new incarnation before anyone declared the old one failed.
    Restarted,
    /// It left.
    Left,
}
