//! Orders the files of a chain whose names have numbers. The numbers are ages where a rotation
//! renames all files. They are none where a program fills the files in turn: OpenJDK's `gc.log.0`,
//! `gc.log.1` and so on, and the `log`, `log.1` and so on of Apache's `rotatelogs -n`.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::io::{BufRead as _, BufReader, Read as _};
use std::sync::atomic::{self, AtomicBool};

use super::open::ExposedFile;
use crate::time::{Times, Zone};

/// How many bytes of a file are searched for its first time.
const HEAD_BYTES: u64 = 64 * 1024;

/// How many of them are read at once.
const READ_BYTES: usize = 4 * 1024;

/// The times of this many files of a chain tell whether its numbers are ages.
const SAMPLES: usize = 8;

/// If the times of this many newest files grow, the numbers are ages. Where files are filled in
/// turn, the time grows only from one of them to the next.
const NEWEST: usize = 3;

/// Puts numbered files and the file without a number in the order of writing. `numbered` has the
/// highest number first. None of them is compressed.
///
/// The order is that of the numbers unless the first times in the files tell that they were filled
/// in turn. Then it is the order of these times.
pub(crate) fn in_order(
    numbered: Vec<(u32, ExposedFile)>,
    live: ExposedFile,
    heads: &Heads<'_>,
) -> Vec<ExposedFile> {
    let has_zero = numbered.last().is_some_and(|(number, _)| *number == 0);
    if numbered.is_empty() {
        return vec![live];
    }
    let mut files: Vec<Dated> = numbered.into_iter().map(|(_, file)| Dated::new(file)).collect();
    let live = Dated::new(live);
    // Where the numbers begin with 0, the live file is none of those that are filled in turn. One
    // without a time was only begun.
    let is_apart = has_zero || live.first_time(heads).is_none();
    files.push(live);
    let in_turn = files.len() - usize::from(is_apart);
    let times = files.get(..in_turn).and_then(|files| times_in_turn(files, heads));
    let files = files.into_iter().map(|dated| dated.file);
    let Some(times) = times else { return files.collect() };
    // The live file may be apart, and then comes last.
    let times = times.into_iter().chain([i64::MAX]);
    let mut dated: Vec<(i64, ExposedFile)> = times.zip(files).collect();
    dated.sort_by_key(|(time, _)| *time);
    dated.into_iter().map(|(_, file)| file).collect()
}

/// The first times of files that were filled in turn. None for others.
fn times_in_turn(files: &[Dated], heads: &Heads<'_>) -> Option<Vec<i64>> {
    if files.len() < 2 {
        return None;
    }
    let time = |file: &Dated| file.first_time(heads);
    let newest: Vec<i64> = files.iter().rev().take(NEWEST).map(time).collect::<Option<_>>()?;
    if newest.len() == NEWEST && newest.is_sorted_by(|newer, older| newer > older) {
        return None;
    }
    let step = files.len().div_ceil(SAMPLES);
    let some: Vec<i64> = files.iter().step_by(step).map(time).collect::<Option<_>>()?;
    is_filled_in_turn(&some).then(|| files.iter().map(time).collect())?
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

/// A file, and its first time once it was read.
struct Dated {
    file: ExposedFile,
    time: OnceCell<Option<i64>>,
}

impl Dated {
    fn new(file: ExposedFile) -> Dated {
        Dated { file, time: OnceCell::new() }
    }

    /// The first time in the file, if it begins with lines that have one.
    fn first_time(&self, heads: &Heads<'_>) -> Option<i64> {
        *self.time.get_or_init(|| heads.first_time(&self.file))
    }
}

/// Reads the beginnings of files, until it is cancelled.
pub(crate) struct Heads<'c> {
    zone: Zone,
    cancel: &'c AtomicBool,
}

impl Heads<'_> {
    /// Once `cancel` is set, no file is read.
    pub(crate) fn new(cancel: &AtomicBool) -> Heads<'_> {
        Heads { zone: Zone::local(), cancel }
    }

    fn first_time(&self, file: &ExposedFile) -> Option<i64> {
        if self.cancel.load(atomic::Ordering::Relaxed) {
            return None;
        }
        let opened = file.open().ok()??;
        let mut times = Times::new(&self.zone, opened.modified);
        let head = BufReader::with_capacity(READ_BYTES, opened.file.take(HEAD_BYTES));
        head.split(b'\n').map_while(Result::ok).find_map(|line| times.of(&line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{ExposedFiles, FileFilter};

    /// The times of files that are listed by age, and how many files were read for them.
    fn times_of(minutes: &[u32], cancel: bool) -> (Option<usize>, usize) {
        let directory = tempfile::TempDir::new().unwrap();
        for (number, minute) in minutes.iter().enumerate() {
            let text = format!("2026-11-21T01:{minute:02}:00Z a\n");
            std::fs::write(directory.path().join(format!("a.log.{number}")), text).unwrap();
        }
        let exposed = ExposedFiles::new(&[directory.path().join("*").to_str().unwrap()]).unwrap();
        let files = exposed.files(&FileFilter::default()).files;
        let files: Vec<Dated> = files.into_iter().rev().map(Dated::new).collect();
        let heads = Heads { zone: Zone::utc(), cancel: &AtomicBool::new(cancel) };
        let times = times_in_turn(&files, &heads);
        let read = files.iter().filter(|file| file.time.get().is_some_and(Option::is_some));
        (times.map(|times| times.len()), read.count())
    }

    /// A listing reads little of ordinary chains, and nothing once it is cancelled.
    #[test]
    fn of_files_with_ages_the_three_newest_are_read() {
        assert_eq!(times_of(&[8, 7, 6, 5, 4, 3, 2, 1], false), (None, 3));
        assert_eq!(times_of(&[4, 5, 6, 7, 8, 1, 2, 3], false), (Some(8), 8));
        assert_eq!(times_of(&[8, 1, 2, 3, 4, 5, 6, 7], false), (Some(8), 8));
        assert_eq!(times_of(&[4, 5, 6, 7, 8, 1, 2, 3], true), (None, 0));
    }

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
