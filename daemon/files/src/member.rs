//! One member's part in files: [`Member`]. Owns its keepers, holder and repairer, and the
//! operations of its clients, and hands every input to the part that it concerns.
//!
//! Nothing in it waits, and it knows no network, disk or clock: the daemon and the simulated world
//! drive the same thing.

mod asks;
mod clients;
mod jobs;
mod journal;
mod load;
mod merging;
mod operation;
mod output;
mod parts;
mod reading;
mod shares;
mod status;
#[cfg(test)]
mod tests;
mod wire;
mod writing;

pub use load::OnDisk;
pub use operation::{ClientError, ClientId, Operation, Outcome, StoredPage, Write, WriteTo};
pub use output::{FilesMessage, MemberNote, MemberOutput};
pub use status::{FilesStatus, ShareStatus};
pub use wire::FilesMessageError;

use crate::holder::Holder;
use crate::ids::{Epoch, ExtentId};
use crate::keeper::{Keeper, Settings};
use crate::path::ShareName;
use crate::placement::Hints;
use crate::repair::Repairer;
use crate::settings::ExtentSettings;
use crate::store::{Done, JobId, Refused, Room};
use crate::view::FilesView;
use asks::Asks;
use clients::Client;
use jobs::{JobFor, Jobs};
use memberd_council::{BootTime, Now};
use memberd_membership::Name;
use parts::Purpose;
use shares::Shares;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    view: Arc<FilesView>,
    /// What the owner knows of others, and what this member knows of its own disk.
    hints: Hints,
    planned: BTreeSet<Name>,
    room: Room,
    /// The newest view of which anybody spoke.
    newest: Epoch,
    seed: u64,
    /// How many numbers were drawn.
    drawn: u64,
    shares: Shares,
    asks: Asks<Purpose>,
    holder: Holder,
    repairer: Repairer,
    clients: BTreeMap<ClientId, Client>,
    /// Whose questions to holders begin at which number.
    readers: BTreeMap<u64, ClientId>,
    jobs: Jobs,
    /// What this member says to itself.
    inner: VecDeque<FilesMessage>,
    is_failed: bool,
    outputs: VecDeque<MemberOutput>,
}

impl Member {
    /// The most operations of clients at once.
    pub const MAX_CLIENTS: usize = 256;

    /// A member that has just started. `on_disk` is what [`OnDisk::load`] found; `seed` is random,
    /// and differs for each process. It takes part from the first view on. That view must be one
    /// that the council confirmed after the start: what a lost disk promised is forgotten.
    #[must_use]
    pub fn new(
        own: Name,
        settings: MemberSettings,
        mut on_disk: OnDisk,
        seed: u64,
        now: Now,
    ) -> Member {
        let shares = Shares::new(own.clone(), settings.keepers, &mut on_disk, now);
        let OnDisk { extents, bad, .. } = on_disk;
        let holder = Holder::new(own.clone(), settings.extents.clone(), extents, now.boot);
        let repairer = Repairer::new(own.clone(), settings.extents.clone(), now.boot);
        let first = parts::number(seed, 0);
        let mut member = Member {
            asks: Asks::new(own.clone(), first, now.boot),
            own,
            settings,
            now,
            view: Arc::default(),
            hints: Hints::default(),
            planned: BTreeSet::new(),
            room: Room::Plenty,
            newest: Epoch::NONE,
            seed,
            drawn: 1,
            shares,
            holder,
            repairer,
            clients: BTreeMap::new(),
            readers: BTreeMap::new(),
            jobs: Jobs::default(),
            inner: VecDeque::new(),
            is_failed: false,
            outputs: VecDeque::new(),
        };
        for extent in bad {
            member.holder.handle_bad(now.boot, extent);
        }
        member.run();
        member
    }

    /// A newer agreed view. Older ones, and the same, change nothing.
    pub fn handle_view(&mut self, now: Now, view: Arc<FilesView>) {
        self.now = now;
        if view.epoch > self.view.epoch {
            self.change_view(view);
            self.run();
        }
    }

    /// What is known of members beside the view has changed. Those of `planned` that are gone have
    /// left by plan, and will be back.
    pub fn handle_hints(&mut self, now: Now, hints: Hints, planned: BTreeSet<Name>) {
        self.now = now;
        (self.hints, self.planned) = (hints, planned);
        self.show_hints();
        self.run();
    }

    /// How long extents with two copies left wait after a member failed.
    pub fn set_repair_after(&mut self, now: Now, repair_after: Duration) {
        self.now = now;
        self.repairer.set_repair_after(repair_after);
        self.settings.extents.repair_after = repair_after;
    }

    /// A member has begun anew, by the list of the ring, and may have lost what it had.
    pub fn handle_restarted(&mut self, now: Now, member: &Name) {
        self.now = now;
        self.repairer.handle_restarted(now.boot, member);
        self.run();
    }

    /// A message came from this member.
    pub fn handle_message(&mut self, now: Now, from: &Name, message: FilesMessage) {
        self.now = now;
        self.receive(from, message);
        self.run();
    }

    /// The store has ended a job.
    pub fn handle_job(&mut self, now: Now, id: JobId, result: Result<Done, Refused>) {
        self.now = now;
        if matches!(result, Err(Refused::Failed(_))) {
            self.fail();
        }
        match self.jobs.end(id) {
            Some(JobFor::Holder(number)) => {
                self.holder.handle_disk(now.boot, number, jobs::result(result));
            }
            Some(JobFor::Share(share, number)) => {
                self.shares.handle_job(now, &share, number, result.map(drop));
            }
            Some(JobFor::Stored(client)) => self.on_stored(client, result),
            None => {}
        }
        self.run();
    }

    /// How much room the store has, and the damaged copies that it found by itself.
    pub fn handle_store(&mut self, now: Now, room: Room, bad: Vec<ExtentId>) {
        self.now = now;
        for extent in bad {
            self.holder.handle_bad(now.boot, extent);
        }
        if room != self.room {
            self.room = room;
            self.show_hints();
        }
        self.run();
    }

    /// Handles the moment of [`Member::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        let is_due = |at: Option<BootTime>| at.is_some_and(|at| at <= now.boot);
        if is_due(self.shares.poll_timeout()) {
            self.shares.handle_timeout(now);
        }
        if is_due(self.asks.poll_timeout()) {
            self.asks.handle_timeout(now.boot);
        }
        if is_due(self.holder.poll_timeout()) {
            self.holder.handle_timeout(now.boot);
        }
        if is_due(self.repairer.poll_timeout()) {
            self.repairer.handle_timeout(now.boot);
        }
        self.wake_clients();
        self.run();
    }

    /// What the owner is to do next. Take all of it after each input.
    pub fn poll_output(&mut self) -> Option<MemberOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`Member::handle_timeout`]; nothing while there is nothing to wait for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        let clients = self.clients.values().filter_map(Client::due).min();
        let parts = [
            self.shares.poll_timeout(),
            self.asks.poll_timeout(),
            self.holder.poll_timeout(),
            self.repairer.poll_timeout(),
            clients,
        ];
        parts.into_iter().flatten().min()
    }

    /// Whether its disk has failed: then it takes part in nothing more that changes.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.is_failed
    }

    /// Figures for status and metrics.
    #[must_use]
    pub fn status(&self) -> FilesStatus {
        let (extents, extent_bytes) = self.holder.held();
        let (repairs_waiting, repairs_running) = self.repairer.work();
        let is = |of: fn(&Client) -> bool| self.clients.values().filter(|one| of(one)).count();
        FilesStatus {
            store: None,
            shares: self.shares.status(),
            extents,
            extent_bytes,
            repairs_waiting,
            repairs_running,
            writes: is(|client| matches!(client, Client::Write(_))),
            reads: is(|client| matches!(client, Client::Read(_))),
            asks: self.asks.len(),
        }
    }

    /// Its keeper of a share: for tests and figures.
    #[must_use]
    pub fn keeper(&self, share: &ShareName) -> Option<&Keeper> {
        self.shares.keeper(share)
    }
}
