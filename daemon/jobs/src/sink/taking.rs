//! How the sink takes rows, each at the cursor of its partition; and which line is its last one.

use super::Sink;
use crate::cursor::{Verdict, judge};
use crate::ids::{Now, Partition, Stage};
use crate::message::Rows;
use crate::output::Output;
use crate::record::{Row, SinkRecord};
use crate::settings::Mutant;
use memberd_membership::Name;
use std::collections::VecDeque;

impl Sink {
    /// Takes rows at the cursor of their partition, and no others.
    pub(crate) fn handle_rows(
        &mut self,
        now: Now,
        from: &Name,
        rows: &Rows,
        out: &mut VecDeque<Output>,
    ) {
        // A new owner that the table here does not have yet offers them again.
        let owner = self.job.stages.get(&Stage::Partition(rows.partition));
        if owner.is_none_or(|owner| owner.owner.name != *from) {
            return;
        }
        if rows.epoch != self.epoch || !self.log.is_open() || self.has_last_line() {
            return;
        }
        if self.has_stopped || !self.can_read(from, &rows.rows, out) {
            return;
        }
        self.senders.insert(rows.partition, from.clone());
        let to = rows.from + rows.rows.len() as u64;
        match judge(self.cursor(rows.partition), rows.from, to) {
            Verdict::Apply => {
                if !self.take(rows) {
                    let reason = self.no_room();
                    return self.stop(reason, out);
                }
                self.take_end(rows);
                self.commit(now, out);
                self.ask_closed(now, out);
            }
            // The owner goes on from what is durable.
            Verdict::Duplicate | Verdict::Cut | Verdict::Beyond => {
                let durable = self.state.cursors.get(&rows.partition).copied().unwrap_or(0);
                self.acknowledge(rows.partition, durable, out);
            }
        }
    }

    /// Whether the last line is durable in the log, or on its way there. Nothing follows it.
    pub(super) fn has_last_line(&self) -> bool {
        self.state.is_last || self.writing.as_ref().is_some_and(|writing| writing.is_last)
    }

    /// The number of the next row of a partition, with what is on its way into the log.
    fn cursor(&self, partition: Partition) -> u64 {
        // What is being written comes before what is pending, in time.
        let written = self.writing.iter().flat_map(|writing| &writing.cursors);
        let known = self.pending.cursors.iter().chain(written);
        let newest = known.filter(|(part, _)| *part == partition).map(|(_, next)| *next).max();
        newest.or_else(|| self.state.cursors.get(&partition).copied()).unwrap_or(0)
    }

    /// Whether the record to come has no room for more rows.
    pub(super) fn is_full(&self) -> bool {
        let lists = self.pending.windows.iter().flat_map(|window| &window.lists);
        let bytes: usize = lists.map(|list| list.rows.len()).sum();
        self.pending.text.len() + bytes >= self.settings.text_bytes
    }

    /// Takes as many rows as a record has room for. The others come again. False if a list has no
    /// room at all.
    fn take(&mut self, rows: &Rows) -> bool {
        let mut to = rows.from;
        for row in &rows.rows {
            if self.is_full() {
                break;
            }
            match row {
                Row::Sum { .. } | Row::Gap(_) => {
                    self.pending.text.extend(row.line(self.pending.next_row));
                    self.pending.next_row += 1;
                }
                Row::List { window, rows: list } => {
                    if !self.take_list(rows.partition, *window, list) {
                        return false;
                    }
                }
                Row::Closed(until) => self.pending.closed.push((rows.partition, *until)),
            }
            to += 1;
        }
        if to == rows.from {
            return true;
        }
        let bytes: usize = rows.rows.iter().map(Row::bytes).sum();
        let is_full = rows.rows.len() >= self.settings.rows || 2 * bytes > self.settings.rows_bytes;
        self.has_more |= is_full;
        self.pending.cursors.retain(|(part, _)| *part != rows.partition);
        self.pending.cursors.push((rows.partition, to));
        true
    }

    /// Notes that a partition has no more rows, once all of them are here.
    fn take_end(&mut self, rows: &Rows) {
        let written = self.writing.iter().flat_map(|writing| &writing.ended);
        let mut known = self.state.ended.iter().chain(written).chain(&self.pending.ended);
        let is_known = known.any(|ended| *ended == rows.partition);
        if !is_known && rows.end == Some(self.cursor(rows.partition)) {
            self.pending.ended.push(rows.partition);
        }
    }

    /// The last line of the sink, if it comes with this record. No reader takes it for a row.
    pub(super) fn last_line(&self, record: &SinkRecord) -> Option<String> {
        let rows = record.next_row;
        if let Some(reason) = &self.job.stopped {
            let reason = reason.replace(char::is_control, " ");
            return Some(format!("# stopped {rows} {reason}\n"));
        }
        let has_ended = |part: u16| {
            let partition = Partition(part);
            self.state.ended.contains(&partition) || record.ended.contains(&partition)
        };
        let mut parts = 0..self.job.spec.partitions;
        let have_ended = match self.settings.is(Mutant::HastyTrailer) {
            true => parts.any(has_ended),
            false => parts.all(has_ended),
        };
        let is_whole = have_ended && !self.owes_lists(record);
        is_whole.then(|| format!("# cancelled {rows}\n"))
    }
}
