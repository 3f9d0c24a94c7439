//! What a machine of the storm has written: how many lines of each generation, where they lie in
//! their file, and when. The machine's writer notes it, and everybody else compares with it.

use super::line::{LineId, Log};
use std::collections::BTreeMap;
use std::time::Instant;

/// What was written at once.
#[derive(Debug, Clone, Copy)]
struct Batch {
    /// Its first line.
    line: u64,
    /// Where that lies in the file, in bytes.
    offset: u64,
    at: Instant,
}

/// What was written between two rotations.
#[derive(Debug, Default)]
struct Generation {
    batches: Vec<Batch>,
    lines: u64,
    bytes: u64,
}

impl Generation {
    /// The batch that a line is in.
    fn batch(&self, number: u64) -> Option<&Batch> {
        let after = self.batches.partition_point(|batch| batch.line <= number);
        self.batches.get(after.checked_sub(1)?).filter(|_| number < self.lines)
    }
}

/// All that a machine has written.
#[derive(Debug)]
pub(super) struct Truth {
    machine: String,
    logs: BTreeMap<Log, Vec<Generation>>,
}

impl Truth {
    /// Nothing yet: an empty file of each log.
    pub(super) fn new(machine: &str) -> Truth {
        let logs = Log::ALL.map(|log| (log, vec![Generation::default()]));
        Truth { machine: machine.to_owned(), logs: logs.into() }
    }

    /// Whose it is.
    pub(super) fn machine(&self) -> &str {
        &self.machine
    }

    fn of(&self, log: Log) -> &[Generation] {
        self.logs.get(&log).map_or(&[], Vec::as_slice)
    }

    /// A log was rotated. Returns the new generation.
    pub(super) fn rotate(&mut self, log: Log) -> usize {
        let generations = self.logs.entry(log).or_default();
        generations.push(Generation::default());
        generations.len() - 1
    }

    /// The newest generation of a log, and how many bytes it has.
    pub(super) fn newest(&self, log: Log) -> (usize, u64) {
        let generations = self.of(log);
        (generations.len().saturating_sub(1), generations.last().map_or(0, |newest| newest.bytes))
    }

    /// Adds this many lines to a log, to be written now. Returns their text.
    pub(super) fn add(&mut self, log: Log, count: u64) -> String {
        let mut text = String::new();
        let Some(generations) = self.logs.get_mut(&log) else { return text };
        let generation = generations.len().saturating_sub(1);
        let Some(newest) = generations.last_mut() else { return text };
        newest.batches.push(Batch { line: newest.lines, offset: newest.bytes, at: Instant::now() });
        for number in newest.lines..newest.lines + count {
            LineId { log, generation, number }.write(&self.machine, &mut text);
        }
        newest.lines += count;
        newest.bytes += text.len() as u64;
        text
    }

    /// How many lines of a generation there are.
    pub(super) fn lines(&self, log: Log, generation: usize) -> u64 {
        self.of(log).get(generation).map_or(0, |generation| generation.lines)
    }

    /// Where a line lies in its file, in bytes, if there is such a line.
    pub(super) fn offset(&self, line: LineId) -> Option<u64> {
        let batch = self.of(line.log).get(line.generation)?.batch(line.number)?;
        let mut text = String::new();
        for number in batch.line..line.number {
            LineId { number, ..line }.write(&self.machine, &mut text);
        }
        Some(batch.offset + text.len() as u64)
    }

    /// When the first line was written that is in no generation before this one, nor among the
    /// first lines of this one. None if there is none.
    pub(super) fn first_after(&self, log: Log, generation: usize, lines: u64) -> Option<Instant> {
        let generations = self.of(log);
        let within = generations.get(generation)?.batch(lines);
        let later = || generations.iter().skip(generation + 1).find_map(|one| one.batches.first());
        within.or_else(later).map(|batch| batch.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lie_where_their_text_does() {
        let mut truth = Truth::new("vm3");
        let log = Log::Renamed;
        let text = truth.add(log, 3) + &truth.add(log, 200);
        assert_eq!(truth.newest(log), (0, text.len() as u64));
        for number in [0, 2, 3, 77, 202] {
            let line = LineId { log, generation: 0, number };
            let offset = usize::try_from(truth.offset(line).unwrap()).unwrap();
            assert_eq!(LineId::claimed("vm3", &text.as_bytes()[offset..]), Some(line));
        }
        assert_eq!(truth.offset(LineId { log, generation: 0, number: 203 }), None);
        assert_eq!(truth.first_after(log, 0, 203), None);
        assert_eq!(truth.rotate(log), 1);
        let _ = truth.add(log, 1);
        assert!(truth.first_after(log, 0, 203) >= truth.first_after(log, 0, 202));
        assert_eq!((truth.lines(log, 0), truth.lines(log, 1), truth.lines(log, 2)), (203, 1, 0));
    }
}
