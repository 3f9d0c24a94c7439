//! Goes on with files where an earlier follow of them ended. It owns no state.
//!
//! Between the two, a file may have been renamed, copied and truncated, or written anew. After a
//! crash it may be shorter than what was read of it, and the disk may have another number.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;

use memberd_control::grep::GrepPosition;

use super::file::Start;
use super::memory::{bytes, eof};
use crate::files::{ExposedFile, FileIdentity, Opened};

/// The positions that no file has taken so far.
#[derive(Debug)]
pub(super) struct Positions(Vec<GrepPosition>);

impl Positions {
    pub(super) fn new(positions: &[GrepPosition]) -> Positions {
        Positions(positions.to_vec())
    }

    /// Whether a file of this identity has a position.
    pub(super) fn has(&self, identity: FileIdentity) -> bool {
        self.place(identity).is_some()
    }

    fn place(&self, identity: FileIdentity) -> Option<usize> {
        let FileIdentity { device, inode } = identity;
        self.0.iter().position(|known| (known.device, known.inode) == (device, inode))
    }

    /// From where a file goes on whose device and inode are those of a position. None if its text
    /// is another one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn take_own(&mut self, opened: &Opened) -> io::Result<Option<Start>> {
        let Some(at) = self.place(opened.identity) else { return Ok(None) };
        let Some(position) = self.0.get(at).copied() else { return Ok(None) };
        let start = if has_before(opened, &position)? && has_head(opened, &position)? {
            Some(Start::LineAt(position.offset))
        } else if opened.size < position.offset && has_head(opened, &position)? {
            // It has lost its end in a crash. All that it has is known.
            Some(Start::End)
        } else {
            None
        };
        if start.is_some() {
            self.0.remove(at);
        }
        Ok(start)
    }

    /// From where a file goes on that has the text of a position under another inode.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn take_by_text(&mut self, opened: &Opened) -> io::Result<Option<Start>> {
        for at in 0..self.0.len() {
            let Some(position) = self.0.get(at).copied() else { break };
            let is_inode = position.inode == opened.identity.inode && position.offset > 0;
            let is_long = position.offset >= GrepPosition::BEFORE_BYTES as u64;
            let is_sure = position.before.is_some() && (is_inode || is_long);
            if is_sure && has_before(opened, &position)? && has_head(opened, &position)? {
                self.0.remove(at);
                return Ok(Some(Start::LineAt(position.offset)));
            }
        }
        Ok(None)
    }
}

/// The files whose identity has a position come first, since they need no search for their text.
pub(super) fn in_order<'f>(
    files: &'f [ExposedFile],
    positions: &Positions,
) -> (Vec<&'f ExposedFile>, Vec<&'f ExposedFile>) {
    let mut seen = BTreeSet::new();
    let looked = files.iter().filter_map(|file| Some((file, file.look().ok()??.0)));
    let once = looked.filter(|(_, identity)| seen.insert(*identity));
    let (own, others): (Vec<_>, Vec<_>) = once.partition(|(_, identity)| positions.has(*identity));
    let only = |files: Vec<(&'f ExposedFile, _)>| files.into_iter().map(|(file, _)| file).collect();
    (only(own), only(others))
}

/// Whether the file has the text before the position. If that is not known, its length tells.
fn has_before(opened: &Opened, position: &GrepPosition) -> io::Result<bool> {
    let Some(before) = position.before else { return Ok(opened.size >= position.offset) };
    let length = position.offset.min(GrepPosition::BEFORE_BYTES as u64);
    has(&opened.file, position.offset - length, length, before)
}

/// Whether the file begins as it did, as far as that is known.
fn has_head(opened: &Opened, position: &GrepPosition) -> io::Result<bool> {
    let Some(head) = position.head else { return Ok(true) };
    let length = position.offset.min(GrepPosition::HEAD_BYTES as u64);
    has(&opened.file, 0, length, head)
}

fn has(file: &File, at: u64, length: u64, sum: u64) -> io::Result<bool> {
    match bytes(file, at, length) {
        Ok(bytes) => Ok(GrepPosition::sum(&bytes) == sum),
        Err(error) => eof(error).map(|()| false),
    }
}
