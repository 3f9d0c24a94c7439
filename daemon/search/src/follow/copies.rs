//! Tells the copies that rotation makes (`copytruncate`) from files that are new. It owns what is
//! known of copies.
//!
//! A file with the name of a rotated one may be a copy, whose lines were read under its first name.
//! It may as well be a file that was created and renamed between two looks, or one of a circle that
//! is written again (`rotatelogs -n`). Only its text tells.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;

use super::file::{Followed, Former, Start};
use crate::files::{FileIdentity, Opened};

/// The most files that were written anew and are remembered.
const MAX_FORMER: usize = 64;

/// How large a copy must be so that what it has more than its original is taken for new. A smaller
/// one may be another file with the same beginning.
const SURE_BYTES: u64 = 512;

/// What is known of copies.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// The files that were written anew since then, the newest last.
    former: VecDeque<Former>,
    /// The copies that were found, with their sizes.
    known: BTreeMap<FileIdentity, u64>,
}

impl Copies {
    /// A file was written anew. A copy of what it was may have lines that were not read in time.
    pub(super) fn note_former(&mut self, former: Former) {
        if self.former.len() >= MAX_FORMER {
            self.former.pop_front();
        }
        self.former.push_back(former);
    }

    /// Whether this file is a copy that has not changed since it was looked at. While some file was
    /// just written anew, each must be looked at again.
    pub(super) fn is_known(&self, identity: FileIdentity, size: u64) -> bool {
        self.former.is_empty() && self.known.get(&identity) == Some(&size)
    }

    /// This file needs no further look while it keeps its size.
    pub(super) fn note(&mut self, opened: &Opened) {
        self.known.insert(opened.identity, opened.size);
    }

    /// Where a file is followed from that is named as one rotated away from `origins`. None if it
    /// is a copy of what was read.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn start<'f>(
        &mut self,
        opened: &Opened,
        origins: &[PathBuf],
        followed: impl Iterator<Item = &'f Followed>,
    ) -> io::Result<Option<Start>> {
        for at in 0..self.former.len() {
            let Some(Former { path, memory, .. }) = self.former.get(at) else { break };
            let read = memory.position();
            if origins.contains(path) && opened.size >= read && memory.is_in(&opened.file)? {
                self.former.remove(at);
                self.note(opened);
                return Ok((opened.size > read).then_some(Start::LineAt(read)));
            }
        }
        for original in followed.filter(|original| origins.contains(&original.path)) {
            if original.is_copied(opened)? {
                self.note(opened);
                return Ok(None);
            }
        }
        let known = self.known.remove(&opened.identity).filter(|size| *size >= SURE_BYTES);
        Ok(Some(Start::LineAt(known.unwrap_or(0))))
    }

    /// All files were listed, and these are there. Returns the paths of files that were written
    /// anew before they were read to their ends, and of which no copy was found.
    pub(super) fn end_listing(&mut self, there: &BTreeSet<FileIdentity>) -> Vec<PathBuf> {
        self.known.retain(|identity, _| there.contains(identity));
        let lost = self.former.drain(..).filter(|former| former.has_unread);
        lost.map(|former| former.path).collect()
    }
}
