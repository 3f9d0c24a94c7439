//! What a council tells of itself: its status, and whether its view is stale.

use super::Council;
use crate::event::Event;
use crate::status::{Role, Status};
use crate::time::{BootTime, Now};
use crate::view::{ViewNumber, Voter};
use memberd_membership::Name;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long the list may have fewer voters than a majority. It learns of members one by one.
const FEW_FOR: Duration = Duration::from_secs(1);

impl Council {
    /// What it tells of itself.
    pub fn status(&self, now: Now) -> Status {
        let view = self.view().clone();
        let since_confirmed = self.confirmed_at().map(|at| now.boot.since(at));
        let leading = self.lead.as_ref().filter(|lead| lead.elected);
        let leader = match self.stale_since {
            Some(_) => None,
            None => view.leader.clone().filter(|leader| !self.is_gone(leader)),
        };
        let pending = self.pending.as_ref().filter(|pending| pending.number > view.number);
        Status {
            id: self.id,
            own: self.own.clone(),
            role: self.role(),
            leader,
            exclusive_until: self.exclusive(now),
            promised: self.store.get().promised.clone(),
            pending: pending.map(|pending| pending.operations.clone()).unwrap_or_default(),
            waiting: leading.map_or(0, |lead| self.changes.len() + lead.claims.len()),
            frozen_for: self.frozen_for().map(|recovery| recovery.coordinator.name.clone()),
            stale_since: self.stale_since,
            missing: self.missing(),
            confirmed_ago: since_confirmed,
            write_lasts: self.store.lasts(now.boot),
            elections: self.election.count,
            largest_term: self.largest_term,
            view,
        }
    }

    fn role(&self) -> Role {
        if self.set_aside {
            Role::SetAside
        } else if self.is_recovering() {
            Role::Recovering
        } else if self.is_leading_well() {
            Role::Leader
        } else if self.lead.is_some() || self.pre_vote.is_some() {
            Role::Candidate
        } else if self.has_seat() {
            Role::Voter
        } else {
            Role::Observer
        }
    }

    /// When a majority was known last to have the view: by its answers to the leader here, or by
    /// the leader's requests.
    fn confirmed_at(&self) -> Option<BootTime> {
        let quorum = self.store.get().view.quorum();
        let lead = self.lead.as_ref().and_then(|lead| lead.renewals.confirmed(quorum));
        let heard = (self.has_seat() && self.lead.is_none()).then_some(self.election.heard_leader);
        [lead, heard, self.confirming.confirmed_at].into_iter().flatten().max()
    }

    /// The voters that do not answer the leader here, or that the list has as gone.
    fn missing(&self) -> Vec<Name> {
        let view = self.view();
        if let Some(lead) = self.lead.as_ref().filter(|lead| lead.elected) {
            let since = self.now.boot - self.settings.lease;
            return view.quorum().missing(lead.renewals.answered_since(since));
        }
        let gone = view.council.iter().filter(|voter| !self.is_alive(&voter.name));
        gone.map(|voter| voter.name.clone()).collect()
    }

    /// When the view becomes stale here, if nothing is heard.
    fn stale_at(&self) -> Option<BootTime> {
        if self.id.number == ViewNumber(0) || self.standings.is_empty() {
            return None;
        }
        if let Some(since) = self.few_since {
            return Some(since + FEW_FOR);
        }
        let heard = match self.lead.as_ref().filter(|lead| lead.elected) {
            Some(lead) => {
                let quorum = self.store.get().view.quorum();
                lead.renewals.confirmed(quorum).unwrap_or(self.installed_at)
            }
            None if self.has_seat() => self.election.heard_leader,
            None => return None,
        };
        Some(heard.max(self.installed_at) + self.settings.lease * 2)
    }

    pub(super) fn staleness_due(&self) -> Option<BootTime> {
        if self.stale_since.is_some() { None } else { self.stale_at() }
    }

    /// Whether the list has a majority of the voters as up.
    fn lists_majority(&self) -> bool {
        let view = self.view();
        let up = view.council.iter().filter(|voter| self.is_alive(&voter.name));
        view.quorum().is_reached(up.collect::<BTreeSet<&Voter>>())
    }

    pub(super) fn tick_staleness(&mut self) {
        let now = self.now.boot;
        if self.standings.is_empty() || self.lists_majority() {
            self.few_since = None;
        } else {
            self.few_since = self.few_since.or(Some(now));
        }
        let stale = self.stale_at().is_some_and(|at| at <= now);
        match self.stale_since {
            None if stale => {
                self.stale_since = Some(now);
                let missing = self.missing();
                self.report(Event::ViewStale { missing });
            }
            Some(since) if !stale => {
                self.stale_since = None;
                self.report(Event::ViewFresh { after: now.since(since) });
            }
            _ => {}
        }
    }
}
