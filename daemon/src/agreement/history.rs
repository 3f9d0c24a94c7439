//! Remembers the last views, for `memberctl view --history`. It owns them.

use memberd_council::{Identity, Now, View, WallTime};
use std::collections::VecDeque;

/// How many views are remembered.
const KEPT: usize = 64;

/// The most names of one view that are remembered as added or removed.
const MOST_NAMES: usize = 500;

/// A view that was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PastView {
    /// Its number.
    pub number: u64,
    /// Its term.
    pub term: u64,
    /// The name of its leader.
    pub leader: Option<String>,
    /// When it was installed here.
    pub at: WallTime,
    /// Who came with it.
    pub added: Vec<String>,
    /// Who went with it.
    pub removed: Vec<String>,
    /// How many members it has.
    pub members: usize,
    /// The names of its council.
    pub council: Vec<String>,
}

/// The last views, the newest last.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<PastView>);

impl History {
    /// Remembers a view.
    pub(super) fn add(&mut self, view: &View, added: &[Identity], removed: &[Identity], now: Now) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        let names = |identities: &[Identity]| {
            identities.iter().take(MOST_NAMES).map(|one| one.name.to_string()).collect()
        };
        self.0.push_back(PastView {
            number: view.number.0,
            term: view.term.0,
            leader: view.leader.as_ref().map(|leader| leader.name.to_string()),
            at: now.wall,
            added: names(added),
            removed: names(removed),
            members: view.members.len(),
            council: view.council.iter().map(|voter| voter.name.to_string()).collect(),
        });
    }

    /// All that are remembered, the oldest first.
    pub(super) fn all(&self) -> Vec<PastView> {
        self.0.iter().cloned().collect()
    }

    /// The term of the view of this number, if it is remembered.
    pub(super) fn term_of(&self, number: u64) -> Option<u64> {
        self.0.iter().rev().find(|past| past.number == number).map(|past| past.term)
    }
}
