//! Tells a source how far its streams are kept.

use super::streams::{Key, Segment, Stream};
use super::{Failed, Store};
use crate::block::BlockHead;
use crate::segment::names::{self, Form};
use crate::segment::recover::{read_head, recover};
use crate::segment::{head, index};
use crate::standing::{MOST_MARKS, Mark, Standing};
use memberd_membership::Name;
use std::cmp::Reverse;
use std::fs::File;
use std::io;

/// How many segments are looked at for blocks that the source may still have.
const MOST_SEGMENTS: usize = 4;

impl Store {
    pub(super) fn read_standings(&mut self, source: &Name) -> Result<Vec<Standing>, Failed> {
        self.make_durable()?;
        let streams = self.streams.iter(Some(source)).filter(|(_, stream)| stream.has_head);
        let standings = streams.filter_map(|(key, stream)| self.read_standing(key, stream));
        Ok(standings.collect())
    }

    /// None if the head cannot be read: then no search finds the stream either.
    fn read_standing(&self, key: &Key, stream: &Stream) -> Option<Standing> {
        let directory = key.directory(&self.directory);
        let head = match stream.head.as_deref() {
            Some(head) => head.clone(),
            None => head::read(&directory, key.id).ok()??,
        };
        let begin = stream.begin();
        let reaches_end = |last: &Option<BlockHead>| {
            last.map_or(stream.segments.is_empty(), |last| last.end() == stream.end)
        };
        let newest = if stream.is_damaged { None } else { self.read_last(key, stream).ok() };
        let newest = newest.filter(reaches_end);
        let is_damaged = newest.is_none();
        let last = newest.unwrap_or_else(|| self.last_whole(key, stream));
        let end = match last {
            Some(last) => last.end(),
            None if is_damaged => begin,
            None => stream.end,
        };
        let marks = last.map_or(Vec::new(), |last| self.marks(key, stream, last));
        let dropped_bytes = begin.saturating_sub(stream.first);
        Some(Standing { head, begin, end, last, marks, dropped_bytes, is_damaged })
    }

    /// The newest block of a stream.
    fn read_last(&self, key: &Key, stream: &Stream) -> io::Result<Option<BlockHead>> {
        let Some(segment) = stream.segments.back() else { return Ok(None) };
        // Without a tail it is full, and perhaps not yet sealed.
        let Some(tail) = stream.tail else { return self.last_of(key, segment) };
        let file = self.open_segment(key, segment)?;
        let head = read_head(&file, key.id, tail.last_place, segment.bytes)?;
        Ok(head.map(|head| head.block))
    }

    /// The newest block of a damaged stream before its damage.
    fn last_whole(&self, key: &Key, stream: &Stream) -> Option<BlockHead> {
        let segments = stream.segments.iter().rev().take(MOST_SEGMENTS);
        segments.filter_map(|segment| self.last_of(key, segment).ok().flatten()).next()
    }

    /// The last block of a segment up to which it is whole.
    fn last_of(&self, key: &Key, segment: &Segment) -> io::Result<Option<BlockHead>> {
        let file = self.open_segment(key, segment)?;
        Ok(match segment.form {
            Form::Sealed => index::read(&file, key.id)?.map(|index| index.summary.last),
            Form::Open => recover(&file, key.id, segment.begin)?.last.map(|last| last.block),
        })
    }

    fn open_segment(&self, key: &Key, segment: &Segment) -> io::Result<File> {
        let directory = key.directory(&self.directory);
        File::open(names::segment_file(&directory, segment.begin, segment.form))
    }

    /// Blocks before the last one, the newest first. What cannot be read is left out.
    fn marks(&self, key: &Key, stream: &Stream, last: BlockHead) -> Vec<Mark> {
        let mut marks: Vec<Mark> = Vec::new();
        let settled = stream.tail.and_then(|tail| tail.settled.place);
        if let (Some(segment), Some(_)) = (stream.segments.back(), stream.tail)
            && let Ok(file) = self.open_segment(key, segment)
        {
            let places = settled.into_iter().chain([0]);
            let heads = places
                .filter_map(|place| read_head(&file, key.id, place, segment.bytes).ok().flatten());
            marks.extend(heads.map(|head| Mark::from(head.block)));
        }
        if settled.is_none() {
            let before = stream.segments.iter().rev().skip(1).take(MOST_SEGMENTS - 2);
            let blocks = before.filter_map(|segment| self.last_of(key, segment).ok().flatten());
            marks.extend(blocks.map(Mark::from));
        }
        marks.retain(|mark| mark.end() <= last.offset);
        marks.sort_by_key(|mark| Reverse(mark.offset));
        marks.dedup();
        marks.truncate(MOST_MARKS);
        marks
    }
}
