//! Holds the bounds on what is kept: the oldest segments go first.

use super::disk::absent_is_fine;
use super::dropped::Why;
use super::streams::Key;
use super::{Failed, Pruned, Refused, Store};
use crate::segment::names;

/// How often free space is asked for, in bytes written.
const FREE_CHECK_BYTES: u64 = 8 << 20;

/// A clock that goes this far at once is doubted.
const JUMP_MS: u64 = 24 * 3600 * 1000;

/// For so long, nothing is dropped by its age.
const DOUBT_MS: u64 = 600_000;

impl Store {
    /// Makes room for a block of `key`, or refuses it.
    pub(super) fn make_room(&mut self, key: &Key, bytes: u64) -> Result<(), Refused> {
        while self.streams.of_source(&key.source).bytes.saturating_add(bytes)
            > self.limits.source_bytes
        {
            let oldest = self.streams.oldest(Some(&key.source), Some(key));
            self.drop_segment(&oldest.ok_or(Refused::Full)?, Why::Room)?;
        }
        while self.streams.sums().bytes.saturating_add(bytes) > self.limits.total_bytes
            || self.streams.sums().segments > self.limits.segments
        {
            let oldest = self.streams.oldest(None, Some(key));
            self.drop_segment(&oldest.ok_or(Refused::Full)?, Why::Room)?;
        }
        if self.free_left < bytes {
            self.ask_free_space(bytes, Some(key))?;
        }
        if self.free_left < bytes { Err(Refused::Full) } else { Ok(()) }
    }

    /// Asks how much is free, and drops segments until `bytes` may be written. What searches read
    /// is freed only when they end, so the bytes of dropped files count as free.
    fn ask_free_space(&mut self, bytes: u64, except: Option<&Key>) -> Result<(), Failed> {
        // An unknown bound is none. The next write tells whether the disk is full.
        let free = self.disk.free_bytes(&self.directory).unwrap_or(u64::MAX);
        let mut freed = 0_u64;
        let wanted = self.limits.free_bytes.saturating_add(bytes);
        while free.saturating_add(freed) < wanted {
            let before = self.streams.sums().bytes;
            let Some(oldest) = self.streams.oldest(None, except) else { break };
            self.drop_segment(&oldest, Why::Room)?;
            freed = freed.saturating_add(before - self.streams.sums().bytes);
        }
        let left = free.saturating_add(freed).saturating_sub(self.limits.free_bytes);
        self.free_left = left.min(FREE_CHECK_BYTES.max(bytes));
        Ok(())
    }

    /// Drops what is beyond the bounds.
    pub(super) fn prune_all(&mut self, now_ms: u64) -> Result<Pruned, Failed> {
        self.check_open()?;
        self.tell_time(now_ms);
        self.pruned_at_ms = Some(now_ms);
        let (segments, bytes) = (self.pruned_segments, self.pruned_bytes);
        self.drop_old()?;
        let sources: Vec<_> = self.streams.sources().map(|(name, _)| name.clone()).collect();
        for source in sources {
            while self.streams.of_source(&source).bytes > self.limits.source_bytes {
                let Some(oldest) = self.streams.oldest(Some(&source), None) else { break };
                self.drop_segment(&oldest, Why::Room)?;
            }
            while self.streams.of_source(&source).streams > self.limits.streams_of_source {
                let Some(least) = self.streams.least_recent(Some(&source)) else { break };
                self.drop_stream(&least, Why::Room)?;
            }
        }
        while self.streams.sums().bytes > self.limits.total_bytes
            || self.streams.sums().segments > self.limits.segments
        {
            let Some(oldest) = self.streams.oldest(None, None) else { break };
            self.drop_segment(&oldest, Why::Room)?;
        }
        while self.streams.sums().streams > self.limits.streams {
            let Some(least) = self.streams.least_recent(None) else { break };
            self.drop_stream(&least, Why::Room)?;
        }
        self.ask_free_space(0, None)?;
        let segments = self.pruned_segments - segments;
        Ok(Pruned { segments, bytes: self.pruned_bytes - bytes })
    }

    /// Tells what this machine's clock says. One that is set to a wrong day, and soon corrected,
    /// must not cost all copies their lives.
    pub(super) fn tell_time(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.now_ms) > JUMP_MS {
            self.doubt_until_ms = u64::MAX;
        }
        self.doubt_until_ms = self.doubt_until_ms.min(now_ms.saturating_add(DOUBT_MS));
        self.now_ms = now_ms;
    }

    /// Drops what was last written too long ago.
    fn drop_old(&mut self) -> Result<(), Failed> {
        let age_ms = u64::try_from(self.limits.age.as_millis()).unwrap_or(u64::MAX);
        let Some(before) = self.now_ms.checked_sub(age_ms) else { return Ok(()) };
        if self.now_ms < self.doubt_until_ms {
            return Ok(());
        }
        let old = self.streams.iter(None).filter(|(_, stream)| {
            let front = stream.segments.front();
            front.map_or(stream.written_ms, |segment| segment.written_ms) < before
        });
        let old: Vec<Key> = old.map(|(key, _)| key.clone()).collect();
        for key in old {
            while let Some(stream) = self.streams.get(&key) {
                match stream.segments.front() {
                    Some(front) if front.written_ms < before => {
                        self.drop_segment(&key, Why::Age)?;
                    }
                    None if stream.written_ms < before => self.drop_stream(&key, Why::Age)?,
                    _ => break,
                }
            }
        }
        self.forget_dropped_before(before)
    }

    /// Drops the oldest segment of a stream. The stream goes with its last one.
    pub(super) fn drop_segment(&mut self, key: &Key, why: Why) -> Result<(), Failed> {
        let Some(stream) = self.streams.get(key) else { return Ok(()) };
        let Some(segment) = stream.segments.front().copied() else { return Ok(()) };
        if stream.segments.len() == 1 {
            return self.drop_stream(key, why);
        }
        self.abandon_sealing(key, Some(segment.begin))?;
        let directory = key.directory(&self.directory);
        let path = names::segment_file(&directory, segment.begin, segment.form);
        if let Err(error) = absent_is_fine(self.disk.remove(&path)) {
            return Err(self.fail(&path, &error));
        }
        self.streams.edit_segments(key, |stream| {
            stream.segments.pop_front();
        });
        self.count_dropped(segment.bytes);
        Ok(())
    }

    /// Drops a stream with all that is kept of it.
    pub(super) fn drop_stream(&mut self, key: &Key, why: Why) -> Result<(), Failed> {
        self.abandon_sealing(key, None)?;
        let Some(stream) = self.streams.remove(key) else { return Ok(()) };
        self.files.remove(key);
        self.dirty.remove(key);
        let directory = key.directory(&self.directory);
        self.directories.remove(&directory);
        // The head goes first: without it, a restart after a crash removes the rest.
        let segments = stream.segments.iter();
        let files = segments.map(|of| names::segment_file(&directory, of.begin, of.form));
        self.drop_head(key, &stream, why)?;
        for path in files {
            if let Err(error) = absent_is_fine(self.disk.remove(&path)) {
                return Err(self.fail(&path, &error));
            }
        }
        // What is not the store's stays there, with its directory.
        let _ = self.disk.remove_directory(&directory);
        let of_source = self.directory.join(key.source.as_str());
        if self.streams.of_source(&key.source).streams == 0 {
            self.forget_dropped_of(&key.source)?;
            self.directories.remove(&of_source);
            let _ = self.disk.remove_directory(&of_source);
        }
        stream.segments.iter().for_each(|segment| self.count_dropped(segment.bytes));
        Ok(())
    }

    fn count_dropped(&mut self, bytes: u64) {
        self.pruned_segments += 1;
        self.pruned_bytes += bytes;
        self.free_left = self.free_left.saturating_add(bytes);
    }
}
