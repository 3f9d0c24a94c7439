//! Searches what a reader gives as soon as it comes, such as the output of a command that does not
//! end.

use std::io::{self, Read};
use std::sync::atomic::AtomicBool;

use super::file::MAX_FOLLOWED_LINE;
use crate::output::{Output, Stopped};
use crate::scan::{Failure, FileScan, Step};
use crate::search::{Search, Totals};
use crate::stream::StreamSearch;

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

impl Search {
    /// Searches what `reader` gives, each line as soon as it is complete, and prints it as a file
    /// of the name `name`. Ends with the reader, or once nothing more of it is wanted. Line numbers
    /// count from the reader's first line. Valid only when lines or matches are printed. Blocks as
    /// long as the reader does. `cancel` is checked after every read.
    pub fn follow_stream(
        &self,
        machine: &str,
        name: &str,
        reader: &mut dyn Read,
        output: &mut dyn Output,
        cancel: &AtomicBool,
    ) -> Totals {
        self.search_stream(machine, name, output, cancel, |stream| follow(stream, reader))
    }
}

fn follow(stream: &mut StreamSearch<'_, '_>, reader: &mut dyn Read) -> Result<(), Stopped> {
    let line_end = stream.job.search.line_end();
    let (mut lines, mut file) = (NewLines::default(), FileScan::default());
    let mut step = Step::default();
    while step.goes_on() {
        let chunk = lines.next(reader, line_end);
        stream.job.check()?;
        match chunk {
            Ok([]) => break,
            Ok(chunk) => {
                // The search has no end, so that each chunk may take the whole time.
                stream.job.budget.renew();
                step = stream.scanner.step(&mut file, chunk)?;
            }
            Err(error) => {
                step.failure = Some(Failure::reading(&error));
                break;
            }
        }
        stream.hand_on(&step)?;
        if step.first_cut
            && let Some(message) = Failure::Cut.message(stream.name)
        {
            stream.scanner.message(message)?;
        }
        if step.first_binary_match {
            stream.scanner.message(format!("{}: binary file matches", stream.name))?;
        }
    }
    // The message that a binary file matches was sent with the first such line.
    stream.end(&Step { binary_matches: false, ..step })
}

/// What was read and is not searched yet.
#[derive(Debug, Default)]
struct NewLines {
    buffer: Vec<u8>,
    /// How many bytes of the buffer were handed out.
    used: usize,
}

impl NewLines {
    /// The next complete lines, as many as there are, but at least one. Gives no bytes at the
    /// reader's end. A line that is too long to wait for comes in pieces. The last line may have no
    /// end.
    ///
    /// # Errors
    /// When reading fails.
    fn next(&mut self, reader: &mut dyn Read, line_end: u8) -> io::Result<&mut [u8]> {
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
        let (mut reader, mut lines) = (InPieces(events), NewLines::default());
        std::iter::from_fn(|| {
            Some(lines.next(&mut reader, b'\n').unwrap().to_vec()).filter(|lines| !lines.is_empty())
        })
        .collect()
    }

    #[test]
    fn hands_out_complete_lines_and_the_last_without_its_end() {
        let none: Vec<Vec<u8>> = Vec::new();
        assert_eq!(lines(&[]), none);
        assert_eq!(lines(&[b"a\nb\n", b"c", b"d\ne", b"f"]), [&b"a\nb\n"[..], b"cd\n", b"ef"]);
    }

    #[test]
    fn a_line_too_long_to_wait_for_comes_in_pieces() {
        let part = vec![b'x'; READ_BYTES];
        let events = [vec![part.as_slice(); 17], vec![b"\nnext\n"]].concat();
        let lengths: Vec<usize> = lines(&events).iter().map(Vec::len).collect();
        assert_eq!(lengths, [MAX_FOLLOWED_LINE, READ_BYTES + 6]);
    }
}
