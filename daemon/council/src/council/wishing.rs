//! What this machine asks of the leader, and what the leader does with it: claims, leaves,
//! hand-overs, and changes of the shares.

use super::Council;
use crate::event::Event;
use crate::message::{Body, Wish};
use crate::share::{ShareChange, ShareError};
use crate::time::BootTime;
use crate::view::{Claim, View, ViewNumber, Voter};
use memberd_membership::{Identity, Name};
use std::time::Duration;

/// After this time a wish is repeated.
const REPEAT: Duration = Duration::from_millis(200);
/// How long a leave waits for the view without this machine.
const RELEASE_TIME: Duration = Duration::from_secs(2);
/// The most claims of one machine that wait.
const MAX_CLAIMS: usize = 64;
/// The most changes of the shares that wait, here and at the leader.
const MAX_SHARE_CHANGES: usize = View::MAX_SHARES;
/// The most claims that wait at the leader: as many as a view has.
const MAX_QUEUE: usize = View::MAX_CLAIMS;
/// The most members that leave at once.
const MAX_LEAVING: usize = View::MAX_MEMBERS;

/// Why a claim is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The key is empty or too long.
    #[error("a key has 1 to 128 bytes")]
    Key,
    /// Too many claims wait already.
    #[error("too many claims wait already")]
    TooMany,
    /// This machine is no member of the newest view yet.
    #[error("this machine is in no view yet")]
    NotInView,
}

/// Why the leader does not hand over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandOverError {
    /// Nobody is known to lead.
    #[error("there is no leader")]
    NoLeader,
    /// The one that was named has no seat in the council, or leads already.
    #[error("{0} has no seat in the council, or leads already")]
    NotAVoter(Name),
    /// There is nobody else in the council that is up.
    #[error("nobody else in the council is up")]
    Alone,
}

/// Owns what this machine waits for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    claims: Vec<(Claim, bool)>,
    /// Each by the token of its owner.
    shares: Vec<(u64, ShareChange)>,
    release: Option<Release>,
    repeat_at: BootTime,
}

#[derive(Debug, Clone)]
struct Release {
    until: BootTime,
}

impl Wishes {
    pub(super) fn abandon(&mut self, token: u64) {
        self.claims.retain(|(claim, _)| claim.token != token);
    }

    pub(super) fn abandon_share(&mut self, token: u64) {
        self.shares.retain(|(waiting, _)| *waiting != token);
    }

    pub(super) fn is_releasing(&self) -> bool {
        self.release.is_some()
    }
}

impl Council {
    /// This machine as the ring knows it, if the view has it as well.
    fn own_in_view(&self) -> Option<&Identity> {
        self.view().member(&self.own.name)
    }

    pub(super) fn wish_claim(
        &mut self,
        key: &str,
        token: u64,
        retry: bool,
    ) -> Result<(), ClaimError> {
        if key.is_empty() || key.len() > Claim::MAX_KEY {
            return Err(ClaimError::Key);
        }
        if self.wishes.claims.len() >= MAX_CLAIMS {
            return Err(ClaimError::TooMany);
        }
        let holder = self.own_in_view().ok_or(ClaimError::NotInView)?.clone();
        let claim = Claim { key: key.to_owned(), holder, token, since: ViewNumber(0) };
        self.wishes.claims.push((claim, retry));
        self.wishes.repeat_at = self.now.boot;
        self.settle_wishes();
        Ok(())
    }

    pub(super) fn wish_share(&mut self, token: u64, change: ShareChange) -> Result<(), ShareError> {
        if self.wishes.shares.len() >= MAX_SHARE_CHANGES {
            return Err(ShareError::TooMany);
        }
        if self.own_in_view().is_none() {
            return Err(ShareError::NotInView);
        }
        self.wishes.shares.push((token, change));
        self.wishes.repeat_at = self.now.boot;
        self.settle_shares();
        Ok(())
    }

    pub(super) fn wish_hand_over(&mut self, to: Option<Name>) -> Result<(), HandOverError> {
        let leader = self.view().leader.clone().ok_or(HandOverError::NoLeader)?;
        if self.stale_since.is_some() {
            return Err(HandOverError::NoLeader);
        }
        if let Some(name) = &to {
            let seated = self.view().council.iter().any(|voter| voter.name == *name);
            if !seated || leader.name == *name || !self.is_alive(name) {
                return Err(HandOverError::NotAVoter(name.clone()));
            }
        }
        if leader != self.own {
            self.send(&leader.name, Body::Ask(Wish::HandOver(to)));
            return Ok(());
        }
        if !self.is_leading_well() {
            return Err(HandOverError::NoLeader);
        }
        let next = to.or_else(|| self.next_leader()).ok_or(HandOverError::Alone)?;
        self.begin_hand_over(next);
        Ok(())
    }

    pub(super) fn wish_release(&mut self) {
        if self.wishes.release.is_some() {
            return;
        }
        let alone = self
            .view()
            .members
            .iter()
            .all(|member| member.name == self.own.name || !self.is_alive(&member.name));
        if self.own_in_view().is_none() || alone {
            return self.report(Event::Released { in_view: self.own_in_view().is_none() });
        }
        let until = self.now.boot + RELEASE_TIME;
        self.wishes.release = Some(Release { until });
        self.wishes.repeat_at = self.now.boot;
        self.pre_vote = None;
        if let Some(next) = self.next_leader().filter(|_| self.is_leading_well()) {
            self.begin_hand_over(next);
        }
    }

    /// What a new view has settled.
    pub(super) fn settle_wishes(&mut self) {
        let view = self.view().clone();
        let member = |identity: &Identity| view.members.contains(identity);
        // A claim is that of the machine as it is now.
        if let Some(own) = view.member(&self.own.name) {
            for (claim, _) in &mut self.wishes.claims {
                claim.holder.clone_from(own);
            }
        }
        let mut settled = Vec::new();
        self.wishes.claims.retain(|(claim, retry)| {
            let held = view.claim(&claim.key);
            let held =
                held.filter(|held| held.token == claim.token || !retry || member(&held.holder));
            settled.extend(held.map(|held| (claim.token, held.clone())));
            held.is_none()
        });
        for (token, claim) in settled {
            self.report(Event::ClaimSettled { token, claim });
        }
        let released = self.wishes.release.is_some() && self.own_in_view().is_none();
        if released {
            self.wishes.release = None;
            self.report(Event::Released { in_view: true });
        }
        self.settle_shares();
        if let Some(lead) = &mut self.lead {
            // One that has returned asks again, by its new identity.
            lead.claims.retain(|(claim, retry)| {
                !is_settled(&view, claim, *retry) && member(&claim.holder)
            });
            let newer = |left: &Identity| {
                view.member(&left.name).is_some_and(|now| now.incarnation > left.incarnation)
            };
            lead.leaving.retain(|left| !newer(left));
        }
    }

    /// What a new view has settled of the shares.
    fn settle_shares(&mut self) {
        let view = self.view().clone();
        let mut settled = Vec::new();
        self.wishes.shares.retain(|(token, change)| {
            let outcome = change.outcome(&view);
            settled.extend(outcome.clone().map(|result| (*token, result)));
            outcome.is_none()
        });
        for (token, result) in settled {
            self.report(Event::ShareSettled { token, result });
        }
        if let Some(lead) = &mut self.lead {
            lead.shares.retain(|change| change.outcome(&view).is_none());
        }
    }

    /// A member, or this machine itself, wishes something of the leader.
    pub(super) fn on_ask(&mut self, sender: &Voter, wish: Wish) {
        match wish {
            Wish::HandOver(to) => {
                let _ = self.wish_hand_over_here(to);
            }
            Wish::Leave(identity) => {
                if !self.view().members.contains(&identity) {
                    self.send_whole(&sender.name);
                    return;
                }
                let own = identity.name == sender.name;
                let lead = self.lead.as_mut().filter(|lead| lead.elected && own);
                if let Some(lead) = lead.filter(|lead| lead.leaving.len() < MAX_LEAVING) {
                    lead.leaving.insert(identity);
                }
            }
            Wish::Share(change) => {
                if change.outcome(self.view()).is_some() {
                    return self.send_whole(&sender.name);
                }
                let Some(lead) = self.lead.as_mut().filter(|lead| lead.elected) else { return };
                if !lead.shares.contains(&change) && lead.shares.len() < MAX_SHARE_CHANGES {
                    lead.shares.push(change);
                }
            }
            Wish::Claim { claim, retry } => {
                if is_settled(self.view(), &claim, retry) {
                    return self.send_whole(&sender.name);
                }
                let member = self.view().members.contains(&claim.holder);
                let Some(lead) = self.lead.as_mut().filter(|lead| lead.elected) else { return };
                let waits = lead.claims.iter().any(|(one, _)| one.token == claim.token);
                if member && !waits && lead.claims.len() < MAX_QUEUE {
                    lead.claims.push((claim, retry));
                }
            }
        }
    }

    fn wish_hand_over_here(&mut self, to: Option<Name>) -> Result<(), HandOverError> {
        if !self.is_leading_well() {
            return Err(HandOverError::NoLeader);
        }
        self.wish_hand_over(to)
    }

    pub(super) fn is_leaving(&self, name: &Name) -> bool {
        let alive = self.standings.get(name).map(|standing| &standing.identity);
        let lead = self.lead.as_ref();
        lead.is_some_and(|lead| alive.is_some_and(|identity| lead.leaving.contains(identity)))
    }

    /// Whether anybody in the view leaves by plan.
    pub(super) fn any_leaving(&self) -> bool {
        let view = self.view();
        let lead = self.lead.as_ref();
        lead.is_some_and(|lead| lead.leaving.iter().any(|left| view.members.contains(left)))
    }

    fn any_wish(&self) -> bool {
        let Wishes { claims, shares, release, .. } = &self.wishes;
        !claims.is_empty() || !shares.is_empty() || release.is_some()
    }

    pub(super) fn wishes_due(&self) -> Option<BootTime> {
        let until = self.wishes.release.as_ref().map(|release| release.until);
        let repeat = self.any_wish().then_some(self.wishes.repeat_at);
        until.into_iter().chain(repeat).min()
    }

    pub(super) fn tick_wishes(&mut self) {
        let now = self.now.boot;
        if self.wishes.release.as_ref().is_some_and(|release| now >= release.until) {
            self.wishes.release = None;
            self.report(Event::Released { in_view: false });
        }
        if !self.any_wish() || now < self.wishes.repeat_at {
            return;
        }
        self.wishes.repeat_at = now + REPEAT;
        let mut wishes: Vec<Wish> = Vec::new();
        if self.wishes.release.is_some() {
            wishes.extend(self.own_in_view().cloned().map(Wish::Leave));
        }
        for (claim, retry) in &self.wishes.claims {
            wishes.push(Wish::Claim { claim: claim.clone(), retry: *retry });
        }
        let shares = self.wishes.shares.iter();
        wishes.extend(shares.map(|(_, change)| Wish::Share(change.clone())));
        let Some(leader) = self.view().leader.clone() else { return };
        for wish in wishes {
            if leader != self.own {
                self.send(&leader.name, Body::Ask(wish));
            } else if let Wish::Claim { .. } | Wish::Share(_) = wish {
                self.on_ask(&leader, wish);
            }
        }
    }
}

fn is_settled(view: &View, claim: &Claim, retry: bool) -> bool {
    view.claim(&claim.key).is_some_and(|held| {
        held.token == claim.token || !retry || view.members.contains(&held.holder)
    })
}
