//! A file that is followed: the position up to which it was searched, and how to read what was
//! appended.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime};

use memberd_control::grep::GrepPosition;

use super::memory::{Memory, Stamp};
use crate::files::{Compression, ExposedFile, Opened};
use crate::scan::{FileScan, PageBuffer, Positions, TextSize, count_lines};
use crate::search::Search;

/// The longest line that is waited for, in bytes. Of a longer one, this many bytes are searched as
/// if they were a line.
pub(crate) const MAX_FOLLOWED_LINE: usize = 1024 * 1024;

/// How many bytes of a file are read at each look, so that a busy file does not delay the others.
pub(super) const READ_BYTES: u64 = 4 * 1024 * 1024;

/// Where a file is followed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Its end.
    End,
    /// The line in which this byte lies.
    LineAt(u64),
}

/// A file that was written anew: what was read of it before, and the path that it had then.
#[derive(Debug)]
pub(super) struct Former {
    pub(super) path: PathBuf,
    pub(super) memory: Memory,
    /// It had more than was read of it.
    pub(super) has_unread: bool,
}

/// A file that is followed.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) file: ExposedFile,
    pub(crate) opened: Opened,
    /// The path under which it was listed last.
    pub(super) path: PathBuf,
    /// What was searched of it. A line ends there.
    memory: Memory,
    /// Its size at the last look.
    size: u64,
    /// When it was last written as of the last look, in milliseconds since the Unix epoch.
    pub(super) modified: i64,
    /// The last look has left whole lines to the next one.
    pub(super) has_unread: bool,
    /// What the last look has seen. None if the next one must read it in any case.
    seen: Option<Stamp>,
    /// Its text before it was written anew, until somebody takes it.
    former: Option<Former>,
    pub(crate) scan: FileScan<'static>,
    /// Nothing more of it is wanted.
    pub(crate) is_over: bool,
    /// It is over because its first bytes are those of a compressed file.
    is_compressed: bool,
    /// Since when it has no exposed name any more and nothing was written to it.
    pub(crate) gone_since: Option<Instant>,
    /// The position that was told last.
    pub(super) told: Option<u64>,
}

impl Followed {
    /// Follows `file` from `start`. None when it is compressed. Of a file without a whole line, the
    /// first look with one tells.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn begin(
        file: &ExposedFile,
        opened: Opened,
        start: Start,
        search: &Search,
        cancel: &AtomicBool,
    ) -> io::Result<Option<Followed>> {
        if Compression::of(&opened.file, file.path())?.is_some() {
            return Ok(None);
        }
        let line_end = search.line_end();
        let position = match start {
            Start::End => last_line(&opened, opened.size, line_end)?,
            Start::LineAt(place) => last_line(&opened, place.min(opened.size), line_end)?,
        };
        let lines = if search.wants_positions() {
            count_lines(&opened.file, position, line_end, cancel)?
        } else {
            0
        };
        Ok(Some(Followed {
            file: file.clone(),
            path: file.path().to_owned(),
            memory: Memory::of(&opened.file, position)?,
            modified: opened.modified,
            opened,
            size: position,
            has_unread: false,
            seen: None,
            former: None,
            scan: FileScan::new(Rc::new(Positions::starting(TextSize { lines, bytes: position }))),
            is_over: false,
            is_compressed: false,
            gone_since: None,
            told: None,
        }))
    }

    /// Up to where it was searched.
    pub(super) fn position(&self) -> GrepPosition {
        self.memory.told(self.opened.identity)
    }

    /// Whether all that was searched was told.
    pub(super) fn is_told(&self) -> bool {
        self.told == Some(self.memory.position())
    }

    /// Reads the whole lines that were appended into `buffer`: at most `most` bytes, but a line
    /// that is longer.
    pub(crate) fn lines(
        &mut self,
        buffer: &mut PageBuffer,
        line_end: u8,
        is_last: bool,
        most: u64,
    ) -> io::Result<()> {
        buffer.clear();
        let stamp = Stamp::of(&self.opened.file.metadata()?);
        if self.seen == Some(stamp) && !is_last {
            return Ok(());
        }
        let size = stamp.size;
        self.modified = stamp.modified();
        // With the same size, too: `date >file` writes as many bytes each time.
        if size < self.memory.position() || !self.memory.is_unchanged(&self.opened.file)? {
            self.start_again();
        }
        self.seen = stamp.is_settled(SystemTime::now()).then_some(stamp);
        if self.gone_since.is_some() && self.size != size {
            self.gone_since = Some(Instant::now());
        }
        self.size = size;
        let position = self.memory.position();
        let mut upto = size.min(position.saturating_add(most));
        buffer.read(&self.opened.file, position..upto)?;
        if upto < size && memchr::memrchr(line_end, buffer.bytes()).is_none() {
            upto = size.min(position.saturating_add(READ_BYTES));
            buffer.clear();
            buffer.read(&self.opened.file, position..upto)?;
        }
        let whole = match memchr::memrchr(line_end, buffer.bytes()) {
            Some(end) => end + 1,
            None if is_last || buffer.len() >= MAX_FOLLOWED_LINE => buffer.len(),
            None => 0,
        };
        if !is_last {
            buffer.truncate(whole);
        }
        if position == 0 && !self.is_over && !buffer.bytes().is_empty() {
            self.is_compressed = Compression::of(&self.opened.file, self.file.path())?.is_some();
            self.is_over = self.is_compressed;
        }
        self.memory.advance(buffer.bytes());
        self.has_unread = upto < size;
        if self.has_unread {
            // The next look reads the rest.
            self.seen = None;
            self.size = self.memory.position();
        }
        Ok(())
    }

    /// Whether `copy` is a copy of this file, or of its beginning.
    pub(super) fn is_copied(&self, copy: &Opened) -> io::Result<bool> {
        self.memory.is_copied(&self.opened.file, copy)
    }

    /// What this file was before it was written anew, once for each time.
    pub(super) fn take_former(&mut self) -> Option<Former> {
        self.former.take()
    }

    /// The file was written anew: it was truncated, or other bytes took the place of those before.
    fn start_again(&mut self) {
        let beginning = Memory::starting(&self.memory);
        let memory = std::mem::replace(&mut self.memory, beginning);
        if !self.is_over && memory.position() > 0 {
            let (path, has_unread) = (self.path.clone(), self.has_unread);
            self.former = Some(Former { path, memory, has_unread });
        }
        // The file may be text now.
        self.is_over &= !self.scan.is_binary() && !self.is_compressed;
        self.is_compressed = false;
        self.scan.restart();
    }
}

/// Where the last line without an end begins before `upto`, or `upto`. A line that is too long is
/// skipped.
fn last_line(opened: &Opened, upto: u64, line_end: u8) -> io::Result<u64> {
    let from = upto.saturating_sub(MAX_FOLLOWED_LINE as u64);
    let mut buffer = PageBuffer::default();
    buffer.clear();
    buffer.read(&opened.file, from..upto)?;
    let end = memchr::memrchr(line_end, buffer.bytes()).map(|end| end as u64 + 1);
    Ok(end.map_or(if from == 0 { 0 } else { upto }, |end| from + end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{ExposedFiles, FileFilter};
    use crate::query::Query;

    /// A file of 5 MiB takes two looks.
    #[test]
    fn a_file_truncated_between_two_looks_has_unread_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        let search = Query::default().compile().unwrap();
        for looks in [1, 2] {
            std::fs::write(&path, "a line of 16 B.\n".repeat(5 * 65_536)).unwrap();
            let exposed = ExposedFiles::new(&[path.to_str().unwrap()]).unwrap();
            let file = exposed.files(&FileFilter::default()).files.remove(0);
            let opened = file.open().unwrap().unwrap();
            let cancel = AtomicBool::new(false);
            let mut followed = Followed::begin(&file, opened, Start::LineAt(0), &search, &cancel)
                .unwrap()
                .unwrap();
            let mut buffer = PageBuffer::default();
            (0..looks).for_each(|_| followed.lines(&mut buffer, b'\n', false, READ_BYTES).unwrap());
            std::fs::write(&path, "").unwrap();
            followed.lines(&mut buffer, b'\n', false, READ_BYTES).unwrap();
            assert_eq!(followed.take_former().unwrap().has_unread, looks == 1);
        }
    }
    /// gzip creates its file before it has anything to write. A text of the same name is followed,
    /// also if it takes the place of a compressed one.
    #[test]
    fn a_file_is_compressed_by_the_first_bytes_that_come() {
        let gzip = b"\x1f\x8b\x08\0\n\n\n\n\0\x03x\n".as_slice();
        let lzma = b"]\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0x\n".as_slice();
        let directory = tempfile::tempdir().unwrap();
        let search = Query::default().compile().unwrap();
        for (name, seen, all, is_compressed) in [
            ("a.log.gz", 0, gzip, true),
            ("a.log", 1, gzip, true),
            ("a.log", 2, gzip, true),
            ("a.log.lzma", 0, lzma, true),
            ("a.log.gz", 0, b"x\n".as_slice(), false),
            ("a.log.lzma", 1, b"x\n".as_slice(), false),
        ] {
            let path = directory.path().join(name);
            std::fs::write(&path, &all[..seen]).unwrap();
            let exposed = ExposedFiles::new(&[path.to_str().unwrap()]).unwrap();
            let file = exposed.files(&FileFilter::default()).files.remove(0);
            let opened = file.open().unwrap().unwrap();
            let cancel = AtomicBool::new(false);
            let mut followed =
                Followed::begin(&file, opened, Start::End, &search, &cancel).unwrap().unwrap();
            let mut buffer = PageBuffer::default();
            for (text, is_over) in [(all, is_compressed), (b"y\n", false), (gzip, true)] {
                std::fs::write(&path, text).unwrap();
                followed.lines(&mut buffer, b'\n', false, READ_BYTES).unwrap();
                assert_eq!(followed.is_over, is_over, "{name}: {seen} of {all:?}, now {text:?}");
                assert!(text.starts_with(buffer.bytes()) && !buffer.bytes().is_empty());
            }
        }
    }
}
