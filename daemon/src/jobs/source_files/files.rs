//! Which of the files that a job reads is which, from look to look. Owns their descriptors.

use super::head::Birth;
use super::known::{How, Known, News, birth};
use memberd_jobs::{FileKey, From as Start, Look, Now, SeenFile};
use memberd_search::{
    ExposedFile, ExposedFiles, FileFilter, FileList, GlobError, MAX_PROBLEMS, Problem,
};
use memberd_worker::OpenRange;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::{debug, warn};

/// The most files of a job that are held open. Others are opened at each look, and are lost if they
/// are deleted before they were read.
const MAX_OPEN: usize = 128;

/// The most bytes of files without an exposed name that are held for a job until they are durable.
const MAX_HELD_BYTES: u64 = 1 << 30;

/// Directories are read again after so long in any case, in milliseconds.
const LIST_EVERY_MS: u64 = 30_000;

/// Where a link may lead elsewhere, directories are read as often, in milliseconds.
const LIST_LINKS_EVERY_MS: u64 = 500;

/// A directory that was changed this recently may change again within one tick of its file system,
/// in milliseconds.
const UNSETTLED_MS: i64 = 100;

/// A file as the kernel knows it, for as long as it is mounted: its device, and its birth.
type Id = (u64, Birth);

/// The files of one job.
#[derive(Debug)]
pub(super) struct Files {
    filter: FileFilter,
    start: Start,
    files: BTreeMap<Id, Known>,
    /// What the last look has told.
    told: BTreeMap<FileKey, Id>,
    listing: Option<Listing>,
    has_looked: bool,
    /// How many are open, as of the last listing.
    open: usize,
    /// What was said of files that cannot be read.
    reported: BTreeSet<PathBuf>,
}

/// When and of what directories were read last.
#[derive(Debug)]
struct Listing {
    offer: Arc<ExposedFiles>,
    /// When it began.
    began: Now,
    /// The directories, and when each was changed, if it is there. None if that tells nothing.
    directories: Option<Vec<(PathBuf, Option<Changed>)>>,
}

/// When a directory was changed, and which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Changed {
    inode: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Changed {
    /// None if there is no such directory.
    fn of(path: &Path) -> Option<Changed> {
        let metadata = std::fs::metadata(path).ok()?;
        let written = (metadata.mtime(), metadata.mtime_nsec());
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Some(Changed { inode: metadata.ino(), written, changed })
    }

    /// Whether a change since `began_ms` would have another time.
    fn is_settled(&self, began_ms: i64) -> bool {
        let changed_ms = self.changed.0.saturating_mul(1_000) + self.changed.1 / 1_000_000;
        changed_ms.saturating_add(UNSETTLED_MS) < began_ms
    }
}

impl Listing {
    /// Whether another listing would find the same.
    fn is_current(&self, offer: &Arc<ExposedFiles>, now: Now) -> bool {
        let age_ms = now.boot_ms.saturating_sub(self.began.boot_ms);
        let is_same = |(path, changed): &(PathBuf, Option<Changed>)| {
            let is_settled = changed.is_none_or(|it| it.is_settled(self.began.wall_ms));
            is_settled && Changed::of(path) == *changed
        };
        Arc::ptr_eq(&self.offer, offer)
            && match &self.directories {
                None => age_ms < LIST_LINKS_EVERY_MS,
                Some(all) => age_ms < LIST_EVERY_MS && all.iter().all(is_same),
            }
    }

    /// As of when nothing is new that is not known, if it is current now: in milliseconds since
    /// 1970.
    fn holds_at_ms(&self, now: Now) -> i64 {
        if self.directories.is_some() { now.wall_ms } else { self.began.wall_ms }
    }
}

impl Files {
    /// The files that these globs select, with those that were rotated away from them. They begin
    /// to count at `start`: see [`super::SourceFiles::new`].
    ///
    /// # Errors
    /// When a glob is none.
    pub(super) fn new<S: AsRef<str>>(globs: &[S], start: Start) -> Result<Files, GlobError> {
        Ok(Files {
            filter: FileFilter::new(globs)?.rotated(true),
            start,
            files: BTreeMap::new(),
            told: BTreeMap::new(),
            listing: None,
            has_looked: false,
            open: 0,
            reported: BTreeSet::new(),
        })
    }

    /// Looks at all files of `offer`, which is what this machine exposes. Bytes of a file below
    /// `released` are not asked for again; 0 for a file of which that is not known.
    pub(super) fn look(
        &mut self,
        offer: &Arc<ExposedFiles>,
        now: Now,
        released: impl Fn(FileKey) -> u64,
    ) -> Look {
        if !self.listing.as_ref().is_some_and(|listing| listing.is_current(offer, now)) {
            self.list(offer, now);
        }
        if self.look_at_all(now) {
            // What was truncated may have been copied before.
            self.list(offer, now);
            self.look_at_all(now);
        }
        self.has_looked = true;
        for known in self.files.values_mut() {
            known.check_released(&released);
        }
        self.let_go(now, &released);
        let began_ms = self.listing.as_ref().map_or(now.wall_ms, |it| it.holds_at_ms(now));
        let former = self.files.values().flat_map(Known::former_keys).collect();
        Look { began_ms, files: self.tell(now), former }
    }

    /// Opens a range of a file that the last look told. None if that is not possible now.
    pub(super) fn open(&self, key: FileKey, from: u64, to: u64) -> Option<OpenRange> {
        let known = self.told.get(&key).and_then(|id| self.files.get(id))?;
        let opened = known.opened().inspect_err(|error| {
            debug!(path = %known.origin().display(), %error, "cannot open a file of a job");
        });
        let file = opened.ok()?;
        let (path, modified_ms) = (known.origin().to_owned(), known.modified_ms());
        Some(OpenRange { file, path, modified_ms, from, to })
    }

    /// Whether the last look saw what this offer has.
    pub(super) fn has_seen(&self, offer: &Arc<ExposedFiles>) -> bool {
        self.listing.as_ref().is_some_and(|listing| Arc::ptr_eq(&listing.offer, offer))
    }

    /// Whether an opened file still is the one of this key, and has so many bytes. If it is not so
    /// after a range was read, the sums are of other lines.
    pub(super) fn is_still(&self, key: FileKey, file: &File, to: u64) -> bool {
        let known = self.told.get(&key).and_then(|id| self.files.get(id));
        known.is_some_and(|known| known.is_unchanged(file, to))
    }

    /// Reads the directories.
    fn list(&mut self, offer: &Arc<ExposedFiles>, now: Now) {
        let FileList { files, problems, directories, cut, .. } = offer.files(&self.filter);
        for problem in &problems {
            self.report(&problem.path, &problem.reason);
        }
        let mut there = BTreeSet::new();
        self.open = self.files.values().filter(|known| known.is_open()).count();
        let mut origins: BTreeMap<PathBuf, Birth> = BTreeMap::new();
        let (rotated, own): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.path() != file.origin());
        for file in own {
            let path = file.origin().to_owned();
            if let Some(id) = self.take(file, None, now) {
                origins.insert(path, id.1);
                there.insert(id);
            }
        }
        for file in rotated {
            let origin = origins.get(file.origin()).copied();
            there.extend(self.take(file, origin, now));
        }
        self.withdraw(offer, &there);
        for (_, known) in self.files.iter_mut().filter(|(id, _)| !there.contains(id)) {
            if !may_be_there(known.path(), &problems, cut) || known.has_no_name() {
                known.unlist(now);
            }
        }
        let stamped = |path: PathBuf| {
            let changed = Changed::of(&path);
            (path, changed)
        };
        let directories = directories.map(|all| all.into_iter().map(stamped).collect());
        self.listing = Some(Listing { offer: Arc::clone(offer), began: now, directories });
    }

    /// Reads no byte more of what `offer` does not have, whoever holds it open. `there` was found.
    fn withdraw(&mut self, offer: &Arc<ExposedFiles>, there: &BTreeSet<Id>) {
        let Some(before) = self.listing.as_ref().filter(|it| !Arc::ptr_eq(&it.offer, offer)) else {
            return;
        };
        // A name tells nothing of where links may lead.
        let had_links = before.directories.is_none();
        self.files.retain(|id, known| {
            let is_covered = offer.covers(known.path()) || offer.covers(known.origin());
            let may_be_read = is_covered && (!had_links || known.has_no_name());
            if !there.contains(id) && !may_be_read {
                warn!(path = %known.path().display(), "a file is not exposed any more: a job \
                    counts no more of it");
            }
            there.contains(id) || may_be_read
        });
    }

    /// Takes a file that was listed. `origin` is the birth of the one that it may be a copy of.
    fn take(&mut self, exposed: ExposedFile, origin: Option<Birth>, now: Now) -> Option<Id> {
        let opened = match exposed.open_to_read() {
            Ok(opened) => opened?,
            Err(error) => {
                self.report(exposed.path(), &error.to_string());
                return None;
            }
        };
        if opened.is_compressed {
            return None;
        }
        let metadata = opened.file.metadata().ok()?;
        let own = birth(&metadata);
        let id = (opened.identity.device, own);
        match self.files.get_mut(&id) {
            Some(known) => known.list(exposed, &metadata, now),
            None => {
                let original = origin.filter(|origin| origin.born_ns < own.born_ns);
                let file = (self.open < MAX_OPEN).then_some(opened.file);
                self.open += usize::from(file.is_some());
                self.files.insert(id, Known::new(exposed, (own, original), file, now));
            }
        }
        Some(id)
    }

    /// Looks at each file. True if one was written anew.
    fn look_at_all(&mut self, now: Now) -> bool {
        let how = How { start: self.start, is_first_look: !self.has_looked };
        let mut any = false;
        for known in self.files.values_mut() {
            match known.look(now, how) {
                Ok(News { is_written_anew, is_late }) => {
                    any |= is_written_anew;
                    if is_late {
                        let path = known.origin().display();
                        warn!(%path, "a file was written to after it was rotated away: a job may \
                            not count these lines");
                    }
                }
                Err(error) => {
                    debug!(path = %known.origin().display(), %error, "cannot look at a file");
                }
            }
        }
        any
    }

    /// Closes what is durable, and what is more than may be held.
    fn let_go(&mut self, now: Now, released: impl Fn(FileKey) -> u64) {
        self.files.retain(|_, known| !known.is_done(now, &released) || known.close());
        let mut held: Vec<(u64, u64, Id)> = self
            .files
            .iter()
            .filter_map(|(id, known)| {
                let (since_ms, bytes) = known.held_bytes(&released)?;
                Some((since_ms, bytes, *id))
            })
            .collect();
        held.sort_unstable();
        let mut bytes: u64 = held.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, own, id) in held {
            let is_closed = self.files.get(&id).is_some_and(|known| !known.is_open());
            if bytes <= MAX_HELD_BYTES && !is_closed {
                continue;
            }
            bytes = bytes.saturating_sub(own);
            if let Some(known) = self.files.remove(&id).filter(|_| own > 0) {
                let path = known.origin().display();
                warn!(%path, bytes = own, "a file is gone before a job has counted all of it");
            }
        }
    }

    /// What a source is told. A copy is not told beside its original.
    fn tell(&mut self, now: Now) -> Vec<SeenFile> {
        self.told.clear();
        let mut seen: BTreeMap<FileKey, SeenFile> = BTreeMap::new();
        for is_copy in [false, true] {
            for (id, known) in self.files.iter().filter(|(_, known)| known.is_copy() == is_copy) {
                let Some(file) = known.seen(now) else { continue };
                seen.entry(file.key).or_insert_with(|| {
                    self.told.insert(file.key, *id);
                    file
                });
            }
        }
        seen.into_values().collect()
    }

    /// Says once that a file cannot be read.
    fn report(&mut self, path: &Path, reason: &str) {
        if self.reported.len() < MAX_OPEN && self.reported.insert(path.to_owned()) {
            warn!(path = %path.display(), reason, "a job cannot read this");
        }
    }
}

/// Whether a file may be there although a listing with these problems did not find it.
fn may_be_there(path: &Path, problems: &[Problem], cut: bool) -> bool {
    let is_below = |problem: &Problem| path != problem.path && path.starts_with(&problem.path);
    cut || problems.len() >= MAX_PROBLEMS || problems.iter().any(is_below)
}

#[cfg(test)]
mod tests;
