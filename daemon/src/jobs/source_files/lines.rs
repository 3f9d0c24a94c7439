//! Where lines end in a file, and which is the first one since a time. Owns no state.

use memberd_search::{Times, Zone};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// How many bytes are read at once.
const BLOCK_BYTES: u64 = 64 * 1024;

/// How far back from the end of a file the end of its last line is looked for, in bytes.
const MAX_BACK_BYTES: u64 = 8 << 20;

/// The byte behind the last line end before `size`, or `known`, if there is none since that.
pub(super) fn last_end(file: &File, known: u64, size: u64) -> io::Result<u64> {
    let least = known.max(size.saturating_sub(MAX_BACK_BYTES));
    let mut upto = size;
    while upto > least {
        let begin = upto.saturating_sub(BLOCK_BYTES).max(least);
        let block = bytes(file, begin, upto - begin)?;
        if let Some(end) = memchr::memrchr(b'\n', &block) {
            return Ok(begin + end as u64 + 1);
        }
        upto = begin;
    }
    Ok(known)
}

/// Where the first line begins before `end` that has this time or a later one, in milliseconds
/// since 1970; or `end`. Lines are taken to be in the order of their times, as in a log they are.
/// The file was last written at `modified_ms`.
pub(super) fn first_since(
    file: &File,
    end: u64,
    since_ms: i64,
    modified_ms: i64,
) -> io::Result<u64> {
    let zone = Zone::local();
    let mut times = Times::new(&zone, modified_ms);
    // A line begins at `low`, and is not later than wanted.
    let (mut low, mut high) = (0, end);
    while high - low > BLOCK_BYTES {
        let middle = low + (high - low) / 2;
        match next_time(file, middle, high, &mut times)? {
            Some((begin, time)) if time < since_ms => low = begin,
            _ => high = middle,
        }
    }
    let mut begin = low;
    let mut is_begin = true;
    while begin < end {
        let block = whole_lines(file, begin, end)?;
        for line in block.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            if is_begin && times.of(text) >= Some(since_ms) {
                return Ok(begin);
            }
            // A long line comes in blocks.
            is_begin = text.len() < line.len();
            begin += line.len() as u64;
        }
    }
    Ok(end)
}

/// The next line with a time that begins behind `at` and before `end`: where, and its time.
fn next_time(
    file: &File,
    at: u64,
    end: u64,
    times: &mut Times<'_>,
) -> io::Result<Option<(u64, i64)>> {
    let mut begin = at;
    // The first line may have begun before.
    let mut is_begin = false;
    while begin < end {
        let block = whole_lines(file, begin, end)?;
        for line in block.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            if is_begin && let Some(time) = times.of(text) {
                return Ok(Some((begin, time)));
            }
            is_begin = text.len() < line.len();
            begin += line.len() as u64;
        }
    }
    Ok(None)
}

/// Bytes up to a line end, or a block of a line that is longer.
fn whole_lines(file: &File, at: u64, end: u64) -> io::Result<Vec<u8>> {
    let mut block = bytes(file, at, BLOCK_BYTES.min(end - at))?;
    if let Some(last) = memchr::memrchr(b'\n', &block) {
        block.truncate(last + 1);
    }
    Ok(block)
}

fn bytes(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(text, 0).unwrap();
        file
    }

    #[test]
    fn the_last_line_end_is_found() {
        let text = [b"a\nb\n".to_vec(), b"x".repeat(200_000)].concat();
        let found = |known, size| last_end(&file(&text), known, size).unwrap();
        assert_eq!(found(0, 4), 4);
        assert_eq!(found(0, 3), 2);
        assert_eq!(found(0, 1), 0);
        assert_eq!(found(4, 4), 4);
        assert_eq!(found(0, 200_004), 4);
        assert_eq!(found(4, 100_000), 4);
        assert!(last_end(&file(&text), 0, 300_000).is_err());
    }

    /// Of a large file and a small one, with lines between that have no time.
    #[test]
    fn the_first_line_since_a_time_is_found() {
        const BEGIN_MS: i64 = 1_795_224_000_000;
        for lines in [1, 3, 60, 20_000_usize] {
            let time = |n: usize| BEGIN_MS + i64::try_from(n).unwrap() * 60_000;
            let line = |n: usize| {
                let time = memberd_streams::time_text(time(n));
                let trace = "  at some place\n".repeat(n % 50);
                format!("{time} x {}\n{trace}", "y".repeat(n % 100))
            };
            let all: Vec<String> = (0..lines).map(line).collect();
            let text = all.concat();
            let file = file(text.as_bytes());
            let end = text.len() as u64;
            let modified = time(lines);
            for wanted in [0, 1, lines / 2, lines - 1, lines] {
                let begin: usize = all.iter().take(wanted).map(String::len).sum();
                for since in [time(wanted), time(wanted) - 1] {
                    let found = first_since(&file, end, since, modified).unwrap();
                    assert_eq!(found, begin as u64, "{wanted} of {lines}");
                }
            }
        }
    }
}
