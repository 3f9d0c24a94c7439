//! The messages between the members that agree. They are plain values; `wire.rs` encodes them.

use crate::durable::{Accepted, Ballot, Recovery};
use crate::operation::Proposal;
use crate::share::ShareChange;
use crate::view::{Claim, Lineage, Term, View, ViewHash, ViewNumber, Voter};
use crate::wire::forms;
use memberd_membership::{Identity, Name};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The sender's lineage.
    pub lineage: Lineage,
    /// The sender.
    pub sender: Voter,
    /// The content.
    pub body: Body,
}

/// A decided view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// The operations that make it of the one before.
    Operations(Arc<Proposal>),
    /// All of it.
    Whole(Arc<View>),
}

/// What a member asks of the leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// To be no member any more: its machine is about to stop.
    Leave(#[serde(with = "forms::identity")] Identity),
    /// To have a claim granted.
    Claim {
        /// The claim.
        claim: Claim,
        /// Whether it replaces that of one that is no member any more.
        retry: bool,
    },
    /// To hand over, to this member or to the next.
    HandOver(Option<Name>),
    /// To have a share of replicated files, or to have it no more.
    Share(ShareChange),
}

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// May the sender stand for election? It changes nothing (pre-vote).
    May {
        /// Tells this question from others of the sender.
        attempt: u64,
        /// The sender's view.
        number: ViewNumber,
        /// The leader in it.
        leader: Option<Voter>,
        /// Whether the leader itself asked the sender to take over.
        asked: bool,
    },
    /// The answer.
    Might {
        /// The question.
        attempt: u64,
        /// Whether it may.
        yes: bool,
        /// The view of whoever answers.
        number: ViewNumber,
        /// Its promise.
        promised: Term,
    },
    /// The sender stands for election: Paxos' prepare.
    NewLeader {
        /// The ballot. Its candidate is the sender.
        term: Term,
        /// The sender's view.
        number: ViewNumber,
        /// All of it, for one that is known to lack it.
        view: Option<Arc<View>>,
    },
    /// The receiver is followed from now on. Durable before it is sent.
    Promise {
        /// The ballot.
        term: Term,
        /// The view of whoever promises.
        number: ViewNumber,
        /// What it has accepted as the next view.
        accepted: Option<Box<Accepted>>,
        /// How long the leases last that it promised to former leaders. A span, never a moment.
        lease_left: Duration,
    },
    /// The receiver is not followed.
    No {
        /// The term that it has asked for.
        term: Term,
        /// Who is followed instead.
        promised: Ballot,
    },
    /// The sender lacks the parent of what it was asked to accept, or of what was decided.
    Lack {
        /// The sender's view.
        number: ViewNumber,
    },
    /// Paxos' accept, for the view after the sender's.
    Req {
        /// The ballot. Its candidate is the sender.
        term: Term,
        /// The proposal.
        proposal: Arc<Proposal>,
    },
    /// The proposal is accepted. Durable before it is sent.
    Ok {
        /// The ballot.
        term: Term,
        /// The number of the view that it makes.
        number: ViewNumber,
        /// The hash of that view.
        hash: ViewHash,
    },
    /// A view is decided. To a candidate or leader with an older view it also means that it is
    /// behind.
    NewView(News),
    /// The leader asks for its lease.
    Renew {
        /// Its term.
        term: Term,
        /// Grows with each, so that the answer tells when it was sent.
        sequence: u64,
        /// How long the lease is.
        lease: Duration,
    },
    /// The lease is promised from the receipt of the request.
    Renewed {
        /// The leader's term.
        term: Term,
        /// The request.
        sequence: u64,
        /// The view of whoever promises.
        number: ViewNumber,
        /// Whether its settings let it vote.
        votes: bool,
    },
    /// The leader of this term has stopped and is not exclusive any more.
    Release {
        /// The term.
        term: Term,
    },
    /// The leader, which has released its lease, asks the receiver to stand for election now.
    TakeOver {
        /// The leader's term.
        term: Term,
        /// Its view.
        number: ViewNumber,
    },
    /// The leader might give the receiver a seat: who is it as a voter?
    Invite,
    /// The sender is here, and can have a seat if it votes.
    Here {
        /// Whether its settings let it vote.
        votes: bool,
    },
    /// A wish to the leader. It is repeated until a view shows that it is done.
    Ask(Wish),
    /// The sender has this view, and wants a newer one.
    Fetch {
        /// The number of its view.
        number: ViewNumber,
    },
    /// Is the sender's view the newest?
    Look {
        /// Tells this question from others of the sender.
        sequence: u64,
    },
    /// The answer.
    Seen {
        /// The question.
        sequence: u64,
        /// The view of whoever answers.
        number: ViewNumber,
        /// Its promise.
        promised: Term,
        /// Whether it takes part in nothing but a recovery.
        #[serde(default)]
        frozen: bool,
    },
    /// An operator recovers from the loss of a majority: who is there, and what is known?
    Survey {
        /// The attempt, which grows.
        attempt: u64,
    },
    /// The answer. The whole view goes before it.
    Surveyed {
        /// The attempt.
        attempt: u64,
        /// The view of whoever answers.
        number: ViewNumber,
        /// Its promise.
        promised: Term,
        /// Whether it takes part in nothing but a recovery already.
        #[serde(default)]
        frozen: bool,
    },
    /// Take part in this recovery, and in nothing else of this lineage any more.
    Freeze(Recovery),
    /// It does. Durable before it is sent. Repeated to the coordinator until the freeze ends.
    Frozen {
        /// The recovery that it takes part in, or took part in last.
        recovery: Recovery,
        /// The view of whoever answers.
        number: ViewNumber,
        /// What it has accepted as the next view.
        accepted: Option<Box<Accepted>>,
        /// Its promise.
        promised: Term,
    },
    /// The coordinator of this attempt has given it up: take part in all again.
    Thaw {
        /// The attempt.
        attempt: u64,
    },
}

impl Body {
    /// Its kind, for logs and counters.
    pub fn kind(&self) -> &'static str {
        match self {
            Body::May { .. } => "may",
            Body::Might { .. } => "might",
            Body::NewLeader { .. } => "new-leader",
            Body::Promise { .. } => "promise",
            Body::No { .. } => "no",
            Body::Lack { .. } => "lack",
            Body::Req { .. } => "req",
            Body::Ok { .. } => "ok",
            Body::NewView(_) => "new-view",
            Body::Renew { .. } => "renew",
            Body::Renewed { .. } => "renewed",
            Body::Release { .. } => "release",
            Body::TakeOver { .. } => "take-over",
            Body::Invite => "invite",
            Body::Here { .. } => "here",
            Body::Ask(_) => "ask",
            Body::Fetch { .. } => "fetch",
            Body::Look { .. } => "look",
            Body::Seen { .. } => "seen",
            Body::Survey { .. } => "survey",
            Body::Surveyed { .. } => "surveyed",
            Body::Freeze(_) => "freeze",
            Body::Frozen { .. } => "frozen",
            Body::Thaw { .. } => "thaw",
        }
    }
}
