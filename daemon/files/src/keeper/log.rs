//! The log as it is in memory: [`Log`]. It owns the entries after a position.

use crate::catalog::{Entry, Position};
use std::collections::VecDeque;
use std::sync::Arc;

/// The entries after a position, without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Log {
    before: Position,
    entries: VecDeque<Arc<Entry>>,
}

impl Log {
    pub(crate) fn after(before: Position) -> Log {
        Log { before, entries: VecDeque::new() }
    }

    /// The position before its first entry.
    pub(crate) fn before(&self) -> Position {
        self.before
    }

    pub(crate) fn end(&self) -> Position {
        self.entries.back().map_or(self.before, |entry| entry.position)
    }

    pub(crate) fn get(&self, index: u64) -> Option<&Arc<Entry>> {
        let place = index.checked_sub(self.before.index + 1)?;
        self.entries.get(usize::try_from(place).ok()?)
    }

    /// The position of an index, if it is known here.
    pub(crate) fn position(&self, index: u64) -> Option<Position> {
        if index == self.before.index {
            Some(self.before)
        } else {
            self.get(index).map(|entry| entry.position)
        }
    }

    /// Whether this very entry is in it, or is the one before it.
    pub(crate) fn contains(&self, position: Position) -> bool {
        self.position(position.index) == Some(position)
    }

    /// Adds the next entry. The caller has checked that it is the next.
    pub(crate) fn push(&mut self, entry: Arc<Entry>) {
        debug_assert_eq!(entry.position.index, self.end().index + 1);
        self.entries.push_back(entry);
    }

    /// Ends the log before an index.
    pub(crate) fn cut(&mut self, from: u64) {
        while self.entries.back().is_some_and(|entry| entry.position.index >= from) {
            self.entries.pop_back();
        }
    }

    /// Forgets the entries up to an index.
    pub(crate) fn trim(&mut self, up_to: u64) {
        while let Some(entry) = self.entries.front()
            && entry.position.index <= up_to
        {
            self.before = entry.position;
            self.entries.pop_front();
        }
    }

    /// The entries after an index, of at most so many bytes, but at least one.
    pub(crate) fn page(&self, after: u64, most: usize) -> Vec<Arc<Entry>> {
        let mut bytes = 0;
        let mut page = Vec::new();
        let mut index = after + 1;
        while let Some(entry) = self.get(index) {
            bytes += entry.mutation.weight();
            if bytes > most && !page.is_empty() {
                break;
            }
            page.push(entry.clone());
            index += 1;
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Ballot, Mutation};
    use crate::ids::{Epoch, OperationId};

    fn entry(epoch: u64, index: u64) -> Arc<Entry> {
        let ballot = Ballot { epoch: Epoch(epoch), session: 8 };
        let mutation = Mutation::SetQuota { bytes: None, names: None };
        let position = Position { ballot, index };
        Arc::new(Entry { position, time_ms: 0, wall_ms: 0, operation: OperationId(1), mutation })
    }

    #[test]
    fn a_log_knows_its_positions_and_no_others() {
        let mut log = Log::after(entry(1, 4).position);
        (5..10).for_each(|index| log.push(entry(2, index)));
        assert!(log.contains(entry(1, 4).position) && log.contains(entry(2, 9).position));
        assert!(!log.contains(entry(1, 5).position) && !log.contains(entry(2, 10).position));
        assert!(!log.contains(entry(2, 3).position));
        log.trim(6);
        assert_eq!((log.before(), log.end()), (entry(2, 6).position, entry(2, 9).position));
        log.cut(8);
        assert_eq!(log.end(), entry(2, 7).position);
        assert_eq!(log.page(6, 1).len(), 1, "at least one");
        assert_eq!(log.page(7, 1).len(), 0);
    }
}
