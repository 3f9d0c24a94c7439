//! What a council tells of itself. It is a plain value.

use crate::durable::Ballot;
use crate::operation::Operation;
use crate::time::BootTime;
use crate::view::{Term, View, ViewId, Voter};
use memberd_membership::Name;
use std::sync::Arc;
use std::time::Duration;

/// What this machine is in the council.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It has no seat.
    Observer,
    /// It has a seat.
    Voter,
    /// It stands for election.
    Candidate,
    /// It leads: a view says so.
    Leader,
    /// It takes part in a recovery.
    Recovering,
    /// Its lineage was recovered without it.
    SetAside,
}

impl Role {
    /// As JSON and metrics say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Observer => "observer",
            Role::Voter => "voter",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
            Role::Recovering => "recovering",
            Role::SetAside => "set-aside",
        }
    }
}

/// What a council tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The newest view.
    pub view: Arc<View>,
    /// The same in short.
    pub id: ViewId,
    /// This machine as a voter.
    pub own: Voter,
    /// What it is.
    pub role: Role,
    /// The leader, as far as it is known to lead still: none while the view is stale.
    pub leader: Option<Voter>,
    /// Until when this machine is exclusive, if it is: the token is the view's term.
    pub exclusive_until: Option<BootTime>,
    /// The newest promise.
    pub promised: Option<Ballot>,
    /// Operations that were proposed and are not in a view yet.
    pub pending: Vec<Operation>,
    /// Changes of the list that wait for their proposal, known to the leader only.
    pub waiting: usize,
    /// Whose recovery this machine takes part in, and in nothing else meanwhile.
    pub frozen_for: Option<Name>,
    /// Since when no majority is reached.
    pub stale_since: Option<BootTime>,
    /// The voters that are not reached. Known to the leader; elsewhere by the list.
    pub missing: Vec<Name>,
    /// How long ago a majority confirmed the view here.
    pub confirmed_ago: Option<Duration>,
    /// How long the oldest write that has not ended has lasted.
    pub write_lasts: Option<Duration>,
    /// How often this machine stood for election.
    pub elections: u64,
    /// The largest term that it has heard of.
    pub largest_term: Term,
}
