//! Verifies what lies here from the disk and not from the page cache, all of it in 30 days.

use super::disk::Disk;
use super::extents;
use super::hashing::{GROUP_BYTES, Hashed};
use super::job::ExtentHead;
use super::{Refused, Store};
use crate::ids::ExtentId;

/// In which time everything is verified once, in milliseconds.
const ROUND_MS: u64 = 30 * 24 * 3600 * 1000;

/// The most bytes a second, and at once.
const MAX_RATE: u64 = 4 << 20;
const STEP_BYTES: u64 = 16 * GROUP_BYTES;

/// Where the scrub is.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    current: Option<(ExtentId, Hashed, u64)>,
    /// After which extent the next one comes.
    after: Option<ExtentId>,
    /// What may be read, in bytes, and since when.
    budget: u64,
    at_ms: Option<u64>,
    rounds: u64,
}

impl Scrub {
    pub(super) fn rounds(&self) -> u64 {
        self.rounds
    }
}

impl<D: Disk> Store<D> {
    /// Verifies a little, if it is time for it.
    pub(super) fn scrub_step(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.scrub.at_ms.replace(now_ms).unwrap_or(now_ms));
        let all = u128::from(self.extents.index.bytes());
        let due = all * u128::from(passed) / u128::from(ROUND_MS);
        let most = u128::from(passed) * u128::from(MAX_RATE) / 1000;
        // At least a group a second, or little would take ever.
        let least = u128::from(passed) * u128::from(GROUP_BYTES) / 1000;
        let more = u64::try_from(due.max(least).min(most)).unwrap_or(u64::MAX);
        self.scrub.budget = self.scrub.budget.saturating_add(more).min(MAX_RATE);
        if self.scrub.budget >= STEP_BYTES {
            self.scrub.budget -= STEP_BYTES;
            self.scrub_some();
        }
    }

    /// Verifies up to 1 MiB of the next extent. Returns whether a round ended.
    pub(super) fn scrub_some(&mut self) -> bool {
        let (id, hashed, place) = match self.scrub.current.take() {
            Some(current) if self.extents.index.contains(current.0) => current,
            _ => match self.next_extent() {
                Next::Extent(id, hashed) => (id, hashed, 0),
                Next::Bad => return false,
                Next::End => return true,
            },
        };
        let bytes = STEP_BYTES.min(hashed.length - place);
        let mut read = vec![0; usize::try_from(bytes).unwrap_or(0)];
        let path = extents::path(id);
        let why = match self.disk.read_uncached(&path, &mut read, place) {
            Ok(()) => hashed.first_bad(place, &read).map(|at| format!("byte {at} or after")),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            self.extents.index.mark_bad(id);
            self.note(format!("{path} is damaged: {why}; another member has it"));
        } else if place + bytes < hashed.length {
            self.scrub.current = Some((id, hashed, place + bytes));
        }
        false
    }

    fn next_extent(&mut self) -> Next {
        let Some(id) = self.extents.index.after(self.scrub.after) else {
            self.scrub.after = None;
            self.scrub.rounds += 1;
            return Next::End;
        };
        self.scrub.after = Some(id);
        match self.extents.head(&self.disk, id) {
            Ok(ExtentHead { length, root, groups, .. }) => {
                Next::Extent(id, Hashed { length, root, groups })
            }
            Err(Refused::Bad(why)) => {
                self.note(format!("{why}; another member has it"));
                Next::Bad
            }
            Err(_) => Next::Bad,
        }
    }
}

enum Next {
    Extent(ExtentId, Hashed),
    /// It is damaged, or cannot be read.
    Bad,
    /// The round is over.
    End,
}
