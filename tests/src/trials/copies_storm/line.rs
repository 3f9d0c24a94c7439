//! The lines that machines write in the storm. Each says its machine, its log, its generation and
//! its number, so its whole text follows from these. It owns no state.

use std::fmt::Write as _;

/// What every line begins with.
pub(super) const WORD: &str = "storm";

/// What lines are filled with.
const FILLING: &str = "the order was paid and the parcel is on its way to a customer who waits; \
    the session has ended, its cache is cold, and the worker took 17 ms of 40 to answer with 200; \
    no retry was needed, though the upstream had closed 3 of 12 connections before; user=4711 ";

/// One line in so many is longer than a block of a copy.
const LONG_ONE_IN: u64 = 30_000;

/// How long that one is, in bytes.
const LONG_BYTES: usize = 300_000;

/// A log of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Log {
    /// Rotated by rename. The writer goes on in the renamed file for a while.
    Renamed,
    /// Rotated by `copytruncate`. Sometimes lines are written between copy and truncation.
    Truncated,
    /// Never rotated, and written a few lines at a time.
    Steady,
}

impl Log {
    /// All of them.
    pub(super) const ALL: [Log; 3] = [Log::Renamed, Log::Truncated, Log::Steady];

    /// The name of its file.
    pub(super) fn file(self) -> &'static str {
        match self {
            Log::Renamed => "renamed.log",
            Log::Truncated => "truncated.log",
            Log::Steady => "steady.log",
        }
    }

    fn of_file(name: &str) -> Option<Log> {
        Log::ALL.into_iter().find(|log| log.file() == name)
    }
}

/// Which line of a machine it is. A generation is what is written between two rotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineId {
    pub(super) log: Log,
    pub(super) generation: usize,
    pub(super) number: u64,
}

impl LineId {
    /// The line that this text claims to be, if it is one of this machine's.
    pub(super) fn claimed(machine: &str, text: &[u8]) -> Option<LineId> {
        let head = text.get(..text.len().min(100))?;
        let head = String::from_utf8_lossy(head);
        let mut words = head.split(' ');
        let is_ours = words.next()? == WORD && words.next()? == machine;
        let log = Log::of_file(words.next()?).filter(|_| is_ours)?;
        let (generation, number) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(LineId { log, generation, number })
    }

    /// Writes it to the end of `text`, with its line end.
    pub(super) fn write(self, machine: &str, text: &mut String) {
        let LineId { log, generation, number } = self;
        let begun = text.len();
        let _ = write!(text, "{WORD} {machine} {} {generation} {number} ", log.file());
        let mixed = mix(number.wrapping_mul(31).wrapping_add(generation as u64));
        let from = usize::try_from(mixed % 100).unwrap_or(0);
        if mixed.is_multiple_of(LONG_ONE_IN) {
            while text.len() < begun + LONG_BYTES {
                text.push_str(FILLING);
            }
        } else {
            let length = usize::try_from(mixed / 100 % 150).unwrap_or(0);
            text.push_str(&FILLING[from..from + length]);
        }
        text.push('\n');
    }
}

/// Numbers that follow each other become unlike (splitmix64).
fn mix(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_which_one_it_is() {
        for log in Log::ALL {
            for (generation, number) in [(0, 0), (7, 123_456), (12, 1), (3, 29_999)] {
                let (line, mut text) = (LineId { log, generation, number }, String::new());
                line.write("vm3", &mut text);
                assert!(text.ends_with('\n') && text.matches('\n').count() == 1, "{text}");
                assert_eq!(LineId::claimed("vm3", text.as_bytes()), Some(line));
                assert_eq!(LineId::claimed("vm4", text.as_bytes()), None);
            }
        }
        let long = (0..100_000).filter(|number| {
            let mut text = String::new();
            LineId { log: Log::Steady, generation: 0, number: *number }.write("vm1", &mut text);
            text.len() > LONG_BYTES
        });
        assert!((1..10).contains(&long.count()));
    }
}
