//! Who is asked whether it wants a seat, and the council that a leader proposes.

use super::Council;
use crate::changes::BATCH;
use crate::council_choice::{Applicant, Choice, Holder};
use crate::message::Body;
use crate::operation::Operation;
use crate::settings::Settings;
use crate::standing::{Standing, StandingState};
use crate::time::BootTime;
use crate::view::{View, ViewNumber, Voter, VoterId};
use memberd_membership::{Incarnation, Name};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long an invitation may take before it is repeated.
const INVITATION_TIME: Duration = Duration::from_secs(5);
/// How long ago an applicant, and a majority of the new council, may have been heard. The ring may
/// list them as up and they be dead, and dead ones with seats cost the majority.
const FRESH: Duration = Duration::from_millis(300);
/// How many more are invited than there are free seats, since some may not answer.
const SPARE_INVITATIONS: usize = 2;
/// The most members that are known as voters.
const MAX_HEARD: usize = 1_024;

/// What a member said of itself as a voter.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) voter: Voter,
    /// Its voter id before, of which a late message may still come.
    former: Option<VoterId>,
    /// Whether it votes, and in which incarnation it said so.
    votes: Option<(bool, Option<Incarnation>)>,
    at: BootTime,
}

impl Council {
    /// A member was heard: it has this voter id.
    pub(super) fn hear(&mut self, voter: &Voter) {
        let mut former = None;
        if let Some(heard) = self.heard.get_mut(&voter.name) {
            if heard.voter == *voter || heard.former == Some(voter.id) {
                return heard.at = self.now.boot;
            }
            former = Some(heard.voter.id);
        }
        if self.heard.len() >= MAX_HEARD && !self.heard.contains_key(&voter.name) {
            let oldest = self.heard.iter().min_by_key(|(_, heard)| heard.at);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.heard.remove(&oldest);
            }
        }
        let heard = Heard { voter: voter.clone(), former, votes: None, at: self.now.boot };
        self.heard.insert(voter.name.clone(), heard);
    }

    pub(super) fn note_votes(&mut self, voter: &Voter, votes: bool) {
        let incarnation = self.standings.get(&voter.name).map(|one| one.identity.incarnation);
        if let Some(heard) = self.heard.get_mut(&voter.name) {
            heard.votes = Some((votes, incarnation));
        }
    }

    /// What it said in its present incarnation.
    fn votes(&self, standing: &Standing) -> Option<bool> {
        let (votes, incarnation) = self.heard.get(&standing.identity.name)?.votes?;
        (incarnation == Some(standing.identity.incarnation)).then_some(votes)
    }

    /// Whether it has said in this moment that it is there and votes.
    fn applies(&self, standing: &Standing) -> bool {
        self.votes(standing) == Some(true) && self.is_fresh(&standing.identity.name)
    }

    fn is_fresh(&self, name: &Name) -> bool {
        let heard = self.heard.get(name);
        heard.is_some_and(|heard| self.now.boot.since(heard.at) < FRESH)
    }

    /// Asks those that have seats as well, while a new council may be needed.
    fn probe_seats(&mut self) {
        let now = self.now.boot;
        let recent = |at: BootTime| now.since(at) < FRESH / 3;
        for name in self.other_seats() {
            let heard = self.heard.get(&name).is_some_and(|heard| recent(heard.at));
            let Some(lead) = &mut self.lead else { return };
            if heard || lead.invited.get(&name).is_some_and(|at| recent(*at)) {
                continue;
            }
            lead.invited.insert(name.clone(), now);
            self.send(&name, Body::Invite);
        }
    }

    /// Members of this view that are up and have no seat.
    fn unseated<'a>(&'a self, view: &'a View) -> impl Iterator<Item = &'a Standing> {
        let seated = |name: &Name| {
            let mut seats = view.council.iter().filter(|seat| seat.name == *name);
            // A burnt seat is none.
            seats.any(|seat| self.heard.get(name).is_none_or(|heard| heard.voter == *seat))
        };
        self.standings.values().filter(move |standing| {
            let name = &standing.identity.name;
            standing.state == StandingState::Alive
                && !standing.suspected
                && *name != self.own.name
                && !self.is_leaving(name)
                && !seated(name)
        })
    }

    /// Asks members that might get a seat who they are as voters.
    pub(super) fn invite_applicants(&mut self) {
        let view = self.view().clone();
        if self.lead.is_none() || view.number == ViewNumber(0) {
            return;
        }
        let full = self.settings.council.clamp(Settings::MIN_COUNCIL, Settings::MAX_COUNCIL);
        let up = view.council.iter().filter(|voter| self.holder(&view, voter) == Holder::Up);
        let free = full.saturating_sub(up.count());
        if free == 0 {
            return;
        }
        let now = self.now.boot;
        let mut fit: Vec<&Standing> = self.unseated(&view).collect();
        let known = fit.iter().filter(|standing| self.applies(standing)).count();
        fit.retain(|standing| self.votes(standing) != Some(false) && !self.applies(standing));
        fit.sort_by_key(|standing| (standing.identity.incarnation, standing.identity.name.clone()));
        let wanted = (free + SPARE_INVITATIONS).saturating_sub(known);
        let names: Vec<Name> =
            fit.iter().take(wanted).map(|standing| standing.identity.name.clone()).collect();
        for name in names {
            let Some(lead) = &mut self.lead else { return };
            // One that has answered before is asked again as soon as that is too long ago.
            let answered = self.heard.get(&name).is_some_and(|heard| heard.votes.is_some());
            let pause = if answered { FRESH / 3 } else { INVITATION_TIME };
            if lead.invited.get(&name).is_some_and(|at| now.since(*at) < pause) {
                continue;
            }
            lead.invited.insert(name.clone(), now);
            self.send(&name, Body::Invite);
        }
    }

    /// How the holder of a seat is, by a view that may be about to come.
    fn holder(&self, view: &View, voter: &Voter) -> Holder {
        let other = self.heard.get(&voter.name).is_some_and(|heard| heard.voter != *voter);
        let refuses = self
            .standings
            .get(&voter.name)
            .is_some_and(|standing| self.votes(standing) == Some(false));
        let left = self
            .standings
            .get(&voter.name)
            .is_some_and(|standing| standing.state == StandingState::Left);
        if *voter == self.own {
            Holder::Up
        } else if other {
            Holder::Failed
        } else if left || refuses || self.is_leaving(&voter.name) {
            Holder::Leaving
        } else if view.member(&voter.name).is_some() || self.is_alive(&voter.name) {
            Holder::Up
        } else {
            Holder::Failed
        }
    }

    fn zone(&self, name: &Name) -> Option<&str> {
        self.standings.get(name)?.zone.as_deref()
    }

    /// Adds the next council, if it changes with these operations.
    pub(super) fn add_seats(&self, operations: &mut Vec<Operation>) {
        if let Some(council) = self.next_council(operations) {
            operations.push(Operation::Seat(council));
        }
    }

    fn next_council(&self, operations: &[Operation]) -> Option<Vec<Voter>> {
        let mut view = View::clone(self.view());
        if view.number == ViewNumber(0) {
            return Some(self.founding_council());
        }
        let deleted: BTreeSet<_> = operations
            .iter()
            .filter_map(|operation| match operation {
                Operation::Delete(member) => Some(member),
                _ => None,
            })
            .collect();
        view.members.retain(|member| !deleted.contains(member));
        let added = operations.iter().filter_map(|operation| match operation {
            Operation::Add(member) => Some(member.name.clone()),
            _ => None,
        });
        let added: BTreeSet<Name> = added.collect();
        let holders = view.council.iter();
        let council: Vec<_> = holders
            .map(|voter| (voter, self.holder(&view, voter), self.zone(&voter.name)))
            .collect();
        let full = self.settings.council.clamp(Settings::MIN_COUNCIL, Settings::MAX_COUNCIL);
        if council.len() == full && council.iter().all(|(_, holder, _)| *holder == Holder::Up) {
            return None;
        }
        let member = |name: &Name| view.member(name).is_some() || added.contains(name);
        let applicants = self
            .unseated(&view)
            .filter(|standing| self.applies(standing))
            .filter(|standing| member(&standing.identity.name))
            .filter_map(|standing| {
                let voter = self.heard.get(&standing.identity.name)?.voter.clone();
                let (zone, incarnation) = (standing.zone.clone(), standing.identity.incarnation);
                Some(Applicant { voter, zone, incarnation })
            })
            .collect();
        let council = Choice { settings: &self.settings, council, applicants }.council()?;
        let there =
            council.iter().filter(|voter| **voter == self.own || self.is_fresh(&voter.name));
        (there.count() > council.len() / 2).then_some(council)
    }

    /// The founders, whose voter ids came with their promises.
    fn founding_council(&self) -> Vec<Voter> {
        let view = self.view();
        let promises = self.lead.as_ref().map(super::leader::Lead::promises);
        let voter = |seat: &Voter| {
            let same = promises.into_iter().flatten().filter(|one| one.name == seat.name);
            // One whose file was lost meanwhile has promised twice.
            let newest =
                |one: &&Voter| self.heard.get(&one.name).is_some_and(|heard| heard.voter == **one);
            same.max_by_key(newest).cloned()
        };
        let known = |voter: &Voter| voter.id != VoterId::UNKNOWN;
        view.council.iter().filter_map(voter).filter(known).collect()
    }

    /// Notes since when a changed council waits although no member changes, and keeps those fresh
    /// that may have a seat in the next one.
    pub(super) fn note_seats(&mut self) {
        let now = self.now.boot;
        self.invite_applicants();
        let probes = self.changes_soon() || self.any_leaving() || self.wants_seats();
        if probes {
            self.probe_seats();
        }
        let changes = self.next_council(&[]).is_some();
        let Some(lead) = &mut self.lead else { return };
        lead.probe_at = probes.then(|| now + FRESH / 3);
        lead.seats_since = if changes { lead.seats_since.or(Some(now)) } else { None };
    }

    /// Whether a change of the list is about to be proposed.
    fn changes_soon(&self) -> bool {
        let now = self.now.boot;
        let Some(lead) = &self.lead else { return false };
        let at = self.changes.next_at(self.view(), &lead.leaving, now);
        at.is_some_and(|at| at <= now + BATCH)
    }

    /// Whether a member that has said that it votes could have a seat.
    fn wants_seats(&self) -> bool {
        let view = self.view();
        let full = self.settings.council.clamp(Settings::MIN_COUNCIL, Settings::MAX_COUNCIL);
        let up = |voter: &Voter| self.holder(view, voter) == Holder::Up;
        let free = view.council.len() < full || !view.council.iter().all(up);
        free && self.unseated(view).any(|standing| self.votes(standing) == Some(true))
    }
}
