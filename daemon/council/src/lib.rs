//! memberd's agreed views under an elected leader, as a pure state machine: no sockets, no files,
//! no clock, no randomness.
//!
//! [`Council`] is one member. Its owner hands it inputs together with the time, and after each of
//! them asks [`Council::poll_output`] until there is no more, and [`Council::poll_timeout`] when to
//! wake it. The council of view n decides view n + 1 by one instance of Paxos. An election is its
//! first phase, so a new leader learns what was pending, and finishes it.

mod changes;
mod council;
mod council_choice;
mod durable;
mod event;
mod flapping;
mod fold;
mod lease;
mod message;
mod operation;
mod quorum;
mod settings;
mod share;
mod standing;
mod status;
mod store;
mod time;
mod view;
mod wire;

pub use council::{ClaimError, Council, HandOverError};
pub use durable::{Accepted, Ballot, Durable, DurableError, Origin, Recovery};
pub use event::{ConfirmId, Confirmation, Event, LossReason, Output, RecoveryError, WriteId};
pub use memberd_membership::{Identity, Incarnation, Name, WallTime};
pub use message::{Body, Message, News, Wish};
pub use operation::{ApplyError, Operation, Proposal};
pub use quorum::Quorum;
#[doc(hidden)]
pub use settings::Mutant;
pub use settings::Settings;
pub use share::{
    Epoch, Keeper, KeeperCount, KeeperCountError, Share, ShareChange, ShareError, ShareName,
    ShareNameError,
};
pub use standing::{Standing, StandingState};
pub use status::{Role, Status};
pub use time::{BootTime, Now};
pub use view::{Claim, Lineage, Term, View, ViewHash, ViewId, ViewNumber, Voter, VoterId};
pub use wire::{DecodeError, MAX_MESSAGE};
