//! The files of simulated machines: lines with stamps, keys and values, rotation, and deletion.
//! They lie on disks, and outlive every crash of what reads them.

use super::sums::{Counting, Group, Groups};
use memberd_jobs::{FileKey, FoldRange, Folded, Look, Part, SeenFile, partition_of, window_of};
use rand::RngExt;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;

/// A line of a log.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    pub begin: u64,
    pub end: u64,
    pub stamp: i64,
    pub key: u8,
    pub tenths: i64,
    /// Not late by the clock of its machine when it was written.
    pub is_tame: bool,
    /// Not late by the lines before it.
    pub is_ordered: bool,
    /// Written before its source first looked.
    pub is_early: bool,
}

/// A file of a machine.
#[derive(Debug, Clone)]
pub struct LogFile {
    pub key: FileKey,
    pub lines: Vec<Line>,
    pub is_finished: bool,
    /// Bytes below this were lost.
    pub lost_below: u64,
    pub is_deleted: bool,
    /// Whether it was counted to its end and deleted at some time. It may have come back.
    pub was_removed: bool,
    /// Where a job that counts from now on begins.
    pub first: u64,
    newest: i64,
}

impl LogFile {
    pub fn new(key: u128) -> LogFile {
        LogFile {
            key: FileKey(key),
            lines: Vec::new(),
            is_finished: false,
            lost_below: 0,
            is_deleted: false,
            was_removed: false,
            first: 0,
            newest: i64::MIN,
        }
    }

    pub fn end(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.end)
    }

    /// Writes a line. `clock` is the largest that the machine's clock has been.
    pub fn write(
        &mut self,
        rng: &mut SmallRng,
        (now, clock): (i64, i64),
        (lateness, has_future): (i64, bool),
        is_early: bool,
    ) {
        let stamp = match rng.random_range(0..100) {
            // Such a line keeps the cursor of its file, and not all files have one.
            0 if has_future && self.key.0.is_multiple_of(2) => {
                now + 3_600_000 * rng.random_range(1..30)
            }
            1..4 => now - rng.random_range(0..4 * lateness.max(1)),
            4 => now - 60_000,
            _ => now - rng.random_range(0..lateness / 2 + 1),
        };
        let begin = self.end();
        self.lines.push(Line {
            begin,
            end: begin + rng.random_range(10..40),
            stamp,
            key: rng.random_range(0..24),
            tenths: rng.random_range(0..100),
            is_tame: stamp >= clock - lateness,
            is_early,
            is_ordered: self.newest == i64::MIN || stamp >= self.newest - lateness,
        });
        self.newest = self.newest.max(stamp);
    }

    /// The lines in a range of bytes.
    pub fn between(&self, from: u64, to: u64) -> &[Line] {
        let first = self.lines.partition_point(|line| line.begin < from);
        let last = self.lines.partition_point(|line| line.end <= to);
        &self.lines[first.min(last)..last]
    }
}

/// What a look sees.
pub fn look(files: &[LogFile], began_ms: i64) -> Look {
    let seen = |file: &LogFile| SeenFile {
        key: file.key,
        first: file.first,
        lost_below: file.lost_below,
        end: file.end(),
        is_finished: file.is_finished,
    };
    let there = files.iter().filter(|file| !file.is_deleted);
    Look { began_ms, files: there.map(seen).collect(), former: Vec::new() }
}

/// Reads and sums a range, as a worker's host does. None if it is gone.
pub fn fold(
    files: &[LogFile],
    range: &FoldRange,
    counting: Counting,
    partitions: u16,
    every_ms: i64,
) -> Option<Folded> {
    let file = files.iter().find(|file| file.key == range.file && !file.is_deleted)?;
    if range.from < file.lost_below {
        return None;
    }
    let mut lines = file.between(range.from, range.to);
    if lines.is_empty() {
        // One that is longer than the bound.
        let first = file.lines.partition_point(|line| line.begin < range.from);
        lines = file.lines.get(first..=first)?;
    }
    let mut folded = Folded { to: lines.last()?.end, ..Folded::default() };
    folded.newest = lines.iter().map(|line| line.stamp).max();
    let mut sums: BTreeMap<_, BTreeMap<i64, (u64, Groups)>> = BTreeMap::new();
    for line in lines {
        let partition = partition_of(&[line.key], partitions);
        if range.partitions.contains(&partition) {
            let windows = sums.entry(partition).or_default();
            let (count, groups) = windows.entry(window_of(line.stamp, every_ms)).or_default();
            *count += 1;
            groups.entry(line.key).or_default().add(Group::of(line));
        }
    }
    for (partition, windows) in sums {
        let part = |(window, (lines, groups)): (i64, (u64, Groups))| Part {
            window,
            lines,
            sums: counting.encode(&groups),
        };
        folded.parts.insert(partition, windows.into_iter().map(part).collect());
    }
    Some(folded)
}
