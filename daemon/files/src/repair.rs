//! Makes lost copies again: [`Repairer`]. Owns what this member knows of the sets of its extents,
//! who is gone since when, and the repairs under way.
//!
//! The first surviving member of a set is responsible, so nobody scans anything and there is no
//! master. It has a new holder fetch the extent, and then asks the catalog to record it.

mod brake;
mod queue;
mod returned;
mod running;
#[cfg(test)]
mod tests;

use crate::content::HolderSet;
use crate::disk::StoredExtent;
use crate::ids::ExtentId;
use crate::path::ShareName;
use crate::placement::Hints;
use crate::settings::ExtentSettings;
use crate::transfer::Transfer;
use crate::view::FilesView;
use brake::{Brake, Gone};
use memberd_council::BootTime;
use memberd_membership::Name;
use queue::Queue;
use returned::Verifying;
use running::Running;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What the owner of a repairer is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepairOutput {
    /// Send this.
    Send {
        /// To whom; may be this member itself.
        to: Name,
        /// What.
        message: Transfer,
    },
    /// Ask the primary of a share to record other holders, if the set still has this version.
    AskSet(SetChange),
    /// Ask the primary of a share who holds an extent, before another copy is made; see
    /// [`Repairer::handle_set`].
    AskHolders {
        /// The share.
        share: ShareName,
        /// The extent.
        extent: ExtentId,
    },
}

/// A change of the recorded holders of an extent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetChange {
    /// The share.
    pub share: ShareName,
    /// The extent.
    pub extent: ExtentId,
    /// The version that it replaces by the next one.
    pub version: u64,
    /// The new holders, in their order.
    pub members: Vec<Name>,
}

/// What the primary says to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetAnswer {
    /// This set is recorded now: by the change, or before it.
    Is(HolderSet),
    /// No file has the extent.
    Unknown,
}

/// An extent here, of which the holders are known.
#[derive(Debug, Clone)]
struct Known {
    share: ShareName,
    length: u64,
    root: [u8; 32],
    set: HolderSet,
}

/// One member's part in repair.
///
/// Its owner hands it inputs together with the time, and then asks [`Repairer::poll_output`] until
/// there is no more, and [`Repairer::poll_timeout`] when to wake it. Nothing in it waits.
#[derive(Debug, Clone)]
pub struct Repairer {
    own: Name,
    settings: ExtentSettings,
    now: BootTime,
    view: Arc<FilesView>,
    hints: Hints,
    known: BTreeMap<ExtentId, Known>,
    by_member: BTreeMap<Name, BTreeSet<ExtentId>>,
    /// Extents with fewer holders than there should be.
    thin: BTreeSet<ExtentId>,
    gone: BTreeMap<Name, Gone>,
    brake: Brake,
    /// Holders that are in the view, and lack what they should have: of no extent an empty set.
    lacking: BTreeMap<ExtentId, BTreeSet<Name>>,
    verifying: BTreeMap<Name, Verifying>,
    /// The number of the last of these questions. No process of this machine uses one again.
    last_request: u64,
    verify_all_at: BootTime,
    /// What others should have by sets that are known here since a moment ago, and when they are
    /// asked for it.
    fresh: BTreeMap<Name, BTreeSet<ExtentId>>,
    verify_fresh_at: Option<BootTime>,
    /// Targets that have refused an extent, until the next view.
    avoid: BTreeMap<ExtentId, BTreeSet<Name>>,
    queue: Queue,
    running: BTreeMap<ExtentId, Running>,
    outputs: VecDeque<RepairOutput>,
}

impl Repairer {
    /// A repairer that has just started.
    #[must_use]
    pub fn new(own: Name, settings: ExtentSettings, now: BootTime) -> Self {
        Repairer {
            own,
            settings,
            now,
            view: Arc::default(),
            hints: Hints::default(),
            known: BTreeMap::new(),
            by_member: BTreeMap::new(),
            thin: BTreeSet::new(),
            gone: BTreeMap::new(),
            brake: Brake::default(),
            lacking: BTreeMap::new(),
            verifying: BTreeMap::new(),
            last_request: u64::try_from(now.since_epoch().as_micros()).unwrap_or(0),
            verify_all_at: now + returned::AFTER_START,
            fresh: BTreeMap::new(),
            verify_fresh_at: None,
            avoid: BTreeMap::new(),
            queue: Queue::default(),
            running: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// An extent is here, or its set has changed: see [`crate::HolderOutput::Held`].
    pub fn handle_held(&mut self, now: BootTime, stored: StoredExtent) {
        self.now = now;
        let StoredExtent { extent, share, length, root, set } = stored;
        self.forget(extent);
        if let Some(set) = set {
            self.keep_lacking(extent, |name| set.members.contains(name));
            for member in &set.members {
                self.by_member.entry(member.clone()).or_default().insert(extent);
                if !self.view.members.is_empty() && !self.view.members.contains_key(member) {
                    self.gone.entry(member.clone()).or_insert(Gone::since(now));
                }
            }
            if set.members.len() < self.settings.copies {
                self.thin.insert(extent);
            }
            self.note_fresh(extent, &set);
            self.known.insert(extent, Known { share, length, root, set });
            self.consider(extent);
        }
        self.tick();
    }

    /// An extent is here no more.
    pub fn handle_dropped(&mut self, now: BootTime, extent: ExtentId) {
        self.now = now;
        self.give_back(extent);
        self.tick();
    }

    /// The agreed view, or what is known of members beside it, has changed. Those of `planned`
    /// that are gone have left by plan, and will be back.
    pub fn handle_view(
        &mut self,
        now: BootTime,
        view: Arc<FilesView>,
        hints: Hints,
        planned: &BTreeSet<Name>,
    ) {
        self.now = now;
        let old = std::mem::replace(&mut self.hints, hints);
        let dead = old.dead.symmetric_difference(&self.hints.dead);
        let concerned = dead.filter_map(|name| self.by_member.get(name));
        let concerned: BTreeSet<ExtentId> = concerned.flatten().copied().collect();
        for extent in concerned {
            self.consider(extent);
        }
        if view.epoch >= self.view.epoch && *view != *self.view {
            self.change_view(view, planned);
        }
        self.tick();
    }

    /// A message for repair came.
    pub fn handle_message(&mut self, now: BootTime, from: &Name, message: &Transfer) {
        self.now = now;
        match message {
            Transfer::Sealed { extent, length, root } => {
                self.on_sealed(from, *extent, (*length, *root));
            }
            Transfer::Refused { extent, .. } => self.on_refused(from, *extent),
            Transfer::Lacks { request, extents } => self.on_lacks(from, *request, extents),
            _ => {}
        }
        self.tick();
    }

    /// The answer to [`RepairOutput::AskSet`] or [`RepairOutput::AskHolders`].
    pub fn handle_set(&mut self, now: BootTime, extent: ExtentId, answer: SetAnswer) {
        self.now = now;
        self.on_set_answer(extent, answer);
        self.tick();
    }

    /// How long extents with two copies left wait after a member failed: from the next look on.
    pub fn set_repair_after(&mut self, repair_after: std::time::Duration) {
        self.settings.repair_after = repair_after;
    }

    /// Handles the moment of [`Repairer::poll_timeout`].
    pub fn handle_timeout(&mut self, now: BootTime) {
        self.now = now;
        self.tick();
    }

    /// When to call [`Repairer::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<BootTime> {
        let verifying = self.verifying.values().map(Verifying::due);
        let running = self.running.values().map(Running::due);
        self.queue
            .due()
            .into_iter()
            .chain(verifying)
            .chain(running)
            .chain([self.verify_all_at])
            .chain(self.verify_fresh_at)
            .min()
    }

    /// What the owner is to do next. Take all of it after each input.
    pub fn poll_output(&mut self) -> Option<RepairOutput> {
        self.outputs.pop_front()
    }

    /// The extents that wait for repair here, and those under way.
    #[must_use]
    pub fn work(&self) -> (usize, usize) {
        (self.queue.len(), self.running.len())
    }

    fn tick(&mut self) {
        self.tick_verifying();
        self.tick_running();
        self.start_due();
    }

    fn change_view(&mut self, view: Arc<FilesView>, planned: &BTreeSet<Name>) {
        let is_first = self.view.members.is_empty();
        let old = std::mem::replace(&mut self.view, view);
        self.avoid.clear();
        let mut changed: BTreeSet<ExtentId> = self.thin.clone();
        let mut returned = Vec::new();
        for (member, extents) in &self.by_member {
            let is_here = self.view.members.contains_key(member);
            if !is_here && !self.gone.contains_key(member) {
                let zone = old.members.get(member).and_then(|one| one.zone.clone());
                let gone = Gone { since: self.now, is_planned: planned.contains(member), zone };
                self.gone.insert(member.clone(), gone);
                changed.extend(extents);
            } else if is_here && (self.gone.remove(member).is_some() || is_first) {
                returned.push(member.clone());
                changed.extend(extents);
            }
        }
        if self.brake.look(self.now, &self.view, &old, &self.gone) {
            changed.extend(self.queue.extents());
        }
        for member in returned {
            self.verify(&member);
        }
        // Whose target is gone needs another one.
        let stays = |running: &Running| {
            running.may_be_recorded() || self.view.members.contains_key(running.target())
        };
        let vain = self.running.iter().filter(|(_, running)| !stays(running));
        changed.extend(vain.map(|(extent, _)| *extent));
        self.running.retain(|_, running| stays(running));
        for extent in changed {
            self.consider(extent);
        }
    }

    /// Ends all that is done here for an extent, also what is under way.
    fn give_back(&mut self, extent: ExtentId) {
        self.running.remove(&extent);
        self.lacking.remove(&extent);
        self.avoid.remove(&extent);
        self.forget(extent);
    }

    fn forget(&mut self, extent: ExtentId) {
        self.queue.remove(extent);
        self.thin.remove(&extent);
        let Some(known) = self.known.remove(&extent) else { return };
        for member in &known.set.members {
            if let Some(extents) = self.by_member.get_mut(member) {
                extents.remove(&extent);
            }
        }
    }

    fn send(&mut self, to: &Name, message: Transfer) {
        self.outputs.push_back(RepairOutput::Send { to: to.clone(), message });
    }
}
