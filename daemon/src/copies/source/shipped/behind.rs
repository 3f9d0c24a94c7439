//! How far a keeper is behind, as it is told and as the status shows it. It owns no state.

use super::{Broken, Keeper, send};
use crate::copies::source::file::Followed;
use crate::copies::source::files::{FileKey, Files};
use memberd_copies::wire::ToKeeper;
use std::time::{Duration, Instant};

/// How often a keeper is told how much is not sent.
const TELL_BEHIND: Duration = Duration::from_secs(1);

/// How long files must have been looked at more often until a keeper is told.
const TELL_SOONER: Duration = Duration::from_secs(60);

impl Keeper {
    /// Tells how much is not sent, if that is to be told. Returns how much it is.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(in crate::copies::source) fn tell_behind(
        &mut self,
        files: &Files,
        now: Instant,
    ) -> Result<u64, Broken> {
        let waiting = |(key, file): (FileKey, &Followed)| match self.offset(key) {
            Some(offset) => file.waiting(offset),
            None if self.passed.contains(&key) => 0,
            // It has not had its turn yet.
            None => file.waiting(0),
        };
        // With files of which nothing is sent, nobody knows that copies have all.
        let lacks = u64::from(files.lacks_some());
        let behind: u64 = files.iter().map(waiting).sum::<u64>() + lacks;
        let (told, at) = self.told_behind;
        let is_due = told.is_none() || behind == 0 || now - at >= TELL_BEHIND;
        // Whole seconds, so that a quiet source says it once.
        let seconds = files.pause.as_millis().div_ceil(1_000).max(1);
        let every_ms = u32::try_from(seconds * 1_000).unwrap_or(u32::MAX);
        let is_slower = every_ms > self.told_every_ms;
        let is_sooner = every_ms < self.told_every_ms && now - at >= TELL_SOONER;
        if told != Some(behind) && is_due || is_slower || is_sooner {
            let Some(link) = &self.link else { return Err(Broken) };
            send(link, &ToKeeper::Behind { bytes: behind, every_ms })?;
            (self.told_behind, self.told_every_ms) = ((Some(behind), now), every_ms);
        }
        Ok(behind)
    }

    /// Up to where it has a file durably.
    pub(in crate::copies::source) fn kept(&self, key: FileKey) -> u64 {
        match self.files.get(&key) {
            Some(shipped) => shipped.kept,
            None if self.passed.contains(&key) => u64::MAX,
            // What another stream has of it.
            None => match self.starts.get(&key) {
                Some((_, Some(joint))) => joint.at,
                _ => 0,
            },
        }
    }

    /// Whether it has nothing more to acknowledge.
    pub(in crate::copies::source) fn has_all(&self) -> bool {
        self.under_way.is_empty()
    }

    /// How much it was last told that is not sent.
    pub(in crate::copies::source) fn behind_bytes(&self) -> u64 {
        self.told_behind.0.unwrap_or(0)
    }

    /// How long the longest waits that is not durable there.
    pub(in crate::copies::source) fn lag(&self, files: &Files, now: Instant) -> Duration {
        let since = |(key, file): (FileKey, &Followed)| file.lacking_since(self.kept(key));
        files.iter().filter_map(since).min().map_or(Duration::ZERO, |since| now - since)
    }
}
