//! A file that is followed: the position up to which it was searched, and how to read what was
//! appended.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::files::{Compression, ExposedFile, Opened};
use crate::scan::{FileScan, PageBuffer, Positions, TextSize, count_lines};
use crate::search::Search;

/// The longest line that is waited for, in bytes. Of a longer one, this many bytes are searched as
/// if they were a line.
pub(crate) const MAX_FOLLOWED_LINE: usize = 1024 * 1024;

/// How many bytes of a file are read at each look, so that a busy file does not delay the others.
const READ_BYTES: u64 = 4 * 1024 * 1024;

/// How many bytes before the position are remembered. They show whether a file was truncated and
/// has grown since.
const REMEMBERED: usize = 64;

/// A file that is followed.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) file: ExposedFile,
    pub(crate) opened: Opened,
    /// Up to where it was searched. A line ends there.
    pub(crate) position: u64,
    /// Its size at the last look.
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
    /// When the file cannot be read.
    pub(crate) fn begin(
        file: &ExposedFile,
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

    /// Reads the whole lines that were appended into `buffer`.
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
            // The next look reads the rest.
            self.size = self.position;
        }
        self.remember()
    }

    /// The file was truncated.
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

    /// This many bytes before `position`, or as many as there are.
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

/// Where the last line without an end begins, or the file's end. A line that is too long is
/// skipped.
fn last_line(opened: &Opened, line_end: u8) -> io::Result<u64> {
    let from = opened.size.saturating_sub(MAX_FOLLOWED_LINE as u64);
    let mut buffer = PageBuffer::default();
    buffer.clear();
    buffer.read(&opened.file, from..opened.size)?;
    let end = memchr::memrchr(line_end, buffer.bytes()).map(|end| end as u64 + 1);
    Ok(end.map_or(if from == 0 { 0 } else { opened.size }, |end| from + end))
}
