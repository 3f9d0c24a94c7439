//! Whether two files, or a file and a keeper's copy, have the same text. It owns no state.

use super::super::text::{bytes_at, has};
use super::{Followed, TAIL_BYTES};
use memberd_copies::standing::{Mark, Standing};
use memberd_copies::stream::FINGERPRINT_BYTES;
use std::fs::File;
use std::io;

/// Whether a file is a copy of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::copies::source) enum Alike {
    Yes,
    No,
    /// They begin alike, but nothing was read of the other one yet, or it was written anew since it
    /// was looked at. The next look tells.
    Unread,
}

impl Followed {
    /// Whether `other` begins as this one does, as far as this one was read, or `other` goes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(in crate::copies::source) fn begins_like(&self, other: &File) -> io::Result<Alike> {
        let (head, alike) = match &self.file {
            Some(file) if self.head.is_empty() => {
                if other.metadata()?.len() > file.metadata()?.len() {
                    // A copy is not longer.
                    return Ok(Alike::No);
                }
                (&bytes_at(file, 0, FINGERPRINT_BYTES)?, Alike::Unread)
            }
            _ => (&self.head, Alike::Yes),
        };
        let begins = bytes_at(other, 0, head.len())?;
        if begins.is_empty() || !head.starts_with(&begins) {
            return Ok(Alike::No);
        }
        let Some(file) = self.file.as_ref().filter(|_| alike == Alike::Yes) else {
            return Ok(alike);
        };
        // Many logs begin alike. The last bytes that both have tell more.
        let shared = other.metadata()?.len().min(self.size);
        let from = shared.saturating_sub(TAIL_BYTES as u64);
        let tail = bytes_at(other, from, TAIL_BYTES)?;
        let tail = tail.get(..usize::try_from(shared - from).unwrap_or(0)).unwrap_or(&tail);
        if has(file, from, tail)? {
            return Ok(Alike::Yes);
        }
        // It may have been truncated since it was looked at, once `other` was made of it.
        Ok(if self.has_what_was_read()? { Alike::No } else { Alike::Unread })
    }

    /// Whether `other` holds what was read of this one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(in crate::copies::source) fn is_in(&self, other: &File) -> io::Result<bool> {
        let before = self.seen - self.tail.len() as u64;
        let begins = self.seen > 0 && has(other, 0, &self.head)?;
        Ok(begins && has(other, before, &self.tail)?)
    }

    /// Whether a keeper's copy is of this file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(in crate::copies::source) fn is_kept_as(&self, standing: &Standing) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        let head = bytes_at(file, 0, FINGERPRINT_BYTES)?;
        if standing.end > self.size || !standing.head.fingerprint.is_of(&head) {
            return Ok(false);
        }
        standing.last.map_or(Ok(true), |last| holds(file, &last.into()))
    }

    /// Up to where this file has what a keeper's copy has, as far as that can be proven.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(in crate::copies::source) fn has_of(&self, standing: &Standing) -> io::Result<Option<u64>> {
        let Some(file) = &self.file else { return Ok(None) };
        let head = bytes_at(file, 0, FINGERPRINT_BYTES)?;
        if !standing.head.fingerprint.is_of(&head) {
            return Ok(None);
        }
        // Many logs have the same first line, and are not the same.
        let is_full = usize::from(standing.head.fingerprint.bytes) == FINGERPRINT_BYTES;
        let marks = standing.marks.iter().filter(|_| is_full);
        for mark in standing.last.map(Mark::from).iter().chain(marks) {
            if mark.end() <= self.size && holds(file, mark)? {
                return Ok(Some(mark.end()));
            }
        }
        Ok(None)
    }

    /// Whether it begins as the file of a keeper's copy does.
    pub(in crate::copies::source) fn is_beginning_of(&self, standing: &Standing) -> bool {
        let kept = &standing.head.fingerprint;
        let head = self.file.as_ref().and_then(|file| bytes_at(file, 0, FINGERPRINT_BYTES).ok());
        usize::from(kept.bytes) == FINGERPRINT_BYTES && head.is_some_and(|head| kept.is_of(&head))
    }
}

/// Whether a file has the text of this block.
fn holds(file: &File, block: &Mark) -> io::Result<bool> {
    let length = usize::try_from(block.text_bytes).unwrap_or(usize::MAX);
    let text = bytes_at(file, block.offset, length)?;
    Ok(text.len() == length && *blake3::hash(&text).as_bytes() == block.hash)
}
