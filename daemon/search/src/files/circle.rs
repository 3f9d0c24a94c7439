//! Orders the files of a chain whose names have numbers. The numbers are ages where a rotation
//! renames all files. They are none where a program fills the files in turn: OpenJDK's `gc.log.0`,
//! `gc.log.1` and so on, and the `log`, `log.1` and so on of Apache's `rotatelogs -n`.

use std::cmp::Ordering;
use std::io::Read as _;
use std::sync::atomic::AtomicBool;

use super::compressed::{Compression, DecompressError};
use super::open::ExposedFile;
use crate::time::{Times, Zone};

/// How many bytes of a file are searched for its first time.
const HEAD_BYTES: u64 = 64 * 1024;

/// The times of this many files of a chain tell whether its numbers are ages.
const SAMPLES: usize = 8;

/// Puts numbered files and the file without a number in the order of writing. `numbered` has the
/// highest number first.
///
/// The order is that of the numbers unless the first times in the files tell that they were filled
/// in turn. Then it is the order of these times.
pub(crate) fn in_order(numbered: Vec<(u32, ExposedFile)>, live: ExposedFile) -> Vec<ExposedFile> {
    let has_zero = numbered.last().is_some_and(|(number, _)| *number == 0);
    let mut files: Vec<ExposedFile> = numbered.into_iter().map(|(_, file)| file).collect();
    if files.is_empty() {
        return vec![live];
    }
    let zone = Zone::local();
    // Where the numbers begin with 0, the live file is none of those that are filled in turn. One
    // without a time was only begun.
    let live_time = if has_zero { None } else { first_time(&live, &zone) };
    let is_apart = live_time.is_none();
    if is_apart && files.len() == 1 {
        return vec![files.remove(0), live];
    }
    files.push(live);
    let in_turn = files.len() - usize::from(is_apart);
    let step = in_turn.div_ceil(SAMPLES);
    let some = files.iter().take(in_turn).step_by(step);
    let some: Option<Vec<i64>> = some.map(|file| first_time(file, &zone)).collect();
    if !some.is_some_and(|times| is_filled_in_turn(&times)) {
        return files;
    }
    let all = files.iter().take(in_turn);
    let all: Option<Vec<i64>> = all.map(|file| first_time(file, &zone)).collect();
    let Some(times) = all else { return files };
    let live = if is_apart { files.pop() } else { None };
    let mut dated: Vec<(i64, ExposedFile)> = times.into_iter().zip(files).collect();
    dated.sort_by_key(|(time, _)| *time);
    dated.into_iter().map(|(_, file)| file).chain(live).collect()
}

/// Whether files with these first times, that with the highest number first, were filled in turn:
/// the times grow with the number, and there is one step back from the newest to the oldest. A
/// rotation that renames all files gives the opposite, also if the clock was set back once.
fn is_filled_in_turn(times: &[i64]) -> bool {
    if let [older, newer] = times {
        return older > newer;
    }
    let next = times.iter().cycle().skip(1);
    let steps: Vec<Ordering> = times.iter().zip(next).map(|(one, two)| one.cmp(two)).collect();
    let count = |way| steps.iter().filter(|step| **step == way).count();
    count(Ordering::Greater) > count(Ordering::Less)
}

/// The first time in a file, if it begins with lines that have one.
fn first_time(file: &ExposedFile, zone: &Zone) -> Option<i64> {
    let opened = file.open().ok()??;
    let mut times = Times::new(zone, opened.modified);
    let mut head = Vec::new();
    let cancel = AtomicBool::new(false);
    // What cannot be decompressed to its end is still read up to there.
    let _ = match Compression::of(&opened.file, file.path()).ok()? {
        None => opened.file.take(HEAD_BYTES).read_to_end(&mut head),
        Some(compression) => {
            // Only searches may take much memory.
            let claim = Box::new(|| Err(DecompressError::TakenByMerge.into()));
            let text = compression.decompress(opened.file, opened.size, claim, &cancel).ok()?;
            text.take(HEAD_BYTES).read_to_end(&mut head)
        }
    };
    head.split(|byte| *byte == b'\n').find_map(|line| times.of(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_tell_who_fills_files_in_turn() {
        // From the highest number down to the lowest.
        for (times, expected) in [
            (&[1, 2, 3, 4][..], false),
            (&[1, 2], false),
            (&[2, 1], true),
            // .2, .1, .0 of OpenJDK, of which .0, .1, or .2 is the newest.
            (&[2, 1, 3], true),
            (&[1, 3, 2], true),
            (&[3, 2, 1], true),
            (&[5, 4, 8, 7, 6], true),
            // The clock was set back between two rotations, or stood still.
            (&[1, 2, 5, 4, 6], false),
            (&[10, 20, 30, 12, 22], false),
            (&[1, 1, 1], false),
        ] {
            assert_eq!(is_filled_in_turn(times), expected, "{times:?}");
        }
    }
}
