//! Hands out the blocks of a stream that must be read, in units that several threads can search
//! independently of each other.

use std::sync::Arc;

use memberd_copies::kept::{KeptBlock, KeptError};

use super::file::KeptFile;
use super::skip::Skip;
use super::text::SharedReader;
use crate::line::MAX_LINE_BYTES;
use crate::scan::{Claim, Failure, TextSize, TooLong, Wanted};

/// How many bytes of text a unit has at least, where blocks are small.
const UNIT_BYTES: u64 = 192 * 1024;

/// The blocks of one stream.
type Blocks<'f> = Box<dyn Iterator<Item = Result<KeptBlock, KeptError>> + Send + 'f>;

/// Whole lines of a stream, in consecutive blocks.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    blocks: Vec<KeptBlock>,
    /// What lies before it in the file.
    pub(crate) before: TextSize,
    /// Its place among the units of its stream.
    pub(crate) index: u64,
    /// Up to which unit more is wanted.
    pub(crate) wanted: Arc<Wanted>,
    /// Why the text before it, or after its blocks, is missing.
    missing: Option<KeptError>,
}

impl Unit {
    /// Reads the text into `text`, up to the first block that cannot be read.
    pub(crate) fn read(
        &mut self,
        text: &mut Vec<u8>,
        reader: &SharedReader,
        claim: &Claim<'_>,
    ) -> Option<Failure> {
        let bytes: u64 = self.blocks.iter().map(|block| u64::from(block.text_bytes)).sum();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if bytes > MAX_LINE_BYTES {
            return Some(Failure::reading(&TooLong::Anyway.into()));
        }
        if let Err(error) = claim.grow_buffer(0, bytes) {
            return Some(Failure::reading(&error));
        }
        text.clear();
        text.reserve_exact(bytes);
        let missing = self.missing.take().map(|error| Failure::Missing(error.to_string()));
        match self.read_blocks(text, reader) {
            Ok(()) => missing,
            Err(error) => missing.or(Some(error)),
        }
    }

    fn read_blocks(&self, text: &mut Vec<u8>, reader: &SharedReader) -> Result<(), Failure> {
        let [first, rest @ ..] = self.blocks.as_slice() else { return Ok(()) };
        let missing = |error: KeptError| Failure::Missing(error.to_string());
        reader.read(first, text).map_err(missing)?;
        let mut more = Vec::new();
        for block in rest {
            reader.read(block, &mut more).map_err(missing)?;
            text.extend_from_slice(&more);
        }
        Ok(())
    }
}

/// The units of a stream, in order.
pub(crate) struct Units<'f> {
    blocks: Blocks<'f>,
    /// The next block, once it was looked at.
    ahead: Option<Result<KeptBlock, KeptError>>,
    skip: &'f Skip,
    wanted: Arc<Wanted>,
    /// How many lines end before the next block.
    lines: u64,
    /// How many units were handed out.
    count: u64,
    /// The next one.
    next: Option<Unit>,
}

impl std::fmt::Debug for Units<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Units").field("count", &self.count).finish_non_exhaustive()
    }
}

impl<'f> Units<'f> {
    /// The units of `file` that must be read.
    pub(crate) fn new(file: &'f KeptFile, skip: &'f Skip) -> Units<'f> {
        let stream = file.stream();
        let blocks: Blocks<'f> = Box::new(stream.blocks(&skip.needs));
        let mut units = Units {
            blocks,
            ahead: None,
            skip,
            wanted: Arc::default(),
            lines: stream.lines_before.unwrap_or(0),
            count: 0,
            next: None,
        };
        units.next = units.look();
        units
    }

    /// The next unit.
    pub(crate) fn next(&mut self) -> Option<Unit> {
        let unit = self.next.take()?;
        // What comes after this one need not be looked for if it is not wanted.
        self.next = if self.wanted.is_wanted(unit.index) { self.look() } else { None };
        Some(unit)
    }

    /// Whether there is another one.
    pub(crate) fn has_more(&self) -> bool {
        self.next.is_some()
    }

    fn look(&mut self) -> Option<Unit> {
        let mut unit =
            Unit { index: self.count, wanted: Arc::clone(&self.wanted), ..Unit::default() };
        let (mut bytes, mut ends_line) = (0, true);
        while let Some(next) = self.ahead.take().or_else(|| self.blocks.next()) {
            let block = match next {
                Ok(block) => block,
                Err(error) => {
                    // It is told with the blocks before it.
                    unit.missing = Some(error);
                    break;
                }
            };
            // A line that goes on is read to its end.
            let is_wanted = !ends_line || self.skip.may_matter(&block);
            if ends_line && !unit.blocks.is_empty() && (!is_wanted || bytes >= UNIT_BYTES) {
                self.ahead = Some(Ok(block));
                break;
            }
            let lines = self.lines;
            self.lines += u64::from(block.lines);
            if !is_wanted {
                continue;
            }
            if unit.blocks.is_empty() {
                unit.before = TextSize { lines, bytes: block.offset };
            }
            bytes += u64::from(block.text_bytes);
            ends_line = block.ends_line;
            unit.blocks.push(block);
        }
        let is_empty = unit.blocks.is_empty() && unit.missing.is_none();
        self.count += u64::from(!is_empty);
        (!is_empty).then_some(unit)
    }
}
