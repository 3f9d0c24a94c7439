//! A keeper that waits for a primary, or follows one.

use crate::catalog::{Ballot, Catalog, Entry, Position};
use crate::ids::Epoch;
use crate::keeper::message::{Body, Level, Report};
use crate::keeper::record::Record;
use crate::keeper::{Keeper, Mutant, Role};
use memberd_membership::Name;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Keeper {
    /// What it does in a new view.
    pub(super) fn begin_epoch(&mut self) {
        let carried = self.carried();
        self.filling = None;
        let Some(keepers) = self.keepers.clone() else {
            self.give_back(carried);
            self.role = Role::Former;
            self.offered_at = Some(self.now.boot);
            return;
        };
        let (own, report) = (self.own.clone(), self.report(&self.own));
        self.look_at(&own, &report);
        let is_first = keepers.keepers.first() == Some(&self.own);
        let promised = self.mark.promised.epoch == self.view.epoch;
        // It claimed in this view already: the others have promised, and say nothing more.
        let again = promised && self.mark.primary.as_ref() == Some(&self.own);
        if promised && !again && self.mark.primary.is_some() {
            self.give_back(carried);
            self.role = Role::Backup;
            self.tell_primary();
        } else if self.is_whole() && (is_first || again) {
            self.claim(carried);
        } else {
            self.give_back(carried);
            self.wait_for_claim();
        }
    }

    pub(super) fn wait_for_claim(&mut self) {
        self.role = Role::Waiting { standings: BTreeMap::new(), say_at: self.now.boot };
    }

    /// Says what it has, until somebody claims; or claims, if it is the one to do so.
    pub(super) fn tick_waiting(&mut self) {
        let Role::Waiting { say_at, .. } = &self.role else { return };
        if *say_at > self.now.boot {
            return;
        }
        if self.is_to_claim() {
            self.claim(super::claim::Carried::default());
            return;
        }
        for name in self.others() {
            let report = self.report(&name);
            self.send(&name, Body::Standing { epoch: self.view.epoch, report });
        }
        let again = self.now.boot + self.settings.resend;
        if let Role::Waiting { say_at, .. } = &mut self.role {
            *say_at = again;
        }
    }

    /// Whether all before it say that they are not whole, and it is; or nobody has anything, and
    /// it is the first of those who may found.
    fn is_to_claim(&self) -> bool {
        let (Role::Waiting { standings, .. }, Some(keepers)) = (&self.role, &self.keepers) else {
            return false;
        };
        let before = keepers.keepers.iter().take_while(|name| **name != self.own);
        let mut before = before.map(|name| standings.get(name));
        if self.is_whole() {
            return before.all(|report| report.is_some_and(|report| !report.is_whole));
        }
        let blank = |name: &Name| {
            let report = if *name == self.own {
                Some(self.report(name))
            } else {
                standings.get(name).copied()
            };
            report.is_some_and(|report| report.level == Ballot::NONE)
        };
        let is_first = keepers.keepers.first() == Some(&self.own);
        is_first && keepers.may_found() && keepers.keepers.iter().all(blank)
    }

    pub(super) fn on_standing(&mut self, from: &Name, epoch: Epoch, report: Report) {
        if epoch != self.view.epoch || !self.others().contains(from) {
            return;
        }
        self.look_at(from, &report);
        let now = self.now.boot;
        match &mut self.role {
            Role::Waiting { standings, .. } => {
                standings.insert(from.clone(), report);
                if self.is_to_claim()
                    && let Role::Waiting { say_at, .. } = &mut self.role
                {
                    *say_at = now;
                }
            }
            // It has lost its promise, and with it its disk: it begins as a newcomer.
            Role::Primary(reign) => {
                let ballot = reign.ballot;
                self.send(from, Body::Claim { ballot });
            }
            Role::Claiming(claim) => {
                let ballot = claim.ballot;
                self.answer(from, Body::Claim { ballot });
            }
            // So has the primary. It does not claim again, and the view need not change.
            Role::Backup if !report.is_whole && self.mark.primary.as_ref() == Some(from) => {
                let standings = BTreeMap::from([(from.clone(), report)]);
                self.filling = None;
                self.role = Role::Waiting { standings, say_at: now };
            }
            Role::Former | Role::Backup => {}
        }
    }

    /// THE RULE that nothing of a ballot is taken before the ballot is promised, and nothing of an
    /// older one after; and that the promise is durable before anybody hears of it.
    pub(super) fn on_claim(&mut self, from: &Name, ballot: Ballot) {
        let is_keeper = self.others().contains(from);
        if ballot < self.mark.promised || ballot.epoch < self.view.epoch {
            let promised = self.mark.promised;
            self.send(from, Body::Refuse { promised });
            return;
        }
        if ballot.epoch != self.view.epoch || !is_keeper {
            return;
        }
        if ballot > self.mark.promised {
            self.give_up();
            self.mark.promised = ballot;
            self.mark.primary = Some(from.clone());
            self.write_mark();
            self.role = Role::Backup;
            self.filling = None;
        }
        if self.mark.primary.as_ref() == Some(from) {
            if matches!(self.role, Role::Waiting { .. }) {
                self.role = Role::Backup;
            }
            let report = self.report(from);
            self.answer(from, Body::Promise { ballot, report });
        }
    }

    /// Whether a message is of the reign that it follows. An older one is refused.
    fn follows(&mut self, from: &Name, ballot: Ballot) -> bool {
        if matches!(self.role, Role::Backup)
            && ballot == self.mark.promised
            && self.mark.primary.as_ref() == Some(from)
        {
            return true;
        }
        if ballot < self.mark.promised {
            let promised = self.mark.promised;
            self.send(from, Body::Refuse { promised });
        }
        false
    }

    pub(super) fn on_append(
        &mut self,
        from: &Name,
        (ballot, committed): (Ballot, u64),
        (base, level): (Position, Option<Level>),
        entries: Vec<Arc<Entry>>,
    ) {
        if self.is_mutant(Mutant::NoFence) && ballot < self.mark.promised {
            self.take_unfenced(from, ballot, base, entries);
            return;
        }
        if !self.follows(from, ballot) {
            return;
        }
        let is_level = self.mark.level == ballot;
        if let Some(level) = level.filter(|level| level.restart && !is_level) {
            let begun = self.mark.level == Ballot::NONE && self.log.before() == base;
            if !begun {
                self.restart(base);
            }
            debug_assert!(level.end.index >= base.index, "a log ends after its begin");
        }
        let fits = (is_level || level.is_some()) && self.merge(base, entries);
        if !fits {
            let report = self.report(from);
            self.answer(from, Body::Gap { ballot, report });
            return;
        }
        if let Some(level) = level
            && !is_level
            && self.log.contains(level.end)
        {
            self.cut(level.end.index + 1);
            self.mark.level = ballot;
            self.write_mark();
        }
        if self.mark.level == ballot {
            self.commit(committed);
        }
        self.tell_primary();
    }

    /// For a test of the tests: as if there were no promises.
    fn take_unfenced(
        &mut self,
        from: &Name,
        ballot: Ballot,
        base: Position,
        entries: Vec<Arc<Entry>>,
    ) {
        if self.merge(base, entries) {
            let end = self.log.end().index;
            self.answer(from, Body::Acked { ballot, end, is_level: true, is_whole: true });
        }
    }

    /// Tells the primary what is durable here, once it is.
    pub(super) fn tell_primary(&mut self) {
        let Some(primary) = self.primary().filter(|primary| *primary != self.own) else { return };
        let ballot = self.mark.promised;
        let body = Body::Acked {
            ballot,
            end: self.log.end().index,
            is_level: self.mark.level == ballot,
            is_whole: self.is_whole(),
        };
        self.answer(&primary, body);
    }

    /// Drops log and catalog, also on disk, and begins a log after this position. Until it is
    /// level, it counts for nothing.
    pub(super) fn restart(&mut self, before: Position) {
        self.mark.level = Ballot::NONE;
        self.mark.before = before;
        self.write_mark();
        self.disk.write(Record::Cut(0));
        self.restart_log(before);
        // Nothing is before the first entry, so no image is needed.
        let is_begin = before == Position::START;
        self.catalog = is_begin.then(|| Catalog::new(self.share.clone()));
        self.filling = None;
        self.served = None;
    }

    pub(super) fn on_beacon(&mut self, from: &Name, ballot: Ballot, sequence: u64, committed: u64) {
        if !self.follows(from, ballot) {
            return;
        }
        if self.mark.level == ballot {
            self.commit(committed);
        }
        let until = self.now.boot + self.settings.lease;
        self.lease_promise.promise(from, until);
        self.send(from, Body::Heard { ballot, sequence });
    }
}
