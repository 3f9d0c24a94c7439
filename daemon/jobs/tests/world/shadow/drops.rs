//! What goes: cursors that are dropped, when that may and must be, and bytes that are lost.

use super::super::lines::Line;
use super::super::oracle::Judged;
use super::super::sim::Machine;
use super::{Shadow, covers, file_of};
use memberd_jobs::{Cursor, FileId, Gap, GapReason, partition_of, window_of};

impl Shadow {
    /// A cursor is dropped: nobody can need it.
    pub(super) fn drop_cursor(&mut self, machines: &[Machine], id: &FileId) -> Judged {
        let Some(cursor) = self.cursors.remove(id) else {
            return Err(format!("I9: {id:?} is dropped, and has no cursor"));
        };
        let file = file_of(machines, id);
        let lines = self.lines_below(id, &cursor, machines);
        let is_over = |line: &&Line| {
            let window = window_of(line.stamp, self.times.every_ms);
            self.times.is_given_up(window, self.watermark)
        };
        let was_deleted = file.is_deleted || file.was_removed;
        if !cursor.is_finished || !was_deleted || !lines.iter().all(is_over) {
            return Err(format!("I9: {id:?} is dropped too early: {cursor:?}"));
        }
        self.dropped_lines += lines.len() as u64;
        self.dropped.insert(id.clone());
        self.drops += 1;
        Ok(())
    }

    /// The lines of this partition below a cursor, but for gaps.
    pub(super) fn lines_below<'m>(
        &self,
        id: &FileId,
        cursor: &Cursor,
        machines: &'m [Machine],
    ) -> Vec<&'m Line> {
        let is_counted = |line: &&Line| {
            partition_of(&[line.key], self.partitions) == self.partition
                && !self.gaps.iter().any(|gap| covers(gap, id, line))
        };
        let lines = file_of(machines, id).between(cursor.start, cursor.at);
        lines.iter().filter(is_counted).collect()
    }

    /// How many cursors there are of files that are not there any more.
    pub fn gone(&self, machines: &[Machine]) -> usize {
        self.cursors.keys().filter(|id| file_of(machines, id).is_deleted).count()
    }

    /// A cursor that should be dropped.
    pub fn leftover(&self, machines: &[Machine]) -> Option<&FileId> {
        let is_over = |(id, cursor): &(&FileId, &Cursor)| {
            let is_gone = file_of(machines, id).is_deleted && cursor.is_finished;
            is_gone && cursor.is_over(self.times, self.watermark)
        };
        self.cursors.iter().find(is_over).map(|(id, _)| id)
    }

    /// A gap says that bytes are lost: they are.
    pub(super) fn is_true(&self, machines: &[Machine], gap: &Gap) -> Judged {
        let file = file_of(machines, &gap.file);
        // It was counted, came back, and went before it was counted anew: nobody knows any more.
        let was_dropped = file.was_removed && self.dropped.contains(&gap.file);
        let is_lost = match (gap.reason, gap.to) {
            (GapReason::Forgotten, _) => true,
            (GapReason::Deleted, _) if was_dropped => true,
            (GapReason::Deleted, Some(to)) => to <= file.lost_below,
            (GapReason::Deleted, None) => file.is_deleted,
        };
        if is_lost { Ok(()) } else { Err(format!("I2: {gap:?} is none")) }
    }

    /// How many lines lie below the cursors, but for gaps; each as often as there are windows with
    /// it.
    pub fn counted(&self, machines: &[Machine]) -> u64 {
        let cursors = self.cursors.iter();
        let lines = cursors.map(|(id, cursor)| self.lines_below(id, cursor, machines).len() as u64);
        let windows = (self.times.over_ms / self.times.every_ms) as u64;
        (self.dropped_lines + lines.sum::<u64>()) * windows
    }
}
