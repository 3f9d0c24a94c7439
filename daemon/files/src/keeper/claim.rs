//! A keeper that becomes primary: it collects promises, takes over the longest log, brings all
//! others level, and waits for the leases of those before. Then it opens.

use crate::catalog::{Ballot, Catalog, Entry, Position};
use crate::ids::OperationId;
use crate::keeper::event::{Output, Reply, RequestId};
use crate::keeper::message::{Body, Report};
use crate::keeper::record::Record;
use crate::keeper::reign::{Peer, Proposal, Reign};
use crate::keeper::{Filling, Keeper, Mutant, Role};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Sessions of one claim are that far from those of the next: the rest tells claimants apart.
const SESSION_STEP: u64 = 8;

/// What clients wait for while one reign of a primary follows another.
#[derive(Debug, Clone, Default)]
pub(super) struct Carried {
    pub(super) waiting: BTreeMap<OperationId, Vec<RequestId>>,
    pub(super) queue: VecDeque<Proposal>,
}

/// A claim.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) ballot: Ballot,
    /// The write that has the own promise.
    promise_write: u64,
    reports: BTreeMap<Name, Report>,
    /// When no primary before can answer reads any more.
    grace_ends: BootTime,
    send_at: BootTime,
    phase: Phase,
    pub(super) is_closed: bool,
    pub(super) carried: Carried,
}

#[derive(Debug, Clone)]
enum Phase {
    /// All other keepers are asked for their promise.
    Collect,
    /// This one's log is longer.
    Fetch(Name),
    /// All get this log.
    Level { peers: BTreeMap<Name, Peer>, end: u64, write: u64 },
}

/// Of two logs the one that is worth more has all that was acknowledged.
fn worth(report: &Report) -> (Ballot, u64) {
    (report.level, report.end.index)
}

impl Keeper {
    /// Begins to claim.
    pub(super) fn claim(&mut self, carried: Carried) {
        let keepers = self.keepers.iter().flat_map(|share| &share.keepers);
        let rank = keepers.take_while(|name| **name != self.own).count() as u64;
        let promised = self.mark.promised;
        let epoch = self.view.epoch;
        let before = if promised.epoch == epoch { promised.session / SESSION_STEP } else { 0 };
        let ballot = Ballot { epoch, session: (before + 1) * SESSION_STEP + rank };
        self.mark.promised = ballot;
        self.mark.primary = Some(self.own.clone());
        self.write_mark();
        self.filling = None;
        let left = self.lease_promise.left(&self.own, self.now.boot);
        self.role = Role::Claiming(Box::new(Claim {
            ballot,
            promise_write: self.disk.covering(),
            reports: BTreeMap::new(),
            grace_ends: self.now.boot + left,
            send_at: self.now.boot,
            phase: Phase::Collect,
            is_closed: false,
            carried,
        }));
    }

    pub(super) fn claim_due(&self, claim: &Claim) -> BootTime {
        let is_level = match &claim.phase {
            Phase::Level { peers, end, .. } => peers.values().all(|peer| peer.has(*end)),
            Phase::Collect | Phase::Fetch(_) => false,
        };
        let grace = Some(claim.grace_ends).filter(|ends| is_level && *ends > self.now.boot);
        grace.map_or(claim.send_at, |ends| ends.min(claim.send_at))
    }

    pub(super) fn tick_claim(&mut self) {
        self.decide();
        self.try_to_open();
        let now = self.now.boot;
        let Role::Claiming(claim) = &mut self.role else { return };
        if claim.send_at > now {
            return;
        }
        claim.send_at = now + self.settings.resend;
        let (ballot, phase) = (claim.ballot, claim.phase.clone());
        match phase {
            Phase::Collect => {
                for name in self.others() {
                    self.answer(&name, Body::Claim { ballot });
                }
            }
            Phase::Fetch(from) => self.fetch(&from),
            Phase::Level { peers, .. } => {
                let late = peers.iter().filter(|(_, peer)| !peer.is_level);
                for name in late.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                    self.send_again(&name);
                }
            }
        }
    }

    pub(super) fn on_promise(&mut self, from: &Name, ballot: Ballot, report: Report) {
        self.look_at(from, &report);
        let left = Duration::from_millis(u64::from(report.lease_left_ms)) * 102 / 100;
        let ends = self.now.boot + left;
        match &mut self.role {
            Role::Claiming(claim) if claim.ballot == ballot => {
                claim.grace_ends = claim.grace_ends.max(ends);
                let before = claim.reports.insert(from.clone(), report);
                let is_same = before.is_some_and(|one| worth(&one) == worth(&report));
                match &claim.phase {
                    Phase::Collect => {}
                    // It has lost the log that is fetched: another one is the longest now.
                    Phase::Fetch(name) if name == from && !is_same => {
                        (claim.phase, claim.send_at) = (Phase::Collect, self.now.boot);
                        self.filling = None;
                    }
                    Phase::Fetch(_) => {}
                    Phase::Level { .. } if is_same => {}
                    Phase::Level { .. } => self.on_gap(from, ballot, report),
                }
            }
            // A keeper that has lost its disk is back.
            Role::Primary(reign) if reign.ballot == ballot => self.on_gap(from, ballot, report),
            _ => {}
        }
    }

    /// Somebody has promised more: another claims, or the newest view is not known here.
    pub(super) fn on_refuse(&mut self, promised: Ballot) {
        let own = match &self.role {
            Role::Claiming(claim) => claim.ballot,
            Role::Primary(reign) => reign.ballot,
            Role::Former | Role::Waiting { .. } | Role::Backup => return,
        };
        if promised > own {
            self.give_up();
            self.wait_for_claim();
            let again = self.now.boot + self.settings.resend;
            if let Role::Waiting { say_at, .. } = &mut self.role {
                *say_at = again;
            }
        }
    }

    /// THE RULE that a new primary begins with the longest log of all keepers in the view: the one
    /// that was brought level last, and of those the one with most entries. Each has all entries
    /// that were acknowledged while it was a keeper. If none was level since it is one, all that
    /// were have lost their disks, and the share stays closed.
    fn decide(&mut self) {
        let Role::Claiming(claim) = &self.role else { return };
        let others = self.others();
        let has_all = others.iter().all(|name| claim.reports.contains_key(name));
        let collects = matches!(claim.phase, Phase::Collect);
        if !collects || !has_all || !self.disk.was_written(claim.promise_write) {
            return;
        }
        let own = self.report(&self.own);
        let reports: Vec<(Name, Report)> = others
            .iter()
            .filter_map(|name| Some((name.clone(), *claim.reports.get(name)?)))
            .collect();
        let best = reports.iter().max_by_key(|(_, report)| worth(report));
        let longer = best.filter(|(_, report)| worth(report) > worth(&own)).cloned();
        let counts = self.counts(&self.own, &own)
            || reports.iter().any(|(name, report)| self.counts(name, report));
        match longer {
            None if own.level == Ballot::NONE && self.may_found() => self.found(),
            _ if !counts => self.close(),
            Some((name, _)) => self.fetch_from(&name),
            None if own.is_whole => self.bring_level(),
            None => self.close(),
        }
    }

    pub(super) fn may_found(&self) -> bool {
        self.keepers.as_ref().is_some_and(crate::view::ShareKeepers::may_found)
    }

    /// Nobody has anything, and these are the first keepers: the catalog is empty.
    fn found(&mut self) {
        self.disk.write(Record::Cut(0));
        self.restart_log(Position::START);
        self.mark.before = Position::START;
        self.catalog = Some(Catalog::new(self.share.clone()));
        self.bring_level();
    }

    /// Nobody has the whole catalog that the longest log needs. It asks again and again: a former
    /// keeper may come back with it.
    fn close(&mut self) {
        if let Role::Claiming(claim) = &mut self.role {
            claim.is_closed = true;
            claim.reports.clear();
            claim.phase = Phase::Collect;
            let carried = std::mem::take(&mut claim.carried);
            self.give_back(carried);
        }
    }

    fn fetch_from(&mut self, name: &Name) {
        if let Role::Claiming(claim) = &mut self.role {
            claim.phase = Phase::Fetch(name.clone());
            claim.send_at = self.now.boot;
        }
    }

    /// Asks for what follows a place that both logs have.
    fn fetch(&mut self, from: &Name) {
        let Role::Claiming(claim) = &self.role else { return };
        let ballot = claim.ballot;
        let theirs = claim.reports.get(from).map(|report| report.before);
        let known = [Some(self.log.end()), self.log.position(self.committed), theirs];
        let after = known.into_iter().flatten().filter(|one| self.log.contains(*one)).collect();
        if self.filling.is_none() {
            self.answer(from, Body::Fetch { ballot, after });
        }
    }

    pub(super) fn on_fetch(&mut self, from: &Name, ballot: Ballot, after: &[Position]) {
        if ballot != self.mark.promised || self.mark.primary.as_ref() != Some(from) {
            return;
        }
        let base = after.iter().copied().find(|position| self.log.contains(*position));
        let page = |base: Position| {
            self.log.page(base.index, crate::keeper::message::Message::MAX_ENTRIES_BYTES)
        };
        let entries = base.map(page).unwrap_or_default();
        let end = self.log.end();
        self.answer(from, Body::Fetched { ballot, base, entries, end });
    }

    pub(super) fn on_fetched(
        &mut self,
        from: &Name,
        ballot: Ballot,
        (base, end): (Option<Position>, Position),
        entries: Vec<Arc<Entry>>,
    ) {
        let Role::Claiming(claim) = &self.role else { return };
        let expected = matches!(&claim.phase, Phase::Fetch(name) if name == from);
        if !expected || claim.ballot != ballot || self.filling.is_some() {
            return;
        }
        let theirs = claim.reports.get(from).copied();
        let Some(base) = base else {
            if theirs.is_some_and(|report| report.is_whole) {
                self.filling = Some(Filling::new(from.clone(), Position::START, self.now.boot));
            } else {
                self.close();
            }
            return;
        };
        if !self.merge(base, entries) {
            return;
        }
        if self.log.contains(end) {
            self.cut(end.index + 1);
            if self.catalog.is_some() { self.bring_level() } else { self.close() }
        } else {
            self.fetch(from);
        }
    }

    /// The image that was fetched because the logs have no common place. The old log goes.
    pub(super) fn begin_from_image(&mut self, at: Position) {
        self.restart(at);
        if let Role::Claiming(claim) = &mut self.role {
            claim.send_at = self.now.boot;
        }
    }

    /// This log is the one. All others get it.
    fn bring_level(&mut self) {
        let Role::Claiming(claim) = &self.role else { return };
        let (ballot, reports) = (claim.ballot, claim.reports.clone());
        self.mark.level = ballot;
        self.write_mark();
        let (end, write) = (self.log.end().index, self.disk.covering());
        let peers: BTreeMap<Name, Peer> =
            reports.iter().map(|(name, report)| (name.clone(), self.plan(report))).collect();
        let names: Vec<Name> = peers.keys().cloned().collect();
        let send_at = self.now.boot + self.settings.resend;
        if let Role::Claiming(claim) = &mut self.role {
            claim.phase = Phase::Level { peers, end, write };
            claim.is_closed = false;
            claim.send_at = send_at;
        }
        for name in names {
            self.send_entries(&name);
        }
    }

    /// The peers to which entries go, while it claims or is primary.
    pub(super) fn peers_mut(&mut self) -> Option<(Ballot, &mut BTreeMap<Name, Peer>)> {
        match &mut self.role {
            Role::Claiming(claim) => match &mut claim.phase {
                Phase::Level { peers, .. } => Some((claim.ballot, peers)),
                Phase::Collect | Phase::Fetch(_) => None,
            },
            Role::Primary(reign) => Some((reign.ballot, &mut reign.peers)),
            Role::Former | Role::Waiting { .. } | Role::Backup => None,
        }
    }

    /// Opens when all keepers have the log on disk, and no primary before can answer reads.
    fn try_to_open(&mut self) {
        let Role::Claiming(claim) = &self.role else { return };
        let Phase::Level { peers, end, write } = &claim.phase else { return };
        let durable = self.disk.was_written(*write) && self.disk.durable_end() >= *end;
        let grace = self.now.boot >= claim.grace_ends || self.is_mutant(Mutant::NoGrace);
        let level = peers.values().all(|peer| peer.has(*end)) || self.is_mutant(Mutant::NoLevel);
        if !durable || !grace || !level {
            return;
        }
        let end = *end;
        let reign = Reign::new(claim.ballot, peers.clone(), claim.carried.clone(), self.now.boot);
        self.role = Role::Primary(Box::new(reign));
        self.commit(end);
        let time = self.catalog.as_ref().map_or(0, Catalog::time_ms);
        self.outputs.push_back(Output::Whole(self.own.clone()));
        if let Role::Primary(reign) = &mut self.role {
            for request in reign.begin(time, self.now.boot) {
                self.outputs.push_back(Output::Reply { request, reply: Reply::Unknown });
            }
        }
    }

    /// What clients wait for, taken out of a reign or a claim.
    pub(super) fn carried(&mut self) -> Carried {
        match &mut self.role {
            Role::Claiming(claim) => std::mem::take(&mut claim.carried),
            Role::Primary(reign) => reign.carried(),
            Role::Former | Role::Waiting { .. } | Role::Backup => Carried::default(),
        }
    }

    /// Tells clients that this keeper does not know what will become of their mutations.
    pub(super) fn give_back(&mut self, carried: Carried) {
        for request in carried.waiting.into_values().flatten() {
            self.reply(request, Reply::Unknown);
        }
        let primary = self.primary().filter(|primary| *primary != self.own);
        for read in std::mem::take(&mut self.reads) {
            self.reply(read.request, Reply::NotPrimary { primary: primary.clone() });
        }
    }

    /// Is primary no more.
    pub(super) fn give_up(&mut self) {
        let carried = self.carried();
        self.give_back(carried);
    }
}
