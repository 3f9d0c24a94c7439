//! The recovery from the loss of a majority, which an operator asks for: it begins a new lineage of
//! those that are reached.

use super::Council;
use crate::durable::{Accepted, Recovery};
use crate::event::{Event, RecoveryError, WriteId};
use crate::message::{Body, News};
use crate::time::BootTime;
use crate::view::{Lineage, Term, View, ViewId, ViewNumber, Voter};
use memberd_membership::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long the council is asked who is there. The lost ones have this time to answer as well.
const SURVEY_TIME: Duration = Duration::from_secs(1);
/// How long those that are there may take until their part in it is durable.
const FREEZE_TIME: Duration = Duration::from_millis(1_500);
/// After this time a question is repeated.
const REPEAT: Duration = Duration::from_millis(200);

/// Owns a recovery that was asked for here.
#[derive(Debug, Clone)]
pub(super) struct Recovering {
    lost: BTreeSet<Name>,
    attempt: u64,
    phase: Phase,
    until: BootTime,
    repeat_at: BootTime,
}

#[derive(Debug, Clone)]
enum Phase {
    /// Who is there?
    Survey(BTreeSet<Voter>),
    /// Those freeze, and say what they have accepted.
    Freeze { reached: BTreeSet<Voter>, frozen: BTreeMap<Voter, Option<Accepted>> },
    /// The leases that they promised run out.
    Wait(BTreeMap<Voter, Option<Accepted>>),
    /// The new lineage is written here.
    Write(WriteId, ViewId),
}

impl Council {
    pub(super) fn begin_recovery(&mut self, lost: &[Name]) -> Result<(), RecoveryError> {
        if self.recovering.is_some() {
            return Err(RecoveryError::UnderWay);
        }
        let lost: BTreeSet<Name> = lost.iter().cloned().collect();
        let seated = |name: &Name| self.view().council.iter().any(|voter| voter.name == *name);
        let mut others: Vec<Name> = lost.iter().filter(|name| !seated(name)).cloned().collect();
        if !self.has_seat() {
            others.push(self.own.name.clone());
        }
        if !others.is_empty() {
            return Err(RecoveryError::NotInCouncil(others));
        }
        if lost.contains(&self.own.name) {
            return Err(RecoveryError::Answered(vec![self.own.name.clone()]));
        }
        let now = self.now.boot;
        let attempt = self.store.get().recovery.as_ref().map_or(0, |one| one.attempt) + 1;
        self.recovering = Some(Recovering {
            lost,
            attempt,
            phase: Phase::Survey(BTreeSet::from([self.own.clone()])),
            until: now + SURVEY_TIME,
            repeat_at: now,
        });
        Ok(())
    }

    pub(super) fn on_survey(&mut self, sender: &Voter, attempt: u64) {
        self.send_whole(&sender.name);
        let (number, promised) = (self.id.number, self.promised_term());
        self.send(&sender.name, Body::Surveyed { attempt, number, promised });
    }

    pub(super) fn on_surveyed(&mut self, sender: &Voter, attempt: u64, number: ViewNumber) {
        let current = number <= self.id.number;
        let Some(recovering) = self.recovering.as_mut().filter(|one| one.attempt == attempt) else {
            return;
        };
        match &mut recovering.phase {
            Phase::Survey(reached) if current && reached.len() < 64 => {
                reached.insert(sender.clone());
            }
            _ => {}
        }
    }

    /// Takes part in a recovery: nothing else of this lineage is promised any more.
    pub(super) fn on_freeze(&mut self, sender: &Voter, recovery: Recovery) {
        if recovery.coordinator != *sender {
            return;
        }
        let durable = self.store.get();
        let newer = durable.recovery.as_ref().is_none_or(|one| one.attempt < recovery.attempt);
        if newer {
            self.step_down(crate::LossReason::Recovery);
            self.pre_vote = None;
            self.store.change().recovery = Some(recovery);
        }
        let durable = self.store.get();
        let Some(recovery) = durable.recovery.clone() else { return };
        // Of two with one attempt, the first has it; the other one tries a later one.
        let attempt = if recovery.coordinator == *sender {
            recovery.attempt
        } else {
            recovery.attempt.saturating_add(1)
        };
        let accepted = durable.accepted.clone().map(Box::new);
        let (number, promised) = (self.id.number, self.promised_term());
        self.send_whole(&sender.name);
        self.answer(&sender.name, Body::Frozen { attempt, number, accepted, promised });
    }

    pub(super) fn on_frozen(
        &mut self,
        sender: &Voter,
        attempt: u64,
        number: ViewNumber,
        accepted: Option<Accepted>,
    ) {
        let current = number <= self.id.number;
        let now = self.now.boot;
        let Some(recovering) = &mut self.recovering else { return };
        let Phase::Freeze { reached, frozen } = &mut recovering.phase else { return };
        if attempt > recovering.attempt {
            // Another recovery was tried before: this one is the later.
            recovering.attempt = attempt;
            frozen.clear();
            recovering.repeat_at = now;
            self.freeze_here();
        } else if attempt == recovering.attempt && current && reached.contains(sender) {
            frozen.insert(sender.clone(), accepted);
        }
    }

    /// Freezes this machine itself; the answer comes once that is durable.
    fn freeze_here(&mut self) {
        let Some(recovering) = &self.recovering else { return };
        let recovery = Recovery { attempt: recovering.attempt, coordinator: self.own.clone() };
        let own = self.own.clone();
        self.on_freeze(&own, recovery);
    }

    pub(super) fn recovery_due(&self) -> Option<BootTime> {
        let recovering = self.recovering.as_ref()?;
        match recovering.phase {
            Phase::Survey(_) | Phase::Freeze { .. } => {
                Some(recovering.until.min(recovering.repeat_at))
            }
            Phase::Wait(_) | Phase::Write(..) => Some(recovering.until),
        }
    }

    pub(super) fn tick_recovery(&mut self) {
        // One phase may end as soon as it begins; there are four.
        for _ in 0..4 {
            if self.recovery_due().is_none_or(|due| due > self.now.boot) && !self.all_frozen() {
                break;
            }
            self.advance_recovery();
        }
    }

    fn all_frozen(&self) -> bool {
        let phase = self.recovering.as_ref().map(|recovering| &recovering.phase);
        match phase {
            Some(Phase::Freeze { reached, frozen }) => frozen.len() == reached.len(),
            Some(Phase::Write(write, _)) => self.store.was_written(*write),
            _ => false,
        }
    }

    fn advance_recovery(&mut self) {
        let now = self.now.boot;
        let Some(recovering) = &self.recovering else { return };
        let over = now >= recovering.until;
        match recovering.phase.clone() {
            Phase::Survey(reached) if over => {
                let result = self.judge_survey(&reached);
                self.after_survey(result, reached);
            }
            Phase::Freeze { reached, frozen } if frozen.len() == reached.len() => {
                let until = now + self.store.get().lease.max(self.settings.lease) * 2;
                self.set_phase(Phase::Wait(frozen), until);
            }
            Phase::Freeze { reached, frozen } if over => {
                let own_missing = !frozen.contains_key(&self.own);
                let silent = reached.into_iter().filter(|voter| !frozen.contains_key(voter));
                let silent = silent.map(|voter| voter.name).collect();
                let interrupted = RecoveryError::Interrupted(silent);
                let slow = RecoveryError::SlowDisk;
                self.end_recovery(Err(if own_missing { slow } else { interrupted }));
            }
            Phase::Survey(_) | Phase::Freeze { .. } => self.repeat_question(),
            Phase::Wait(frozen) if over => self.begin_recovered(&frozen),
            Phase::Write(write, view) if self.store.was_written(write) => {
                self.end_recovery(Ok(view));
            }
            Phase::Write(..) if over => self.end_recovery(Err(RecoveryError::SlowDisk)),
            Phase::Wait(_) | Phase::Write(..) => {}
        }
    }

    fn set_phase(&mut self, phase: Phase, until: BootTime) {
        let now = self.now.boot;
        if let Some(recovering) = &mut self.recovering {
            recovering.phase = phase;
            recovering.until = until;
            recovering.repeat_at = now;
        }
    }

    fn repeat_question(&mut self) {
        let now = self.now.boot;
        let Some(recovering) = self.recovering.as_mut().filter(|one| now >= one.repeat_at) else {
            return;
        };
        recovering.repeat_at = now + REPEAT;
        let attempt = recovering.attempt;
        match recovering.phase.clone() {
            Phase::Freeze { reached, .. } => {
                let recovery = Recovery { attempt, coordinator: self.own.clone() };
                for voter in reached {
                    self.send(&voter.name, Body::Freeze(recovery.clone()));
                }
            }
            _ => self.send_to_council(&Body::Survey { attempt }),
        }
    }

    /// Whether exactly those did not answer that were named as lost.
    fn judge_survey(&self, reached: &BTreeSet<Voter>) -> Result<(), RecoveryError> {
        let Some(recovering) = &self.recovering else { return Ok(()) };
        let quorum = self.view().quorum();
        let silent: BTreeSet<Name> = quorum.missing(reached).into_iter().collect();
        let answered: Vec<Name> = recovering.lost.difference(&silent).cloned().collect();
        let unnamed: Vec<Name> = silent.difference(&recovering.lost).cloned().collect();
        if quorum.is_reached(reached) {
            Err(RecoveryError::Majority)
        } else if !answered.is_empty() {
            Err(RecoveryError::Answered(answered))
        } else if !unnamed.is_empty() {
            Err(RecoveryError::Silent(unnamed))
        } else {
            Ok(())
        }
    }

    fn after_survey(&mut self, result: Result<(), RecoveryError>, reached: BTreeSet<Voter>) {
        if let Err(error) = result {
            return self.end_recovery(Err(error));
        }
        let quorum = self.store.get().view.quorum();
        let reached = reached.into_iter().filter(|voter| quorum.seat(voter).is_some()).collect();
        let until = self.now.boot + FREEZE_TIME;
        self.set_phase(Phase::Freeze { reached, frozen: BTreeMap::new() }, until);
        self.freeze_here();
    }

    fn end_recovery(&mut self, result: Result<ViewId, RecoveryError>) {
        self.recovering = None;
        self.report(Event::Recovered(result));
    }

    /// Begins the new lineage: of the newest view that was decided or accepted by any of those that
    /// are there, with them as its council.
    fn begin_recovered(&mut self, frozen: &BTreeMap<Voter, Option<Accepted>>) {
        let base = self.view().clone();
        let accepted = frozen
            .values()
            .flatten()
            .filter(|accepted| accepted.proposal.number == base.number.next())
            .max_by_key(|accepted| accepted.ballot.term);
        let base = accepted
            .and_then(|accepted| base.apply(&accepted.proposal).ok())
            .map_or(base, Arc::new);
        let Some(recovering) = &self.recovering else { return };
        let parent = base.hash();
        let mut hasher = blake3::Hasher::new_derive_key("memberd agreement recovery 1");
        hasher.update(&parent.0);
        hasher.update(&recovering.attempt.to_be_bytes());
        hasher.update(&self.own.id.0.to_be_bytes());
        let mut recovery = [0; 16];
        hasher.finalize_xof().fill(&mut recovery);
        let Lineage { founding, recoveries, .. } = base.lineage;
        let lineage = Lineage { founding, recoveries: recoveries.saturating_add(1), recovery };
        let term = self.largest_term.max(base.term).0.saturating_add(Term::RECOVERY_STEP);
        let lost = recovering.lost.clone();
        let members = base.members.iter().filter(|member| !lost.contains(&member.name));
        let view = View {
            lineage,
            number: base.number.next(),
            parent,
            term: Term(term).min(Term::MAX),
            leader: None,
            council: frozen.keys().cloned().collect(),
            members: members.cloned().collect(),
            claims: base.claims.clone(),
        };
        self.begin_recovered_lineage(Arc::new(view));
    }

    fn begin_recovered_lineage(&mut self, view: Arc<View>) {
        let lost = self.recovering.take().map(|recovering| recovering.lost).unwrap_or_default();
        self.begin_lineage(&view);
        let write = self.store.covering();
        let until = self.now.boot + FREEZE_TIME;
        let phase = Phase::Write(write, self.id);
        let (attempt, repeat_at) = (0, until);
        self.recovering = Some(Recovering { lost, attempt, phase, until, repeat_at });
        self.send_to_council(&Body::NewView(News::Whole(view)));
    }
}
