//! The compressed bytes of a file. It owns the position up to which they were used.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _};

use super::DecompressError;
use super::head::read_head;

/// How many compressed bytes are read at once.
const READ_BYTES: usize = 32 * 1024;

/// A file that is read from its beginning to its end.
pub(super) struct Input {
    reader: BufReader<File>,
    /// Somebody wanted more bytes than there are.
    pub(super) is_starved: bool,
}

impl Input {
    pub(super) fn new(file: File) -> Input {
        Input { reader: BufReader::with_capacity(READ_BYTES, file), is_starved: false }
    }

    /// Copies the next bytes to `head` and uses none of them. Fewer come back only at the end.
    pub(super) fn peek<'h>(&mut self, head: &'h mut [u8]) -> io::Result<&'h [u8]> {
        let at = self.reader.stream_position()?;
        let read = read_head(self.reader.get_ref(), at, head)?;
        Ok(head.get(..read).unwrap_or_default())
    }

    /// Uses the next `bytes` bytes without looking at them.
    ///
    /// # Errors
    /// When there are fewer.
    pub(super) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let upto = self.reader.stream_position()?.saturating_add(bytes);
        if upto > self.reader.get_ref().metadata()?.len() {
            return Err(DecompressError::cut().into());
        }
        self.reader.seek_relative(i64::try_from(bytes).map_err(io::Error::other)?)
    }

    /// Gives back the last `bytes` bytes.
    pub(super) fn unread(&mut self, bytes: usize) -> io::Result<()> {
        self.reader.seek_relative(-i64::try_from(bytes).map_err(io::Error::other)?)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.is_starved |= read == 0 && !buffer.is_empty();
        Ok(read)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
    }
}
