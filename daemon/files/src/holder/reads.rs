//! Reads at a holder: those of clients at once, those of repair when it is their turn.

use super::traffic::Bucket;
use super::{Holder, HolderOutput, Purpose};
use crate::disk::{ExtentDone, ExtentFault, ExtentJob};
use crate::extent::PIECE_BYTES;
use crate::ids::ExtentId;
use crate::settings::ExtentSettings;
use crate::transfer::{Piece, PullOrder, ReadError, ReadOrder, ReadPurpose, Transfer};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::{BTreeMap, VecDeque};

/// A read that the disk does.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    to: Name,
    order: ReadOrder,
}

/// What waits, and what this holder itself asked of others.
#[derive(Debug, Clone)]
pub(super) struct Reads {
    at_disk: usize,
    clients: usize,
    repairs: VecDeque<Waiting>,
    sending: Bucket,
    next_request: u64,
    expected: BTreeMap<u64, ExtentId>,
}

impl Reads {
    /// The most reads at the disk, and as many of repair that wait.
    const MAX: usize = 1_024;
    /// From here on the questions of a holder are numbered.
    const OWN: u64 = 1 << 63;

    pub(super) fn new(settings: &ExtentSettings, now: BootTime) -> Self {
        Reads {
            at_disk: 0,
            clients: 0,
            repairs: VecDeque::new(),
            sending: Bucket::new(settings, now),
            // The numbers of an operation's reads are smaller.
            next_request: Self::OWN,
            expected: BTreeMap::new(),
        }
    }

    pub(super) fn next_request(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }

    pub(super) fn expect(&mut self, request: u64, extent: ExtentId) {
        // What was never answered goes, oldest first.
        if self.expected.len() >= Self::MAX {
            self.expected.pop_first();
        }
        self.expected.insert(request, extent);
    }

    /// Whether clients wait, so that repair is slower.
    pub(super) fn clients_wait(&self) -> bool {
        self.clients > 0
    }

    pub(super) fn due(&self) -> Option<BootTime> {
        (!self.repairs.is_empty()).then(|| self.sending.next())
    }
}

impl Holder {
    pub(super) fn on_read(&mut self, from: &Name, order: ReadOrder) {
        let waiting = Waiting { to: from.clone(), order };
        if self.reads.at_disk + self.reads.repairs.len() >= Reads::MAX {
            self.read_refused(from, order.request);
        } else if matches!(order.purpose, ReadPurpose::Repair { .. }) {
            self.reads.repairs.push_back(waiting);
        } else {
            self.read(waiting);
        }
    }

    fn read(&mut self, waiting: Waiting) {
        let ReadOrder { extent, offset, bytes, purpose, request } = waiting.order;
        let bytes = bytes.min(u32::try_from(PIECE_BYTES).unwrap_or(u32::MAX));
        let job = match self.held.get(&extent) {
            Some(held) if held.is_bad => {
                let bytes = Err(ReadError::Bad);
                self.send(&waiting.to, Transfer::Data { request, bytes });
                return;
            }
            Some(_) => ExtentJob::Read { extent, offset, bytes },
            None if purpose == ReadPurpose::Upload && self.uploads.contains_key(&extent) => {
                ExtentJob::ReadPieces { extent, offset, bytes }
            }
            None => {
                let bytes = Err(ReadError::Unknown);
                self.send(&waiting.to, Transfer::Data { request, bytes });
                return;
            }
        };
        self.reads.at_disk += 1;
        self.reads.clients += usize::from(purpose == ReadPurpose::Client);
        self.job(job, Purpose::Read(waiting));
    }

    pub(super) fn on_read_done(
        &mut self,
        waiting: &Waiting,
        result: Result<ExtentDone, ExtentFault>,
    ) {
        let ReadOrder { request, extent, purpose, .. } = waiting.order;
        self.reads.at_disk -= 1;
        self.reads.clients -= usize::from(purpose == ReadPurpose::Client);
        let bytes = match result {
            Ok(ExtentDone::Bytes(bytes)) => Ok(bytes),
            Err(ExtentFault::Bad) => {
                self.on_bad_copy(extent);
                Err(ReadError::Bad)
            }
            Err(ExtentFault::Unknown) => Err(ReadError::Unknown),
            _ => Err(ReadError::Busy),
        };
        self.send(&waiting.to, Transfer::Data { request, bytes });
    }

    pub(super) fn read_refused(&mut self, to: &Name, request: u64) {
        self.send(to, Transfer::Data { request, bytes: Err(ReadError::Busy) });
    }

    /// The copy is set aside, and fetched again from the other holders.
    pub(super) fn on_bad_copy(&mut self, extent: ExtentId) {
        let Some(held) = self.held.get_mut(&extent).filter(|held| !held.is_bad) else { return };
        held.is_bad = true;
        self.outputs.push_back(HolderOutput::BadCopy(extent));
        self.repair_own(extent);
    }

    /// Fetches a damaged copy again.
    pub(super) fn repair_own(&mut self, extent: ExtentId) {
        let Some(held) = self.held.get(&extent) else { return };
        let members = held.set.iter().flat_map(|set| &set.members);
        let from: Vec<Name> = members.filter(|name| **name != self.own).cloned().collect();
        let (share, length, root) = (held.share.clone(), held.length, held.root);
        let order = PullOrder { extent, share, length, root, from, urgent: true };
        self.pull(None, order);
    }

    pub(super) fn on_data(&mut self, from: &Name, request: u64, bytes: Result<Piece, ReadError>) {
        let Some(extent) = self.reads.expected.remove(&request) else { return };
        if self.pulls.contains_key(&extent) {
            self.on_pulled(extent, from, request, bytes);
        } else if let Ok(bytes) = bytes {
            self.on_copied(extent, request, &bytes);
        }
    }

    pub(super) fn tick_reads(&mut self) {
        while let Some(waiting) = self.reads.repairs.front() {
            let urgent = waiting.order.purpose == ReadPurpose::Repair { urgent: true };
            let bytes = u64::from(waiting.order.bytes);
            let clients = self.reads.clients_wait();
            if !self.reads.sending.pass(self.now, bytes, urgent, clients) {
                return;
            }
            if let Some(waiting) = self.reads.repairs.pop_front() {
                self.read(waiting);
            }
        }
    }
}
