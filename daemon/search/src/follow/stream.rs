//! Searches what a reader gives as soon as it gives it, such as the output of a command that goes
//! on for ever.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use super::file::MAX_FOLLOWED_LINE;
use crate::output::{Output, Stopped};
use crate::pattern::Budget;
use crate::print::Printer;
use crate::scan::{
    ChunkSink, Failure, FileProgress, MemorySearcher, Positions, ScanError, TextSize,
};
use crate::search::{Search, Totals};

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

impl Search {
    /// Searches what `reader` gives, each line once it has its end, until it ends or nothing more
    /// of it is wanted, and prints it as of a file of that name, which begins with what the reader
    /// gives first. Only where lines or matches are printed. ChunkedFile as long as the reader does;
    /// `cancel` is looked at after every read.
    pub fn follow_stream(
        &self,
        machine: &str,
        name: &str,
        reader: &mut dyn Read,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        let totals = Totals { files: 1, ..Totals::default() };
        self.print_stream(
            machine,
            name,
            output,
            cancel,
            totals,
            |search, printer, budget, totals| {
                search.follow_lines(name, reader, printer, budget, cancel, totals)
            },
        )
    }

    fn follow_lines<'s>(
        &'s self,
        name: &str,
        reader: &mut dyn Read,
        printer: &RefCell<Printer<'_, 's>>,
        budget: &'s Budget<'s>,
        cancel: &AtomicBool,
        totals: &mut Totals,
    ) -> Result<(), Stopped> {
        let mut memory = MemorySearcher::new(self, &self.engine, budget);
        let mut fresh = Fresh::default();
        let (positions, done) = (Positions::default(), Cell::new(false));
        let mut progress = FileProgress::default();
        let mut ended = Ok(());
        while ended.is_ok() && !done.get() {
            let read = fresh.lines(reader, self.line_end());
            if cancel.load(Ordering::Relaxed) {
                return Err(Stopped);
            }
            let lines = match read {
                Ok([]) => break,
                Ok(lines) => lines,
                Err(error) => {
                    ended = Err(ScanError::Read(error));
                    break;
                }
            };
            let size = TextSize { bytes: lines.len() as u64, lines: self.lines_in(lines) };
            totals.bytes += size.bytes;
            // It goes on for ever, so what comes at once has all of it.
            budget.renew();
            let (told, cut) = (progress.binary_matches, progress.is_cut);
            let mut sink = ChunkSink::new(&self.query, printer, &done, &positions, &mut progress);
            ended = memory.search(lines, &mut sink);
            ended = sink.finish(ended, lines);
            totals.lines = progress.selected;
            positions.go_on(size);
            let mut printer = printer.borrow_mut();
            printer.out().flush()?;
            printer.out().note_read(size.bytes)?;
            if progress.is_cut && !cut {
                Failure::Cut.words(name).map_or(Ok(()), |words| printer.out().message(words))?;
            }
            if progress.binary_matches && !told {
                printer.out().message(format!("{name}: binary file matches"))?;
            }
        }
        // That it is no text was said when it came.
        self.end(name, ended, false, &mut printer.borrow_mut(), cancel, totals)
    }
}

/// What was read, and is not searched yet.
#[derive(Debug, Default)]
struct Fresh {
    buffer: Vec<u8>,
    /// How much of the buffer was handed out.
    used: usize,
}

impl Fresh {
    /// The next whole lines, as many as there are, and at least one; nothing at the reader's end. A
    /// line that is too long to be waited for comes in pieces, and the last one needs no end.
    ///
    /// # Errors
    /// When reading fails.
    fn lines(&mut self, reader: &mut dyn Read, line_end: u8) -> io::Result<&mut [u8]> {
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.shrink_to(2 * READ_BYTES);
        while self.used == 0 {
            let before = self.buffer.len();
            self.buffer.resize(before + READ_BYTES, 0);
            let read = read_once(reader, self.buffer.get_mut(before..).unwrap_or_default());
            self.buffer.truncate(before + *read.as_ref().unwrap_or(&0));
            let is_over = read? == 0;
            let end = self.buffer.get(before..).and_then(|new| memchr::memrchr(line_end, new));
            self.used = match end {
                Some(end) => before + end + 1,
                None if is_over || self.buffer.len() >= MAX_FOLLOWED_LINE => self.buffer.len(),
                None => 0,
            };
            if is_over {
                break;
            }
        }
        Ok(self.buffer.get_mut(..self.used).unwrap_or_default())
    }
}

fn read_once(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one piece at each read.
    struct InPieces<'p>(&'p [&'p [u8]]);

    impl Read for InPieces<'_> {
        fn read(&mut self, mut buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            self.0 = rest;
            io::Write::write(&mut buffer, first)
        }
    }

    fn lines(events: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut reader, mut fresh) = (InPieces(events), Fresh::default());
        std::iter::from_fn(|| {
            Some(fresh.lines(&mut reader, b'\n').unwrap().to_vec())
                .filter(|lines| !lines.is_empty())
        })
        .collect()
    }

    #[test]
    fn lines_are_handed_out_when_they_have_their_ends_and_the_last_without_one() {
        let none: Vec<Vec<u8>> = Vec::new();
        assert_eq!(lines(&[]), none);
        assert_eq!(lines(&[b"a\nb\n", b"c", b"d\ne", b"f"]), [&b"a\nb\n"[..], b"cd\n", b"ef"]);
    }

    #[test]
    fn a_line_that_is_too_long_to_be_waited_for_comes_in_pieces() {
        let part = vec![b'x'; READ_BYTES];
        let events = [vec![part.as_slice(); 17], vec![b"\nnext\n"]].concat();
        let lengths: Vec<usize> = lines(&events).iter().map(Vec::len).collect();
        assert_eq!(lengths, [MAX_FOLLOWED_LINE, READ_BYTES + 6]);
    }
}
