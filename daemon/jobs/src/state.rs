//! The state of a partition: what its log adds up to. Owns cursors, sums and rows.
//!
//! The owner changes it by the very records that it writes, so what is in memory and what a
//! successor reads cannot differ.

use crate::cursor::Cursor;
use crate::ids::{Epoch, FileId};
use crate::record::{Entry, Image, Record, RecordError, Row, WindowImage, WindowSums, entries};
use crate::sums::{Sums, SumsError};
use memberd_membership::Name;
use std::collections::{BTreeMap, VecDeque};

/// Why a log is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Its bytes are no records.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Its sums cannot be added.
    #[error(transparent)]
    Sums(#[from] SumsError),
}

/// A window that is not given up, and the pane at its beginning: its lines of one `every_ms`. Where
/// windows do not overlap, both are the same. Else the panes that begin in a window are its lines,
/// and each is kept as long as any window has it.
#[derive(Debug, Clone)]
pub struct Window<T> {
    /// The sums of the pane.
    pub table: T,
    /// The newest revision of the window that has rows. None: it has not closed.
    pub revision: Option<u32>,
}

/// What a log adds up to.
#[derive(Debug, Clone)]
pub struct State<T> {
    /// The newest record.
    pub sequence: u64,
    /// Its epoch.
    pub epoch: Epoch,
    /// How far each file is counted.
    pub cursors: BTreeMap<FileId, Cursor>,
    /// What members said of files that are not known here.
    pub presences: BTreeMap<Name, i64>,
    /// Windows and panes by their begin, in milliseconds since 1970.
    pub windows: BTreeMap<i64, Window<T>>,
    /// Windows that end at or before this are closed.
    pub watermark: i64,
    /// Lines that came after a window of theirs was given up.
    pub late: u64,
    /// Lines in no group.
    pub uncounted: u64,
    /// The number of the first of `rows`.
    pub first_row: u64,
    /// Rows that the sink is not known to have.
    pub rows: VecDeque<Row>,
    /// About how many bytes they take.
    pub row_bytes: usize,
    /// Whether no record follows: the job was cancelled.
    pub is_last: bool,
    /// Gaps, since the beginning.
    pub gaps: u64,
    /// The newest record that has dropped cursors.
    pub dropped_at: u64,
}

impl<T> Default for State<T> {
    fn default() -> State<T> {
        State {
            sequence: 0,
            epoch: Epoch::default(),
            cursors: BTreeMap::new(),
            presences: BTreeMap::new(),
            windows: BTreeMap::new(),
            watermark: i64::MIN,
            late: 0,
            uncounted: 0,
            first_row: 0,
            rows: VecDeque::new(),
            row_bytes: 0,
            is_last: false,
            gaps: 0,
            dropped_at: 0,
        }
    }
}

/// When windows close and are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowTimes {
    /// How often a window begins, in milliseconds.
    pub every_ms: i64,
    /// How long a window is, in milliseconds: a multiple of `every_ms`.
    pub over_ms: i64,
    /// How long a closed one takes late lines, in milliseconds.
    pub retain_ms: i64,
}

impl WindowTimes {
    /// Whether a window is closed at a watermark.
    #[must_use]
    pub fn is_closed(self, window: i64, watermark: i64) -> bool {
        window.saturating_add(self.over_ms) <= watermark
    }

    /// Whether a window is given up at a watermark: its lines only count as late.
    #[must_use]
    pub fn is_given_up(self, window: i64, watermark: i64) -> bool {
        window.saturating_add(self.over_ms).saturating_add(self.retain_ms) <= watermark
    }

    /// The windows that have the lines of the pane that begins at `pane`.
    pub fn windows_of(self, pane: i64) -> impl Iterator<Item = i64> {
        let windows = self.over_ms / self.every_ms.max(1);
        (0..windows).filter_map(move |step| pane.checked_sub(step.checked_mul(self.every_ms)?))
    }

    /// Whether a window is given up that has the lines of this pane.
    #[must_use]
    pub fn misses(self, pane: i64, watermark: i64) -> bool {
        self.windows_of(pane).any(|window| self.is_given_up(window, watermark))
    }
}

impl<T> State<T> {
    /// Reads a log.
    ///
    /// # Errors
    /// When the bytes are no log of a partition, or not of this query.
    pub fn read<S: Sums<Table = T>>(
        sums: &S,
        times: WindowTimes,
        log: &[u8],
    ) -> Result<Self, StateError> {
        let mut state = State::default();
        for entry in entries(log)? {
            match entry {
                Entry::Image(image) => state = State::of_image(sums, image)?,
                Entry::Record(record) if record.sequence != state.sequence + 1 => {
                    return Err(RecordError::Order(record.sequence).into());
                }
                Entry::Record(record) => {
                    state.add(sums, &record.sums)?;
                    state.take(sums, times, &record);
                }
            }
        }
        Ok(state)
    }

    /// The tables of all panes of a window.
    pub(crate) fn panes(&self, times: WindowTimes, window: i64) -> Vec<&T> {
        let panes = self.windows.range(window..window.saturating_add(times.over_ms).max(window));
        panes.map(|(_, pane)| &pane.table).collect()
    }

    /// Adds the sums of a record.
    pub(crate) fn add<S: Sums<Table = T>>(
        &mut self,
        sums: &S,
        windows: &[WindowSums],
    ) -> Result<(), SumsError> {
        for (window, pieces) in windows {
            let window = self
                .windows
                .entry(*window)
                .or_insert_with(|| Window { table: sums.empty(), revision: None });
            for piece in pieces {
                sums.add(&mut window.table, piece)?;
            }
        }
        Ok(())
    }

    /// Takes all of a record but its sums.
    pub(crate) fn take<S: Sums<Table = T>>(
        &mut self,
        sums: &S,
        times: WindowTimes,
        record: &Record,
    ) {
        self.sequence = record.sequence;
        self.epoch = record.epoch;
        self.cursors.extend(record.cursors.iter().cloned());
        for file in &record.dropped {
            self.cursors.remove(file);
            self.dropped_at = record.sequence;
        }
        let presences = record.presences.iter();
        self.presences.extend(presences.map(|(name, at)| (name.clone(), *at)));
        self.late += record.late;
        self.uncounted += record.uncounted;
        self.watermark = record.watermark;
        for (window, revision) in &record.closed {
            // It may have lines in later panes alone.
            let none = || Window { table: sums.empty(), revision: None };
            self.windows.entry(*window).or_insert_with(none).revision = Some(*revision);
        }
        self.windows.retain(|window, _| !times.is_given_up(*window, record.watermark));
        self.rows.extend(record.rows.iter().cloned());
        self.row_bytes += bytes_of(&record.rows);
        self.is_last = record.is_last;
        let gaps = record.rows.iter().filter(|row| matches!(row, Row::Gap(_))).count();
        self.gaps += u64::try_from(gaps).unwrap_or(u64::MAX);
    }

    /// The number that the next row will have.
    #[must_use]
    pub fn next_row(&self) -> u64 {
        self.first_row + u64::try_from(self.rows.len()).unwrap_or(u64::MAX)
    }

    /// The sink has all rows below this number.
    pub(crate) fn rows_taken(&mut self, next: u64) {
        while self.first_row < next
            && let Some(row) = self.rows.pop_front()
        {
            self.row_bytes = self.row_bytes.saturating_sub(row.bytes());
            self.first_row += 1;
        }
    }

    /// All of it, to replace the log.
    pub(crate) fn image<S: Sums<Table = T>>(&self, sums: &S) -> Image {
        let window = |(window, of): (&i64, &Window<T>)| WindowImage {
            window: *window,
            revision: of.revision,
            sums: sums.bytes(&of.table),
        };
        Image {
            sequence: self.sequence,
            epoch: self.epoch,
            cursors: self.cursors.iter().map(|(file, at)| (file.clone(), *at)).collect(),
            presences: self.presences.clone(),
            windows: self.windows.iter().map(window).collect(),
            watermark: self.watermark,
            late: self.late,
            uncounted: self.uncounted,
            first_row: self.first_row,
            rows: self.rows.iter().cloned().collect(),
            is_last: self.is_last,
            gaps: self.gaps,
            dropped_at: self.dropped_at,
        }
    }

    fn of_image<S: Sums<Table = T>>(sums: &S, image: Image) -> Result<Self, SumsError> {
        let mut windows = BTreeMap::new();
        for WindowImage { window, revision, sums: pieces } in image.windows {
            let mut table = sums.empty();
            for piece in pieces {
                sums.add(&mut table, &piece)?;
            }
            windows.insert(window, Window { table, revision });
        }
        Ok(State {
            sequence: image.sequence,
            epoch: image.epoch,
            cursors: image.cursors.into_iter().collect(),
            presences: image.presences,
            windows,
            watermark: image.watermark,
            late: image.late,
            uncounted: image.uncounted,
            first_row: image.first_row,
            row_bytes: bytes_of(&image.rows),
            rows: image.rows.into(),
            is_last: image.is_last,
            gaps: image.gaps,
            dropped_at: image.dropped_at,
        })
    }
}

fn bytes_of(rows: &[Row]) -> usize {
    rows.iter().map(Row::bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{JobSpec, SpecError, testing::quick_spec};

    #[test]
    fn a_pane_is_in_each_window_that_has_it() {
        let times = WindowTimes { every_ms: 10, over_ms: 30, retain_ms: 100 };
        assert_eq!(times.windows_of(0).collect::<Vec<_>>(), [0, -10, -20]);
        assert!(times.is_closed(-20, 10) && !times.is_closed(-10, 10));
        // At 110 the first of its windows is given up, and the last at 130.
        assert!(times.misses(0, 110) && !times.misses(0, 109));
        assert!(!times.is_given_up(0, 129) && times.is_given_up(0, 130));
        assert_eq!(times.windows_of(i64::MIN).count(), 1, "there are none before");
    }

    #[test]
    fn windows_are_as_long_as_they_may_be() {
        let check = |over_ms| {
            let spec = JobSpec { over_ms, ..quick_spec("shop") };
            spec.check()
        };
        for over_ms in [None, Some(100), Some(6_000)] {
            assert_eq!(check(over_ms), Ok(()));
        }
        for over_ms in [0, -100, 50, 150, 6_100] {
            assert_eq!(check(Some(over_ms)), Err(SpecError::Over(over_ms)));
        }
    }
}
