//! Reads an open segment after a restart: what is whole, and whether the rest was cut by a crash or
//! is damaged.

use super::open_block::{HEAD_BYTES, MAGIC, OpenHead};
use crate::stream::StreamId;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// What an open segment has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// How many bytes of the file are whole blocks that follow each other.
    pub(crate) whole_bytes: u64,
    /// The last of these blocks.
    pub(crate) last: Option<OpenHead>,
    /// How many they are.
    pub(crate) blocks: u32,
    /// Which of them is older.
    pub(crate) settled: Settled,
    /// What follows them.
    pub(crate) rest: Rest,
}

/// A block that was read at least this long before the last one, in milliseconds: where the power
/// fails at the source, the text of that block is on its disk. Linux begins to write what is 30 s
/// old: `vm.dirty_expire_centisecs`.
const SETTLED_MS: u64 = 60_000;

/// Remembers an older block among those that are appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Settled {
    /// Where it begins in the segment's file.
    pub(crate) place: Option<u64>,
    /// The block that is the next one, and when the source read it.
    next: Option<(u64, u64)>,
}

impl Settled {
    /// A block was appended at `place`.
    pub(crate) fn note(&mut self, place: u64, read_ms: u64) {
        match self.next {
            Some((settled, at)) if read_ms >= at.saturating_add(SETTLED_MS) => {
                (self.place, self.next) = (Some(settled), Some((place, read_ms)));
            }
            Some(_) => {}
            None => self.next = Some((place, read_ms)),
        }
    }
}

/// What follows the last whole block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Nothing,
    /// Blocks that were never acknowledged, or one that was not written to its end: a crash did
    /// that.
    Torn,
    /// A block that was durable is not there any more, and blocks after it are.
    Damaged,
}

/// Reads and verifies the segment of stream `id` whose text begins at `begin`.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn recover(file: &File, id: StreamId, begin: u64) -> io::Result<Recovered> {
    let length = file.metadata()?.len();
    let (mut place, mut end, mut blocks) = (0, begin, 0_u32);
    let (mut last, mut settled): (Option<OpenHead>, _) = (None, Settled::default());
    let mut frame = Vec::new();
    while let Some(head) = read_block(file, id, place, length, &mut frame)? {
        if head.block.offset != end {
            break;
        }
        settled.note(place, head.block.read_ms);
        place = head.next_place(place);
        end = head.block.end();
        blocks = blocks.saturating_add(1);
        last = Some(head);
    }
    let known = last.as_ref().map_or(begin, |last| last.durable);
    let rest = match place == length {
        true => Rest::Nothing,
        false => match durable_behind(file, id, place, length)? {
            // Everything up to `end` is there. Was anything behind it ever said to be?
            Some(durable) if durable.max(known) > end => Rest::Damaged,
            _ => Rest::Torn,
        },
    };
    Ok(Recovered { whole_bytes: place, last, blocks, settled, rest })
}

/// Reads the block at `place`, and its frame. None if there is no whole and valid one.
pub(crate) fn read_block(
    file: &File,
    id: StreamId,
    place: u64,
    length: u64,
    frame: &mut Vec<u8>,
) -> io::Result<Option<OpenHead>> {
    let Some(head) = read_head(file, id, place, length)? else { return Ok(None) };
    frame.resize(head.frame_bytes as usize, 0);
    file.read_exact_at(frame, place + HEAD_BYTES as u64)?;
    Ok(head.is_frame(frame).then_some(head))
}

/// Reads the head of the block at `place`. None if there is no valid one, or if the file ends
/// before its frame does.
pub(crate) fn read_head(
    file: &File,
    id: StreamId,
    place: u64,
    length: u64,
) -> io::Result<Option<OpenHead>> {
    if length.saturating_sub(place) < HEAD_BYTES as u64 {
        return Ok(None);
    }
    let mut bytes = [0; HEAD_BYTES];
    file.read_exact_at(&mut bytes, place)?;
    let head = OpenHead::decode(id, &bytes);
    Ok(head.filter(|head| head.next_place(place) <= length))
}

/// How much is read at once.
const CHUNK_BYTES: u64 = 64 * 1024;

/// Looks for valid blocks anywhere behind `place`. If there are any, up to where the stream was
/// durable when the last of them was written.
fn durable_behind(file: &File, id: StreamId, place: u64, length: u64) -> io::Result<Option<u64>> {
    let (mut from, mut durable) = (place, None);
    let (mut chunk, mut frame) = (Vec::new(), Vec::new());
    while from < length {
        // Chunks overlap by the magic number.
        let size = (CHUNK_BYTES + MAGIC.len() as u64 - 1).min(length - from);
        chunk.resize(usize::try_from(size).unwrap_or(0), 0);
        file.read_exact_at(&mut chunk, from)?;
        for found in memchr::memmem::find_iter(&chunk, &MAGIC) {
            let block = read_block(file, id, from + found as u64, length, &mut frame)?;
            durable = durable.max(block.map(|block| block.durable));
        }
        from += CHUNK_BYTES;
    }
    Ok(durable)
}
