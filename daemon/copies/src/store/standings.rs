//! Tells a source how far its streams are kept.

use super::streams::{Key, Stream};
use super::{Failed, Store};
use crate::block::BlockHead;
use crate::segment::names::{self, Form};
use crate::segment::{head, index, recover};
use crate::standing::Standing;
use memberd_membership::Name;
use std::fs::File;
use std::io;

impl Store {
    pub(super) fn read_standings(&mut self, source: &Name) -> Result<Vec<Standing>, Failed> {
        self.make_durable()?;
        let streams = self.streams.iter(Some(source));
        let whole = streams.filter(|(_, stream)| !stream.is_damaged && stream.has_head);
        let standings = whole.filter_map(|(key, stream)| {
            // What cannot be read is not resumed: the source begins another stream.
            self.read_standing(key, stream).ok().flatten()
        });
        Ok(standings.collect())
    }

    fn read_standing(&self, key: &Key, stream: &Stream) -> io::Result<Option<Standing>> {
        let directory = key.directory(&self.directory);
        let head = match stream.head.as_deref() {
            Some(head) => Some(head.clone()),
            None => head::read(&directory, key.id)?,
        };
        let Some(head) = head else { return Ok(None) };
        let last = self.read_last(key, stream)?;
        let is_whole = stream.segments.is_empty()
            || last.as_ref().is_some_and(|last| last.end() == stream.end);
        let begin = stream.begin();
        let dropped_bytes = begin.saturating_sub(stream.first);
        let standing = Standing { head, begin, end: stream.end, last, dropped_bytes };
        Ok(is_whole.then_some(standing))
    }

    /// The newest block of a stream.
    fn read_last(&self, key: &Key, stream: &Stream) -> io::Result<Option<BlockHead>> {
        let Some(segment) = stream.segments.back() else { return Ok(None) };
        let directory = key.directory(&self.directory);
        let file = File::open(names::segment_file(&directory, segment.begin, segment.form))?;
        if segment.form == Form::Sealed {
            return Ok(index::read(&file, key.id)?.map(|index| index.summary.last));
        }
        let place = match stream.tail {
            Some(tail) => tail.last_place,
            // It is full and not yet sealed.
            None => {
                let last = recover::recover(&file, key.id, segment.begin)?.last;
                return Ok(last.map(|last| last.block));
            }
        };
        let head = recover::read_head(&file, key.id, place, segment.bytes)?;
        Ok(head.map(|head| head.block))
    }
}
