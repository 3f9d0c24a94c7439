//! What is written into the log of a stage, and how. Plain values.
//!
//! A log is one entry behind the other: its length in four bytes, little endian; the version in
//! one byte; and CBOR. The store appends all of an entry or nothing, so none is ever torn.

use crate::cursor::Cursor;
use crate::forms;
use crate::ids::{Epoch, FileId, Partition};
use memberd_membership::Name;
use memberd_streams::time_text;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of this form. Version 1 had no lists of rows, and is read as well.
const VERSION: u8 = 2;

/// Why a log cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A newer memberd wrote it.
    #[error("version {0} of the log is not known: it needs a newer memberd")]
    Version(u8),
    /// It ends within an entry, or an entry is none.
    #[error("the log is malformed")]
    Malformed,
    /// Its records do not follow each other.
    #[error("record {0} of the log does not follow the one before")]
    Order(u64),
}

/// Why bytes of a file were not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum GapReason {
    /// They were deleted or overwritten before they were read.
    Deleted,
    /// The operator said that the member's disk will not come back.
    Forgotten,
}

/// Bytes that were not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// By which partition. Others may have counted them, or a part of them.
    pub partition: Partition,
    /// Of which file.
    pub file: FileId,
    /// The first byte.
    pub from: u64,
    /// The byte behind the last. None: nobody knows how many there were, or whether any.
    pub to: Option<u64>,
    /// Why.
    pub reason: GapReason,
}

/// A row of the sink, before it has its number there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Row {
    /// The sums of a group.
    Sum {
        /// When the window begins, in milliseconds since 1970.
        window: i64,
        /// The key's columns, escaped, with tabs between them.
        #[serde(with = "forms::bytes")]
        key: Vec<u8>,
        /// The values' columns.
        #[serde(with = "forms::bytes")]
        values: Vec<u8>,
        /// 0 when the window closed; larger if late lines changed the row since.
        revision: u32,
    },
    /// Bytes that this partition did not count.
    Gap(Gap),
    /// If stages order the rows: those of a window that the sink has to know of this partition. It
    /// takes the place of the list of this window before.
    List {
        /// When the window begins, in milliseconds since 1970.
        window: i64,
        /// What [`list_rows`](crate::list_rows) reads.
        #[serde(with = "forms::bytes")]
        rows: Vec<u8>,
    },
    /// If stages order the rows: windows that end at or before this are closed in this partition,
    /// in milliseconds since 1970. Lists of these that follow are revisions.
    Closed(i64),
}

impl Row {
    /// At least as many bytes as it has on the wire, and as a line of the sink.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Row::Sum { key, values, .. } => 128 + key.len() + values.len(),
            Row::Gap(gap) => 256 + gap.file.member.as_str().len(),
            Row::List { rows, .. } => 128 + rows.len(),
            Row::Closed(_) => 64,
        }
    }

    /// The row as a line of the sink: `seq TAB window TAB key... TAB value... TAB rev`. A gap has
    /// `gap` for a window; the member, file, bytes and partition for a key; the reason for a value.
    /// What only the sink has to know is no line.
    #[must_use]
    pub fn line(&self, number: u64) -> Vec<u8> {
        let mut line = format!("{number}\t").into_bytes();
        match self {
            Row::Sum { window, key, values, revision } => {
                line.extend_from_slice(time_text(*window).as_bytes());
                for column in [key, values] {
                    line.push(b'\t');
                    line.extend_from_slice(column);
                }
                line.extend_from_slice(format!("\t{revision}\n").as_bytes());
            }
            Row::Gap(Gap { partition, file, from, to, reason }) => {
                let to = to.map(|to| to.to_string()).unwrap_or_default();
                let reason = match reason {
                    GapReason::Deleted => "deleted",
                    GapReason::Forgotten => "forgotten",
                };
                let FileId { member, key } = file;
                let (part, key) = (partition.0, key.0);
                let text =
                    format!("gap\t{member}\t{key:032x}\t{from}-{to}\tp{part}\t{reason}\t0\n");
                line.extend_from_slice(text.as_bytes());
            }
            Row::List { .. } | Row::Closed(_) => line.clear(),
        }
        line
    }
}

/// The begin of a window, in milliseconds since 1970, and pieces of sums.
pub type WindowSums = (i64, Vec<Vec<u8>>);

/// What one commit of a partition changes. It is one append: cursors, sums and rows are durable
/// together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    /// One more than that of the record before.
    pub sequence: u64,
    /// Under which epoch it was written.
    pub epoch: Epoch,
    /// The cursors that moved.
    pub cursors: Vec<(FileId, Cursor)>,
    /// What members said of files that this partition does not know: their lines have no stamp
    /// before this, in milliseconds since 1970.
    #[serde(with = "forms::by_name")]
    pub presences: BTreeMap<Name, i64>,
    /// By the begin of their window, sums to add.
    #[serde(with = "forms::by_window")]
    pub sums: Vec<WindowSums>,
    /// Lines that came after their window was given up.
    pub late: u64,
    /// Lines in no group: they could not be read, or had no time.
    pub uncounted: u64,
    /// Windows that end at or before this are closed, in milliseconds since 1970.
    pub watermark: i64,
    /// Windows that have rows here: their begin, and which revision of them these are.
    pub closed: Vec<(i64, u32)>,
    /// The rows.
    pub rows: Vec<Row>,
    /// Whether no record follows: the job was cancelled.
    #[serde(default)]
    pub is_last: bool,
    /// The cursors that are dropped: their files are gone, and no window that can change has lines
    /// of them.
    #[serde(default)]
    pub dropped: Vec<FileId>,
}

/// A window in an [`Image`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowImage {
    /// When it begins, in milliseconds since 1970.
    pub window: i64,
    /// The newest revision that has rows, if any has.
    pub revision: Option<u32>,
    /// Its sums.
    #[serde(with = "forms::pieces")]
    pub sums: Vec<Vec<u8>>,
}

/// All that records up to one of them add up to. It replaces them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Image {
    /// The newest record in it.
    pub sequence: u64,
    /// Under which epoch it was written.
    pub epoch: Epoch,
    /// All cursors.
    pub cursors: Vec<(FileId, Cursor)>,
    /// All presences.
    #[serde(with = "forms::by_name")]
    pub presences: BTreeMap<Name, i64>,
    /// All windows that are not given up.
    pub windows: Vec<WindowImage>,
    /// The watermark.
    pub watermark: i64,
    /// Late lines, since the beginning.
    pub late: u64,
    /// Lines in no group, since the beginning.
    pub uncounted: u64,
    /// The number of the first of `rows`.
    pub first_row: u64,
    /// Rows that the sink is not known to have.
    pub rows: Vec<Row>,
    /// Whether no record follows.
    #[serde(default)]
    pub is_last: bool,
    /// Gaps, since the beginning.
    #[serde(default)]
    pub gaps: u64,
    /// The newest record that has dropped cursors.
    #[serde(default)]
    pub dropped_at: u64,
}

/// An entry of a partition's log. An image is the first, if it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// Replaces all before it.
    Image(Image),
    /// Follows the one before it.
    Record(Record),
}

/// A partition's rows of a window, in the log of the sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Of which partition.
    pub partition: Partition,
    /// What [`list_rows`](crate::list_rows) reads.
    #[serde(with = "forms::bytes")]
    pub rows: Vec<u8>,
}

/// What the sink has of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its newest revision there.
    pub revision: u32,
    /// A hash of that revision's rows.
    pub digest: u128,
}

/// Lists of a window that came, and what the sink has of it behind this record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowLists {
    /// When it begins, in milliseconds since 1970.
    pub window: i64,
    /// The lists that came. In an image, all.
    pub lists: Vec<List>,
    /// What the sink has, if it has any.
    pub shown: Option<Shown>,
    /// Whether lists came since.
    pub is_due: bool,
}

/// What one commit of the sink changes, and where its rows go. Its image is the same with all
/// cursors and with the text that the sink is not known to have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SinkRecord {
    /// One more than that of the record before.
    pub sequence: u64,
    /// Under which epoch it was written.
    pub epoch: Epoch,
    /// The partitions whose rows came: the number of the next row of each.
    pub cursors: Vec<(Partition, u64)>,
    /// The number of the next row in the sink.
    pub next_row: u64,
    /// At which byte of the sink the text begins.
    pub offset: u64,
    /// The lines.
    #[serde(with = "forms::bytes")]
    pub text: Vec<u8>,
    /// Whether this replaces all before it.
    pub is_image: bool,
    /// The partitions that have no more rows.
    #[serde(default)]
    pub ended: Vec<Partition>,
    /// Whether no record follows: the text ends with the last line of the sink.
    #[serde(default)]
    pub is_last: bool,
    /// The partitions that have closed windows since: up to when, in milliseconds since 1970.
    #[serde(default)]
    pub closed: Vec<(Partition, i64)>,
    /// Windows whose lists came, or are in the text.
    #[serde(default)]
    pub windows: Vec<WindowLists>,
    /// Windows that begin at or before this are given up by all partitions, in milliseconds since
    /// 1970: their lists are dropped once the sink has them. None before one is.
    #[serde(default)]
    pub given_up: Option<i64>,
}

impl SinkRecord {
    /// Whether it changes nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let nothing = self.text.is_empty() && self.cursors.is_empty();
        nothing && self.ended.is_empty() && self.windows.is_empty()
    }
}

/// The bytes of an entry.
pub(crate) fn encode<T: Serialize>(entry: &T) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, VERSION];
    let written = ciborium::into_writer(entry, &mut bytes);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    let length = u32::try_from(bytes.len() - 4).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Reads all entries of a log.
///
/// # Errors
/// When the bytes are no log, or that of a newer memberd.
pub fn entries<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<Vec<T>, RecordError> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk().ok_or(RecordError::Malformed)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (entry, rest) = rest.split_at_checked(length).ok_or(RecordError::Malformed)?;
        let (version, entry) = entry.split_first().ok_or(RecordError::Malformed)?;
        if !(1..=VERSION).contains(version) {
            return Err(RecordError::Version(*version));
        }
        entries.push(ciborium::from_reader(entry).map_err(|_| RecordError::Malformed)?);
        bytes = rest;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::FileKey;

    #[test]
    fn what_is_written_can_be_read_and_nothing_else() {
        let file = FileId { member: Name::new("vm1").unwrap(), key: FileKey(7) };
        let cursor = Cursor { at: 9, watermark: -1, ..Cursor::new(0) };
        let partition = Partition(2);
        let gap =
            Gap { partition, file: file.clone(), from: 1, to: None, reason: GapReason::Deleted };
        let record = Entry::Record(Record {
            sequence: 3,
            cursors: vec![(file, cursor)],
            rows: vec![Row::Gap(gap)],
            dropped: vec![FileId { member: Name::new("vm2").unwrap(), key: FileKey(8) }],
            ..Record::default()
        });
        let log = [encode(&record), encode(&Entry::Image(Image::default()))].concat();
        let read: Vec<Entry> = entries(&log).unwrap();
        assert_eq!(read, [record, Entry::Image(Image::default())]);
        for end in 1..log.len() {
            let read = entries::<Entry>(&log[..end]);
            assert!(read.is_err() || read.is_ok_and(|read| read.len() == 1));
        }
        let newer = [&[2, 0, 0, 0, 9], &[0][..]].concat();
        assert_eq!(entries::<Entry>(&newer), Err(RecordError::Version(9)));
    }

    #[test]
    fn a_row_is_one_line_of_the_sink() {
        let row = Row::Sum {
            window: 1_764_500_400_000,
            key: b"vm1\t500".to_vec(),
            values: b"17".to_vec(),
            revision: 2,
        };
        let line = String::from_utf8(row.line(41)).unwrap();
        assert_eq!(line, "41\t2025-11-30T11:00:00Z\tvm1\t500\t17\t2\n");
        let file = FileId { member: Name::new("vm1").unwrap(), key: FileKey(10) };
        let reason = GapReason::Deleted;
        let gap = Gap { partition: Partition(3), file, from: 5, to: Some(9), reason };
        let line = String::from_utf8(Row::Gap(gap).line(1)).unwrap();
        assert_eq!(line, format!("1\tgap\tvm1\t{:032x}\t5-9\tp3\tdeleted\t0\n", 10));
    }
}
