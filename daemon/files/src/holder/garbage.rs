//! What may go: a holder asks the catalogs which of its extents are in use. Owns the questions.
//!
//! Deletes leave no tombstones. What a catalog does not know is removed, but only if it was old
//! when the question went out: until then a slow publish may still come.

use super::{Holder, HolderOutput};
use crate::content::HolderSet;
use crate::disk::ExtentJob;
use crate::ids::{Epoch, ExtentId};
use crate::path::ShareName;
use memberd_council::BootTime;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a catalog says of an extent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtentUse {
    /// It belongs to a file, and these hold it.
    Held(HolderSet),
    /// It belongs to none.
    Unknown,
}

/// The most extents of one question.
const MAX_ASKED: usize = 1_000;
/// After how long a question without an answer is asked again.
const UNANSWERED: Duration = Duration::from_secs(10);

/// When each extent is asked about, and the questions under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Garbage {
    due: BTreeSet<(BootTime, ExtentId)>,
    at: BTreeMap<ExtentId, BootTime>,
    questions: BTreeMap<ShareName, Question>,
}

#[derive(Debug, Clone)]
struct Question {
    until: BootTime,
    /// Whether each was old enough to go.
    extents: BTreeMap<ExtentId, bool>,
}

impl Garbage {
    pub(super) fn ask_at(&mut self, extent: ExtentId, at: BootTime) {
        self.forget(extent);
        self.at.insert(extent, at);
        self.due.insert((at, extent));
    }

    /// An extent counts as new from now on, also in a question under way.
    pub(super) fn renew(&mut self, extent: ExtentId) {
        for question in self.questions.values_mut() {
            if let Some(was_old) = question.extents.get_mut(&extent) {
                *was_old = false;
            }
        }
    }

    fn forget(&mut self, extent: ExtentId) {
        if let Some(at) = self.at.remove(&extent) {
            self.due.remove(&(at, extent));
        }
    }

    pub(super) fn due(&self) -> Option<BootTime> {
        let questions = self.questions.values().map(|question| question.until);
        self.due.first().map(|(at, _)| *at).into_iter().chain(questions).min()
    }
}

impl Holder {
    /// Asks about everything, since it was away.
    pub(super) fn ask_soon(&mut self) {
        let extents: Vec<ExtentId> = self.held.keys().copied().collect();
        for extent in extents {
            self.garbage.ask_at(extent, self.now);
        }
    }

    pub(super) fn tick_garbage(&mut self) {
        let now = self.now;
        let late: Vec<ShareName> = self
            .garbage
            .questions
            .iter()
            .filter(|(_, question)| question.until <= now)
            .map(|(share, _)| share.clone())
            .collect();
        for share in late {
            let Some(question) = self.garbage.questions.remove(&share) else { continue };
            for extent in question.extents.into_keys().filter(|one| self.held.contains_key(one)) {
                self.garbage.ask_at(extent, now + UNANSWERED);
            }
        }
        let due = self.garbage.due.iter().take_while(|(at, _)| *at <= now).take(MAX_ASKED);
        let due: Vec<ExtentId> = due.map(|(_, extent)| *extent).collect();
        let mut asked: BTreeMap<ShareName, Vec<ExtentId>> = BTreeMap::new();
        for extent in due {
            let Some(held) = self.held.get(&extent) else {
                // It went while a question was under way.
                self.garbage.forget(extent);
                continue;
            };
            if self.garbage.questions.contains_key(&held.share) {
                // One question of a share at a time.
                self.garbage.ask_at(extent, now + UNANSWERED);
            } else {
                self.garbage.forget(extent);
                asked.entry(held.share.clone()).or_default().push(extent);
            }
        }
        for (share, extents) in asked {
            let old = |extent: &ExtentId| {
                let age = self.held.get(extent).map_or(Duration::ZERO, |one| now.since(one.since));
                (*extent, age >= self.settings.garbage_age)
            };
            let question =
                Question { until: now + UNANSWERED, extents: extents.iter().map(old).collect() };
            self.garbage.questions.insert(share.clone(), question);
            self.outputs.push_back(HolderOutput::AskInUse { share, extents });
        }
    }

    pub(super) fn on_in_use(
        &mut self,
        share: &ShareName,
        epoch: Epoch,
        uses: Vec<(ExtentId, ExtentUse)>,
    ) {
        // An older primary may not know what is in use now.
        if epoch < self.epoch {
            return;
        }
        let Some(mut question) = self.garbage.questions.remove(share) else { return };
        for (extent, held_by) in uses {
            let Some(was_old) = question.extents.remove(&extent) else { continue };
            match held_by {
                ExtentUse::Held(set) if set.members.contains(&self.own) => {
                    self.garbage.ask_at(extent, self.now + self.settings.ask_every);
                    self.on_set(extent, set);
                }
                // Perhaps nobody told those either, and one of them has lost its copy since. They
                // are asked before this copy goes.
                ExtentUse::Held(set) if self.is_news(extent, &set) => {
                    self.on_set(extent, set);
                    self.ask_later(extent);
                }
                _ if was_old => self.drop_held(extent),
                _ => self.ask_later(extent),
            }
        }
        for extent in question.extents.into_keys().filter(|one| self.held.contains_key(one)) {
            self.garbage.ask_at(extent, self.now + UNANSWERED);
        }
    }

    /// Whether this copy was recorded, and another set since then.
    fn is_news(&self, extent: ExtentId, set: &HolderSet) -> bool {
        let known = self.held.get(&extent).and_then(|held| held.set.as_ref());
        known.is_some_and(|known| known.version < set.version)
    }

    fn ask_later(&mut self, extent: ExtentId) {
        let Some(held) = self.held.get_mut(&extent) else { return };
        let wait = self.settings.ask_unsettled * 2_u32.pow(held.asked.min(5));
        held.asked += 1;
        self.garbage.ask_at(extent, self.now + wait);
    }

    pub(super) fn drop_held(&mut self, extent: ExtentId) {
        self.garbage.forget(extent);
        if self.held.remove(&extent).is_some() {
            if self.pulls.remove(&extent).is_some() {
                self.job(ExtentJob::DropPieces { extent }, super::Purpose::Quiet);
            }
            self.job(ExtentJob::Drop { extent }, super::Purpose::Quiet);
            self.outputs.push_back(HolderOutput::Dropped(extent));
        }
    }
}
