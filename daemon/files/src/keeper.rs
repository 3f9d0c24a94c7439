//! One keeper of one share's catalog: [`Keeper`]. Owns the log, the catalog and its part of the
//! agreement among the keepers, and hands every input to the part that it concerns.

mod claim;
mod disk;
mod event;
mod fill;
mod follow;
mod lease;
mod log;
mod message;
mod offer;
mod own;
mod record;
mod reign;
mod serve;
mod settings;

pub use event::{DiskId, KeeperRole, KeeperStatus, Output, Reply, RequestId};
pub use message::{Body, Level, Message, Report};
pub use record::{Durable, ImageAt, Mark, Record};
pub use settings::{Mutant, Settings};

use crate::catalog::{Ballot, Catalog, ImageError, Position, Query};
use crate::ids::{Epoch, OperationId};
use crate::path::ShareName;
use crate::view::{FilesView, ShareKeepers};
use claim::Claim;
use disk::Disk;
use fill::Filling;
use lease::Promise;
use log::Log;
use memberd_council::{BootTime, Now};
use memberd_membership::Name;
use reign::Reign;
use serve::{Served, WaitingRead};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// One keeper of one share's catalog.
///
/// Its owner hands it inputs together with the time, and then asks [`Keeper::poll_output`] until
/// there is no more, and [`Keeper::poll_timeout`] when to wake it. Nothing in it waits.
#[derive(Debug, Clone)]
pub struct Keeper {
    settings: Settings,
    own: Name,
    share: ShareName,
    now: Now,
    /// The newest view, and the keepers of this share in it.
    view: Arc<FilesView>,
    keepers: Option<ShareKeepers>,
    mark: Mark,
    disk: Disk,
    log: Log,
    /// The catalog, if it is whole. Applied up to `committed`.
    catalog: Option<Catalog>,
    /// Up to which index all keepers had the log, as far as it is known here.
    committed: u64,
    /// The last entry in the image on disk, its bytes, and whether one is being written.
    image: Position,
    image_bytes: usize,
    image_write: Option<u64>,
    /// Bytes of the entries since that image, by their weight.
    log_bytes: usize,
    role: Role,
    lease_promise: Promise,
    filling: Option<Filling>,
    served: Option<Served>,
    reads: VecDeque<WaitingRead>,
    offered_at: Option<BootTime>,
    outputs: VecDeque<Output>,
    failed: bool,
}

/// What a keeper does in the newest view.
#[derive(Debug, Clone)]
enum Role {
    /// It is no keeper of it.
    Former,
    /// It waits for a claim, and says what it has. Others said so too.
    Waiting { standings: BTreeMap<Name, Report>, say_at: BootTime },
    /// It wants to be primary.
    Claiming(Box<Claim>),
    /// It is primary.
    Primary(Box<Reign>),
    /// It has promised the primary of this view.
    Backup,
}

impl Keeper {
    /// A keeper that has just started, with what its disk holds. It takes part from the first view
    /// on. If it has nothing durable, that view must be one that the council confirmed after the
    /// start: it has forgotten what it promised.
    ///
    /// # Errors
    /// When the image is damaged. Then start without anything durable, as a wiped keeper.
    pub fn new(
        settings: Settings,
        own: Name,
        share: ShareName,
        durable: Durable,
        now: Now,
    ) -> Result<Keeper, ImageError> {
        let mark = durable.mark.unwrap_or_else(|| Mark::blank(Epoch::NONE));
        let mut keeper = Keeper {
            settings,
            own,
            share,
            now,
            view: Arc::default(),
            keepers: None,
            lease_promise: Promise::restarted(&mark, now.boot, settings.lease),
            mark,
            disk: Disk::default(),
            log: Log::default(),
            catalog: None,
            committed: 0,
            image: Position::START,
            image_bytes: 0,
            image_write: None,
            log_bytes: 0,
            role: Role::Former,
            filling: None,
            served: None,
            reads: VecDeque::new(),
            offered_at: None,
            outputs: VecDeque::new(),
            failed: false,
        };
        keeper.load(durable.image, durable.entries)?;
        Ok(keeper)
    }

    /// A newer view. Older ones, and the same, change nothing.
    pub fn handle_view(&mut self, now: Now, view: &Arc<FilesView>) {
        self.step(now, |keeper| keeper.on_view(view));
    }

    /// A message came from this member.
    pub fn handle_message(&mut self, now: Now, from: &Name, message: Message) {
        self.step(now, |keeper| {
            if message.added == keeper.mark.added {
                keeper.receive(from, message.body);
            }
        });
    }

    /// This write, and so every one before it, is durable.
    pub fn handle_written(&mut self, now: Now, id: DiskId) {
        self.step(now, |keeper| {
            keeper.disk.on_written(id);
            keeper.on_image_written();
        });
    }

    /// A write has failed, so nothing that was not durable counts: the keeper ends.
    pub fn handle_disk_failed(&mut self, now: Now) {
        self.step(now, |keeper| {
            keeper.give_up();
            keeper.failed = true;
        });
    }

    /// A client's mutation, and the view by which the holders of its extents were chosen.
    /// [`Output::Reply`] follows, unless the process ends before.
    pub fn propose(
        &mut self,
        now: Now,
        request: RequestId,
        (operation, epoch): (OperationId, Epoch),
        mutation: crate::catalog::Mutation,
    ) {
        self.step(now, |keeper| keeper.on_proposal(request, (operation, epoch), mutation));
    }

    /// A client's question. With `at_least`, any catalog that was applied up to there may answer;
    /// else the primary alone.
    pub fn ask(&mut self, now: Now, request: RequestId, query: Query, at_least: Option<u64>) {
        self.step(now, |keeper| keeper.on_query(request, query, at_least));
    }

    /// Handles the moment of [`Keeper::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Now) {
        self.step(now, |_| {});
    }

    /// What the owner is to do next. Take all of it after each input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Keeper::handle_timeout`]; nothing while there is nothing to wait for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        if self.failed {
            return None;
        }
        let role = match &self.role {
            Role::Former | Role::Backup => None,
            Role::Waiting { say_at, .. } => Some(*say_at),
            Role::Claiming(claim) => Some(self.claim_due(claim)),
            Role::Primary(reign) => self.reign_due(reign),
        };
        let parts = [role, self.fill_due(), self.serve_due(), self.offer_due()];
        parts.into_iter().flatten().min()
    }

    /// The ballot under which it is primary now.
    #[must_use]
    pub fn reign(&self) -> Option<Ballot> {
        match &self.role {
            Role::Primary(reign) if !self.failed => Some(reign.ballot),
            _ => None,
        }
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> KeeperStatus {
        let role = match &self.role {
            _ if self.failed => KeeperRole::Failed,
            Role::Former => KeeperRole::Former,
            Role::Waiting { .. } => KeeperRole::Waiting,
            Role::Claiming(claim) if claim.is_closed => KeeperRole::Closed,
            Role::Claiming(_) => KeeperRole::Claiming,
            Role::Primary(_) => KeeperRole::Primary,
            Role::Backup => KeeperRole::Backup,
        };
        let filling = match &self.role {
            Role::Primary(reign) => reign.filling(),
            _ => Vec::new(),
        };
        KeeperStatus {
            role,
            primary: self.primary(),
            applied: self.catalog.as_ref().map(|catalog| catalog.applied().index),
            end: self.log.end().index,
            filling,
        }
    }

    /// Whether its disk has failed: it says nothing more.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.failed
    }

    /// Which share of its name it keeps: the number of the view that added it.
    #[must_use]
    pub fn added(&self) -> Epoch {
        self.mark.added
    }

    /// Whether it has written nothing that is still there.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.mark == Mark::blank(self.mark.added)
    }

    /// The catalog, if it is whole here: applied up to what this keeper knows.
    #[must_use]
    pub fn catalog(&self) -> Option<&Catalog> {
        self.catalog.as_ref()
    }

    /// The position of an entry of its log, if it is in memory.
    #[must_use]
    pub fn position(&self, index: u64) -> Option<Position> {
        self.log.position(index)
    }

    /// Whom it takes for primary.
    fn primary(&self) -> Option<Name> {
        let of_view = self.mark.promised.epoch == self.view.epoch;
        self.mark.primary.clone().filter(|_| of_view)
    }

    /// Every input: the time, the input itself, what is due, and what may be said now.
    fn step(&mut self, now: Now, input: impl FnOnce(&mut Self)) {
        if self.failed {
            return;
        }
        self.now = now;
        input(self);
        self.tick();
        let end = self.log.end().index;
        self.outputs.extend(self.disk.flush(end));
        let early = self.is_mutant(Mutant::AnswerBeforeWrite);
        while let Some((to, message)) = self.disk.release(early) {
            self.outputs.push_back(Output::Send { to, message });
        }
    }

    fn tick(&mut self) {
        self.tick_waiting();
        self.tick_claim();
        self.tick_reign();
        self.tick_fill();
        self.tick_serve();
        self.tick_offer();
    }

    fn on_view(&mut self, view: &Arc<FilesView>) {
        if view.epoch <= self.view.epoch {
            return;
        }
        self.view = view.clone();
        let share = view.shares.get(&self.share);
        self.keepers = share.filter(|share| share.keepers.contains(&self.own)).cloned();
        // Another share of the same name: what is here belongs to one that was removed.
        if let Some(share) = share
            && share.added != self.mark.added
        {
            self.forget(share.added);
        }
        self.begin_epoch();
    }

    /// Drops all that is on disk, and begins as a keeper that has nothing.
    fn forget(&mut self, added: Epoch) {
        self.give_up();
        if self.mark != Mark::blank(self.mark.added) {
            self.disk.write(Record::Forget);
        }
        self.mark = Mark::blank(added);
        self.restart_log(Position::START);
        self.filling = None;
        self.served = None;
    }

    fn receive(&mut self, from: &Name, body: Body) {
        match body {
            Body::Standing { epoch, report } => self.on_standing(from, epoch, report),
            Body::Claim { ballot } => self.on_claim(from, ballot),
            Body::Promise { ballot, report } => self.on_promise(from, ballot, report),
            Body::Refuse { promised } => self.on_refuse(promised),
            Body::Fetch { ballot, after } => self.on_fetch(from, ballot, &after),
            Body::Fetched { ballot, base, entries, end } => {
                self.on_fetched(from, ballot, (base, end), entries);
            }
            Body::Append { ballot, base, entries, level, committed } => {
                self.on_append(from, (ballot, committed), (base, level), entries);
            }
            Body::Acked { ballot, end, is_level, is_whole } => {
                self.on_acked(from, ballot, end, (is_level, is_whole));
            }
            Body::Gap { ballot, report } => self.on_gap(from, ballot, report),
            Body::Beacon { ballot, sequence, committed } => {
                self.on_beacon(from, ballot, sequence, committed);
            }
            Body::Heard { ballot, sequence } => self.on_heard(from, ballot, sequence),
            Body::WantImage { ballot, covering, at, offset } => {
                self.on_want_image(from, (ballot, covering), at, offset);
            }
            Body::ImagePiece { at, offset, total, hash, bytes } => {
                self.on_image_piece(from, (at, hash), (offset, total), &bytes);
            }
            Body::Offer { report } => self.on_offer(from, report),
            Body::Release { epoch } => self.on_release(epoch),
        }
    }

    /// What it has.
    fn report(&self, to: &Name) -> Report {
        let left = self.lease_promise.left(to, self.now.boot);
        Report {
            level: self.mark.level,
            before: self.log.before(),
            committed: self.committed,
            end: self.log.end(),
            is_whole: self.is_whole(),
            lease_left_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
        }
    }

    fn is_whole(&self) -> bool {
        self.catalog.is_some() && self.mark.level != Ballot::NONE
    }

    /// THE RULE that a log has all that was acknowledged only if it was level since its keeper
    /// became one. Before, others may have acknowledged more, and have lost it.
    fn counts(&self, keeper: &Name, report: &Report) -> bool {
        let joined = self.keepers.as_ref().map(|share| share.joined(keeper));
        report.level != Ballot::NONE && joined.is_some_and(|since| report.level.epoch >= since)
    }

    /// Tells the council of a keeper that it takes for whole without reason, before it lets others
    /// go because of that. Of a share without entries there is nothing to lose.
    fn look_at(&mut self, keeper: &Name, report: &Report) {
        let is_taken = self.keepers.as_ref().is_some_and(|share| share.whole.contains(keeper));
        let is_whole = report.is_whole && self.counts(keeper, report);
        let own = self.report(&self.own);
        let is_known = self.counts(&self.own, &own) && own.end.index > 0
            || *keeper == self.own && !self.may_found();
        if is_taken && !is_whole && is_known {
            self.outputs.push_back(Output::Lost(keeper.clone()));
        }
    }

    /// Writes the mark as it is now.
    fn write_mark(&mut self) {
        self.disk.write(Record::Mark(self.mark.clone()));
    }

    fn message(&self, body: Body) -> Message {
        Message { added: self.mark.added, body }
    }

    /// Sends what promises nothing.
    fn send(&mut self, to: &Name, body: Body) {
        let message = self.message(body);
        self.outputs.push_back(Output::Send { to: to.clone(), message });
    }

    /// Sends what promises something, once that is durable.
    fn answer(&mut self, to: &Name, body: Body) {
        let message = self.message(body);
        self.disk.answer(to.clone(), message);
    }

    fn reply(&mut self, request: RequestId, reply: Reply) {
        self.outputs.push_back(Output::Reply { request, reply });
    }

    /// The other keepers in the newest view.
    fn others(&self) -> Vec<Name> {
        let keepers = self.keepers.iter().flat_map(|share| &share.keepers);
        keepers.filter(|name| **name != self.own).cloned().collect()
    }

    fn is_mutant(&self, mutant: Mutant) -> bool {
        self.settings.mutant == Some(mutant)
    }
}
