//! Windows whose rows are a list of all partitions: when one is whole, which lines that makes, and
//! which partitions are asked whether they have closed it.
//!
//! A window has its first lines when all partitions have closed it. After that, each list that
//! changes its lines makes a revision: all of them again, with a larger number.

use super::Sink;
use super::state::{ListedWindow, memory};
use crate::ids::{Now, Partition, Stage};
use crate::list::{list_rows, ordered};
use crate::message::Message;
use crate::output::{Note, Output};
use crate::record::{List, Row, Shown, SinkRecord, WindowLists};
use crate::settings::Mutant;
use crate::sums::SumRow;
use memberd_membership::Name;
use std::collections::{BTreeSet, VecDeque};

impl Sink {
    /// About how many bytes lists take, those that are not durable yet included.
    pub(crate) fn lists_bytes(&self) -> usize {
        let coming = self.writing.iter().chain([&self.pending]);
        let lists = coming.flat_map(|record| &record.windows).flat_map(|window| &window.lists);
        self.state.lists_bytes + lists.map(|list| memory(&list.rows)).sum::<usize>()
    }

    /// How many bytes lists may take.
    pub(crate) fn set_room(&mut self, room: usize) {
        self.room = room;
    }

    /// Whether all lists among these can be read. If not, none of the rows is taken.
    pub(super) fn can_read(&self, from: &Name, rows: &[Row], out: &mut VecDeque<Output>) -> bool {
        let mut lists = rows.iter().filter_map(|row| match row {
            Row::List { rows, .. } => list_rows(&self.steps, rows).err(),
            Row::Sum { .. } | Row::Gap(_) | Row::Closed(_) => None,
        });
        let error = lists.next();
        if let Some(error) = &error {
            let note = Note::BadSums(self.job_id, from.clone(), error.to_string());
            out.push_back(Output::Note(note));
        }
        error.is_none()
    }

    /// Takes a list into the record to come. False if there is no room, and the job has to stop.
    pub(super) fn take_list(&mut self, partition: Partition, window: i64, rows: &[u8]) -> bool {
        if self.lists_bytes() + memory(rows) > self.room {
            return false;
        }
        let known = self.state.windows.get(&window);
        if known.is_some_and(|known| known.shown.is_some()) && self.settings.is(Mutant::StaleList) {
            return true;
        }
        let list = List { partition, rows: rows.to_vec() };
        let windows = &mut self.pending.windows;
        match windows.iter_mut().find(|known| known.window == window) {
            Some(known) => {
                known.lists.retain(|list| list.partition != partition);
                known.lists.push(list);
            }
            None => {
                let lists = vec![list];
                windows.push(WindowLists { window, lists, shown: None, is_due: true });
            }
        }
        true
    }

    /// Up to when a partition has closed its windows, if this record is durable.
    fn closed(&self, record: &SinkRecord, partition: Partition) -> Option<i64> {
        let coming = record.closed.iter().filter(|(part, _)| *part == partition);
        let coming = coming.map(|(_, until)| *until).max();
        coming.max(self.state.closed.get(&partition).copied())
    }

    fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..self.job.spec.partitions).map(Partition)
    }

    /// Up to when all partitions have closed their windows.
    fn closed_by_all(&self, record: &SinkRecord) -> Option<i64> {
        let closed = self.partitions().map(|partition| self.closed(record, partition));
        match self.settings.is(Mutant::HastyList) {
            true => closed.max().flatten(),
            false => closed.min().flatten(),
        }
    }

    /// Adds the lines of windows that are due to a record, as many as it has room for. All lines of
    /// a window come in one record.
    ///
    /// # Errors
    /// When a window has more lines than it may have: the reason for which the job stops.
    pub(super) fn show(&mut self, record: &mut SinkRecord) -> Result<(), String> {
        for window in &mut record.windows {
            // Since the list came, a record may have become durable.
            window.shown = self.state.windows.get(&window.window).and_then(|known| known.shown);
        }
        let closed = self.closed_by_all(record);
        let times = self.job.spec.times();
        let is_whole = |at: i64| closed.is_some_and(|until| times.is_closed(at, until));
        let due = self.state.windows.iter().filter(|(_, window)| window.is_due);
        let due = due.map(|(at, _)| *at).chain(record.windows.iter().map(|window| window.window));
        let due: BTreeSet<i64> = due.filter(|at| is_whole(*at)).collect();
        record.given_up =
            closed.map(|until| until.saturating_sub(times.over_ms).saturating_sub(times.retain_ms));
        for at in due {
            if record.text.len() >= self.settings.text_bytes {
                self.has_more_lists = true;
                break;
            }
            self.show_window(at, record)?;
        }
        Ok(())
    }

    fn show_window(&mut self, at: i64, record: &mut SinkRecord) -> Result<(), String> {
        let none = ListedWindow::default();
        let known = self.state.windows.get(&at).unwrap_or(&none);
        let place = record.windows.iter().position(|window| window.window == at);
        let coming = place.map_or(&[][..], |place| &record.windows[place].lists);
        let is_new = |part: &Partition| coming.iter().any(|list| list.partition == *part);
        let lists = known.lists.iter().filter(|(part, _)| !is_new(part)).map(|(_, rows)| rows);
        let lists = lists.chain(coming.iter().map(|list| &list.rows));
        // Each was read when it came. The log may be of a memberd that wrote others.
        let lists: Result<Vec<_>, _> = lists.map(|rows| list_rows(&self.steps, rows)).collect();
        let rows = lists.map_err(|error| error.to_string())?.concat();
        let rows = ordered(&self.steps, rows);
        let digest = digest(&rows);
        let mut shown = known.shown;
        if shown.is_none_or(|shown| shown.digest != digest) {
            let revision = shown.map_or(0, |shown| shown.revision + 1);
            let (text, next_row) = lines(rows, at, revision, record.next_row);
            if text.len() > self.settings.text_bytes {
                return Err(self.too_long());
            }
            if !record.text.is_empty() && record.text.len() + text.len() > self.settings.text_bytes
            {
                self.has_more_lists = true;
                return Ok(());
            }
            record.text.extend(text);
            record.next_row = next_row;
            shown = Some(Shown { revision, digest });
        }
        let place = place.unwrap_or_else(|| {
            record.windows.push(WindowLists { window: at, lists: vec![], shown, is_due: true });
            record.windows.len() - 1
        });
        record.windows[place].shown = shown;
        record.windows[place].is_due = false;
        Ok(())
    }

    fn too_long(&self) -> String {
        let most = self.settings.text_bytes;
        format!(
            "behind top or sort a window has lines of more than {most} bytes; use a smaller top"
        )
    }

    /// The job has to stop. The log is there, so that the sink gets its last line.
    pub(super) fn stop(&mut self, reason: String, out: &mut VecDeque<Output>) {
        self.has_stopped = true;
        self.pending = self.next_record();
        self.has_more_lists = false;
        out.push_back(Output::Note(Note::Stopped(self.job_id, Stage::Sink, reason)));
    }

    pub(super) fn no_room(&self) -> String {
        let most = self.settings.lists_bytes;
        format!(
            "windows that late lines may change have rows of more than {most} bytes; use a smaller \
             top, or a shorter retain"
        )
    }

    /// Whether a window of this record, or before, is not written yet.
    pub(super) fn owes_lists(&self, record: &SinkRecord) -> bool {
        let in_record = |at: &i64| record.windows.iter().any(|window| window.window == *at);
        let known = self.state.windows.iter().filter(|(at, _)| !in_record(at));
        let mut known = known.map(|(_, window)| window.is_due);
        known.any(|is_due| is_due) || record.windows.iter().any(|window| window.is_due)
    }

    /// Asks the partitions that a window with rows waits for. One without rows in it may have
    /// nothing else to tell.
    pub(super) fn ask_closed(&mut self, now: Now, out: &mut VecDeque<Output>) {
        let lagging = self.lagging();
        if lagging.is_empty() {
            self.asked.clear();
            self.ask_at_ms = u64::MAX;
            return;
        }
        let is_again = self.ask_at_ms <= now.boot_ms;
        if is_again || self.ask_at_ms == u64::MAX {
            self.ask_at_ms = now.boot_ms + self.settings.retry_ms;
        }
        for (partition, until) in lagging {
            let stage = self.job.stages.get(&Stage::Partition(partition));
            let is_new = self.asked.get(&partition).is_none_or(|asked| *asked < until);
            if let Some(owner) = stage.filter(|_| is_new || is_again) {
                let (job, epoch) = (self.job_id, self.epoch);
                let ask = Message::AskClosed { job, partition, epoch, until };
                out.push_back(Output::Send(owner.owner.name.clone(), ask));
                self.asked.insert(partition, until);
            }
        }
    }

    /// The partitions that have not closed a window of which others have rows, and when it ends.
    fn lagging(&self) -> Vec<(Partition, i64)> {
        if !self.log.is_open() || self.has_last_line() || self.has_stopped {
            return Vec::new();
        }
        let mut known = self.state.windows.iter().rev();
        let known = known.find(|(_, window)| window.is_due).map(|(at, _)| *at);
        let coming = self.writing.iter().chain([&self.pending]);
        let coming = coming.flat_map(|record| &record.windows).map(|window| window.window).max();
        let Some(last) = known.max(coming) else { return Vec::new() };
        let until = last.saturating_add(self.job.spec.times().over_ms);
        let is_behind = |partition: &Partition| {
            let written = self.writing.as_ref();
            let written = written.and_then(|writing| self.closed(writing, *partition));
            let closed = self.closed(&self.pending, *partition).max(written);
            closed.is_none_or(|closed| closed < until)
        };
        self.partitions().filter(is_behind).map(|partition| (partition, until)).collect()
    }
}

/// The lines of a window's rows, and the number of the row behind them.
fn lines(rows: Vec<SumRow>, window: i64, revision: u32, first: u64) -> (Vec<u8>, u64) {
    let (mut text, mut number) = (Vec::new(), first);
    for SumRow { key, values, .. } in rows {
        text.extend(Row::Sum { window, key, values, revision }.line(number));
        number += 1;
    }
    (text, number)
}

/// A hash of rows and their order.
fn digest(rows: &[SumRow]) -> u128 {
    let mut hasher = blake3::Hasher::new_derive_key("memberd 2026-12-01 jobs rows of a window");
    for text in rows.iter().flat_map(|row| [&row.key, &row.values]) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    u128::from_le_bytes(bytes)
}
