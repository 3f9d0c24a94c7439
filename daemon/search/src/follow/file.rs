//! A file that is followed: up to where it was searched, and what was written since.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::files::{Compression, OfferedFile, Opened};
use crate::scan::{FileScan, PageBuffer, Positions, TextSize, count_lines};
use crate::search::Search;

/// The longest line that is waited for, in bytes; of a longer one, so much is searched as if it
/// were a line.
pub(crate) const MAX_FOLLOWED_LINE: usize = 1024 * 1024;

/// How much of a file is read at each look, in bytes, so that a busy one does not keep the others
/// waiting.
const READ_BYTES: u64 = 4 * 1024 * 1024;

/// How many bytes before the place that was read up to are remembered, to tell that a file was
/// truncated and has grown since.
const REMEMBERED: usize = 64;

/// A file that is followed.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) file: OfferedFile,
    pub(crate) opened: Opened,
    /// Up to where it was searched: a line's end.
    pub(crate) position: u64,
    /// How long it was when it was last looked at.
    size: u64,
    /// The bytes before `position`.
    before: Vec<u8>,
    pub(crate) scan: FileScan<'static>,
    /// Nothing more of it is wanted.
    pub(crate) is_over: bool,
    /// Since when it has no exposed name any more and nothing was written to it.
    pub(crate) gone_since: Option<Instant>,
}

impl Followed {
    /// Follows `file` from its end, or from its beginning. None when it is compressed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn begin(
        file: &OfferedFile,
        opened: Opened,
        from_end: bool,
        search: &Search,
        cancel: &AtomicBool,
    ) -> io::Result<Option<Followed>> {
        if Compression::of(&opened.file)?.is_some() {
            return Ok(None);
        }
        let line_end = search.line_end();
        let position = if from_end { last_line(&opened, line_end)? } else { 0 };
        let lines = if search.wants_positions() {
            count_lines(&opened.file, position, line_end, cancel)?
        } else {
            0
        };
        let mut followed = Followed {
            file: file.clone(),
            size: position,
            opened,
            position,
            before: Vec::new(),
            scan: FileScan::new(Rc::new(Positions::starting(TextSize { lines, bytes: position }))),
            is_over: false,
            gone_since: None,
        };
        followed.remember()?;
        Ok(Some(followed))
    }

    /// Reads whole lines that were written since, into `buffer`.
    pub(crate) fn lines(
        &mut self,
        buffer: &mut PageBuffer,
        line_end: u8,
        is_last: bool,
    ) -> io::Result<()> {
        buffer.clear();
        let size = self.opened.file.metadata()?.len();
        if size == self.size && !is_last {
            return Ok(());
        }
        if size < self.position || !self.is_as_remembered()? {
            self.start_again();
        }
        self.size = size;
        if self.gone_since.is_some() {
            self.gone_since = Some(Instant::now());
        }
        let upto = size.min(self.position.saturating_add(READ_BYTES));
        buffer.read(&self.opened.file, self.position..upto)?;
        let whole = match memchr::memrchr(line_end, buffer.bytes()) {
            Some(end) => end + 1,
            None if is_last || buffer.len() >= MAX_FOLLOWED_LINE => buffer.len(),
            None => 0,
        };
        if !is_last {
            buffer.truncate(whole);
        }
        self.position += buffer.len() as u64;
        if upto < size {
            // There is more to read at the next look.
            self.size = self.position;
        }
        self.remember()
    }

    /// It was truncated.
    fn start_again(&mut self) {
        self.position = 0;
        // The file may be text now.
        self.is_over &= !self.scan.is_binary();
        self.scan.restart();
    }

    fn remember(&mut self) -> io::Result<()> {
        self.before = self.bytes_before(REMEMBERED)?;
        Ok(())
    }

    fn is_as_remembered(&self) -> io::Result<bool> {
        Ok(self.bytes_before(self.before.len())? == self.before)
    }

    /// So many of the bytes before `position`, if there are so many.
    fn bytes_before(&self, length: usize) -> io::Result<Vec<u8>> {
        let from = self.position.saturating_sub(length as u64);
        let mut bytes = vec![0; usize::try_from(self.position - from).unwrap_or(0)];
        match self.opened.file.read_exact_at(&mut bytes, from) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Where the last line begins that has no end yet; a file's end, if its last line has one. A line
/// that is too long is let go.
fn last_line(opened: &Opened, line_end: u8) -> io::Result<u64> {
    let from = opened.size.saturating_sub(MAX_FOLLOWED_LINE as u64);
    let mut buffer = PageBuffer::default();
    buffer.clear();
    buffer.read(&opened.file, from..opened.size)?;
    let end = memchr::memrchr(line_end, buffer.bytes()).map(|end| end as u64 + 1);
    Ok(end.map_or(if from == 0 { 0 } else { opened.size }, |end| from + end))
}
