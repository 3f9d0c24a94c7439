//! Begins to follow files that were not there before, unless they are compressed, or copies that
//! rotation has made. It owns no state.

use super::super::file::{Alike, Followed, Found, Place};
use super::{FileKey, Files, MOST_FILES, MOST_PASSED, ROTATED_EVERY};
use memberd_search::{ExposedFile, FileIdentity};
use std::io;
use std::time::Instant;
use tracing::debug;

/// A file that is listed and not followed.
pub(super) struct New<'l> {
    pub(super) listed: &'l ExposedFile,
    pub(super) identity: FileIdentity,
    pub(super) size: u64,
    pub(super) is_listed: bool,
}

impl Files {
    /// Begins to follow a file, unless it is compressed or the copy of another.
    pub(super) fn begin(&mut self, key: FileKey, new: &New<'_>, at_start: bool, now: Instant) {
        if let Err(error) = self.try_begin(key, new, at_start, now) {
            self.note_failed(new.identity, now);
            self.problem = Some(format!("{}: {error}", new.listed.path().display()));
        }
    }

    fn try_begin(
        &mut self,
        key: FileKey,
        new: &New<'_>,
        at_start: bool,
        now: Instant,
    ) -> io::Result<()> {
        let Some(opened) = new.listed.open_to_read()? else { return Ok(()) };
        if opened.identity != new.identity {
            // The name is another file's by now. The next listing finds it.
            self.wants_rotated = true;
            return Ok(());
        }
        let found =
            Found { file: opened.file, listed: new.listed.clone(), is_listed: new.is_listed };
        if opened.is_compressed {
            self.pass(new.identity, new.size);
            return Ok(());
        }
        let is_rotated = new.listed.path() != new.listed.origin();
        if is_rotated {
            if let Some(key) = self.truncated_original(&found)? {
                self.by_identity.insert(new.identity, key);
                let Some(original) = self.files.get_mut(&key) else { return Ok(()) };
                debug!(path = %found.listed.path().display(), "a copy goes on for its original");
                return original.go_on_with(found, now);
            }
            match self.is_copy(&found)? {
                Alike::No => {}
                Alike::Yes => {
                    self.pass(new.identity, new.size);
                    return Ok(());
                }
                Alike::Unread => {
                    // By the next listing the other one was read, or is known as truncated.
                    self.wants_rotated = true;
                    return Ok(());
                }
            }
        }
        if self.files.len() >= MOST_FILES && !self.drop_one() {
            self.too_many = true;
            self.note_failed(new.identity, now);
            return Ok(());
        }
        let followed = Followed::begin(found, at_start, now)?;
        self.insert_as(key, followed);
        Ok(())
    }

    /// The file that was truncated, and whose text this one holds.
    fn truncated_original(&self, found: &Found) -> io::Result<Option<FileKey>> {
        for (key, file) in self.files.iter().rev() {
            let is_candidate =
                matches!(file.place, Place::Truncated(_)) && file.origin == found.listed.origin();
            if is_candidate && file.is_in(&found.file)? {
                return Ok(Some(*key));
            }
        }
        Ok(None)
    }

    /// Whether a file with the same origin begins as this one does.
    fn is_copy(&self, found: &Found) -> io::Result<Alike> {
        let mut alike = Alike::No;
        for file in self.files.values().filter(|file| file.origin == found.listed.origin()) {
            match file.begins_like(&found.file)? {
                Alike::Yes => return Ok(Alike::Yes),
                Alike::Unread => alike = Alike::Unread,
                Alike::No => {}
            }
        }
        Ok(alike)
    }

    /// Whether a file needs no look now. While one was just truncated, each may be its copy.
    pub(super) fn is_passed(&self, identity: FileIdentity, size: u64, now: Instant) -> bool {
        let has_failed = self.failed.get(&identity).is_some_and(|at| now - *at < ROTATED_EVERY);
        let is_truncated = |file: &Followed| matches!(file.place, Place::Truncated(_));
        has_failed
            || self.passed.get(&identity) == Some(&size)
                && !(self.rotated_at == Some(now) && self.files.values().any(is_truncated))
    }

    /// It cannot be followed, and is tried again later.
    fn note_failed(&mut self, identity: FileIdentity, now: Instant) {
        if self.failed.len() < MOST_PASSED {
            self.failed.insert(identity, now);
        }
    }

    pub(super) fn pass(&mut self, identity: FileIdentity, size: u64) {
        if self.passed.len() < MOST_PASSED {
            self.passed.insert(identity, size);
        }
    }

    /// Makes room for a newer file: the least active one without a name of a live file goes.
    fn drop_one(&mut self) -> bool {
        let spare = self.files.iter().filter(|(_, file)| file.place != Place::Listed);
        let Some(key) = spare.min_by_key(|(_, file)| file.active).map(|(key, _)| *key) else {
            return false;
        };
        self.remove(key);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::offer::Offer;
    use super::*;
    use memberd_search::ExposedFiles;
    use std::collections::HashSet;
    use std::fs::{self, File, OpenOptions};
    use std::io::Write as _;
    use std::time::Duration;

    fn append(path: &std::path::Path, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// What takes the place of its text may be shorter, or longer than all that was read.
    #[test]
    fn a_log_truncated_between_look_and_listing_is_not_sent_twice() {
        for next_lines in [0, 1, 1_000] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("a.log");
            let glob = format!("{}/*.log", directory.path().display());
            let offer = Offer::new(ExposedFiles::new(&[glob]).unwrap(), &[]);
            let (mut files, mut now, mut text) = (Files::default(), Instant::now(), Vec::new());
            append(&path, &"an old line that is long enough\n".repeat(100));
            files.refresh(&offer, now);
            let [original] = files.keys()[..] else { panic!("one file is there") };
            files.read(original, 0, now, &mut text);
            assert!(!text.is_empty());
            append(&path, "one more that only the copy has\n");
            files.look(now);
            // Now logrotate copies and truncates it, and another file is seen to be new.
            fs::copy(&path, directory.path().join("a.log.1")).unwrap();
            File::create(&path).unwrap();
            append(&path, &"a new line that is long enough\n".repeat(next_lines));
            let live: HashSet<FileIdentity> = files.iter().map(|(_, file)| file.identity).collect();
            files.list_rotated(&offer, &live, now);
            assert_eq!(files.keys(), [original], "its copy is no other file: {next_lines}");
            for _ in 0..2 {
                now += Duration::from_secs(1);
                files.refresh(&offer, now);
            }
            let original = files.get(original).unwrap();
            assert_eq!(original.path, directory.path().join("a.log.1"));
            assert_eq!((original.place, files.len()), (Place::Rotated, 2));
        }
    }
}
