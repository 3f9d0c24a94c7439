//! What a keeper answers without changing anything: queries, and images for other keepers.

use crate::catalog::{Ballot, Position, Query};
use crate::keeper::event::{Reply, RequestId};
use crate::keeper::message::{Body, Message};
use crate::keeper::{Keeper, Role};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::sync::Arc;
use std::time::Duration;

/// The most reads that wait for the lease.
const MAX_READS: usize = 256;
/// An image that nobody asks for any more is dropped after this time.
const IDLE: Duration = Duration::from_secs(10);

/// A read that waits for the lease.
#[derive(Debug, Clone)]
pub(super) struct WaitingRead {
    pub(super) request: RequestId,
    query: Query,
    until: BootTime,
}

/// The image that other keepers fetch.
#[derive(Debug, Clone)]
pub(super) struct Served {
    at: Position,
    bytes: Arc<Vec<u8>>,
    hash: [u8; 32],
    asked_at: BootTime,
}

impl Keeper {
    pub(super) fn on_query(&mut self, request: RequestId, query: Query, at_least: Option<u64>) {
        let applied = self.catalog.as_ref().map(|catalog| catalog.applied().index);
        if at_least.is_some_and(|least| applied.is_some_and(|applied| applied >= least)) {
            return self.find(request, &query);
        }
        if self.has_lease() {
            self.find(request, &query);
        } else if self.reads.len() >= MAX_READS {
            return self.reply(request, Reply::Busy);
        } else if self.may_lead() {
            let until = self.now.boot + self.settings.patience;
            self.reads.push_back(WaitingRead { request, query, until });
        } else {
            let primary = self.primary().filter(|primary| *primary != self.own);
            return self.reply(request, Reply::NotPrimary { primary });
        }
        self.renew_lease();
    }

    fn may_lead(&self) -> bool {
        match &self.role {
            Role::Primary(_) => true,
            Role::Claiming(claim) => !claim.is_closed,
            Role::Former | Role::Waiting { .. } | Role::Backup => false,
        }
    }

    /// Whether no other primary can have acknowledged anything until now.
    fn has_lease(&self) -> bool {
        self.lease().0.is_some_and(|until| self.now.boot < until)
    }

    /// Asks the others when half of the lease is over, but not all the time.
    fn renew_lease(&mut self) {
        let (until, sent) = self.lease();
        let (now, lease) = (self.now.boot, self.settings.lease);
        let asked = sent.is_some_and(|sent| now < sent + lease / 8);
        if !asked && until.is_none_or(|until| until < now + lease / 2) {
            self.send_beacon();
        }
    }

    fn find(&mut self, request: RequestId, query: &Query) {
        let is_newest = self.has_lease();
        if let Some(catalog) = &self.catalog {
            let (found, index) = (catalog.ask(query), catalog.applied().index);
            self.reply(request, Reply::Found { found, index, is_newest });
        }
    }

    pub(super) fn serve_due(&self) -> Option<BootTime> {
        let read =
            self.reads.front().map(|read| read.until.min(self.now.boot + self.settings.lease / 8));
        let served = self.served.as_ref().map(|served| served.asked_at + IDLE);
        [read, served].into_iter().flatten().min()
    }

    pub(super) fn tick_serve(&mut self) {
        let now = self.now.boot;
        if self.served.as_ref().is_some_and(|served| served.asked_at + IDLE <= now) {
            self.served = None;
        }
        if self.reads.is_empty() {
            return;
        }
        if self.has_lease() {
            for read in std::mem::take(&mut self.reads) {
                self.find(read.request, &read.query);
            }
            return;
        }
        while self.reads.front().is_some_and(|read| read.until <= now) {
            if let Some(read) = self.reads.pop_front() {
                self.reply(read.request, Reply::NotPrimary { primary: None });
            }
        }
        if !self.reads.is_empty() {
            self.renew_lease();
        }
    }

    /// A piece of an image. Within one reign both logs are the same. Else the position that the
    /// other names must be in this log: all keepers had it, so it is applied here.
    pub(super) fn on_want_image(
        &mut self,
        from: &Name,
        (ballot, covering): (Ballot, Position),
        at: Option<Position>,
        offset: u64,
    ) {
        let primary = self.mark.primary.as_ref();
        let same_reign = ballot != Ballot::NONE
            && ballot == self.mark.promised
            && primary.is_some_and(|primary| primary == from || *primary == self.own);
        if !same_reign {
            if !self.log.contains(covering) {
                return;
            }
            self.commit(covering.index);
        }
        let Some(catalog) = &self.catalog else { return };
        if catalog.applied().index < covering.index {
            return;
        }
        let continues = at.is_some() && self.served.as_ref().map(|served| served.at) == at;
        if !continues {
            let bytes = catalog.to_image();
            let hash = *blake3::hash(&bytes).as_bytes();
            let (at, bytes) = (catalog.applied(), Arc::new(bytes));
            self.served = Some(Served { at, bytes, hash, asked_at: self.now.boot });
        }
        let Some(served) = &mut self.served else { return };
        served.asked_at = self.now.boot;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let start = if continues { start.min(served.bytes.len()) } else { 0 };
        let end = served.bytes.len().min(start + Message::MAX_PIECE);
        let body = Body::ImagePiece {
            at: served.at,
            offset: start as u64,
            total: served.bytes.len() as u64,
            hash: served.hash,
            bytes: served.bytes[start..end].to_vec(),
        };
        self.send(from, body);
    }
}
