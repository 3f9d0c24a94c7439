//! What a sink's log adds up to. Owns the places of rows, and the lists of windows that late lines
//! may still change.

use crate::ids::{Epoch, Partition};
use crate::record::{List, RecordError, Shown, SinkRecord, WindowLists, entries};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// About how many bytes a list takes beside its rows.
const LIST_BYTES: usize = 128;

/// What a sink's log adds up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SinkState {
    /// The newest record.
    pub sequence: u64,
    /// Its epoch.
    pub epoch: Epoch,
    /// Of each partition, the number of the next row.
    pub cursors: BTreeMap<Partition, u64>,
    /// The number of the next row in the sink.
    pub next_row: u64,
    /// The byte behind the last row.
    pub end: u64,
    /// Texts that the sink is not known to have, and where each begins.
    pub tail: VecDeque<(u64, Vec<u8>)>,
    /// The partitions that have no more rows.
    pub ended: BTreeSet<Partition>,
    /// Whether its last line is durable here, and nothing follows.
    pub is_last: bool,
    /// Up to when each partition has closed its windows, in milliseconds since 1970. Only if stages
    /// order the rows.
    pub closed: BTreeMap<Partition, i64>,
    /// Windows by their begin, in milliseconds since 1970, that are not given up, or are due.
    pub windows: BTreeMap<i64, ListedWindow>,
    /// Windows that begin at or before this are given up.
    pub given_up: Option<i64>,
    /// About how many bytes the lists of windows take.
    pub lists_bytes: usize,
}

/// A window whose rows are a list of all partitions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListedWindow {
    /// What each partition has of it.
    pub lists: BTreeMap<Partition, Vec<u8>>,
    /// What the sink has of it, if it has any.
    pub shown: Option<Shown>,
    /// Whether lists came since.
    pub is_due: bool,
}

impl SinkState {
    /// Reads a log.
    ///
    /// # Errors
    /// When the bytes are no log of a sink.
    pub fn read(log: &[u8]) -> Result<SinkState, RecordError> {
        let mut state = SinkState::default();
        for record in entries::<SinkRecord>(log)? {
            if !record.is_image && record.sequence != state.sequence + 1 {
                return Err(RecordError::Order(record.sequence));
            }
            state.take(&record);
        }
        Ok(state)
    }

    pub(super) fn take(&mut self, record: &SinkRecord) {
        if record.is_image {
            *self = SinkState::default();
        }
        self.sequence = record.sequence;
        self.epoch = record.epoch;
        self.cursors.extend(record.cursors.iter().copied());
        self.ended.extend(record.ended.iter().copied());
        self.is_last = record.is_last;
        self.next_row = record.next_row;
        self.end = record.offset + record.text.len() as u64;
        if !record.text.is_empty() {
            self.tail.push_back((record.offset, record.text.clone()));
        }
        self.closed.extend(record.closed.iter().copied());
        record.windows.iter().for_each(|window| self.take_lists(window));
        self.give_up(record.given_up);
    }

    fn take_lists(&mut self, of: &WindowLists) {
        let window = self.windows.entry(of.window).or_default();
        window.shown = of.shown;
        window.is_due = of.is_due;
        for List { partition, rows } in &of.lists {
            self.lists_bytes += memory(rows);
            if let Some(old) = window.lists.insert(*partition, rows.clone()) {
                self.lists_bytes -= memory(&old);
            }
        }
    }

    /// Drops the windows that no late line changes any more.
    fn give_up(&mut self, until: Option<i64>) {
        self.given_up = until.max(self.given_up);
        let Some(until) = self.given_up else { return };
        let bytes = &mut self.lists_bytes;
        let kept = self.windows.split_off(&until.saturating_add(1));
        self.windows.retain(|_, window| {
            if !window.is_due {
                *bytes -= window.lists.values().map(|rows| memory(rows)).sum::<usize>();
            }
            window.is_due
        });
        self.windows.extend(kept);
    }

    /// The sink has all bytes below this.
    pub(super) fn written(&mut self, end: u64) {
        self.tail.retain(|(offset, text)| offset + text.len() as u64 > end);
    }

    pub(super) fn image(&self) -> SinkRecord {
        let offset = self.tail.front().map_or(self.end, |(offset, _)| *offset);
        let list = |(partition, rows): (&Partition, &Vec<u8>)| List {
            partition: *partition,
            rows: rows.clone(),
        };
        let window = |(at, of): (&i64, &ListedWindow)| WindowLists {
            window: *at,
            lists: of.lists.iter().map(list).collect(),
            shown: of.shown,
            is_due: of.is_due,
        };
        SinkRecord {
            sequence: self.sequence,
            epoch: self.epoch,
            cursors: self.cursors.iter().map(|(part, next)| (*part, *next)).collect(),
            next_row: self.next_row,
            offset,
            text: self.tail.iter().flat_map(|(_, text)| text.iter().copied()).collect(),
            is_image: true,
            ended: self.ended.iter().copied().collect(),
            is_last: self.is_last,
            closed: self.closed.iter().map(|(part, until)| (*part, *until)).collect(),
            windows: self.windows.iter().map(window).collect(),
            given_up: self.given_up,
        }
    }
}

/// About how many bytes a list takes.
pub(super) fn memory(rows: &[u8]) -> usize {
    LIST_BYTES + rows.len()
}
