//! The sign that the process of the leader has ended and its machine has not: its connection was
//! closed, and a new one is refused. It owns that sign. Only elections look at it, and nothing safe
//! rests on it.

use super::Council;
use crate::standing::Standing;
use crate::time::{BootTime, Now};
use crate::view::Voter;
use memberd_membership::Name;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the sign counts. The ring decides from then on: it knows of a crash soon after.
const COUNTS: Duration = Duration::from_secs(1);

/// Which leader was refused, and when.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    leader: Voter,
    at: BootTime,
    /// Whether this machine has asked because of it, and no majority has seen the same. It does not
    /// ask again, but says yes to others.
    in_vain: bool,
}

impl Council {
    /// The connection to this member was closed, and then a new one was refused: its machine is
    /// there, and nobody listens. If it leads, this machine takes it for gone for a second, and in
    /// elections alone. Say it once for each connection that was closed.
    pub fn handle_refusal(&mut self, now: Now, member: &Name) {
        self.step(now, |council| {
            let leader = council.view().leader.clone();
            let leader = leader.filter(|one| one.name == *member && *one != council.own);
            if let Some(leader) = leader {
                council.refusal = Some(Refusal { leader, at: now.boot, in_vain: false });
            }
        });
    }

    /// A connection to this member has opened: its process is there again.
    pub fn handle_connection(&mut self, now: Now, member: &Name) {
        self.step(now, |council| council.forget_refusal(member));
    }

    /// This member is there.
    pub(super) fn forget_refusal(&mut self, member: &Name) {
        self.refusal.take_if(|refusal| refusal.leader.name == *member);
    }

    /// The list is about to be replaced. What it says of the leader anew counts more.
    pub(super) fn compare_refusal(&mut self, after: &BTreeMap<Name, Standing>) {
        let Some(refusal) = &self.refusal else { return };
        let name = &refusal.leader.name;
        let said = |list: &BTreeMap<Name, Standing>| {
            list.get(name).map(|one| (one.identity.clone(), one.state))
        };
        if said(&self.standings) != said(after) {
            self.refusal = None;
        }
    }

    /// Whether this leader was refused a moment ago.
    pub(super) fn is_refused(&self, leader: &Voter) -> bool {
        self.refusal.as_ref().is_some_and(|one| one.leader == *leader && self.counts(one))
    }

    /// Whether that is a reason to stand.
    pub(super) fn stands_for_refusal(&self, leader: &Voter) -> bool {
        let in_vain = self.refusal.as_ref().is_some_and(|refusal| refusal.in_vain);
        self.is_refused(leader) && !in_vain
    }

    /// A question has found no majority. Returns whether there was no reason for it but a refusal,
    /// which others have not seen: then it was no election that failed.
    pub(super) fn refused_in_vain(&mut self) -> bool {
        let asked = |refusal: &&mut Refusal| !refusal.in_vain;
        let Some(refusal) = self.refusal.as_mut().filter(asked) else { return false };
        refusal.in_vain = true;
        true
    }

    fn counts(&self, refusal: &Refusal) -> bool {
        self.now.boot.since(refusal.at) < COUNTS
    }
}
