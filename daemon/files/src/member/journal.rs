//! What one keeper writes, on its way to the store: [`Journal`]. Owns the records that are not
//! durable yet.
//!
//! THE RULE that records become durable in their order: entries follow each other without waiting,
//! since the store takes no entry out of order. All else waits for what is before it, and what is
//! behind waits for it. So a refused write is tried again, and nothing overtakes it.

use crate::catalog::Entry;
use crate::keeper::{DiskId, ImageAt, Mark, Record};
use crate::path::ShareName;
use crate::store::{ImageHead, Job, Refused};
use memberd_council::BootTime;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// After how long a write for which there was no room is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// The most bytes of entries in one job, by their weight.
const JOB_BYTES: usize = 512 << 10;
/// The most jobs under way.
const MAX_FLYING: usize = 64;

/// One thing to do.
#[derive(Debug, Clone)]
enum Step {
    Mark(Mark),
    Entries(Vec<Arc<Entry>>),
    Cut(u64),
    /// An image, and how much of it the store has.
    Image(ImageAt, usize),
    Forget,
    /// All before it is durable: the keeper hears of it, unless it has ended.
    Written(Option<DiskId>),
}

/// What the end of a job led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// It goes on.
    On,
    /// This write, and all before it, is durable.
    Written(DiskId),
    /// The store does not take it, and never will.
    Broken,
}

/// What one keeper writes.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    share: ShareName,
    steps: VecDeque<Step>,
    /// The results of the first steps, which are under way, and the number of the first of them.
    flying: VecDeque<Option<Result<(), Refused>>>,
    number: u64,
    again_at: BootTime,
    /// Whether the log on disk may be empty: then it would take entries of any index.
    may_be_empty: bool,
    /// The last entry in the image on disk.
    applied: u64,
    /// The position before the first entry of the log, as the mark on disk says.
    before: u64,
}

impl Journal {
    pub(super) fn new(share: ShareName, applied: u64, before: u64) -> Journal {
        Journal {
            share,
            steps: VecDeque::new(),
            flying: VecDeque::new(),
            number: 0,
            again_at: BootTime::EPOCH,
            may_be_empty: true,
            applied,
            before,
        }
    }

    /// A keeper writes.
    pub(super) fn write(&mut self, id: DiskId, records: Vec<Record>) {
        for record in records {
            match record {
                Record::Mark(mark) => self.steps.push_back(Step::Mark(mark)),
                Record::Entries(entries) => self.push_entries(entries),
                Record::Cut(from) => self.steps.push_back(Step::Cut(from)),
                Record::Image(image) => self.steps.push_back(Step::Image(image, 0)),
                Record::Forget => self.steps.push_back(Step::Forget),
            }
        }
        self.steps.push_back(Step::Written(Some(id)));
    }

    /// Entries in groups that fit into a job.
    fn push_entries(&mut self, entries: Vec<Arc<Entry>>) {
        let mut group = Vec::new();
        let mut bytes = 0;
        for entry in entries {
            let weight = entry.mutation.weight();
            if bytes + weight > JOB_BYTES && !group.is_empty() {
                self.steps.push_back(Step::Entries(std::mem::take(&mut group)));
                bytes = 0;
            }
            bytes += weight;
            group.push(entry);
        }
        self.steps.push_back(Step::Entries(group));
    }

    /// The keeper has ended, and all that it wrote goes. Nobody waits for it any more.
    pub(super) fn forget(&mut self) {
        self.detach();
        self.steps.truncate(self.flying.len());
        self.steps.push_back(Step::Forget);
    }

    /// The keeper has ended, and nobody waits for its writes any more.
    pub(super) fn detach(&mut self) {
        for step in &mut self.steps {
            if let Step::Written(id) = step {
                *id = None;
            }
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.steps.is_empty()
    }

    /// When it tries again.
    pub(super) fn due(&self) -> Option<BootTime> {
        let waits = self.flying.is_empty() && !self.steps.is_empty();
        waits.then_some(self.again_at)
    }

    /// The jobs to begin now, each with its number.
    pub(super) fn jobs(&mut self, now: BootTime) -> Vec<(u64, Job)> {
        let mut jobs = Vec::new();
        while self.flying.len() < MAX_FLYING && now >= self.again_at {
            let place = self.flying.len();
            // An image takes several jobs, one after the other.
            let mut under_way = self.steps.iter().take(place);
            if under_way.any(|step| matches!(step, Step::Image(..))) {
                break;
            }
            let mut before = self.steps.iter().take(place);
            let is_first = before.all(|step| matches!(step, Step::Written(_)));
            let job = match self.steps.get(place) {
                Some(Step::Written(_)) => None,
                Some(Step::Entries(entries)) if is_first || self.may_follow(place) => {
                    self.append(entries)
                }
                // It waits for all before it.
                Some(step) if is_first => self.alone(step),
                _ => break,
            };
            let number = self.number + place as u64;
            self.flying.push_back(job.is_none().then_some(Ok(())));
            jobs.extend(job.map(|job| (number, job)));
        }
        jobs
    }

    /// Whether entries may be under way beside those before them.
    fn may_follow(&self, place: usize) -> bool {
        let mut before = self.steps.iter().take(place);
        !self.may_be_empty && before.all(|step| matches!(step, Step::Entries(_) | Step::Written(_)))
    }

    /// What is in the image on disk already is left out.
    fn append(&self, entries: &[Arc<Entry>]) -> Option<Job> {
        let new = entries.iter().filter(|entry| entry.position.index > self.applied);
        let new: Vec<&Arc<Entry>> = new.collect();
        let first = new.first()?.position.index;
        let entries = new.iter().map(|entry| entry.encode()).collect();
        Some(Job::Append { share: self.share.clone(), first, entries })
    }

    fn alone(&self, step: &Step) -> Option<Job> {
        let share = self.share.clone();
        match step {
            Step::Mark(mark) => {
                Some(Job::Promise { share, epoch: mark.promised.epoch, memo: mark.encode() })
            }
            Step::Cut(from) => Some(Job::Cut { share, from: (*from).max(self.applied + 1) }),
            Step::Image(image, _) if image.at.index <= self.applied => None,
            Step::Image(image, offset) if *offset < image.bytes.len() => {
                let end = image.bytes.len().min(offset + Job::MAX_BYTES);
                let bytes = image.bytes[*offset..end].to_vec();
                Some(Job::ImagePiece { share, offset: *offset as u64, bytes })
            }
            Step::Image(image, _) => {
                let head = ImageHead {
                    applied: image.at.index,
                    epoch: image.at.ballot.epoch,
                    length: image.bytes.len() as u64,
                    root: *blake3::hash(&image.bytes).as_bytes(),
                };
                Some(Job::ImageCommit { share, head })
            }
            Step::Forget => Some(Job::DropShare { share }),
            Step::Entries(_) | Step::Written(_) => None,
        }
    }

    /// The job of this number has ended.
    pub(super) fn done(&mut self, number: u64, result: Result<(), Refused>) {
        let place = usize::try_from(number.wrapping_sub(self.number)).unwrap_or(usize::MAX);
        if let Some(flying) = self.flying.get_mut(place) {
            *flying = Some(result);
        }
    }

    /// What follows from the jobs that have ended. Call it until nothing more is told.
    pub(super) fn progress(&mut self, now: BootTime) -> Option<Progress> {
        match self.flying.front()?.clone()? {
            Ok(()) => {
                self.flying.pop_front();
                self.number += 1;
                Some(self.on_done())
            }
            // Those behind it are refused as well: they begin again.
            Err(_) if self.flying.iter().any(Option::is_none) => None,
            Err(refused) => {
                self.number += self.flying.len() as u64;
                self.flying.clear();
                Some(self.on_refused(now, &refused))
            }
        }
    }

    /// The first step is done, or a part of it.
    fn on_done(&mut self) -> Progress {
        match self.steps.pop_front() {
            Some(Step::Written(Some(id))) => return Progress::Written(id),
            Some(Step::Mark(mark)) => self.before = mark.before.index,
            Some(Step::Entries(_)) => self.may_be_empty = false,
            Some(Step::Cut(_)) => self.may_be_empty = true,
            Some(Step::Image(image, taken)) if image.at.index > self.applied => {
                let length = image.bytes.len();
                if taken < length {
                    let taken = length.min(taken + Job::MAX_BYTES);
                    self.steps.push_front(Step::Image(image, taken));
                } else {
                    (self.applied, self.may_be_empty) = (image.at.index, true);
                }
            }
            Some(Step::Forget) => {
                (self.applied, self.before, self.may_be_empty) = (0, 0, true);
            }
            _ => {}
        }
        Progress::On
    }

    fn on_refused(&mut self, now: BootTime, refused: &Refused) -> Progress {
        // The log has all that is in an image, unless it begins after the image before.
        let is_needed = self.applied < self.before;
        match (self.steps.front_mut(), refused) {
            (Some(Step::Image(..)), Refused::Full | Refused::TooMany | Refused::Outdated)
                if !is_needed =>
            {
                self.steps.pop_front();
                return Progress::On;
            }
            (
                Some(Step::Image(_, taken)),
                Refused::Full
                | Refused::TooMany
                | Refused::Misplaced { .. }
                | Refused::Mismatch { .. }
                | Refused::Unknown,
            ) => *taken = 0,
            (_, Refused::Full | Refused::TooMany) => {}
            _ => {
                self.steps.clear();
                return Progress::Broken;
            }
        }
        self.again_at = now + AGAIN;
        Progress::On
    }
}
