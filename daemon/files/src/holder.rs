//! One member's extents: [`Holder`]. Owns the uploads, the index of what is sealed here, the reads
//! that wait, and what goes to the disk.

mod early;
mod garbage;
mod pulls;
mod reads;
#[cfg(test)]
mod tests;
mod traffic;
mod uploads;

use crate::content::HolderSet;
use crate::disk::{ExtentDone, ExtentFault, ExtentJob, StoredExtent};
use crate::ids::{Epoch, ExtentId};
use crate::path::ShareName;
use crate::settings::ExtentSettings;
use crate::transfer::{RefusalReason, Transfer};
use early::Early;
use garbage::Garbage;
use memberd_council::BootTime;
use memberd_membership::Name;
use pulls::Pull;
use reads::{Reads, Waiting};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use uploads::Upload;

pub use garbage::ExtentUse;

/// What the owner of a holder is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HolderOutput {
    /// Send this.
    Send {
        /// To whom; may be this member itself.
        to: Name,
        /// What.
        message: Transfer,
    },
    /// Have the disk do this, and tell the end by [`Holder::handle_disk`].
    Job {
        /// The number of the job.
        id: u64,
        /// The job.
        job: ExtentJob,
    },
    /// Ask the primary of a share which of these are in use; see [`Holder::handle_in_use`].
    AskInUse {
        /// The share.
        share: ShareName,
        /// At most 1,000.
        extents: Vec<ExtentId>,
    },
    /// An extent is sealed here, or its set has changed: for the repairer.
    Held(StoredExtent),
    /// An extent is here no more.
    Dropped(ExtentId),
    /// A copy here is damaged. It is fetched again.
    BadCopy(ExtentId),
    /// The disk has failed: nothing more is taken or said.
    StorageFailed,
}

/// A sealed extent here.
#[derive(Debug, Clone)]
struct Held {
    share: ShareName,
    length: u64,
    root: [u8; 32],
    set: Option<HolderSet>,
    /// When it came, or this process began.
    since: BootTime,
    /// How often the catalog did not know it.
    asked: u32,
    is_bad: bool,
}

/// For what a job of the disk is.
#[derive(Debug, Clone)]
enum Purpose {
    Piece(ExtentId, u64),
    PullPiece(ExtentId, u64),
    Seal(ExtentId),
    Read(Waiting),
    /// Nothing waits for it.
    Quiet,
}

/// One member's extents.
///
/// Its owner hands it inputs together with the time, and then asks [`Holder::poll_output`] until
/// there is no more, and [`Holder::poll_timeout`] when to wake it. Nothing in it waits.
#[derive(Debug, Clone)]
pub struct Holder {
    own: Name,
    settings: ExtentSettings,
    now: BootTime,
    epoch: Epoch,
    is_failed: bool,
    uploads: BTreeMap<ExtentId, Upload>,
    early: Early,
    pulls: BTreeMap<ExtentId, Pull>,
    held: BTreeMap<ExtentId, Held>,
    reads: Reads,
    garbage: Garbage,
    receiving: traffic::Bucket,
    jobs: BTreeMap<u64, Purpose>,
    next_job: u64,
    outputs: VecDeque<HolderOutput>,
}

impl Holder {
    /// The most uploads and pulls at once.
    pub const MAX_UPLOADS: usize = 256;
    /// How long an upload may rest before it counts as given up.
    pub const UPLOAD_REST: Duration = Duration::from_secs(600);

    /// A holder that has just started, with what its disk has.
    #[must_use]
    pub fn new(
        own: Name,
        settings: ExtentSettings,
        stored: Vec<StoredExtent>,
        now: BootTime,
    ) -> Self {
        let mut holder = Holder {
            own,
            now,
            epoch: Epoch::default(),
            is_failed: false,
            uploads: BTreeMap::new(),
            early: Early::default(),
            pulls: BTreeMap::new(),
            held: BTreeMap::new(),
            reads: Reads::new(&settings, now),
            garbage: Garbage::default(),
            receiving: traffic::Bucket::new(&settings, now),
            jobs: BTreeMap::new(),
            next_job: 0,
            outputs: VecDeque::new(),
            settings,
        };
        for extent in stored {
            holder.keep(extent);
        }
        holder
    }

    /// A message came from a member, perhaps this one.
    pub fn handle_message(&mut self, now: BootTime, from: &Name, message: Transfer) {
        self.now = now;
        if self.is_failed {
            self.refuse_all(from, &message);
            return;
        }
        match message {
            Transfer::Begin { extent, share, next, copy, hint } => {
                self.on_begin(from, extent, (share, hint), (next, copy));
            }
            Transfer::Piece { extent, offset, bytes } => self.on_piece(extent, offset, &bytes),
            Transfer::Finish { extent, length } => self.on_finish(from, extent, length),
            Transfer::Abandon { extent } => self.on_abandon(extent),
            Transfer::Pull(order) => self.on_pull(from, order),
            Transfer::SetIs { extent, set } => self.on_set(extent, set),
            Transfer::Read(order) => self.on_read(from, order),
            Transfer::Verify { request, extents } => self.on_verify(from, request, &extents),
            Transfer::Data { request, bytes } => self.on_data(from, request, bytes),
            Transfer::Got { .. }
            | Transfer::Sealed { .. }
            | Transfer::Refused { .. }
            | Transfer::Lacks { .. } => {}
        }
        self.tick();
    }

    /// The disk has ended a job.
    pub fn handle_disk(&mut self, now: BootTime, id: u64, result: Result<ExtentDone, ExtentFault>) {
        self.now = now;
        let Some(purpose) = self.jobs.remove(&id) else { return };
        if result == Err(ExtentFault::Failed) && !self.is_failed {
            self.is_failed = true;
            self.outputs.push_back(HolderOutput::StorageFailed);
        }
        match purpose {
            Purpose::Piece(extent, end) => self.on_taken(extent, end, &result),
            Purpose::PullPiece(extent, end) => self.on_pull_taken(extent, end, &result),
            Purpose::Seal(extent) => self.on_sealed(extent, &result),
            Purpose::Read(waiting) => self.on_read_done(&waiting, result),
            Purpose::Quiet => {}
        }
        self.tick();
    }

    /// The number of the newest agreed view, and whether this member was not in the one before.
    /// Then the catalogs are asked what is in use.
    pub fn handle_view(&mut self, now: BootTime, epoch: Epoch, is_new_here: bool) {
        self.now = now;
        self.epoch = self.epoch.max(epoch);
        if is_new_here {
            self.ask_soon();
        }
        self.tick();
    }

    /// Handles the moment of [`Holder::poll_timeout`].
    pub fn handle_timeout(&mut self, now: BootTime) {
        self.now = now;
        self.tick();
    }

    /// When to call [`Holder::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        let parts = [
            self.uploads_due(),
            self.pulls_due(),
            self.reads.due(),
            self.garbage.due(),
            self.early.due(),
        ];
        parts.into_iter().flatten().min().filter(|_| !self.is_failed)
    }

    /// What the owner is to do next. Take all of it after each input.
    pub fn poll_output(&mut self) -> Option<HolderOutput> {
        self.outputs.pop_front()
    }

    /// The disk has found a damaged copy by itself.
    pub fn handle_bad(&mut self, now: BootTime, extent: ExtentId) {
        self.now = now;
        self.on_bad_copy(extent);
        self.tick();
    }

    /// The answer to [`HolderOutput::AskInUse`], of the primary in an epoch.
    pub fn handle_in_use(
        &mut self,
        now: BootTime,
        share: &ShareName,
        epoch: Epoch,
        uses: Vec<(ExtentId, ExtentUse)>,
    ) {
        self.now = now;
        self.on_in_use(share, epoch, uses);
        self.tick();
    }

    /// The recorded holders of an extent here, if they were heard.
    #[must_use]
    pub fn set_of(&self, extent: ExtentId) -> Option<&HolderSet> {
        self.held.get(&extent)?.set.as_ref()
    }

    /// What is to be noted beside an upload, for people.
    #[must_use]
    pub fn hint_of(&self, extent: ExtentId) -> Option<&str> {
        self.uploads.get(&extent).map(Upload::hint)
    }

    /// How many extents are sealed here, and their bytes.
    #[must_use]
    pub fn held(&self) -> (usize, u64) {
        (self.held.len(), self.held.values().map(|held| held.length).sum())
    }

    fn tick(&mut self) {
        if self.is_failed {
            return;
        }
        self.early.forget_old(self.now);
        self.tick_uploads();
        self.tick_pulls();
        self.tick_reads();
        self.tick_garbage();
    }

    fn keep(&mut self, stored: StoredExtent) {
        let StoredExtent { extent, share, length, root, set } = stored.clone();
        let wait = if set.is_some() { Duration::ZERO } else { self.settings.ask_unsettled };
        let (since, ask_at) = (self.now, self.now + wait);
        let held = Held { share, length, root, set, since, asked: 0, is_bad: false };
        self.garbage.ask_at(extent, ask_at);
        self.held.insert(extent, held);
        self.outputs.push_back(HolderOutput::Held(stored));
    }

    fn on_set(&mut self, extent: ExtentId, set: HolderSet) {
        let Some(held) = self.held.get_mut(&extent) else { return };
        if held.set.as_ref().is_some_and(|known| known.version >= set.version) {
            return;
        }
        held.set = Some(set.clone());
        self.garbage.ask_at(extent, self.now + self.settings.ask_every);
        let (share, length, root) = (held.share.clone(), held.length, held.root);
        let stored = StoredExtent { extent, share, length, root, set: Some(set.clone()) };
        self.outputs.push_back(HolderOutput::Held(stored));
        self.job(ExtentJob::Set { extent, set }, Purpose::Quiet);
    }

    fn on_verify(&mut self, from: &Name, request: u64, extents: &[(ExtentId, u64)]) {
        let here = |(extent, length): &(ExtentId, u64)| {
            self.held.get(extent).is_some_and(|held| held.length == *length && !held.is_bad)
        };
        let asked = extents.iter().take(Transfer::MAX_VERIFY);
        let lacks = asked.filter(|one| !here(one)).map(|(extent, _)| *extent).collect();
        self.send(from, Transfer::Lacks { request, extents: lacks });
    }

    /// Says that an extent is here. Whoever asked may record it now, so it counts as new: a
    /// question under way about it removes nothing.
    fn say_sealed(&mut self, to: &Name, extent: ExtentId) {
        let Some(held) = self.held.get_mut(&extent) else { return };
        held.since = self.now;
        let (length, root) = (held.length, held.root);
        self.garbage.renew(extent);
        self.send(to, Transfer::Sealed { extent, length, root });
    }

    fn refuse_all(&mut self, from: &Name, message: &Transfer) {
        match message {
            Transfer::Begin { extent, .. }
            | Transfer::Piece { extent, .. }
            | Transfer::Finish { extent, .. } => {
                self.refuse(from, *extent, RefusalReason::Failed);
            }
            Transfer::Pull(order) => self.refuse(from, order.extent, RefusalReason::Failed),
            Transfer::Read(order) => self.read_refused(from, order.request),
            Transfer::Verify { request, extents } => {
                let extents = extents.iter().map(|(extent, _)| *extent).collect();
                self.send(from, Transfer::Lacks { request: *request, extents });
            }
            _ => {}
        }
    }

    fn send(&mut self, to: &Name, message: Transfer) {
        self.outputs.push_back(HolderOutput::Send { to: to.clone(), message });
    }

    fn refuse(&mut self, to: &Name, extent: ExtentId, why: RefusalReason) {
        self.send(to, Transfer::Refused { extent, why });
    }

    fn job(&mut self, job: ExtentJob, purpose: Purpose) {
        self.next_job += 1;
        self.jobs.insert(self.next_job, purpose);
        self.outputs.push_back(HolderOutput::Job { id: self.next_job, job });
    }
}
