//! A primary: it orders mutations, and answers when all keepers have them on disk.

use crate::catalog::{Ballot, Entry, Mutation, Position};
use crate::ids::{Epoch, OperationId};
use crate::keeper::claim::Carried;
use crate::keeper::event::{Output, Reply, RequestId};
use crate::keeper::lease::Lease;
use crate::keeper::message::{Body, Level, Message, Report};
use crate::keeper::{Keeper, Mutant, Role};
use crate::view::FilesView;
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The most mutations that wait to be written.
const MAX_QUEUE: usize = 1024;
/// The most requests that wait for one mutation.
const MAX_JOINED: usize = 64;
/// The most entries that are written and not yet everywhere.
const MAX_UNDER_WAY: u64 = 4096;
/// A batch does not wait for more company than this.
const BATCH: usize = 256;
/// When the others hear of the last commit, if nothing else tells them.
const TELL_COMMIT: Duration = Duration::from_millis(50);

/// A mutation that waits to be written.
#[derive(Debug, Clone)]
pub(super) struct Proposal {
    operation: OperationId,
    epoch: Epoch,
    mutation: Mutation,
}

/// Another keeper, as a primary sees it.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// The end of what was sent.
    sent: u64,
    /// The end of what it has on disk.
    acked: u64,
    pub(super) is_level: bool,
    is_whole: bool,
    /// Whether the owner was told that.
    is_told: bool,
    /// Whether it begins anew, and where.
    restart: Option<Position>,
    sent_at: BootTime,
}

impl Peer {
    /// Whether it has the log up to an index on disk.
    pub(super) fn has(&self, end: u64) -> bool {
        self.is_level && self.acked >= end
    }
}

/// A reign.
#[derive(Debug, Clone)]
pub(super) struct Reign {
    pub(super) ballot: Ballot,
    pub(super) peers: BTreeMap<Name, Peer>,
    carried: Carried,
    flush_at: Option<BootTime>,
    /// The catalog's time when it opened, and when that was.
    time_ms: u64,
    opened_at: BootTime,
    lease: Lease,
    tell_at: Option<BootTime>,
}

impl Reign {
    pub(super) fn new(
        ballot: Ballot,
        peers: BTreeMap<Name, Peer>,
        carried: Carried,
        now: BootTime,
    ) -> Reign {
        let lease = Lease::default();
        let (flush_at, tell_at) = (None, Some(now));
        Reign { ballot, peers, carried, flush_at, time_ms: 0, opened_at: now, lease, tell_at }
    }

    /// The catalog is applied: its time goes on, and what waits is written. Returns who waits for
    /// entries that were in an own log which another replaced.
    pub(super) fn begin(&mut self, time_ms: u64, now: BootTime) -> Vec<RequestId> {
        (self.time_ms, self.opened_at) = (time_ms, now);
        self.flush_at = (!self.carried.queue.is_empty()).then_some(now);
        let queued: BTreeSet<_> = self.carried.queue.iter().map(|one| one.operation).collect();
        let waiting = std::mem::take(&mut self.carried.waiting);
        let (queued, lost): (BTreeMap<_, _>, BTreeMap<_, _>) =
            waiting.into_iter().partition(|(operation, _)| queued.contains(operation));
        self.carried.waiting = queued;
        lost.into_values().flatten().collect()
    }

    fn time(&self, now: BootTime) -> u64 {
        let open = u64::try_from(now.since(self.opened_at).as_millis()).unwrap_or(u64::MAX);
        self.time_ms.saturating_add(open)
    }

    pub(super) fn take_waiting(&mut self, operation: OperationId) -> Vec<RequestId> {
        self.carried.waiting.remove(&operation).unwrap_or_default()
    }

    pub(super) fn carried(&mut self) -> Carried {
        std::mem::take(&mut self.carried)
    }

    /// The others that are not known to be whole.
    pub(super) fn filling(&self) -> Vec<Name> {
        let filling = self.peers.iter().filter(|(_, peer)| !peer.is_whole);
        filling.map(|(name, _)| name.clone()).collect()
    }
}

/// Whether every new extent has as many copies as the view allows, on members of it.
fn copies_suffice(view: &FilesView, mutation: &Mutation, wanted: usize) -> bool {
    mutation.new_extents().iter().all(|extent| {
        let members = &extent.set.members;
        let in_view = members.iter().all(|name| view.members.contains_key(name));
        in_view && members.len() >= view.copies(wanted)
    })
}

impl Keeper {
    pub(super) fn on_proposal(
        &mut self,
        request: RequestId,
        (operation, epoch): (OperationId, Epoch),
        mutation: Mutation,
    ) {
        if self.joins(request, operation) {
            return;
        }
        if let Some(reply) = self.refuse(operation, epoch, &mutation) {
            return self.reply(request, reply);
        }
        let flush_at = self.now.boot + self.settings.company;
        let carried = match &mut self.role {
            Role::Primary(reign) => {
                let full = reign.carried.queue.len() >= BATCH;
                let at = if full { self.now.boot } else { flush_at };
                reign.flush_at = Some(reign.flush_at.map_or(at, |flush| flush.min(at)));
                &mut reign.carried
            }
            Role::Claiming(claim) if !claim.is_closed => &mut claim.carried,
            _ => {
                let primary = self.primary().filter(|primary| *primary != self.own);
                return self.reply(request, Reply::NotPrimary { primary });
            }
        };
        if carried.waiting.len() >= MAX_QUEUE {
            return self.reply(request, Reply::Busy);
        }
        carried.waiting.insert(operation, vec![request]);
        carried.queue.push_back(Proposal { operation, epoch, mutation });
    }

    /// It is in the queue or in the log already: asked twice, done once. Whatever has changed
    /// since, it may happen.
    fn joins(&mut self, request: RequestId, operation: OperationId) -> bool {
        let carried = match &mut self.role {
            Role::Primary(reign) => &mut reign.carried,
            Role::Claiming(claim) => &mut claim.carried,
            Role::Former | Role::Waiting { .. } | Role::Backup => return false,
        };
        let Some(waiting) = carried.waiting.get_mut(&operation) else { return false };
        if waiting.len() < MAX_JOINED {
            waiting.push(request);
        } else {
            self.reply(request, Reply::Unknown);
        }
        true
    }

    /// What can be answered at once.
    fn refuse(&self, operation: OperationId, epoch: Epoch, mutation: &Mutation) -> Option<Reply> {
        if !mutation.fits() || mutation.weight() > Message::MAX_ENTRIES_BYTES {
            return Some(Reply::OutOfBounds);
        }
        let Role::Primary(reign) = &self.role else { return None };
        let catalog = self.catalog.as_ref()?;
        if let Some(answer) = catalog.operation(operation) {
            return Some(Reply::Answer { answer, index: catalog.applied().index });
        }
        let under_way = self.log.end().index.saturating_sub(self.committed);
        if under_way > MAX_UNDER_WAY || catalog.is_busy(reign.time(self.now.boot)) {
            return Some(Reply::Busy);
        }
        // A holder that has left in between may have lost what it had, and be back.
        if epoch < self.view.epoch && !mutation.new_extents().is_empty() {
            return Some(Reply::OldEpoch);
        }
        let wanted = catalog.wanted_copies(mutation);
        let suffice =
            copies_suffice(&self.view, mutation, wanted) || self.is_mutant(Mutant::CountNoCopies);
        (!suffice).then_some(Reply::TooFewCopies)
    }

    pub(super) fn reign_due(&self, reign: &Reign) -> Option<BootTime> {
        let end = self.log.end().index;
        let late = reign.peers.values().filter(|peer| !peer.has(end));
        let resend = late.map(|peer| peer.sent_at + self.settings.resend).min();
        [reign.flush_at, reign.tell_at, resend].into_iter().flatten().min()
    }

    pub(super) fn tick_reign(&mut self) {
        let now = self.now.boot;
        let Role::Primary(reign) = &mut self.role else { return };
        if reign.flush_at.is_some_and(|at| at <= now) {
            reign.flush_at = None;
            self.write_queue();
        }
        self.commit_what_all_have();
        let end = self.log.end().index;
        let Role::Primary(reign) = &mut self.role else { return };
        let mut late = Vec::new();
        for (name, peer) in &mut reign.peers {
            if peer.is_level && peer.is_whole && !peer.is_told {
                peer.is_told = true;
                self.outputs.push_back(Output::Whole(name.clone()));
            }
            if !peer.has(end) && peer.sent_at + self.settings.resend <= now {
                late.push(name.clone());
            }
        }
        if reign.tell_at.is_some_and(|at| at <= now) {
            self.send_beacon();
        }
        for name in late {
            self.send_again(&name);
        }
    }

    /// One entry for each mutation that waits, and all of them in one write and one message.
    fn write_queue(&mut self) {
        let Role::Primary(reign) = &mut self.role else { return };
        let (ballot, time_ms) = (reign.ballot, reign.time(self.now.boot));
        let queue = std::mem::take(&mut reign.carried.queue);
        let names: Vec<Name> = reign.peers.keys().cloned().collect();
        // It may have waited for this reign to open.
        let (queue, refused) = self.sift(queue);
        for (operation, reply) in refused {
            self.answer_waiting(operation, &reply);
        }
        let first = self.log.end().index + 1;
        let entry = |(place, proposal): (u64, Proposal)| {
            Arc::new(Entry {
                position: Position { ballot, index: first + place },
                time_ms,
                wall_ms: self.now.wall.0,
                operation: proposal.operation,
                mutation: proposal.mutation,
            })
        };
        let entries: Vec<_> = (0..).zip(queue).map(entry).collect();
        self.push(entries);
        for name in names {
            self.send_entries(&name);
        }
    }

    /// What of the queue is written, and what is answered instead.
    fn sift(&self, queue: VecDeque<Proposal>) -> (VecDeque<Proposal>, Vec<(OperationId, Reply)>) {
        let mut refused = Vec::new();
        let mut kept = VecDeque::new();
        for one in queue {
            match self.refuse(one.operation, one.epoch, &one.mutation) {
                Some(reply) => refused.push((one.operation, reply)),
                None => kept.push_back(one),
            }
        }
        (kept, refused)
    }

    fn answer_waiting(&mut self, operation: OperationId, reply: &Reply) {
        let Role::Primary(reign) = &mut self.role else { return };
        for request in reign.take_waiting(operation) {
            self.outputs.push_back(Output::Reply { request, reply: reply.clone() });
        }
    }

    /// Sends a keeper again what it does not have.
    pub(super) fn send_again(&mut self, to: &Name) {
        if let Some((_, peers)) = self.peers_mut()
            && let Some(peer) = peers.get_mut(to)
        {
            peer.sent = peer.acked;
        }
        self.send_entries(to);
    }

    /// Sends a keeper what it has not been sent: one message of it.
    pub(super) fn send_entries(&mut self, to: &Name) {
        let now = self.now.boot;
        let (committed, end) = (self.committed, self.log.end());
        let Some((ballot, peers)) = self.peers_mut() else { return };
        let Some(peer) = peers.get_mut(to) else { return };
        let (sent, is_level, restart) = (peer.sent, peer.is_level, peer.restart);
        let page = self.log.page(sent, Message::MAX_ENTRIES_BYTES);
        let Some(base) = self.log.position(sent) else {
            debug_assert!(false, "the log begins before what anybody needs");
            return;
        };
        let last = page.last().map_or(sent, |entry| entry.position.index);
        if let Some((_, peers)) = self.peers_mut()
            && let Some(peer) = peers.get_mut(to)
        {
            (peer.sent, peer.sent_at) = (last, now);
        }
        let level = (!is_level).then_some(Level { end, restart: restart == Some(base) });
        self.send(to, Body::Append { ballot, base, entries: page, level, committed });
    }

    /// Where the log of another keeper goes on. What it knows to be everywhere is in this log too.
    pub(super) fn plan(&self, report: &Report) -> Peer {
        let known = report.level != Ballot::NONE;
        let committed = report.committed.max(report.before.index);
        let common =
            self.log.position(committed).filter(|_| report.committed >= report.before.index);
        let base = if known && self.log.contains(report.end) {
            Some(report.end)
        } else {
            common.filter(|_| known && committed <= report.end.index)
        };
        let is_level = false;
        let restart = if base.is_none() { self.log.position(self.committed) } else { None };
        let sent = base.or(restart).map_or(self.committed, |position| position.index);
        let is_whole = report.is_whole && restart.is_none();
        let (is_told, sent_at) = (false, self.now.boot);
        Peer { sent, acked: sent, is_level, is_whole, is_told, restart, sent_at }
    }

    pub(super) fn on_acked(
        &mut self,
        from: &Name,
        of: Ballot,
        end: u64,
        (is_level, is_whole): (bool, bool),
    ) {
        let last = self.log.end().index;
        let Some((ballot, peers)) = self.peers_mut() else { return };
        let Some(peer) = peers.get_mut(from).filter(|_| ballot == of) else { return };
        if peer.is_level && !is_level {
            // Said before it was level.
            return;
        }
        peer.is_level = is_level;
        peer.is_whole = is_whole;
        peer.acked = if is_level { peer.acked.max(end.min(last)) } else { end.min(last) };
        let more = peer.sent < last && (is_level || peer.sent <= end);
        if more || (!is_level && end < last) {
            peer.sent = peer.sent.max(peer.acked);
            self.send_entries(from);
        }
    }

    /// A keeper lacks what came before, or has lost its disk.
    pub(super) fn on_gap(&mut self, from: &Name, of: Ballot, report: Report) {
        let plan = self.plan(&report);
        let Some((ballot, peers)) = self.peers_mut() else { return };
        if ballot != of {
            return;
        }
        let Some(peer) = peers.get_mut(from) else { return };
        if report.level == ballot && peer.is_level {
            peer.sent = report.end.index.min(peer.sent);
        } else {
            *peer = plan;
        }
        self.send_entries(from);
    }

    /// THE RULE that an entry counts when all keepers of the view have it on disk.
    fn commit_what_all_have(&mut self) {
        let Role::Primary(reign) = &self.role else { return };
        let without = self.is_mutant(Mutant::NewcomersDoNotCount);
        let peers = reign.peers.values().filter(|peer| peer.is_whole || !without);
        let acked = peers.map(|peer| if peer.is_level { peer.acked } else { 0 });
        let mut ends: Vec<u64> = acked.chain([self.disk.durable_end()]).collect();
        ends.sort_unstable();
        let few = self.is_mutant(Mutant::AnswerBeforeAll) && ends.len() > 2;
        let all = if few { ends[1] } else { ends[0] };
        if all > self.committed {
            self.commit(all);
            let tell_at = self.now.boot + TELL_COMMIT;
            if let Role::Primary(reign) = &mut self.role {
                reign.tell_at.get_or_insert(tell_at);
            }
        }
    }

    /// Asks all others whether they hear this primary, and tells them what is everywhere.
    pub(super) fn send_beacon(&mut self) {
        let (now, committed) = (self.now.boot, self.committed);
        let Role::Primary(reign) = &mut self.role else { return };
        reign.tell_at = None;
        let (ballot, sequence) = (reign.ballot, reign.lease.send(now));
        let names: Vec<Name> = reign.peers.keys().cloned().collect();
        for name in names {
            self.send(&name, Body::Beacon { ballot, sequence, committed });
        }
    }

    pub(super) fn on_heard(&mut self, from: &Name, ballot: Ballot, sequence: u64) {
        if let Role::Primary(reign) = &mut self.role
            && reign.ballot == ballot
        {
            reign.lease.on_heard(from, sequence);
        }
    }

    /// Until when reads may be answered, and when the others were asked last.
    pub(super) fn lease(&self) -> (Option<BootTime>, Option<BootTime>) {
        let Role::Primary(reign) = &self.role else { return (None, None) };
        let others: Vec<Name> = reign.peers.keys().cloned().collect();
        (reign.lease.until(&others, self.settings.lease), reign.lease.last_sent())
    }
}
