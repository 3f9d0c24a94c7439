//! One member's part in files: [`Member`]. Owns its keepers, holder and repairer, and the
//! operations of its clients, and hands every input to the part that it concerns.
//!
//! Nothing in it waits, and it knows no network, disk or clock: the daemon and the simulated world
//! drive the same thing.

mod load;
mod operation;
mod output;
mod status;
mod wire;

pub use load::OnDisk;
pub use operation::{ClientError, ClientId, Operation, Outcome, StoredPage, Write, WriteTo};
pub use output::{FilesMessage, MemberNote, MemberOutput};
pub use status::{FilesStatus, ShareStatus};
pub use wire::FilesMessageError;

use crate::ids::ExtentId;
use crate::keeper::{Keeper, Settings};
use crate::path::ShareName;
use crate::placement::Hints;
use crate::settings::ExtentSettings;
use crate::store::{Done, JobId, Refused, Room};
use crate::view::FilesView;
use memberd_council::{BootTime, Now};
use memberd_membership::Name;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The settings of a member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberSettings {
    /// Of its holder, repairer and coordinators.
    pub extents: ExtentSettings,
    /// Of its keepers.
    pub keepers: Settings,
}

/// One member's part in files.
///
/// Its owner hands it inputs together with the time, and then asks [`Member::poll_output`] until
/// there is no more, and [`Member::poll_timeout`] when to wake it. Nothing in it waits.
#[derive(Debug, Clone)]
pub struct Member {
    own: Name,
    settings: MemberSettings,
    now: Now,
    outputs: VecDeque<MemberOutput>,
}

impl Member {
    /// The most operations of clients at once.
    pub const MAX_CLIENTS: usize = 256;

    /// A member that has just started. `on_disk` is what [`OnDisk::load`] found; `seed` is random, and
    /// differs for each process. It takes part from the first view on. That view must be one that
    /// the council confirmed after the start: what a lost disk promised is forgotten.
    #[must_use]
    pub fn new(
        own: Name,
        settings: MemberSettings,
        on_disk: OnDisk,
        seed: u64,
        now: Now,
    ) -> Member {
        let _ = (on_disk, seed);
        Member { own, settings, now, outputs: VecDeque::new() }
    }

    /// A newer agreed view. Older ones, and the same, change nothing.
    pub fn handle_view(&mut self, now: Now, view: Arc<FilesView>) {
        let _ = (now, view);
    }

    /// What is known of members beside the view has changed. Those of `planned` that are gone have
    /// left by plan, and will be back.
    pub fn handle_hints(&mut self, now: Now, hints: Hints, planned: BTreeSet<Name>) {
        let _ = (now, hints, planned);
    }

    /// How long extents with two copies left wait after a member failed.
    pub fn set_repair_after(&mut self, now: Now, repair_after: Duration) {
        let _ = (now, repair_after);
    }

    /// A member has begun anew, by the list of the ring, and may have lost what it had.
    pub fn handle_restarted(&mut self, now: Now, member: &Name) {
        let _ = (now, member);
    }

    /// A message came from this member.
    pub fn handle_message(&mut self, now: Now, from: &Name, message: FilesMessage) {
        let _ = (now, from, message);
    }

    /// The store has ended a job.
    pub fn handle_job(&mut self, now: Now, id: JobId, result: Result<Done, Refused>) {
        let _ = (now, id, result);
    }

    /// How much room the store has, and the damaged copies that it found by itself.
    pub fn handle_store(&mut self, now: Now, room: Room, bad: Vec<ExtentId>) {
        let _ = (now, room, bad);
    }

    /// A client begins an operation. [`MemberOutput::Done`] ends it, unless it is cancelled.
    pub fn begin(&mut self, now: Now, client: ClientId, operation: Operation) {
        let _ = (now, client, operation);
    }

    /// How many bytes [`Member::push`] takes now. It may grow with each input.
    #[must_use]
    pub fn room(&self, client: ClientId) -> usize {
        let _ = client;
        0
    }

    /// The next bytes of a [`Operation::Write`], at most [`Member::room`].
    pub fn push(&mut self, now: Now, client: ClientId, bytes: &[u8]) {
        let _ = (now, client, bytes);
    }

    /// A write has no more bytes.
    pub fn end(&mut self, now: Now, client: ClientId) {
        let _ = (now, client);
    }

    /// A piece of a read is on its way to the client.
    pub fn taken(&mut self, now: Now, client: ClientId) {
        let _ = (now, client);
    }

    /// The client has gone: nothing more comes for it. What it changed may happen nevertheless.
    pub fn cancel(&mut self, now: Now, client: ClientId) {
        let _ = (now, client);
    }

    /// Handles the moment of [`Member::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
    }

    /// What the owner is to do next. Take all of it after each input.
    pub fn poll_output(&mut self) -> Option<MemberOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`Member::handle_timeout`]; nothing while there is nothing to wait for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        None
    }

    /// Whether its disk has failed: then it takes part in nothing more that changes.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        false
    }

    /// Figures for status and metrics.
    #[must_use]
    pub fn status(&self) -> FilesStatus {
        FilesStatus::default()
    }

    /// Its keeper of a share: for tests and figures.
    #[must_use]
    pub fn keeper(&self, share: &ShareName) -> Option<&Keeper> {
        let _ = share;
        None
    }
}
