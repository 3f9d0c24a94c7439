//! What the store of a machine has said to be durable, against what is there when it opens again.

use memberd_files::store::{Done, Job, Refused, ShareStanding};
use memberd_files::{Entry, ExtentId, Position, ShareName};
use std::collections::{BTreeMap, BTreeSet};

/// What a store has when it opens.
pub struct OnStore {
    pub shares: Vec<ShareStanding>,
    pub extents: BTreeMap<ExtentId, (u64, [u8; 32])>,
    pub entries: BTreeMap<ShareName, Vec<Entry>>,
}

/// What is durable of a catalog.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    epoch: u64,
    pub entries: BTreeMap<u64, Position>,
    pub image: u64,
}

/// All that a store has said.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub shares: BTreeMap<ShareName, Kept>,
    pub sealed: BTreeMap<ExtentId, (u64, [u8; 32])>,
    /// Of these nobody knows: the power went, or the disk failed, while they were changed.
    open_shares: BTreeSet<ShareName>,
    open_extents: BTreeSet<ExtentId>,
    /// Copies in which a bit has changed.
    pub rotten: BTreeSet<ExtentId>,
}

impl Facts {
    /// The store was given this, and the outcome is not known.
    pub fn open(&mut self, job: &Job) {
        match job {
            Job::Cut { share, .. } | Job::DropShare { share } | Job::ImageCommit { share, .. } => {
                self.open_shares.insert(share.clone());
            }
            Job::Drop { id } => {
                self.open_extents.insert(*id);
            }
            _ => {}
        }
    }

    /// The store answered.
    pub fn answered(&mut self, job: &Job, result: &Result<Done, Refused>) {
        let Ok(done) = result else {
            if let Err(Refused::Failed(_)) = result {
                self.open(job);
            }
            return;
        };
        match (job, done) {
            (Job::Promise { share, epoch, .. }, _) => {
                self.shares.entry(share.clone()).or_default().epoch = epoch.0;
            }
            (Job::Append { share, first, entries }, _) => {
                let kept = self.shares.entry(share.clone()).or_default();
                for (index, entry) in (*first..).zip(entries) {
                    let position = Entry::decode(entry).expect("an entry is written").position;
                    kept.entries.insert(index, position);
                }
            }
            (Job::Cut { share, from }, _) => {
                let kept = self.shares.entry(share.clone()).or_default();
                kept.entries.retain(|index, _| index < from);
            }
            (Job::ImageCommit { share, head }, _) => {
                let kept = self.shares.entry(share.clone()).or_default();
                kept.image = head.applied;
                kept.entries.retain(|index, _| *index > head.applied);
            }
            (Job::DropShare { share }, _) => drop(self.shares.remove(share)),
            (Job::Seal { id, .. }, Done::Sealed { length, root }) => {
                self.sealed.insert(*id, (*length, *root));
                self.rotten.remove(id);
            }
            (Job::Drop { id }, _) => {
                self.sealed.remove(id);
                self.rotten.remove(id);
            }
            _ => {}
        }
    }

    /// Whether this very entry is in the log, or in the image.
    pub fn has(&self, share: &ShareName, position: Position) -> bool {
        let kept = self.shares.get(share);
        kept.is_some_and(|kept| {
            kept.image >= position.index || kept.entries.get(&position.index) == Some(&position)
        })
    }

    pub fn is_intact(&self, extent: ExtentId) -> bool {
        self.sealed.contains_key(&extent) && !self.rotten.contains(&extent)
    }

    /// Compares with what a store has that opens. From then on that is known.
    pub fn compare(&mut self, found: &OnStore) -> Result<(), String> {
        let (open_shares, open_extents) =
            (std::mem::take(&mut self.open_shares), std::mem::take(&mut self.open_extents));
        for (name, kept) in &self.shares {
            let standing = found.shares.iter().find(|standing| standing.share == *name);
            let (epoch, image, end) = standing.map_or((0, 0, 1), |one| {
                (one.epoch.0, one.image.map_or(0, |image| image.applied), one.end)
            });
            if let Some(why) = standing.and_then(|one| one.damaged.clone()) {
                return Err(format!("the catalog of {name} is damaged: {why}"));
            }
            let last = kept.entries.keys().next_back().copied().unwrap_or(0);
            let is_less = epoch < kept.epoch || image < kept.image || end <= last && image < last;
            if is_less && !open_shares.contains(name) {
                return Err(format!(
                    "of {name} epoch {}, image {} and entry {last} were durable, and epoch \
                     {epoch}, image {image} and entries before {end} are there",
                    kept.epoch, kept.image
                ));
            }
        }
        for (extent, facts) in &self.sealed {
            let is_known = !open_extents.contains(extent) && !self.rotten.contains(extent);
            if is_known && found.extents.get(extent) != Some(facts) {
                return Err(format!("{extent:?} was durable and is not there"));
            }
        }
        self.sealed.clone_from(&found.extents);
        self.rotten.retain(|extent| found.extents.contains_key(extent));
        self.shares =
            found.shares.iter().map(|one| (one.share.clone(), known(one, found))).collect();
        Ok(())
    }
}

fn known(standing: &ShareStanding, found: &OnStore) -> Kept {
    let entries = found.entries.get(&standing.share).into_iter().flatten();
    Kept {
        epoch: standing.epoch.0,
        entries: entries.map(|entry| (entry.position.index, entry.position)).collect(),
        image: standing.image.map_or(0, |image| image.applied),
    }
}
