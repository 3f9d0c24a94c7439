//! Sealed extents that this holder fetches from others: repair, and its own damaged copies.

use super::uploads::reason;
use super::{Holder, Purpose};
use crate::disk::{ExtentDone, ExtentFault, ExtentJob, StoredExtent};
use crate::extent::PIECE_BYTES;
use crate::ids::ExtentId;
use crate::transfer::{
    Piece, PullOrder, ReadError, ReadOrder, ReadPurpose, RefusalReason, Transfer,
};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::time::Duration;

/// After how long without an answer the next source is asked.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a damaged copy waits after a vain attempt.
const AGAIN: Duration = Duration::from_secs(60);
/// How often every source is tried.
const ROUNDS: usize = 3;

/// An extent that is fetched.
#[derive(Debug, Clone)]
pub(super) struct Pull {
    /// Who wants to know the end: a repairer, or nobody for a damaged copy of this holder.
    requester: Option<Name>,
    order: PullOrder,
    /// How often another source was taken.
    tries: usize,
    asked: Option<(u64, BootTime)>,
    given: u64,
    taken: u64,
    is_sealing: bool,
    /// Not before.
    wait: BootTime,
}

impl Holder {
    pub(super) fn on_pull(&mut self, from: &Name, order: PullOrder) {
        let extent = order.extent;
        if self.held.get(&extent).is_some_and(|held| !held.is_bad) {
            self.say_sealed(from, extent);
        } else if let Some(pull) = self.pulls.get_mut(&extent) {
            pull.requester = Some(from.clone());
            pull.order.urgent |= order.urgent;
        } else if self.uploads.contains_key(&extent)
            || self.uploads.len() + self.pulls.len() >= Self::MAX_UPLOADS
        {
            self.refuse(from, extent, RefusalReason::Busy);
        } else {
            self.pull(Some(from.clone()), order);
        }
    }

    pub(super) fn pull(&mut self, requester: Option<Name>, order: PullOrder) {
        let pull = Pull {
            requester,
            tries: 0,
            asked: None,
            given: 0,
            taken: 0,
            is_sealing: false,
            wait: self.now,
            order,
        };
        self.pulls.insert(pull.order.extent, pull);
    }

    pub(super) fn on_pulled(
        &mut self,
        extent: ExtentId,
        from: &Name,
        request: u64,
        bytes: Result<Piece, ReadError>,
    ) {
        let Some(pull) = self.pulls.get_mut(&extent) else { return };
        if pull.asked.is_none_or(|(asked, _)| asked != request) || pull.source() != Some(from) {
            return;
        }
        pull.asked = None;
        let rest = (pull.order.length - pull.given).min(PIECE_BYTES as u64);
        match bytes {
            Ok(bytes) if bytes.len() as u64 == rest => {
                let offset = pull.given;
                pull.given += rest;
                let end = pull.given;
                self.job(
                    ExtentJob::Piece { extent, offset, bytes },
                    Purpose::PullPiece(extent, end),
                );
            }
            _ => pull.tries += 1,
        }
    }

    pub(super) fn on_pull_taken(
        &mut self,
        extent: ExtentId,
        end: u64,
        result: &Result<ExtentDone, ExtentFault>,
    ) {
        let Some(pull) = self.pulls.get_mut(&extent) else { return };
        match result {
            Ok(_) => pull.taken = end,
            // An earlier process has left a part: it goes on from there.
            Err(ExtentFault::Misplaced(here)) if *here <= pull.order.length => {
                (pull.given, pull.taken) = (*here, *here);
            }
            Err(fault) => {
                self.end_pull(extent, *fault);
                return;
            }
        }
        if pull.taken == pull.order.length && !pull.is_sealing {
            pull.is_sealing = true;
            let expect = Some((pull.order.length, pull.order.root));
            let share = pull.order.share.clone();
            if self.held.contains_key(&extent) {
                self.job(ExtentJob::Drop { extent }, Purpose::Quiet);
            }
            self.job(ExtentJob::Seal { extent, share, expect }, Purpose::Seal(extent));
        }
    }

    pub(super) fn on_pull_sealed(
        &mut self,
        extent: ExtentId,
        result: &Result<ExtentDone, ExtentFault>,
    ) {
        let Some(pull) = self.pulls.get_mut(&extent) else { return };
        match result {
            Ok(ExtentDone::Sealed { length, root }) => {
                let (length, root) = (*length, *root);
                let requester = pull.requester.clone();
                let share = pull.order.share.clone();
                self.pulls.remove(&extent);
                let set = self.held.remove(&extent).and_then(|held| held.set);
                self.keep(StoredExtent { extent, share, length, root, set });
                if let Some(requester) = requester {
                    self.send(&requester, Transfer::Sealed { extent, length, root });
                }
            }
            Err(ExtentFault::Mismatch) => {
                // A source said something else. The disk has forgotten it.
                pull.is_sealing = false;
                (pull.given, pull.taken) = (0, 0);
                pull.tries += 1;
            }
            Err(fault) => self.end_pull(extent, *fault),
            Ok(_) => {}
        }
    }

    fn end_pull(&mut self, extent: ExtentId, fault: ExtentFault) {
        let Some(pull) = self.pulls.remove(&extent) else { return };
        self.job(ExtentJob::DropPieces { extent }, Purpose::Quiet);
        if let Some(requester) = pull.requester {
            self.refuse(&requester, extent, reason(fault));
        }
        // A damaged copy is fetched again later, whoever asked for it.
        if self.held.contains_key(&extent) {
            self.repair_own(extent);
            if let Some(pull) = self.pulls.get_mut(&extent) {
                pull.wait = self.now + AGAIN;
            }
        }
    }

    pub(super) fn tick_pulls(&mut self) {
        let due: Vec<ExtentId> = self
            .pulls
            .iter()
            .filter(|(_, pull)| pull.due().is_some_and(|due| due <= self.now))
            .map(|(extent, _)| *extent)
            .collect();
        for extent in due {
            self.step_pull(extent);
        }
    }

    fn step_pull(&mut self, extent: ExtentId) {
        let Some(pull) = self.pulls.get_mut(&extent) else { return };
        if pull.asked.take().is_some() {
            pull.tries += 1;
        }
        if pull.tries >= ROUNDS * pull.order.from.len().max(1) {
            if pull.requester.is_some() {
                self.end_pull(extent, ExtentFault::Unknown);
            } else {
                pull.tries = 0;
                pull.wait = self.now + AGAIN;
            }
            return;
        }
        if pull.requester.is_none() {
            // Its own damaged copy: the set may have changed.
            let set = self.held.get(&extent).and_then(|held| held.set.as_ref());
            let members = set.into_iter().flat_map(|set| &set.members);
            pull.order.from = members.filter(|name| **name != self.own).cloned().collect();
        }
        let Some(source) = pull.source().cloned() else {
            pull.tries += 1;
            pull.wait = self.now + AGAIN;
            return;
        };
        let rest = (pull.order.length - pull.given).min(PIECE_BYTES as u64);
        let urgent = pull.order.urgent;
        if !self.receiving.pass(self.now, rest, urgent, self.reads.clients_wait()) {
            pull.wait = self.receiving.next();
            return;
        }
        let request = self.reads.next_request();
        self.reads.expect(request, extent);
        pull.asked = Some((request, self.now));
        let bytes = u32::try_from(rest).unwrap_or(u32::MAX);
        let purpose = ReadPurpose::Repair { urgent };
        let order = ReadOrder { request, extent, offset: pull.given, bytes, purpose };
        self.send(&source, Transfer::Read(order));
    }

    pub(super) fn pulls_due(&self) -> Option<BootTime> {
        self.pulls.values().filter_map(Pull::due).min()
    }
}

impl Pull {
    fn source(&self) -> Option<&Name> {
        let sources = &self.order.from;
        sources.get(self.tries % sources.len().max(1))
    }

    /// When it does something by itself; never while the disk works for it.
    fn due(&self) -> Option<BootTime> {
        match self.asked {
            Some((_, at)) => Some(at + SOURCE_TIMEOUT),
            None if self.is_sealing || self.given != self.taken => None,
            None => Some(self.wait),
        }
    }
}
