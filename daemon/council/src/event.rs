//! What a council asks of its owner and tells it: [`Output`] and [`Event`]. They are plain values.

use crate::durable::Durable;
use crate::message::Message;
use crate::operation::Operation;
use crate::share::{Share, ShareError};
use crate::view::{Claim, Term, View, ViewId, ViewNumber, Voter};
use memberd_membership::{Identity, Name};
use std::sync::Arc;
use std::time::Duration;

/// The number of a write. It grows, from 1 after each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WriteId(pub u64);

/// Tells one [`crate::Council::confirm`] from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfirmId(pub u64);

/// What a council asks of its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this to the member of this name, over a connection that keeps order. It may be lost:
    /// everything is repeated.
    Send {
        /// To whom. The owner finds the address in its list, else in the newest view.
        to: Name,
        /// The message.
        message: Message,
    },
    /// Make this durable, then call [`crate::Council::handle_written`]. Writes end in their order.
    /// One that has not begun when the next comes may be skipped, since the next contains it. One
    /// that fails is repeated, and never reported as written.
    Write {
        /// Which.
        id: WriteId,
        /// The whole file.
        durable: Box<Durable>,
    },
    /// Spread to all members that there is this view: [`crate::Council::handle_gossip`].
    Gossip(ViewId),
    /// Something happened.
    Event(Event),
}

/// Why this machine leads no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossReason {
    /// Another leader was elected.
    Replaced,
    /// It handed over.
    HandedOver,
    /// No majority of the council has answered for a lease.
    NoMajority,
    /// Its own disk took longer than a lease.
    SlowDisk,
    /// The view has no seat for it any more.
    Unseated,
    /// A recovery began.
    Recovery,
}

impl LossReason {
    /// As a log line says it.
    pub fn as_str(self) -> &'static str {
        match self {
            LossReason::Replaced => "replaced",
            LossReason::HandedOver => "handed-over",
            LossReason::NoMajority => "no-majority",
            LossReason::SlowDisk => "slow-disk",
            LossReason::Unseated => "unseated",
            LossReason::Recovery => "recovery",
        }
    }
}

/// Why a recovery came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// These are lost by what was asked, but answer.
    #[error("{} answered: {} not lost", names(.0), they_are(.0))]
    Answered(Vec<Name>),
    /// These do not answer, and were not named as lost.
    #[error(
        "{} did not answer: name {} with --lost if {} gone for good",
        names(.0),
        them(.0),
        they_are(.0)
    )]
    Silent(Vec<Name>),
    /// These are not in the council.
    #[error("{} {} no seat in the council", names(.0), have(.0))]
    NotInCouncil(Vec<Name>),
    /// A majority answers, so nothing needs recovery.
    #[error("a majority of the council answers: nothing needs recovery")]
    Majority,
    /// Another recovery runs, here or elsewhere.
    #[error("another recovery is under way: wait a moment, then look at `memberctl view`")]
    UnderWay,
    /// One that took part at first went silent.
    #[error("{} went silent during the recovery: run it again", names(.0))]
    Interrupted(Vec<Name>),
    /// This machine's own file is not durable in time.
    #[error("the agreement file could not be written in time")]
    SlowDisk,
}

fn names(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

fn have(names: &[Name]) -> &'static str {
    if names.len() == 1 { "has" } else { "have" }
}

fn them(names: &[Name]) -> &'static str {
    if names.len() == 1 { "it" } else { "them" }
}

fn they_are(names: &[Name]) -> &'static str {
    if names.len() == 1 { "it is" } else { "they are" }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A view was installed. Its write may still run.
    ViewInstalled {
        /// The view.
        view: Arc<View>,
        /// Who is a member now and was not, by whole identity.
        added: Vec<Identity>,
        /// Who was a member and is not now.
        removed: Vec<Identity>,
        /// Whose acceptance decided it. Known to the leader only.
        confirmed_by: Vec<Name>,
        /// How long it took from the proposal. Known to the leader only.
        took: Option<Duration>,
    },
    /// The installed view has a new leader.
    LeaderElected {
        /// Who.
        leader: Voter,
        /// Its term: the token.
        term: Term,
        /// Whether that is this machine.
        here: bool,
    },
    /// This machine led, and does not any more. It is not exclusive.
    LeadershipLost {
        /// The term in which it led.
        term: Term,
        /// Why.
        reason: LossReason,
    },
    /// This machine, the leader, proposes these operations, or has accepted them from the leader.
    OperationPending {
        /// The number of the view that they make.
        number: ViewNumber,
        /// The operations.
        operations: Vec<Operation>,
        /// Who proposed them first.
        by: Voter,
    },
    /// These operations are in a view. Only after [`Event::OperationPending`].
    OperationFinished {
        /// The number of the view.
        number: ViewNumber,
        /// The operations.
        operations: Vec<Operation>,
        /// Who proposed them first.
        by: Voter,
    },
    /// No majority of the council can be reached, so the view stays as it is.
    ViewStale {
        /// The voters that are not reached.
        missing: Vec<Name>,
    },
    /// A majority is reached again.
    ViewFresh {
        /// How long it was not.
        after: Duration,
    },
    /// The answer to [`crate::Council::confirm`].
    Confirmed {
        /// The question.
        id: ConfirmId,
        /// What the council said.
        result: Confirmation,
    },
    /// A claim of this machine is decided.
    ClaimSettled {
        /// What was asked, by its token.
        token: u64,
        /// Who has the key. It was granted here if the tokens are equal.
        claim: Claim,
    },
    /// A change of the shares that this machine asked for is decided.
    ShareSettled {
        /// What was asked, by its token.
        token: u64,
        /// The share, and none of one that was removed.
        result: Result<Option<Share>, ShareError>,
    },
    /// The answer to [`crate::Council::release`]: the daemon may stop.
    Released {
        /// Whether there is a view without this machine.
        in_view: bool,
    },
    /// The end of a recovery that was asked for here.
    Recovered(Result<ViewId, RecoveryError>),
    /// This lineage was recovered without this voter. The owner sets the file aside, draws a
    /// voter id, and makes a new council with [`crate::Origin::Fresh`]. This one does nothing more.
    SetAside {
        /// The newer lineage's view, for [`crate::Council::adopt`] of the new one.
        by: Arc<View>,
    },
    /// A member of another lineage was heard: its `initial_council` differs, or two recoveries
    /// happened side by side. It is ignored. Told at most once a minute.
    OtherLineage {
        /// Who.
        member: Name,
    },
}

/// What the council said about this machine's view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The newest view here.
    pub number: ViewNumber,
    /// How many of the council say that it is the newest.
    pub confirmed_by: usize,
    /// The seats of the council.
    pub council: usize,
    /// Whether that is a majority.
    pub majority: bool,
    /// Who did not answer in time.
    pub missing: Vec<Name>,
    /// Who answered, but takes part in nothing but a recovery. They do not count.
    pub frozen: Vec<Name>,
}
