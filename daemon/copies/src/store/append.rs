//! Takes heads and blocks of sources.

use super::check::Checked;
use super::disk::is_full;
use super::dropped::Why;
use super::streams::{Key, Segment, Stream, Tail};
use super::{Refused, Store};
use crate::block::Block;
use crate::segment::digest;
use crate::segment::head::may_be_head;
use crate::segment::names::{self, Form};
use crate::segment::open_block::{HEAD_BYTES, OpenHead};
use crate::stream::StreamHead;
use memberd_membership::Name;
use std::io;

/// How many heads wait in memory for the next sync, at most.
pub(super) const MAX_WAITING_HEADS: usize = 64;

/// How often the oldest segment is dropped for a block that does not fit on the disk.
const MAX_ATTEMPTS: usize = 4;

impl Store {
    pub(super) fn take_head(&mut self, source: &Name, head: StreamHead) -> Result<(), Refused> {
        self.check_open()?;
        if !may_be_head(&head) {
            return Err(Refused::Invalid);
        }
        let key = Key { source: source.clone(), id: head.id };
        if self.streams.get(&key).is_none() {
            self.add_stream(&key)?;
        }
        self.streams.edit(&key, |stream| stream.head = Some(Box::new(head)));
        self.dirty.insert(key);
        self.waiting_heads += 1;
        if self.waiting_heads >= MAX_WAITING_HEADS {
            self.write_heads()?;
        }
        Ok(())
    }

    fn add_stream(&mut self, key: &Key) -> Result<(), Refused> {
        let of_source = self.streams.of_source(&key.source).streams;
        let sources = self.streams.sources().count();
        if of_source == 0 && sources >= self.limits.sources {
            return Err(Refused::TooMany);
        }
        let one_too_many = (of_source >= self.limits.streams_of_source).then_some(&key.source);
        if one_too_many.is_some() || self.streams.sums().streams >= self.limits.streams {
            let least = self.streams.least_recent(one_too_many);
            least.map_or(Ok(()), |least| self.drop_stream(&least, Why::Room))?;
        }
        let of_source = self.directory.join(key.source.as_str());
        let directory = key.directory(&self.directory);
        for directory in [&of_source, &directory] {
            match self.disk.create_directory(directory) {
                Ok(()) => {}
                Err(error) if is_full(&error) => return Err(Refused::Full),
                Err(error) => return Err(self.refuse_for(directory, &error)),
            }
        }
        self.directories.extend([self.directory.clone(), of_source]);
        let stream = Stream { written_ms: self.now_ms, ends_line: true, ..Stream::default() };
        self.streams.insert(key.clone(), stream);
        self.forget_dropped(key)?;
        Ok(())
    }

    pub(super) fn take_block(&mut self, source: &Name, block: &Block) -> Result<u64, Refused> {
        self.check_open()?;
        let key = Key { source: source.clone(), id: block.head.stream };
        self.streams.get(&key).ok_or(Refused::Unknown)?.accepts(&block.head)?;
        let checked = self.checker.check(block)?;
        if self.is_tail_full(&key) {
            self.close_tail(&key)?;
        }
        let bytes = (HEAD_BYTES + block.frame.len()) as u64;
        self.make_room(&key, bytes)?;
        for _ in 0..MAX_ATTEMPTS {
            match self.write_block(&key, block, checked) {
                Err(Refused::Full) => {
                    let oldest = self.streams.oldest(None, Some(&key));
                    let oldest = oldest.ok_or(Refused::Full)?;
                    self.drop_segment(&oldest, Why::Room)?;
                }
                written => return written,
            }
        }
        Err(Refused::Full)
    }

    /// Whether the next block begins another segment. It does so at the beginning of a line, if
    /// lines end at all.
    fn is_tail_full(&self, key: &Key) -> bool {
        let Some(stream) = self.streams.get(key) else { return false };
        let Some(tail) = stream.tail else { return false };
        let Some(segment) = stream.segments.back() else { return false };
        let text_bytes = stream.tail_text_bytes();
        let is_full = text_bytes >= self.limits.segment_text_bytes
            || tail.blocks >= self.limits.segment_blocks
            || segment.bytes >= self.limits.source_bytes / 8;
        let far_too_long = text_bytes >= self.limits.segment_text_bytes.saturating_mul(2);
        is_full && (stream.ends_line || far_too_long)
    }

    /// Appends a block that comes next. The disk may be full.
    fn write_block(&mut self, key: &Key, block: &Block, checked: Checked) -> Result<u64, Refused> {
        let Some(stream) = self.streams.get(key) else { return Err(Refused::Unknown) };
        let offset = block.head.offset;
        let is_first = stream.segments.is_empty();
        let lines_before = match is_first {
            true => (offset == 0).then_some(0),
            false => stream.lines,
        };
        let head = OpenHead {
            block: block.head,
            frame_bytes: u32::try_from(block.frame.len()).map_err(|_| Refused::Invalid)?,
            frame_hash: digest(&block.frame),
            lines: checked.lines,
            lines_before,
            first: if is_first { offset } else { stream.first },
            durable: if is_first { offset } else { stream.durable },
            begins_line: is_first || stream.ends_line,
            text: checked.text,
        };
        let (begin, place) = match (stream.tail, stream.segments.back()) {
            (Some(_), Some(segment)) => (segment.begin, segment.bytes),
            _ => (offset, 0),
        };
        self.open_tail(key, begin, place == 0)?;
        let mut bytes = Vec::with_capacity(HEAD_BYTES + block.frame.len());
        bytes.extend(head.encode());
        bytes.extend(&block.frame);
        let Some(file) = self.files.get(key) else { return Err(Refused::Full) };
        let written = self.disk.write_at(file, &bytes, place);
        if let Err(error) = written {
            return Err(self.undo_write(key, begin, place, &error));
        }
        self.note_block(key, &head, begin, place, bytes.len() as u64);
        Ok(block.head.end())
    }

    /// Opens the file of the last segment, or creates it.
    fn open_tail(&mut self, key: &Key, begin: u64, is_new: bool) -> Result<(), Refused> {
        self.files.touch(key);
        if self.files.get(key).is_some() {
            return Ok(());
        }
        while self.files.len() >= self.limits.open_files.max(1) {
            let Some(oldest) = self.files.oldest() else { break };
            self.sync_file(&oldest)?;
            self.files.remove(&oldest);
        }
        let directory = key.directory(&self.directory);
        let path = names::segment_file(&directory, begin, Form::Open);
        let opened = if is_new { self.disk.create(&path) } else { self.disk.open(&path) };
        match opened {
            Ok(file) => {
                self.files.insert(key.clone(), file);
                if is_new {
                    self.directories.insert(directory);
                }
                Ok(())
            }
            Err(error) if is_full(&error) => Err(Refused::Full),
            Err(error) => Err(self.refuse_for(&path, &error)),
        }
    }

    /// Takes back what a write left at `place`, if it failed for lack of space.
    fn undo_write(&mut self, key: &Key, begin: u64, place: u64, error: &io::Error) -> Refused {
        let path = names::segment_file(&key.directory(&self.directory), begin, Form::Open);
        if !is_full(error) {
            return self.refuse_for(&path, error);
        }
        let undone = match self.files.get(key) {
            Some(_) if place == 0 => self.disk.remove(&path),
            Some(file) => self.disk.truncate(file, place),
            None => Ok(()),
        };
        if place == 0 {
            self.files.remove(key);
        }
        match undone {
            Ok(()) => Refused::Full,
            Err(error) => self.refuse_for(&path, &error),
        }
    }

    /// Notes that a block was written at `place` of the segment that begins at `begin`.
    fn note_block(&mut self, key: &Key, head: &OpenHead, begin: u64, place: u64, bytes: u64) {
        let now_ms = self.now_ms;
        if place == 0 {
            let segment = Segment { begin, bytes: 0, written_ms: now_ms, form: Form::Open };
            self.streams.edit_segments(key, |stream| stream.segments.push_back(segment));
        }
        self.streams.grow(key, bytes);
        self.streams.edit(key, |stream| {
            if let Some(segment) = stream.segments.back_mut() {
                segment.written_ms = now_ms;
            }
            if stream.segments.len() == 1 && place == 0 {
                stream.first = head.first;
                stream.synced = head.first;
                stream.durable = head.first;
            }
            stream.tail = Some(Tail::after(stream.tail, place, head.block.read_ms));
            stream.end = head.block.end();
            stream.lines = head.lines_after();
            stream.ends_line = head.text.ends_line;
            stream.written_ms = now_ms;
        });
        self.dirty.insert(key.clone());
        self.free_left = self.free_left.saturating_sub(bytes);
        self.appended_text_bytes += u64::from(head.block.text_bytes);
    }
}
