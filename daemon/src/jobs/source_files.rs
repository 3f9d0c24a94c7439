//! The files of this machine that a job reads, and which of them is which through renames, copies,
//! truncation, deletion and restarts. [`SourceFiles`] owns their descriptors. All of it blocks.
//!
//! - A file is known by its inode, its birth, and its first lines: see `head`. A rename keeps
//!   these, and an inode that is used again has another birth. So nothing of it is stored anywhere.
//! - What is named like a file rotated away from another one, and is younger than that, is a copy
//!   (logrotate's `copytruncate`). It has the key of what it is a copy of. While both have the same
//!   first lines, only the original is told; once that was written anew, the copy is read on.
//! - A file that was deleted, or has no exposed name any more, is read from its descriptor until
//!   all of it is durable, within bounds. What is let go before that is a gap, which the job tells.
//! - What new settings expose no longer is let go at once, whatever its descriptor could still
//!   read.
//! - Compressed files are not read. Logs are read before they are compressed, or from the
//!   descriptor of the file that was.

mod files;
mod head;
mod known;
mod lines;

use crate::boot_time;
use crate::search::LocalSearcher;
use files::Files;
use memberd_jobs::{FileKey, JobSpec, Look, Now};
use memberd_worker::OpenRange;
use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use tracing::warn;

/// The files of one job on this machine.
#[derive(Debug)]
pub(super) struct SourceFiles {
    searcher: Arc<LocalSearcher>,
    /// None: its globs cannot be read here.
    files: Option<Files>,
}

impl SourceFiles {
    /// What the job's globs select of what `searcher` offers, with the files that were rotated away
    /// from these.
    ///
    /// `From::Now` is the end that a file has at the first look, so that a file which is new after
    /// a restart would count from its end as well. `From::At` the time of the job's start is the
    /// same but for that: what was created since then counts from its first byte, whenever it is
    /// found.
    pub(super) fn new(searcher: Arc<LocalSearcher>, spec: &JobSpec) -> SourceFiles {
        let files = Files::new(&spec.files, spec.from).inspect_err(|error| {
            warn!(job = spec.name, %error, "this machine reads no file for a job");
        });
        SourceFiles { searcher, files: files.ok() }
    }

    /// Looks at all files. Bytes of a file below what `released` says are not asked for again.
    pub(super) fn look(&mut self, released: &BTreeMap<FileKey, u64>) -> Look {
        let now = now();
        match &mut self.files {
            None => Look { began_ms: now.wall_ms, ..Look::default() },
            Some(files) => {
                let released = |key| released.get(&key).copied().unwrap_or(0);
                files.look(&self.searcher.offer(), now, released)
            }
        }
    }

    /// Opens a range of a file that the last look told. None if that is not possible now, or other
    /// files are exposed since then.
    pub(super) fn open(&self, key: FileKey, from: u64, to: u64) -> Option<OpenRange> {
        let files = self.files.as_ref()?;
        files.has_seen(&self.searcher.offer()).then(|| files.open(key, from, to))?
    }

    /// Whether a file that was opened still is the one of this key, and has `to` bytes at least.
    /// Ask it after a range was read: if it is not so, its sums may be of other lines.
    pub(super) fn is_still(&self, key: FileKey, file: &File, to: u64) -> bool {
        self.files.as_ref().is_some_and(|files| files.is_still(key, file, to))
    }
}

fn now() -> Now {
    let now = boot_time::now();
    let boot_ms = u64::try_from(now.boot.since_epoch().as_millis()).unwrap_or(u64::MAX);
    Now { boot_ms, wall_ms: i64::try_from(now.wall.0).unwrap_or(i64::MAX) }
}
