//! A file that a job reads, as it was seen last. Owns its descriptor, which outlives its name.

use super::head::{Birth, HEAD_BYTES, Head, key};
use super::lines::{first_since, last_end};
use memberd_jobs::{FileKey, From as Start, Now, SeenFile};
use memberd_search::{ExposedFile, ReadableFile};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::SystemTime;

/// For how long nothing is written to a file that was renamed before its last line is taken for
/// whole, in milliseconds. One that has no name any more is finished then, too.
pub(super) const QUIET_MS: u64 = 5_000;

/// For how long nothing is written to a file that was renamed, and still has a name, before nothing
/// is expected of it any more, in milliseconds. What is written to it later is not counted, and who
/// writes may notice the rotation late. Until then no window waits: a quiet file follows the clock.
pub(super) const FINISHED_MS: u64 = 600_000;

/// Instead of both, where the name may be that of a log which is still written: `x.1.log` may have
/// been rotated away from `x.log`, or be the log of the first of many.
const UNSURE_QUIET_MS: u64 = 3_600_000;

/// By how much the clock of the machine that gave a job its start may differ, in milliseconds.
const SKEW_MS: i64 = 60_000;

/// For how long a file is read that has no exposed name any more, in milliseconds.
const UNLISTED_MS: u64 = 60_000;

/// The size of a file, and when it was changed last. If they stay the same, so do its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            size: metadata.len(),
            written: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// When the file was last written, in milliseconds since 1970.
    fn modified_ms(&self) -> i64 {
        self.written.0.saturating_mul(1_000).saturating_add(self.written.1 / 1_000_000)
    }
}

/// What a file is, once it has a head.
#[derive(Debug, Clone, Copy)]
struct Keyed {
    key: FileKey,
    head: Head,
    /// How many times it was truncated and got the same head again.
    written_anew: u32,
    first: u64,
}

/// How a job looks at files.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Where a file begins to count.
    pub(super) start: Start,
    /// Whether nothing was known before.
    pub(super) is_first_look: bool,
}

/// What is new of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Other bytes took the place of those before: a copy may have them.
    pub(super) is_written_anew: bool,
    /// It grew although it was taken for finished.
    pub(super) is_late: bool,
}

/// A file that a job reads.
#[derive(Debug)]
pub(super) struct Known {
    exposed: ExposedFile,
    own: Birth,
    /// The birth of the file which it is a copy of.
    original: Option<Birth>,
    /// None: it is opened again when it is read.
    file: Option<File>,
    keyed: Option<Keyed>,
    /// What it was before it was written anew.
    former: Option<Keyed>,
    stamp: Option<Stamp>,
    /// It was closed, and has changed since.
    has_changed: bool,
    /// It was said that it grew although it was taken for finished.
    is_late: bool,
    /// The end of its last whole line.
    end: u64,
    /// Where it begins to count by a job that counts from now on.
    end_at_sight: u64,
    /// Since when it was neither written nor renamed, in milliseconds since boot.
    unchanged_since_ms: u64,
    /// Since when it has no exposed name any more, in milliseconds since boot.
    unlisted_since_ms: Option<u64>,
}

/// When a file was created.
pub(super) fn birth(metadata: &Metadata) -> Birth {
    let born = metadata.created().ok();
    let born = born.and_then(|born| born.duration_since(SystemTime::UNIX_EPOCH).ok());
    let born_ns = born.map_or(0, |born| born.as_nanos().try_into().unwrap_or_default());
    Birth { inode: metadata.ino(), born_ns }
}

impl Known {
    /// A file that was found. `original` is the birth of the file whose copy it is, if it is one.
    pub(super) fn new(
        exposed: ExposedFile,
        (own, original): (Birth, Option<Birth>),
        file: Option<File>,
        now: Now,
    ) -> Known {
        Known {
            exposed,
            own,
            original,
            file,
            keyed: None,
            former: None,
            stamp: None,
            has_changed: false,
            is_late: false,
            end: 0,
            end_at_sight: 0,
            unchanged_since_ms: now.boot_ms,
            unlisted_since_ms: None,
        }
    }

    /// It was found again, perhaps under another name.
    pub(super) fn list(&mut self, exposed: ExposedFile, metadata: &Metadata, now: Now) {
        if self.exposed.path() != exposed.path() {
            self.unchanged_since_ms = now.boot_ms;
        }
        self.has_changed = self.stamp != Some(Stamp::of(metadata));
        self.exposed = exposed;
        self.unlisted_since_ms = None;
    }

    /// It was not found any more.
    pub(super) fn unlist(&mut self, now: Now) {
        if self.unlisted_since_ms.is_none() {
            self.unlisted_since_ms = Some(now.boot_ms);
            self.unchanged_since_ms = now.boot_ms;
        }
    }

    /// Whether it certainly was deleted, whatever a listing could read.
    pub(super) fn has_no_name(&self) -> bool {
        match &self.file {
            Some(file) => file.metadata().is_ok_and(|metadata| metadata.nlink() == 0),
            None => self.opened().is_err_and(|error| error.kind() == io::ErrorKind::NotFound),
        }
    }

    /// Looks at it.
    ///
    /// # Errors
    /// When it cannot be read. The next look tries again.
    pub(super) fn look(&mut self, now: Now, how: How) -> io::Result<News> {
        let is_closed = self.file.is_none() && self.stamp.is_some() && self.is_finished(now);
        if is_closed && !self.has_changed {
            return Ok(News::default());
        }
        // At rest, this is all that a look costs.
        if let Some(file) = &self.file
            && self.stamp == Some(Stamp::of(&file.metadata()?))
        {
            return Ok(News::default());
        }
        let file = self.opened()?;
        let metadata = file.metadata()?;
        let stamp = Stamp::of(&metadata);
        if self.stamp == Some(stamp) {
            return Ok(News::default());
        }
        let is_late = self.stamp.is_some_and(|before| stamp.size > before.size)
            && self.keyed.is_some()
            && self.is_finished(now)
            && !std::mem::replace(&mut self.is_late, true);
        let beginning = beginning(&file, stamp.size)?;
        let is_same = |keyed: &Keyed| stamp.size >= self.end && keyed.head.is_of(&beginning);
        let is_written_anew = self.keyed.as_ref().is_some_and(|keyed| !is_same(keyed));
        if is_written_anew {
            self.former = self.keyed.take();
            self.end = 0;
        }
        self.end = last_end(&file, self.end, stamp.size)?;
        if self.stamp.is_none() && how.is_first_look {
            self.end_at_sight = self.end;
        }
        if self.keyed.is_none() {
            self.keyed = self.identify(&file, &beginning, (&stamp, how))?;
        }
        self.stamp = Some(stamp);
        self.has_changed = false;
        self.unchanged_since_ms = now.boot_ms;
        Ok(News { is_written_anew, is_late })
    }

    /// What it is, if it has a head.
    fn identify(
        &self,
        file: &File,
        beginning: &[u8],
        (stamp, How { start, is_first_look }): (&Stamp, How),
    ) -> io::Result<Option<Keyed>> {
        let Some(head) = Head::of(beginning) else { return Ok(None) };
        if let Some(former) = &self.former {
            let again = if former.head == head { former.written_anew + 1 } else { 0 };
            return Ok(Some(Keyed::new(self.birth(), head, again, 0)));
        }
        let modified_ms = stamp.modified_ms();
        let skew_ms = if is_first_look { 0 } else { SKEW_MS };
        let is_younger = |since_ms: i64| {
            self.birth().born_ns > i128::from(since_ms.saturating_sub(skew_ms)) * 1_000_000
        };
        let first = match start {
            Start::Beginning => 0,
            Start::Now => self.end_at_sight,
            Start::At(since_ms) if is_younger(since_ms) => 0,
            Start::At(since_ms) if modified_ms < since_ms => self.end,
            Start::At(since_ms) => first_since(file, self.end, since_ms, modified_ms)?,
        };
        Ok(Some(Keyed::new(self.birth(), head, 0, first)))
    }

    /// Bytes of it are durable that it does not have: it was written anew with the same head while
    /// nobody looked.
    pub(super) fn check_released(&mut self, released: impl Fn(FileKey) -> u64) {
        let (size, birth, is_copy) = (self.size(), self.birth(), self.is_copy());
        // Of a job that ends, all is released.
        let has_less = |keyed: &&mut Keyed| (size + 1..u64::MAX).contains(&released(keyed.key));
        while !is_copy && let Some(keyed) = self.keyed.as_mut().filter(has_less) {
            *keyed = Keyed::new(birth, keyed.head, keyed.written_anew + 1, 0);
        }
    }

    /// What a source is told of it. None if it has no head yet.
    pub(super) fn seen(&self, now: Now) -> Option<SeenFile> {
        let Keyed { key, first, .. } = self.keyed?;
        let (is_finished, is_whole) = (self.is_finished(now), self.is_whole(now));
        let end = if is_whole || is_finished { self.size() } else { self.end };
        Some(SeenFile { key, first: first.min(end), lost_below: 0, end, is_finished })
    }

    /// The keys that it had before it was written anew with the same head, again and again.
    pub(super) fn former_keys(&self) -> impl Iterator<Item = FileKey> {
        let (birth, keyed) = (self.birth(), self.keyed);
        let keys = move |Keyed { head, written_anew, .. }: Keyed| {
            (0..written_anew).map(move |before| key(birth, &head, before))
        };
        keyed.into_iter().flat_map(keys)
    }

    /// Whether its last line is whole, even without a line end.
    fn is_whole(&self, now: Now) -> bool {
        self.is_quiet_for(QUIET_MS, now)
    }

    /// Whether nothing is written to it any more.
    fn is_finished(&self, now: Now) -> bool {
        let Some(since_ms) = self.unlisted_since_ms else {
            return self.is_quiet_for(FINISHED_MS, now);
        };
        let unlisted_ms = now.boot_ms.saturating_sub(since_ms);
        self.is_quiet_for(QUIET_MS, now) || unlisted_ms >= UNLISTED_MS
    }

    /// Whether it is no file that is written to by its name, and was not written to for so long.
    fn is_quiet_for(&self, least_ms: u64, now: Now) -> bool {
        let quiet_ms = now.boot_ms.saturating_sub(self.unchanged_since_ms);
        if self.unlisted_since_ms.is_some() {
            return quiet_ms >= least_ms;
        }
        let (path, origin) = (self.exposed.path(), self.exposed.origin());
        let name = |path: &Path| path.file_name().map(|name| name.as_bytes().to_vec());
        match (name(path), name(origin)) {
            _ if path == origin => false,
            (Some(name), Some(origin)) if name.starts_with(&origin) => quiet_ms >= least_ms,
            _ => quiet_ms >= UNSURE_QUIET_MS,
        }
    }

    /// Whether no partition will ask for any of it again.
    pub(super) fn is_done(&self, now: Now, released: impl Fn(FileKey) -> u64) -> bool {
        self.seen(now).is_some_and(|seen| seen.is_finished && released(seen.key) >= seen.end)
    }

    /// The bytes that it keeps on the disk although it has no exposed name, if so.
    pub(super) fn held_bytes(&self, released: impl Fn(FileKey) -> u64) -> Option<(u64, u64)> {
        let since_ms = self.unlisted_since_ms?;
        let released = self.keyed.map_or(0, |keyed| released(keyed.key));
        Some((since_ms, self.size().saturating_sub(released)))
    }

    /// Keeps its descriptor no longer. False if it can be opened by no name.
    pub(super) fn close(&mut self) -> bool {
        self.file = None;
        self.unlisted_since_ms.is_none()
    }

    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Whether it is a copy of another file.
    pub(super) fn is_copy(&self) -> bool {
        self.original.is_some()
    }

    /// By what its key is made: its own birth, or that of the file which it is a copy of.
    fn birth(&self) -> Birth {
        self.original.unwrap_or(self.own)
    }

    /// Its size in bytes at the last look.
    fn size(&self) -> u64 {
        self.stamp.map_or(0, |stamp| stamp.size)
    }

    /// When it was last written at the last look, in milliseconds since 1970.
    pub(super) fn modified_ms(&self) -> i64 {
        self.stamp.map_or(0, |stamp| stamp.modified_ms())
    }

    /// Its path when it was listed last.
    pub(super) fn path(&self) -> &Path {
        self.exposed.path()
    }

    /// The path that it had before it was rotated away. It is the same after a rename, and after a
    /// restart.
    pub(super) fn origin(&self) -> &Path {
        self.exposed.origin()
    }

    /// The file itself, which is opened again if it was closed.
    ///
    /// # Errors
    /// When it cannot be opened, or another one is there.
    pub(super) fn opened(&self) -> io::Result<File> {
        if let Some(file) = &self.file {
            return file.try_clone();
        }
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let ReadableFile { file, .. } = self.exposed.open_to_read()?.ok_or_else(gone)?;
        if birth(&file.metadata()?) != self.own {
            return Err(gone());
        }
        Ok(file)
    }

    /// Whether an open file still has the bytes that its key stands for, and `to` of them at least.
    pub(super) fn is_unchanged(&self, file: &File, to: u64) -> bool {
        let Some(keyed) = self.keyed else { return false };
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        size >= to && beginning(file, size).is_ok_and(|bytes| keyed.head.is_of(&bytes))
    }
}

impl Keyed {
    fn new(birth: Birth, head: Head, written_anew: u32, first: u64) -> Keyed {
        Keyed { key: key(birth, &head, written_anew), head, written_anew, first }
    }
}

/// The first bytes of a file of so many bytes.
fn beginning(file: &File, size: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(size).unwrap_or(HEAD_BYTES).min(HEAD_BYTES);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
