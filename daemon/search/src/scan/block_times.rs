//! What is known of the times in the lines of a file, block by block. A block is a number of whole
//! lines, and all blocks together are the file's beginning.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;

use crate::schedule::Window;

/// The lines of a block, and their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where its first line begins in the file, and where its last line ends.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) lines: u64,
    /// The earliest and the latest time of its lines. None when no line has a time, not even from a
    /// line before it.
    pub(crate) times: Option<(i64, i64)>,
    /// Whether every line has a time.
    pub(crate) is_dated: bool,
    /// The time that a next line without a time has.
    pub(crate) last: Option<i64>,
    /// What its first line begins with: see [`fingerprint`].
    pub(crate) fingerprint: u64,
}

/// Where the lines of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Outside,
    Inside,
    /// Each line must be judged.
    Unclear,
}

impl Block {
    /// A block without a line, which begins at `start`. `last` is the time of the line before it.
    fn new(start: u64, last: Option<i64>) -> Block {
        Block { start, end: start, lines: 0, times: None, is_dated: true, last, fingerprint: 0 }
    }

    fn len(&self) -> u64 {
        self.end - self.start
    }

    fn verdict(&self, window: Window) -> Verdict {
        let Some((first, last)) = self.times else { return Verdict::Outside };
        let is_before = window.since.is_some_and(|since| last < since);
        let is_after = window.until.is_some_and(|until| first >= until);
        if is_before || is_after {
            Verdict::Outside
        } else if self.is_dated && window.contains(first) && window.contains(last) {
            Verdict::Inside
        } else {
            Verdict::Unclear
        }
    }

    /// Adds the lines of the next block.
    fn join(&mut self, next: &Block) {
        self.end = next.end;
        self.lines += next.lines;
        self.times = match (self.times, next.times) {
            (Some((first, last)), Some((from, upto))) => Some((first.min(from), last.max(upto))),
            (times, others) => times.or(others),
        };
        self.is_dated &= next.is_dated;
        self.last = next.last;
    }
}

/// How many bytes of a line go into its fingerprint.
pub(crate) const FINGERPRINT_BYTES: usize = 512;

/// The hash of a line's beginning. It is compared to notice that a file is another one.
pub(crate) fn fingerprint(line: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.get(..FINGERPRINT_BYTES).unwrap_or(line).hash(&mut hasher);
    hasher.finish()
}

/// The blocks of a file's beginning. Their number is bounded: they become larger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocks {
    blocks: Vec<Block>,
    /// How large a block is at least, but for the last.
    block_bytes: u64,
    most: usize,
}

impl Blocks {
    /// No blocks yet. Each will have about `block_bytes`, or more where they would be more than
    /// `most`.
    pub(crate) fn new(block_bytes: u64, most: usize) -> Blocks {
        Blocks { blocks: Vec::new(), block_bytes, most }
    }

    pub(crate) fn as_slice(&self) -> &[Block] {
        &self.blocks
    }

    /// Up to where the file is known.
    pub(crate) fn end(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.end)
    }

    /// The time of the last known line.
    pub(crate) fn last(&self) -> Option<i64> {
        self.blocks.last().and_then(|block| block.last)
    }

    /// Whether any known line has a time.
    pub(crate) fn has_times(&self) -> bool {
        self.blocks.iter().any(|block| block.times.is_some())
    }

    /// Appends the block that begins at the end.
    fn push(&mut self, block: &Block) {
        match self.blocks.last_mut() {
            Some(last) if last.len() + block.len() <= self.block_bytes => last.join(block),
            _ => self.blocks.push(*block),
        }
        if self.blocks.len() > self.most {
            self.halve();
        }
    }

    /// Joins each two blocks.
    pub(crate) fn halve(&mut self) {
        self.block_bytes *= 2;
        let pairs = self.blocks.chunks(2).filter_map(|pair| {
            let (first, rest) = pair.split_first()?;
            let mut joined = *first;
            rest.iter().for_each(|next| joined.join(next));
            Some(joined)
        });
        self.blocks = pairs.collect();
    }

    /// The parts of the file that must be read for `window`, in order. The last one is what is not
    /// known yet, up to `end`.
    pub(crate) fn parts(&self, window: Window, end: u64) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let (mut skipped_lines, mut last) = (0, None);
        for block in &self.blocks {
            let is_inside = match block.verdict(window) {
                Verdict::Outside => {
                    skipped_lines += block.lines;
                    last = block.last;
                    continue;
                }
                Verdict::Inside => true,
                Verdict::Unclear => false,
            };
            let range = block.start..block.end;
            match parts.last_mut() {
                Some(part) if part.range.end == block.start && part.is_inside == is_inside => {
                    part.range.end = block.end;
                }
                _ => {
                    let skipped_lines = std::mem::take(&mut skipped_lines);
                    parts.push(Part { range, skipped_lines, is_inside, last });
                }
            }
            last = block.last;
        }
        let range = self.end()..end.max(self.end());
        parts.push(Part { range, skipped_lines, is_inside: false, last });
        parts
    }
}

/// A part of a file that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) range: Range<u64>,
    /// How many lines lie between the part before and this one. They are not read.
    pub(crate) skipped_lines: u64,
    /// Whether every line is in the window. Its lines are not judged.
    pub(crate) is_inside: bool,
    /// The time of the line before it.
    pub(crate) last: Option<i64>,
}

impl Part {
    /// All of a text.
    pub(crate) fn whole() -> Part {
        Part { range: 0..u64::MAX, skipped_lines: 0, is_inside: false, last: None }
    }
}

/// Makes blocks of the lines that are judged, one after the other.
#[derive(Debug)]
pub(crate) struct BlockBuilder {
    block: Block,
    /// The bytes and the time of a line that has not ended yet.
    line_bytes: u64,
    line_time: Option<i64>,
}

impl BlockBuilder {
    /// Goes on at the end of `blocks`.
    pub(crate) fn after(blocks: &Blocks) -> BlockBuilder {
        let block = Block::new(blocks.end(), blocks.last());
        BlockBuilder { block, line_bytes: 0, line_time: None }
    }

    /// A line begins like this. `time` is its own, or that of the line before it.
    pub(crate) fn begin(&mut self, line: &[u8], time: Option<i64>) {
        if self.block.lines == 0 {
            self.block.fingerprint = fingerprint(line);
        }
        self.line_time = time;
    }

    /// This many bytes of the line were passed. Gives a block to `blocks` once it is large enough.
    pub(crate) fn pass(&mut self, bytes: usize, is_end: bool, blocks: &mut Blocks) {
        self.line_bytes += bytes as u64;
        if !is_end {
            return;
        }
        let block = &mut self.block;
        block.end += std::mem::take(&mut self.line_bytes);
        block.lines += 1;
        block.last = self.line_time;
        match (self.line_time, &mut block.times) {
            (None, _) => block.is_dated = false,
            (Some(time), None) => block.times = Some((time, time)),
            (Some(time), Some((first, last))) => {
                *first = time.min(*first);
                *last = time.max(*last);
            }
        }
        if block.len() >= blocks.block_bytes {
            self.flush(blocks);
        }
    }

    /// Gives the lines that have ended to `blocks`.
    pub(crate) fn flush(&mut self, blocks: &mut Blocks) {
        if self.block.lines > 0 {
            blocks.push(&self.block);
            self.block = Block::new(self.block.end, self.block.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of these lines: their lengths and their times.
    fn blocks(most: usize, lines: &[(usize, Option<i64>)]) -> Blocks {
        let mut blocks = Blocks::new(10, most);
        let mut builder = BlockBuilder::after(&blocks);
        for (length, time) in lines {
            builder.begin(b"x", *time);
            builder.pass(*length, true, &mut blocks);
        }
        builder.flush(&mut blocks);
        blocks
    }

    fn window(since: i64, until: i64) -> Window {
        Window { since: Some(since), until: Some(until) }
    }

    #[test]
    fn blocks_outside_of_the_window_are_not_read() {
        let lines =
            [(5, None), (6, Some(1)), (10, Some(5)), (10, Some(7)), (10, Some(1)), (3, Some(9))];
        let blocks = blocks(100, &lines);
        let part =
            |range, skipped_lines, is_inside, last| Part { range, skipped_lines, is_inside, last };
        assert_eq!(
            blocks.parts(window(1, 8), 50),
            [
                part(0..11, 0, false, None),
                part(11..41, 0, true, Some(1)),
                part(44..50, 1, false, Some(9)),
            ]
        );
        assert_eq!(
            blocks.parts(window(2, 6), 44),
            [part(11..21, 2, true, Some(1)), part(44..44, 3, false, Some(9))]
        );
    }

    #[test]
    fn blocks_become_larger_where_they_would_be_too_many() {
        let lines: Vec<(usize, Option<i64>)> = (0..1000).map(|time| (10, Some(time))).collect();
        let blocks = blocks(8, &lines);
        assert!(blocks.as_slice().len() <= 8, "{blocks:?}");
        assert_eq!(blocks.end(), 10_000);
        assert_eq!(blocks.as_slice().iter().map(|block| block.lines).sum::<u64>(), 1000);
        for block in blocks.as_slice() {
            let times =
                i64::try_from(block.start / 10).unwrap()..i64::try_from(block.end / 10).unwrap();
            assert_eq!(block.times, Some((times.start, times.end - 1)));
            assert_eq!(block.last, Some(times.end - 1));
        }
    }

    /// A line that has not ended may still grow.
    #[test]
    fn a_line_without_an_end_is_not_known() {
        let mut blocks = Blocks::new(10, 8);
        let mut builder = BlockBuilder::after(&blocks);
        builder.begin(b"x", Some(1));
        builder.pass(4, true, &mut blocks);
        builder.begin(b"y", Some(2));
        builder.pass(100, false, &mut blocks);
        builder.flush(&mut blocks);
        assert_eq!((blocks.end(), blocks.last()), (4, Some(1)));
    }
}
