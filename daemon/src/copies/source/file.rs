//! A file that is copied: what was read of it, and what is not read yet. It owns the open file.
//!
//! What was read is recognised by its beginning and by the last bytes before the place up to which
//! it was read. A file of which either has changed was written anew.

mod same;
mod stamp;

use super::text::{bytes_at, has, line_start, read_block};
use memberd_copies::stream::{FINGERPRINT_BYTES, Fingerprint};
use memberd_search::{ExposedFile, FileIdentity};
pub(super) use same::Alike;
use stamp::{Stamp, is_settled, modified_ms};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Keepers are told anew when a file was last written, after so many milliseconds of writing.
const TELL_MODIFIED_MS: u64 = 3_600_000;

/// How many bytes before the place up to which a file was read are remembered.
const TAIL_BYTES: usize = 64;

/// At most this much is sent of a file that was there before memberd was, in bytes.
const FIRST_SIGHT_BYTES: u64 = 16 << 20;

/// The same of a file that appears later. It may be one that is written fast.
const LATER_SIGHT_BYTES: u64 = 256 << 20;

/// The most moments that are remembered for the lag.
const MOST_SAMPLES: usize = 64;

/// How long nothing must be written to a file that is gone, or was rotated away, until its last
/// line needs no end.
pub(super) const SETTLED: Duration = Duration::from_secs(5);

/// Where a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A search without rotated files finds it under its path.
    Listed,
    /// A search with rotated files does.
    Rotated,
    /// It has no offered name any more, since then.
    Gone(Instant),
    /// It was truncated then, and its text is no more, unless a copy of it is found.
    Truncated(Instant),
}

/// What a look at a file has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing new.
    Same,
    /// It has other text at its end, or none.
    Changed,
    /// It was written anew: what was read of it is no longer there.
    Anew,
}

/// A file that is copied.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) identity: FileIdentity,
    pub(super) path: PathBuf,
    /// The path of the file that it was rotated away from, or its own.
    pub(super) origin: PathBuf,
    pub(super) place: Place,
    /// With which it can be opened again.
    pub(super) listed: Option<ExposedFile>,
    file: Option<File>,
    stamp: Option<Stamp>,
    /// Whether a later change would give another stamp.
    is_settled: bool,
    /// How many bytes it has, as far as is known.
    pub(super) size: u64,
    /// When it was last written, in milliseconds since the Unix epoch.
    pub(super) modified_ms: i64,
    /// What of it keepers are told, or were.
    told_ms: i64,
    /// Where it is sent from.
    begin: u64,
    /// Up to where it was read for any keeper.
    pub(super) seen: u64,
    /// Its first bytes, as far as they were read.
    head: Vec<u8>,
    /// The last bytes before `seen`.
    tail: Vec<u8>,
    /// At which size no whole line followed `seen`.
    unfinished_at: Option<u64>,
    /// When it was seen to have grown, and to which size.
    samples: VecDeque<(Instant, u64)>,
    /// When a change of it was last seen.
    pub(super) active: Instant,
    /// It grows with each change of what keepers are told of it.
    pub(super) version: u64,
}

/// A file that was opened, and where it is.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: File,
    pub(super) listed: ExposedFile,
    pub(super) is_listed: bool,
}

impl Followed {
    /// Follows a file. `at_start` says that it was there before memberd was.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn begin(found: Found, at_start: bool, now: Instant) -> io::Result<Self> {
        let Found { file, listed, is_listed } = found;
        let metadata = file.metadata()?;
        let size = metadata.len();
        let most = if at_start { FIRST_SIGHT_BYTES } else { LATER_SIGHT_BYTES };
        let begin = if size > most { line_start(&file, size - most)? } else { 0 };
        let head_bytes = usize::try_from(begin).unwrap_or(usize::MAX).min(FINGERPRINT_BYTES);
        let tail = usize::try_from(begin).unwrap_or(usize::MAX).min(TAIL_BYTES);
        let mut followed = Followed {
            identity: FileIdentity::of(&metadata),
            path: listed.path().to_owned(),
            origin: listed.origin().to_owned(),
            place: if is_listed { Place::Listed } else { Place::Rotated },
            listed: Some(listed),
            stamp: None,
            is_settled: false,
            size: begin,
            modified_ms: modified_ms(&metadata),
            told_ms: modified_ms(&metadata),
            begin,
            seen: begin,
            head: bytes_at(&file, 0, head_bytes)?,
            tail: bytes_at(&file, begin - tail as u64, tail)?,
            file: Some(file),
            unfinished_at: None,
            samples: VecDeque::new(),
            active: now,
            version: 0,
        };
        followed.look(now)?;
        Ok(followed)
    }

    /// The same file after it was written anew. What it was keeps the rest, without the file.
    pub(super) fn anew(&mut self, now: Instant) -> Followed {
        let next = Followed {
            identity: self.identity,
            path: self.path.clone(),
            origin: self.origin.clone(),
            place: self.place,
            listed: self.listed.take(),
            file: self.file.take(),
            stamp: None,
            is_settled: false,
            size: 0,
            modified_ms: self.modified_ms,
            told_ms: self.modified_ms,
            begin: 0,
            seen: 0,
            head: Vec::new(),
            tail: Vec::new(),
            unfinished_at: None,
            samples: VecDeque::new(),
            active: now,
            version: 0,
        };
        self.place = Place::Truncated(now);
        self.version += 1;
        next
    }

    /// Goes on with a copy of this file, which was truncated.
    pub(super) fn go_on_with(&mut self, found: Found, now: Instant) -> io::Result<()> {
        let Found { file, listed, is_listed } = found;
        self.identity = FileIdentity::of(&file.metadata()?);
        self.path = listed.path().to_owned();
        self.place = if is_listed { Place::Listed } else { Place::Rotated };
        (self.listed, self.file, self.stamp) = (Some(listed), Some(file), None);
        (self.size, self.unfinished_at) = (self.seen, None);
        self.version += 1;
        self.look(now).map(drop)
    }

    /// Whether it is open.
    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Closes it. It is opened again when it has grown.
    pub(super) fn close(&mut self) {
        if self.listed.is_some() {
            (self.file, self.stamp) = (None, None);
        }
    }

    /// Takes it as it was opened again.
    pub(super) fn reopen(&mut self, file: File) {
        self.file = Some(file);
    }

    /// Looks whether it has changed, if it is open.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(super) fn look(&mut self, now: Instant) -> io::Result<Look> {
        let Some(file) = &self.file else { return Ok(Look::Same) };
        let metadata = file.metadata()?;
        let stamp = Stamp::of(&metadata);
        // A change within one tick of the file's clock gives the same stamp: then look again.
        if self.stamp == Some(stamp) && self.is_settled {
            return Ok(Look::Same);
        }
        if stamp.size < self.seen || !self.is_unchanged()? {
            return Ok(Look::Anew);
        }
        if stamp.size != self.size {
            self.note_size(stamp.size, now);
        }
        if self.stamp != Some(stamp) {
            self.active = now;
        }
        // By it the year is found that a line does not name, so some hours do not matter.
        let modified_ms = modified_ms(&metadata);
        if self.told_ms.abs_diff(modified_ms) > TELL_MODIFIED_MS {
            self.version += 1;
            self.told_ms = modified_ms;
        }
        self.modified_ms = modified_ms;
        (self.stamp, self.is_settled) = (Some(stamp), is_settled(&metadata));
        Ok(Look::Changed)
    }

    fn note_size(&mut self, size: u64, now: Instant) {
        self.size = size;
        if self.samples.len() < MOST_SAMPLES {
            self.samples.push_back((now, size));
        } else if let Some(newest) = self.samples.back_mut() {
            newest.1 = size;
        }
    }

    /// Whether it is open, and what was read is still there, however far it is read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn has_what_was_read(&self) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        Ok(file.metadata()?.len() >= self.seen && self.is_unchanged()?)
    }

    /// Whether what was read is still there.
    fn is_unchanged(&self) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        let before = self.seen - self.tail.len() as u64;
        Ok(has(file, before, &self.tail)? && has(file, 0, &self.head)?)
    }

    /// Whether it has more to read at `offset`, as far as is known.
    pub(super) fn has_more(&self, offset: u64) -> bool {
        let is_unfinished = offset == self.seen && self.unfinished_at == Some(self.size);
        let is_there = self.file.is_some() || self.listed.is_some();
        is_there && offset < self.size && !is_unfinished
    }

    /// How many bytes wait at `offset`, but for a line without an end.
    pub(super) fn waiting(&self, offset: u64) -> u64 {
        if self.unfinished_at == Some(self.size) {
            return self.seen.saturating_sub(offset);
        }
        self.size.saturating_sub(offset)
    }

    /// Reads the next block at `offset`; false if there is none, or the file was written anew.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(
        &mut self,
        offset: u64,
        now: Instant,
        text: &mut Vec<u8>,
    ) -> io::Result<Look> {
        let Some(file) = &self.file else { return Ok(Look::Same) };
        let is_last = !matches!(self.place, Place::Listed) && now - self.active >= SETTLED;
        read_block(file, offset, self.size, is_last, text)?;
        // After reading: so what was read was there before the file was written anew, if it was.
        if !self.has_what_was_read()? {
            return Ok(Look::Anew);
        }
        if text.is_empty() {
            if offset == self.seen && !is_last && self.is_settling() {
                // It is looked at again once its last line needs no end.
                return Ok(Look::Same);
            }
            self.unfinished_at = Some(self.size);
            return Ok(Look::Same);
        }
        self.note_read(offset, text);
        Ok(Look::Changed)
    }

    /// Whether its last line may soon need no end.
    fn is_settling(&self) -> bool {
        matches!(self.place, Place::Rotated | Place::Gone(_)) && self.seen < self.size
    }

    /// Remembers what was read.
    fn note_read(&mut self, offset: u64, text: &[u8]) {
        let end = offset + text.len() as u64;
        let known = self.head.len() as u64;
        if self.head.len() < FINGERPRINT_BYTES && offset <= known && known < end {
            let from = usize::try_from(known - offset).unwrap_or(usize::MAX);
            let missing = text.get(from..).unwrap_or_default();
            let missing = missing.get(..FINGERPRINT_BYTES - self.head.len()).unwrap_or(missing);
            self.head.extend_from_slice(missing);
            self.version += 1;
        }
        if end <= self.seen {
            return;
        }
        let last = text.get(text.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        if offset != self.seen {
            self.tail.clear();
        }
        self.tail.extend_from_slice(last);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL_BYTES));
        (self.seen, self.unfinished_at) = (end, None);
    }

    /// A keeper has it up to `offset`, or begins there: what is before counts as read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if offset <= self.seen || offset > self.size {
            return Ok(());
        }
        let up_to = |most: usize| usize::try_from(offset).unwrap_or(usize::MAX).min(most);
        let head = bytes_at(file, 0, up_to(FINGERPRINT_BYTES))?;
        let tail = up_to(TAIL_BYTES);
        self.tail = bytes_at(file, offset - tail as u64, tail)?;
        if self.head != head {
            self.version += 1;
        }
        (self.head, self.seen, self.unfinished_at) = (head, offset, None);
        Ok(())
    }

    /// Notes where it is now, under which names.
    pub(super) fn note_place(&mut self, place: Place, listed: Option<&ExposedFile>) {
        if let Some(listed) = listed {
            if self.path != listed.path() || self.origin != listed.origin() {
                self.path = listed.path().to_owned();
                self.origin = listed.origin().to_owned();
                self.version += 1;
            }
            self.listed = Some(listed.clone());
        }
        if self.place != place {
            (self.place, self.unfinished_at) = (place, None);
            self.version += 1;
        }
    }

    /// The beginning of the file, by which it is recognised.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.head)
    }

    /// Where a keeper that has nothing of it begins, if it takes at most this many bytes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn first_offset(&self, most_bytes: u64) -> io::Result<u64> {
        let Some(file) = &self.file else { return Ok(self.begin) };
        let from = self.size.saturating_sub(most_bytes);
        if from <= self.begin { Ok(self.begin) } else { line_start(file, from) }
    }

    /// Since when a keeper that has it up to `end` lacks something, if it does.
    pub(super) fn lacking_since(&self, end: u64) -> Option<Instant> {
        if self.waiting(end) == 0 {
            return None;
        }
        self.samples.iter().find(|(_, size)| *size > end).map(|(at, _)| *at)
    }

    /// Every keeper has it up to `end`: what was before does not count any more.
    pub(super) fn forget_samples(&mut self, end: u64) {
        while self.samples.front().is_some_and(|(_, size)| *size <= end) {
            self.samples.pop_front();
        }
    }

    /// Whether it is not on the disk under any name.
    pub(super) fn is_deleted(&self) -> bool {
        let metadata = self.file.as_ref().and_then(|file| file.metadata().ok());
        metadata.is_some_and(|metadata| metadata.nlink() == 0)
    }
}
