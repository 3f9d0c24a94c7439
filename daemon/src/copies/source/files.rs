//! The files that are copied, under whatever names. It owns them, and what is known of files that
//! are not copied: compressed ones, and copies that rotation has made (`copytruncate`).
//!
//! Files are known by device and inode. A renamed file is the same, and what takes its place is
//! new. A new file with the name of a rotated one may be a copy. If its original was truncated
//! since, it goes on for it. If that is still there, its text is no other.

mod begin;

use super::file::{Followed, Look, Place, SETTLED};
use super::offer::Offer;
use super::unchanged::Directories;
use begin::New;
use memberd_search::{ExposedFile, FileIdentity, FileList};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::time::{Duration, Instant};
use tracing::debug;

/// The most files that are followed. A keeper keeps as many streams of one source.
const MOST_FILES: usize = 1024;

/// The most of them that are open.
const MOST_OPEN: usize = 256;

/// The most files that are known not to be copied.
const MOST_PASSED: usize = 10_000;

/// A file that is quiet for so long is closed, if it still has its name.
const QUIET: Duration = Duration::from_secs(600);

/// How often rotated files are listed even if nothing seems to have been rotated.
const ROTATED_EVERY: Duration = Duration::from_secs(60);

/// How long a file without an offered name is held.
const HELD: Duration = Duration::from_secs(300);

/// A deleted file of which more than this is not sent is given up, in bytes: it takes space that
/// nobody sees.
const HELD_DELETED_BYTES: u64 = 64 << 20;

/// How long a copy of a file that was truncated is looked for.
const COPY_LIMIT: Duration = Duration::from_secs(70);

/// Which file it is, in this process. It is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileKey(u64);

/// The files that are copied.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<FileKey, Followed>,
    by_identity: HashMap<FileIdentity, FileKey>,
    /// Files that are not copied, with the size that they had.
    passed: HashMap<FileIdentity, u64>,
    /// Files that cannot be followed, and when that was found. They are tried again later.
    failed: HashMap<FileIdentity, Instant>,
    directories: Directories,
    next: u64,
    /// When rotated files were last listed.
    rotated_at: Option<Instant>,
    /// Whether something may have been rotated since then.
    wants_rotated: bool,
    /// Whether there are more files than are followed.
    pub(super) too_many: bool,
    /// How long the looks at them are apart.
    pub(super) pause: Duration,
    /// The first problem with a file at the last listing.
    pub(super) problem: Option<String>,
}

impl Files {
    /// The file of this key, if it is still followed.
    pub(super) fn get(&self, key: FileKey) -> Option<&Followed> {
        self.files.get(&key)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, key: FileKey) -> Option<&mut Followed> {
        self.files.get_mut(&key)
    }

    /// All keys.
    pub(super) fn keys(&self) -> Vec<FileKey> {
        self.files.keys().copied().collect()
    }

    /// The same, open if it can be opened.
    pub(super) fn open(&mut self, key: FileKey) -> Option<&mut Followed> {
        let file = self.files.get_mut(&key)?;
        if !file.is_open()
            && let Some(Ok(Some(opened))) = file.listed.as_ref().map(ExposedFile::open_to_read)
            && opened.identity == file.identity
        {
            file.reopen(opened.file);
        }
        Some(file)
    }

    /// Reads the next block of a file at `offset` into `text`. It is empty if there is none now.
    pub(super) fn read(&mut self, key: FileKey, offset: u64, now: Instant, text: &mut Vec<u8>) {
        let read = self.open(key).map(|file| file.read(offset, now, text));
        match read {
            Some(Ok(Look::Changed)) => return,
            Some(Ok(Look::Anew)) => self.begin_anew(key, now),
            Some(Err(error)) => self.note_problem(key, &error),
            Some(Ok(Look::Same)) | None => {}
        }
        text.clear();
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (FileKey, &Followed)> {
        self.files.iter().map(|(key, file)| (*key, file))
    }

    /// The key of the next file after this one, in a circle.
    pub(super) fn next_after(&self, key: Option<FileKey>) -> Option<FileKey> {
        let after =
            key.and_then(|key| self.files.range(FileKey(key.0 + 1)..).next().map(|(key, _)| *key));
        after.or_else(|| self.files.keys().next().copied())
    }

    /// Lists what is offered, and looks at it.
    pub(super) fn refresh(&mut self, offer: &Offer, now: Instant) {
        if self.look_only(now) {
            return;
        }
        self.problem = None;
        self.look(now);
        let found = self.directories.list(offer, now);
        let live = self.note_listed(&found, now);
        let is_due = self.rotated_at.is_none_or(|at| now - at >= ROTATED_EVERY);
        if self.wants_rotated || is_due {
            self.list_rotated(offer, &live, now);
        }
        self.close_quiet(now);
    }

    /// Everything is listed again: the offer is another.
    pub(super) fn offer_changed(&mut self) {
        self.rotated_at = None;
        self.directories.forget();
        self.passed.clear();
        self.failed.clear();
    }

    /// Looks at the files without a listing, if one would find the same. Returns whether that was
    /// so.
    fn look_only(&mut self, now: Instant) -> bool {
        let is_there = |file: &Followed| matches!(file.place, Place::Listed | Place::Rotated);
        let is_usual = !self.wants_rotated
            && self.problem.is_none()
            && self.rotated_at.is_some_and(|at| now - at < ROTATED_EVERY)
            && self.files.values().all(is_there);
        if !is_usual || !self.directories.are_unchanged(now) {
            return false;
        }
        self.look(now);
        self.look_at_closed(now);
        // Otherwise a listing follows.
        !self.wants_rotated && self.problem.is_none()
    }

    /// Looks at the files that are not open.
    fn look_at_closed(&mut self, now: Instant) {
        for key in self.keys() {
            let closed = self.files.get(&key).filter(|file| !file.is_open());
            let Some(listed) = closed.and_then(|file| file.listed.clone()) else { continue };
            match self.identify(&listed) {
                Some((identity, size)) if self.by_identity.get(&identity) == Some(&key) => {
                    let place = self.files.get(&key).map_or(Place::Rotated, |file| file.place);
                    self.note_there(key, &listed, size, place, now);
                }
                // It is another file.
                _ => self.wants_rotated = true,
            }
        }
    }

    /// Looks at all open files.
    fn look(&mut self, now: Instant) {
        for key in self.keys() {
            let looked = self.files.get_mut(&key).map(|file| file.look(now));
            match looked {
                Some(Ok(Look::Anew)) => self.begin_anew(key, now),
                Some(Err(error)) => self.note_problem(key, &error),
                Some(Ok(Look::Same | Look::Changed)) | None => {}
            }
        }
    }

    fn note_problem(&mut self, key: FileKey, error: &io::Error) {
        let path = self.files.get(&key).map(|file| file.path.display().to_string());
        self.problem = path.map(|path| format!("{path}: {error}"));
    }

    /// A file was written anew: its text belongs to another stream.
    pub(super) fn begin_anew(&mut self, key: FileKey, now: Instant) {
        let Some(file) = self.files.get_mut(&key) else { return };
        debug!(path = %file.path.display(), "a file that is copied was written anew");
        let mut next = file.anew(now);
        let looked = next.look(now);
        let key = self.insert(next);
        if let Err(error) = looked {
            self.note_problem(key, &error);
        }
        self.wants_rotated = true;
    }

    fn insert(&mut self, file: Followed) -> FileKey {
        let key = FileKey(self.next);
        self.next += 1;
        self.insert_as(key, file)
    }

    fn insert_as(&mut self, key: FileKey, file: Followed) -> FileKey {
        self.by_identity.insert(file.identity, key);
        self.files.insert(key, file);
        key
    }

    /// Notes which files are there. Returns those that searches find without rotated ones.
    fn note_listed(&mut self, found: &FileList, now: Instant) -> HashSet<FileIdentity> {
        let mut live = HashSet::new();
        for listed in &found.files {
            let Some((identity, size)) = self.identify(listed) else { continue };
            live.insert(identity);
            match self.by_identity.get(&identity) {
                Some(key) => self.note_there(*key, listed, size, Place::Listed, now),
                None if self.is_passed(identity, size, now) => {}
                None => self.wants_rotated = true,
            }
        }
        if let Some(problem) = found.problems.first() {
            self.problem = Some(problem.to_string());
        }
        let is_missing =
            |file: &Followed| file.place == Place::Listed && !live.contains(&file.identity);
        self.wants_rotated |= self.files.values().any(is_missing);
        live
    }

    fn identify(&mut self, listed: &ExposedFile) -> Option<(FileIdentity, u64)> {
        match listed.look() {
            Ok(found) => found,
            Err(error) => {
                self.problem = Some(format!("{}: {error}", listed.path().display()));
                None
            }
        }
    }

    /// A file that is followed is there. One that is closed and has changed is opened.
    fn note_there(
        &mut self,
        key: FileKey,
        listed: &ExposedFile,
        size: u64,
        place: Place,
        now: Instant,
    ) {
        let Some(file) = self.files.get_mut(&key) else { return };
        file.note_place(place, Some(listed));
        if file.is_open() || size == file.size {
            return;
        }
        let reopened = listed.open_to_read().map(|opened| {
            let opened = opened.filter(|opened| opened.identity == file.identity)?;
            file.reopen(opened.file);
            Some(file.look(now))
        });
        match reopened {
            Ok(Some(Ok(Look::Anew))) => self.begin_anew(key, now),
            Ok(Some(Ok(_)) | None) => {}
            Ok(Some(Err(error))) | Err(error) => self.note_problem(key, &error),
        }
    }

    /// Lists rotated files, too, and begins with all that are new.
    fn list_rotated(&mut self, offer: &Offer, live: &HashSet<FileIdentity>, now: Instant) {
        let at_start = self.rotated_at.is_none();
        (self.rotated_at, self.wants_rotated) = (Some(now), false);
        let found = offer.with_rotated();
        let (mut there, mut new) = (HashSet::new(), Vec::new());
        for listed in &found.files {
            let Some((identity, size)) = self.identify(listed) else { continue };
            there.insert(identity);
            let is_listed = live.contains(&identity);
            let place = if is_listed { Place::Listed } else { Place::Rotated };
            match self.by_identity.get(&identity) {
                Some(key) => self.note_there(*key, listed, size, place, now),
                None if self.is_passed(identity, size, now) => {}
                None => new.push(New { listed, identity, size, is_listed }),
            }
        }
        for file in self.files.values_mut() {
            if matches!(file.place, Place::Listed | Place::Rotated)
                && !there.contains(&file.identity)
            {
                file.note_place(Place::Gone(now), None);
                file.listed = None;
            }
        }
        self.passed.retain(|identity, _| there.contains(identity));
        self.failed.retain(|_, at| now - *at < ROTATED_EVERY);
        self.too_many = found.cut;
        // Of a chain the oldest comes first, and is sent first. The newest may have a copy there.
        let first = self.next;
        self.next += new.len() as u64;
        for is_listed in [true, false] {
            let of_kind = (first..).zip(&new).filter(|(_, file)| file.is_listed == is_listed);
            for (key, file) in of_kind {
                self.begin(FileKey(key), file, at_start, now);
            }
        }
    }

    fn remove(&mut self, key: FileKey) {
        let Some(file) = self.files.remove(&key) else { return };
        if self.by_identity.get(&file.identity) == Some(&key) {
            self.by_identity.remove(&file.identity);
            // It must not come back as a new one while it is still listed.
            self.pass(file.identity, file.size);
        }
    }

    /// The files that have ended, since all is sent, or nothing more of them can be. `sent_up_to`
    /// is how far the keeper that lacks most has a file.
    pub(super) fn ended(&self, now: Instant, sent_up_to: impl Fn(FileKey) -> u64) -> Vec<FileKey> {
        let has_ended = |key: FileKey, file: &Followed| match file.place {
            Place::Listed | Place::Rotated => false,
            Place::Truncated(since) => now - since >= COPY_LIMIT,
            Place::Gone(since) => {
                let left = file.size.saturating_sub(sent_up_to(key));
                let is_quiet = now - since.max(file.active) >= 2 * SETTLED;
                left == 0 && is_quiet
                    || !file.is_open()
                    || now - since >= HELD
                    || left > HELD_DELETED_BYTES && file.is_deleted()
            }
        };
        let ended = self.files.iter().filter(|(key, file)| has_ended(**key, file));
        ended.map(|(key, _)| *key).collect()
    }

    /// Forgets a file that has ended.
    pub(super) fn forget(&mut self, key: FileKey) {
        if let Some(file) = self.files.remove(&key)
            && self.by_identity.get(&file.identity) == Some(&key)
        {
            self.by_identity.remove(&file.identity);
        }
    }

    /// Closes quiet files, and the quietest if too many are open.
    fn close_quiet(&mut self, now: Instant) {
        let mut open: Vec<(Instant, FileKey)> = Vec::new();
        for (key, file) in &mut self.files {
            if file.listed.is_some() && now - file.active >= QUIET && !file.has_more(file.seen) {
                file.close();
            }
            if file.is_open() && file.listed.is_some() {
                open.push((file.active, *key));
            }
        }
        let excess = open.len().saturating_sub(MOST_OPEN);
        if excess > 0 {
            open.sort_unstable();
            for (_, key) in open.into_iter().take(excess) {
                self.files.get_mut(&key).into_iter().for_each(Followed::close);
            }
        }
    }

    /// Whether something is offered that is not followed, or was not read.
    pub(super) fn lacks_some(&self) -> bool {
        self.too_many || self.problem.is_some() || !self.failed.is_empty()
    }

    /// How many files are followed.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }
}
