//! Who takes memory: each search, for the source that asked for it. It owns what each of them has,
//! and knows which searches nobody reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::memory::{SHARES, Share};

/// How long a search counts as unread after it was last said. It is said twice a second.
const UNREAD_FOR: Duration = Duration::from_secs(1);

/// How long one that must end may take until another one must.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// A search, and the source that asked for it.
#[derive(Debug, Default)]
pub(crate) struct Taker {
    /// One without a source is alone.
    source: Option<String>,
    /// Whether it has no time limit.
    lasts: bool,
    /// What it has of each share, in bytes. They change under the lock of the budget.
    has: [AtomicUsize; SHARES],
}

impl Taker {
    pub(crate) fn new(source: Option<String>, lasts: bool) -> Self {
        Taker { source, lasts, has: Default::default() }
    }

    /// What it has of a share, in bytes.
    pub(crate) fn has(&self, share: Share) -> usize {
        self.has[share as usize].load(Ordering::Relaxed)
    }

    /// Whether it has no time limit.
    pub(crate) fn lasts(&self) -> bool {
        self.lasts
    }

    /// Whether both are searches of one source.
    pub(crate) fn has_source_of(&self, other: &Taker) -> bool {
        self.source.is_some() && self.source == other.source
    }

    /// What it has of all shares, in bytes.
    fn bytes(&self) -> usize {
        self.has.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }
}

/// What the searches of each source have of [`Share::Start`], in bytes.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    by_name: BTreeMap<String, usize>,
    /// What all searches without a time limit have.
    lasting: usize,
}

impl Sources {
    pub(crate) fn add(&mut self, taker: &Taker, share: Share, bytes: usize) {
        taker.has[share as usize].fetch_add(bytes, Ordering::Relaxed);
        if share != Share::Start {
            return;
        }
        if taker.lasts {
            self.lasting += bytes;
        }
        if let Some(source) = &taker.source {
            *self.by_name.entry(source.clone()).or_default() += bytes;
        }
    }

    pub(crate) fn remove(&mut self, taker: &Taker, share: Share, bytes: usize) {
        taker.has[share as usize].fetch_sub(bytes, Ordering::Relaxed);
        if share != Share::Start {
            return;
        }
        if taker.lasts {
            self.lasting -= bytes;
        }
        if let Some(source) = &taker.source
            && let Some(has) = self.by_name.get_mut(source)
        {
            *has -= bytes;
            if *has == 0 {
                self.by_name.remove(source);
            }
        }
    }

    /// Whether the source of a search may have as many bytes more of the start, of which `used` of
    /// `all` are taken. Its first search may have what is free. Then as much stays free as it has
    /// itself, but for searches with a time limit at most an eighth of all.
    pub(crate) fn may_have(&self, taker: &Taker, bytes: usize, used: usize, all: usize) -> bool {
        if self.too_much_lasts(taker, bytes, all) {
            return false;
        }
        let Some(has) = taker.source.as_ref().and_then(|source| self.by_name.get(source)) else {
            return true;
        };
        let would_have = has.saturating_add(bytes);
        let stays_free = if taker.lasts { would_have } else { would_have.min(all / 8) };
        used.saturating_add(bytes).saturating_add(stays_free) <= all
    }

    /// Whether searches without a time limit would have more than three quarters of `all`, whoever
    /// asked for them. A single one may.
    pub(crate) fn too_much_lasts(&self, taker: &Taker, bytes: usize, all: usize) -> bool {
        let is_beside = taker.lasts && self.lasting > 0;
        is_beside && self.lasting.saturating_add(bytes) > all - all / 4
    }
}

/// The searches that nobody reads, and the one of them that must end.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    searches: Vec<(Arc<Taker>, Instant)>,
    ending: Option<(Arc<Taker>, Instant)>,
}

impl Unread {
    /// Notes that nobody reads this search. True if it must end now: of those that are in the way
    /// of others, it has most, and no other one is about to end.
    pub(crate) fn note(&mut self, taker: &Arc<Taker>, in_the_way: impl Fn(&Taker) -> bool) -> bool {
        let now = Instant::now();
        self.searches.retain(|(other, noted)| {
            !Arc::ptr_eq(other, taker) && now.duration_since(*noted) < UNREAD_FOR
        });
        self.searches.push((Arc::clone(taker), now));
        let is_ending = self.ending.as_ref().is_some_and(|(other, since)| {
            other.bytes() > 0 && now.duration_since(*since) < ENDS_WITHIN
        });
        if is_ending {
            return false;
        }
        let searches = self.searches.iter().map(|(other, _)| other);
        let largest = searches.filter(|other| in_the_way(other)).max_by_key(|other| other.bytes());
        let must_end = largest.is_some_and(|largest| Arc::ptr_eq(largest, taker));
        self.ending = must_end.then(|| (Arc::clone(taker), now));
        must_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taker(bytes: usize) -> Arc<Taker> {
        let taker = Taker::new(None, false);
        taker.has[0].store(bytes, Ordering::Relaxed);
        Arc::new(taker)
    }

    /// The largest search that is in the way ends, and the next one once it has given back.
    #[test]
    fn one_unread_search_at_a_time_must_end() {
        loop {
            let (small, large, other) = (taker(1), taker(3), taker(5));
            let in_the_way = |taker: &Taker| taker.bytes() < 5;
            let (mut unread, since) = (Unread::default(), Instant::now());
            assert!(!unread.note(&large, |_| false) && !unread.note(&other, in_the_way));
            let ended = [
                unread.note(&small, in_the_way),
                unread.note(&large, in_the_way),
                unread.note(&small, in_the_way),
            ];
            large.has[0].store(0, Ordering::Relaxed);
            let then = unread.note(&small, |taker| taker.bytes() == 1);
            // On a slow machine they are forgotten between two looks.
            if since.elapsed() < UNREAD_FOR {
                assert_eq!((ended, then), ([false, true, false], true));
                return;
            }
        }
    }
}
