//! Seals full segments, one after the other, one block at a time.

use super::disk::{absent_is_fine, is_full};
use super::sealing::{Job, SealError, Sealing};
use super::streams::{Key, Segment};
use super::{Failed, SpanReader, Store};
use crate::segment::head;
use crate::segment::names::{self, Form};
use std::fs::File;
use std::io;

/// A segment to which nothing was appended for this long is sealed before it is full.
const IDLE_MS: u64 = 3_600_000;

/// But not if it is so small that a search reads it at once.
const IDLE_BYTES: u64 = 64 * 1024;

/// When a full disk prevented sealing, it is tried again after this time.
const RETRY_MS: u64 = 60_000;

impl Store {
    /// Does the next step of sealing. Returns whether there is more to do now.
    pub(super) fn seal_step(&mut self, spans: &mut dyn SpanReader) -> Result<bool, Failed> {
        if self.sealing.is_none() && !self.begin_sealing(spans)? {
            return Ok(false);
        }
        let Some(sealing) = &mut self.sealing else { return Ok(true) };
        match sealing.step(self.disk.as_ref(), spans) {
            Ok(false) => {}
            Ok(true) => self.finish_sealing(spans)?,
            Err(error) => self.give_up_sealing(error)?,
        }
        Ok(true)
    }

    /// Closes segments that have been idle, so that they are sealed.
    pub(super) fn close_idle(&mut self) -> Result<(), Failed> {
        let Some(before) = self.now_ms.checked_sub(IDLE_MS) else { return Ok(()) };
        let idle = self.streams.iter(None).filter(|(_, stream)| {
            let is_large = |segment: &Segment| segment.bytes >= IDLE_BYTES;
            stream.tail.is_some()
                && !stream.is_damaged
                && stream.written_ms < before
                && stream.segments.back().is_some_and(is_large)
        });
        let idle: Vec<Key> = idle.map(|(key, _)| key.clone()).collect();
        idle.iter().try_for_each(|key| self.close_tail(key))
    }

    /// Remembers the full segments that a restart found open.
    pub(super) fn queue_unsealed(&mut self) {
        let open = self.streams.iter(None).flat_map(|(key, stream)| {
            // The last one is still appended to, or is damaged.
            let full = stream.segments.iter().rev().skip(1).rev();
            full.filter(|of| of.form == Form::Open).map(|of| (key.clone(), of.begin))
        });
        self.to_seal = open.collect();
    }

    /// Begins with the next segment that is there. Returns whether there is one.
    fn begin_sealing(&mut self, spans: &mut dyn SpanReader) -> Result<bool, Failed> {
        // A clock that was set back does not prolong it.
        let waits = |until: u64| (1..=RETRY_MS).contains(&until.saturating_sub(self.now_ms));
        if self.seal_after_ms.is_some_and(waits) {
            return Ok(false);
        }
        self.seal_after_ms = None;
        while let Some((key, begin)) = self.to_seal.pop_front() {
            if !self.is_full_and_open(&key, begin) {
                continue;
            }
            match self.job(key.clone(), begin).and_then(|job| Sealing::new(job, spans)) {
                Ok(sealing) => self.sealing = Some(sealing),
                Err(error) => self.give_up((key, begin), error)?,
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether a segment is there, and nothing is appended to it any more. The stream may have been
    /// dropped and begun anew since it was queued.
    fn is_full_and_open(&self, key: &Key, begin: u64) -> bool {
        let is_open = self.find_segment(key, begin).is_some_and(|of| of.form == Form::Open);
        let is_tail = self.streams.get(key).is_some_and(|stream| {
            stream.tail.is_some() && stream.segments.back().is_some_and(|of| of.begin == begin)
        });
        is_open && !is_tail
    }

    fn job(&self, key: Key, begin: u64) -> Result<Job, SealError> {
        let directory = key.directory(&self.directory);
        let input = names::segment_file(&directory, begin, Form::Open);
        let input = File::open(input).map_err(SealError::Read)?;
        let waiting = self.streams.get(&key).and_then(|stream| stream.head.as_deref().cloned());
        let head = match waiting {
            Some(head) => head,
            None => head::read(&directory, key.id)
                .and_then(|head| head.ok_or_else(|| io::ErrorKind::InvalidData.into()))
                .map_err(SealError::Read)?,
        };
        let output = names::temporary_segment(&directory, begin);
        let output = self.disk.create(&output).map_err(SealError::Write)?;
        Ok(Job { key, begin, head, input, output })
    }

    pub(super) fn find_segment(&self, key: &Key, begin: u64) -> Option<Segment> {
        let segments = &self.streams.get(key)?.segments;
        let place = segments.binary_search_by_key(&begin, |segment| segment.begin).ok()?;
        segments.get(place).copied()
    }

    /// Puts the sealed segment in the place of the open one.
    fn finish_sealing(&mut self, spans: &dyn SpanReader) -> Result<(), Failed> {
        let Some(sealing) = self.sealing.take() else { return Ok(()) };
        let (key, begin) = (sealing.key.clone(), sealing.begin);
        let Some(open) = self.find_segment(&key, begin) else { return Ok(()) };
        let bytes = match sealing.finish(self.disk.as_ref(), spans, open.written_ms) {
            Ok(bytes) => bytes,
            Err(error) => return self.give_up((key, begin), error),
        };
        let directory = key.directory(&self.directory);
        let path = |form| names::segment_file(&directory, begin, form);
        let temporary = names::temporary_segment(&directory, begin);
        let renamed = self.disk.rename(&temporary, &path(Form::Sealed));
        let renamed = renamed.and_then(|()| self.disk.sync_directory(&directory));
        // Until the name of the sealed one is durable, the open one stays.
        if let Err(error) = renamed.and_then(|()| self.disk.remove(&path(Form::Open))) {
            return Err(self.fail(&directory, &error));
        }
        self.streams.edit_segments(&key, |stream| {
            let segment = stream.segments.iter_mut().find(|segment| segment.begin == begin);
            if let Some(segment) = segment {
                segment.form = Form::Sealed;
                segment.bytes = bytes;
            }
        });
        Ok(())
    }

    fn give_up_sealing(&mut self, error: SealError) -> Result<(), Failed> {
        let Some(sealing) = self.sealing.take() else { return Ok(()) };
        self.give_up((sealing.key, sealing.begin), error)
    }

    /// Leaves a segment open that cannot be sealed. With a full disk it is tried again.
    fn give_up(&mut self, (key, begin): (Key, u64), error: SealError) -> Result<(), Failed> {
        let directory = key.directory(&self.directory);
        let path = names::segment_file(&directory, begin, Form::Open);
        self.remove_temporary(&key, begin)?;
        match error {
            SealError::Write(error) if is_full(&error) => {
                self.seal_after_ms = Some(self.now_ms.saturating_add(RETRY_MS));
                self.to_seal.push_back((key, begin));
            }
            SealError::Write(error) => return Err(self.fail(&directory, &error)),
            SealError::Read(error) => {
                self.note(format!("{} cannot be sealed: {error}", path.display()));
            }
            SealError::Damaged(place) => {
                self.note(format!("{} is damaged, at byte {place}", path.display()));
            }
        }
        Ok(())
    }

    /// Stops to seal a segment that is dropped, or any one of the stream.
    pub(super) fn abandon_sealing(&mut self, key: &Key, begin: Option<u64>) -> Result<(), Failed> {
        let is_meant = |of: &Sealing| of.key == *key && begin.is_none_or(|begin| begin == of.begin);
        match self.sealing.take_if(|sealing| is_meant(sealing)) {
            Some(sealing) => self.remove_temporary(key, sealing.begin),
            None => Ok(()),
        }
    }

    fn remove_temporary(&mut self, key: &Key, begin: u64) -> Result<(), Failed> {
        let path = names::temporary_segment(&key.directory(&self.directory), begin);
        match absent_is_fine(self.disk.remove(&path)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(&path, &error)),
        }
    }
}
