//! The recovery from the loss of a majority, which an operator asks for: it begins a new lineage of
//! those that are reached.

use super::Council;
use crate::durable::{Accepted, Recovery};
use crate::event::{Event, Output, RecoveryError, WriteId};
use crate::message::{Body, News};
use crate::time::BootTime;
use crate::view::{Term, View, ViewId, ViewNumber, Voter};
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
/// After this time it is while leases run out.
const SELDOM_REPEAT: Duration = Duration::from_secs(1);

/// Owns a recovery that was asked for here.
#[derive(Debug, Clone)]
pub(super) struct Recovering {
    lost: BTreeSet<Name>,
    pub(super) attempt: u64,
    phase: Phase,
    until: BootTime,
    repeat_at: BootTime,
}

#[derive(Debug, Clone)]
enum Phase {
    /// Who is there? Those that are frozen already count for no majority.
    Survey { reached: BTreeSet<Voter>, already: BTreeSet<Voter> },
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
        let attempt = self.last_attempt().saturating_add(1);
        let reached = BTreeSet::from([self.own.clone()]);
        let already = if self.is_recovering() { reached.clone() } else { BTreeSet::new() };
        self.recovering = Some(Recovering {
            lost,
            attempt,
            phase: Phase::Survey { reached, already },
            until: now + SURVEY_TIME,
            repeat_at: now,
        });
        Ok(())
    }

    pub(super) fn on_surveyed(
        &mut self,
        sender: &Voter,
        attempt: u64,
        number: ViewNumber,
        frozen: bool,
    ) {
        let current = number <= self.id.number;
        let Some(recovering) = self.recovering.as_mut().filter(|one| one.attempt == attempt) else {
            return;
        };
        match &mut recovering.phase {
            Phase::Survey { reached, already } if current && reached.len() < 64 => {
                reached.insert(sender.clone());
                if frozen {
                    already.insert(sender.clone());
                }
            }
            _ => {}
        }
    }

    /// A voter says which recovery it takes part in.
    pub(super) fn on_frozen(
        &mut self,
        sender: &Voter,
        recovery: &Recovery,
        number: ViewNumber,
        accepted: Option<Accepted>,
    ) {
        let attempt = recovery.attempt;
        if recovery.coordinator != self.own {
            return self.on_frozen_for_another(attempt);
        }
        let current = number <= self.id.number;
        let (now, last) = (self.now.boot, self.last_attempt());
        match &mut self.recovering {
            Some(one) if attempt == one.attempt => {
                if let Phase::Freeze { reached, frozen } = &mut one.phase
                    && current
                    && reached.contains(sender)
                {
                    frozen.insert(sender.clone(), accepted);
                    if *sender == self.own {
                        one.repeat_at = now;
                    }
                }
            }
            _ if attempt <= last => self.send(&sender.name, Body::Thaw { attempt }),
            _ => {}
        }
    }

    fn on_frozen_for_another(&mut self, attempt: u64) {
        let Some(one) = self.recovering.as_mut().filter(|one| attempt >= one.attempt) else {
            return;
        };
        match &mut one.phase {
            Phase::Freeze { frozen, .. } => {
                // The later of two has those that are there.
                frozen.clear();
                one.attempt = attempt.saturating_add(1);
                self.freeze_here();
            }
            Phase::Wait(_) => self.end_other_recovery(),
            Phase::Survey { .. } | Phase::Write(..) => {}
        }
    }

    /// Freezes this machine itself; the answer comes once that is durable.
    fn freeze_here(&mut self) {
        let Some(recovering) = &self.recovering else { return };
        let (attempt, own) = (recovering.attempt, self.own.clone());
        let recovery = Recovery { attempt, coordinator: own.clone(), ended: false };
        self.on_freeze(&own, recovery);
    }

    pub(super) fn recovery_due(&self) -> Option<BootTime> {
        let other = |recovery: &&Recovery| recovery.coordinator != self.own;
        let asks = self.frozen_for().filter(other).map(|_| self.ask_coordinator_at);
        asks.into_iter().chain(self.phase_due()).min()
    }

    fn phase_due(&self) -> Option<BootTime> {
        let recovering = self.recovering.as_ref()?;
        match recovering.phase {
            Phase::Write(..) => Some(recovering.until),
            _ => Some(recovering.until.min(recovering.repeat_at)),
        }
    }

    pub(super) fn tick_recovery(&mut self) {
        // One phase may end as soon as it begins; there are four.
        for _ in 0..4 {
            if self.phase_due().is_none_or(|due| due > self.now.boot) && !self.all_frozen() {
                break;
            }
            self.advance_recovery();
        }
        self.tick_freeze();
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
            Phase::Survey { reached, already } if over => {
                let result = self.judge_survey(&reached, &already);
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
            Phase::Wait(frozen) if over => self.begin_recovered(&frozen),
            Phase::Survey { .. } | Phase::Freeze { .. } | Phase::Wait(_) => self.repeat_question(),
            Phase::Write(write, view) if self.store.was_written(write) => {
                // Nobody hears of the new lineage before this machine would go on with it.
                let whole = News::Whole(self.view().clone());
                self.send_to_council(&Body::NewView(whole));
                self.outputs.push_back(Output::Gossip(self.id));
                self.end_recovery(Ok(view));
            }
            Phase::Write(..) if over => self.end_recovery(Err(RecoveryError::SlowDisk)),
            Phase::Write(..) => {}
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
        let waits = matches!(recovering.phase, Phase::Wait(_));
        recovering.repeat_at = now + if waits { SELDOM_REPEAT } else { REPEAT };
        let attempt = recovering.attempt;
        let voters: Vec<Voter> = match &recovering.phase {
            // This machine must not forget that it has made this attempt.
            Phase::Freeze { frozen, .. } if !frozen.contains_key(&self.own) => Vec::new(),
            Phase::Freeze { reached, .. } => reached.iter().cloned().collect(),
            Phase::Wait(frozen) => frozen.keys().cloned().collect(),
            Phase::Survey { .. } | Phase::Write(..) => {
                return self.send_to_council(&Body::Survey { attempt });
            }
        };
        for voter in voters {
            let recovery = Recovery { attempt, coordinator: self.own.clone(), ended: false };
            self.send(&voter.name, Body::Freeze(recovery));
        }
    }

    /// Whether exactly those did not answer that were named as lost.
    fn judge_survey(
        &self,
        reached: &BTreeSet<Voter>,
        already: &BTreeSet<Voter>,
    ) -> Result<(), RecoveryError> {
        let Some(recovering) = &self.recovering else { return Ok(()) };
        let quorum = self.view().quorum();
        let silent: BTreeSet<Name> = quorum.missing(reached).into_iter().collect();
        let answered: Vec<Name> = recovering.lost.difference(&silent).cloned().collect();
        let unnamed: Vec<Name> = silent.difference(&recovering.lost).cloned().collect();
        if quorum.is_reached(reached.difference(already)) {
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
        let Some(ended) = self.recovering.take() else { return };
        let attempt = ended.attempt;
        if result.is_err() && attempt > 0 && attempt <= self.last_attempt() {
            self.send_to_council(&Body::Thaw { attempt });
        }
        self.report(Event::Recovered(result));
    }

    /// Ends what was asked for here, since another recovery is under way or over.
    pub(super) fn end_other_recovery(&mut self) {
        self.end_recovery(Err(RecoveryError::UnderWay));
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
        let stands =
            |one: &&Recovery| one.coordinator == self.own && one.attempt == recovering.attempt;
        let Some(recovery) = self.frozen_for().filter(stands) else {
            return self.end_other_recovery();
        };
        let (lineage, parent) = (recovery.lineage_after(base.lineage), base.hash());
        let term = self.largest_term.max(base.term).0.saturating_add(Term::RECOVERY_STEP);
        let lost = recovering.lost.clone();
        let members = base.members.iter().filter(|member| !lost.contains(&member.name));
        let mut view = View {
            lineage,
            number: base.number.next(),
            parent,
            term: Term(term).min(Term::MAX),
            leader: None,
            council: frozen.keys().cloned().collect(),
            members: members.cloned().collect(),
            claims: base.claims.clone(),
            shares: base.shares.clone(),
        };
        view.fill_keepers();
        self.begin_recovered_lineage(&Arc::new(view));
    }

    fn begin_recovered_lineage(&mut self, view: &Arc<View>) {
        let lost = self.recovering.take().map(|recovering| recovering.lost).unwrap_or_default();
        self.begin_lineage(view);
        let write = self.store.covering();
        let until = self.now.boot + FREEZE_TIME;
        let phase = Phase::Write(write, self.id);
        let (attempt, repeat_at) = (0, until);
        self.recovering = Some(Recovering { lost, attempt, phase, until, repeat_at });
    }
}
