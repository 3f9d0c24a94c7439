//! `--limit` and `--last`: the first or the last lines over all members. It owns the lines that are
//! kept for the end.

use std::collections::VecDeque;

use memberd_control::grep::{GrepPrint, GrepRequest};

use crate::exit::{Exit, Failure};

/// The most bytes of lines that `--last` keeps.
const MOST_KEPT_BYTES: usize = 64 * 1024 * 1024;

/// The byte that ends a printed line.
pub(super) fn line_end(request: &GrepRequest) -> u8 {
    let GrepRequest { pattern, printing, .. } = request;
    match printing.what {
        _ if printing.json => b'\n',
        GrepPrint::Lines | GrepPrint::Matches => pattern.line_end(),
        GrepPrint::FilesWithMatch | GrepPrint::FilesWithoutMatch if printing.null_after_names => 0,
        GrepPrint::FilesWithMatch
        | GrepPrint::FilesWithoutMatch
        | GrepPrint::Count
        | GrepPrint::Nothing => b'\n',
    }
}

/// `--limit`: how many lines may still be printed.
#[derive(Debug)]
pub(super) struct Limit {
    left: u64,
    line_end: u8,
}

impl Limit {
    /// This many lines, at least one.
    pub(super) fn new(lines: u64, line_end: u8) -> Limit {
        Limit { left: lines, line_end }
    }

    /// Whether all lines were printed.
    pub(super) fn is_reached(&self) -> bool {
        self.left == 0
    }

    /// The part of these bytes that may be printed.
    pub(super) fn take<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if self.left == 0 {
            return b"";
        }
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == self.line_end);
        for (end, _) in ends {
            self.left -= 1;
            if self.left == 0 {
                return bytes.get(..=end).unwrap_or(bytes);
            }
        }
        bytes
    }
}

/// `--last`: the last lines so far.
#[derive(Debug)]
pub(super) struct Last {
    most: usize,
    line_end: u8,
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Whether the last of them still misses its end.
    within_line: bool,
}

impl Last {
    /// Keeps this many lines at most.
    pub(super) fn new(most: usize, line_end: u8) -> Last {
        Last { most, line_end, lines: VecDeque::new(), bytes: 0, within_line: false }
    }

    /// Takes lines, of which the last may be continued.
    ///
    /// # Errors
    /// When they take too much memory.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        for piece in bytes.split_inclusive(|byte| *byte == self.line_end) {
            self.bytes += piece.len();
            match self.lines.back_mut().filter(|_| self.within_line) {
                Some(line) => line.extend_from_slice(piece),
                None => {
                    if self.lines.len() == self.most {
                        self.bytes -= self.lines.pop_front().map_or(0, |line| line.len());
                    }
                    self.lines.push_back(piece.to_vec());
                }
            }
            self.within_line = piece.last() != Some(&self.line_end);
            if self.bytes > MOST_KEPT_BYTES {
                return Err(Failure::new(
                    Exit::Failed,
                    format!(
                        "the last {} lines take more than {} MiB of memory: ask for fewer with \
                        --last",
                        self.most,
                        MOST_KEPT_BYTES / (1024 * 1024)
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The kept lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_exact_wherever_pieces_begin() {
        let text = b"a\nbb\n\nccc\nd\n";
        for size in 1..text.len() {
            let mut limit = Limit::new(3, b'\n');
            let printed: Vec<u8> =
                text.chunks(size).flat_map(|piece| limit.take(piece).to_vec()).collect();
            assert_eq!((printed.as_slice(), limit.is_reached()), (&b"a\nbb\n\n"[..], true));
        }
        let mut limit = Limit::new(9, b'\n');
        assert_eq!((limit.take(text), limit.is_reached()), (&text[..], false));
        assert_eq!(Limit::new(1, 0).take(b"a\nb\0c\0"), b"a\nb\0");
    }

    #[test]
    fn the_last_lines_are_kept_wherever_pieces_begin() {
        let text = b"a\nbb\n\nccc\nd\n";
        for size in 1..text.len() {
            let mut last = Last::new(3, b'\n');
            text.chunks(size).for_each(|piece| last.take(piece).unwrap());
            assert_eq!(last.lines().collect::<Vec<_>>().concat(), b"\nccc\nd\n");
        }
    }

    #[test]
    fn the_last_lines_take_bounded_memory() {
        let mut last = Last::new(2, b'\n');
        let long = vec![b'x'; MOST_KEPT_BYTES / 4];
        // Lines that are not among the last any more take none.
        for _ in 0..9 {
            last.take(&long).unwrap();
            last.take(b"\n").unwrap();
        }
        let error = (0..5).find_map(|_| last.take(&long).err()).unwrap();
        assert!(error.to_string().contains("more than 64 MiB"), "{error}");
    }
}
