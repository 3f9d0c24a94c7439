//! What an owner has taken since its last record, and comes into the next one.

use crate::cursor::Cursor;
use crate::ids::FileId;
use crate::message::Part;
use crate::record::Gap;
use crate::sums::{Sums, SumsError};
use memberd_membership::Name;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) struct Pending<T> {
    /// Cursors that moved.
    pub(crate) cursors: BTreeMap<FileId, Cursor>,
    /// What members said of files that are not known here.
    pub(crate) presences: BTreeMap<Name, i64>,
    /// Sums by pane.
    pub(crate) windows: BTreeMap<i64, T>,
    pub(crate) late: u64,
    pub(crate) uncounted: u64,
    pub(crate) gaps: Vec<Gap>,
    /// Whether there is more than watermarks.
    pub(crate) has_news: bool,
}

impl<T> Default for Pending<T> {
    fn default() -> Pending<T> {
        Pending {
            cursors: BTreeMap::new(),
            presences: BTreeMap::new(),
            windows: BTreeMap::new(),
            late: 0,
            uncounted: 0,
            gaps: Vec::new(),
            has_news: false,
        }
    }
}

impl<T> Pending<T> {
    pub(crate) fn add<S: Sums<Table = T>>(
        &mut self,
        sums: &S,
        part: &Part,
    ) -> Result<(), SumsError> {
        let table = self.windows.entry(part.window).or_insert_with(|| sums.empty());
        sums.add(table, &part.sums)
    }

    pub(crate) fn presence(&mut self, name: &Name, presence: i64) {
        let known = self.presences.entry(name.clone()).or_insert(i64::MIN);
        *known = presence.max(*known);
    }

    pub(crate) fn weight<S: Sums<Table = T>>(&self, sums: &S) -> usize {
        self.windows.values().map(|table| sums.weight(table)).sum()
    }
}
