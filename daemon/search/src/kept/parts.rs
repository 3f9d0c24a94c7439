//! Decides which parts of a stream are read from its beginning to its end, where lines depend on
//! those around them: for a window of time, for context, and for the order of time.

use std::ops::Range;

use memberd_copies::kept::KeptBlock;
use memberd_copies::store::Span;

use super::skip::Skip;
use crate::schedule::Window;

/// What is known of a block, without its file. Consecutive blocks that are read in any case are
/// one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Where it lies in the file.
    pub(super) range: Range<u64>,
    /// The line ends in the file before it, and in it.
    pub(super) lines_before: u64,
    pub(super) lines: u64,
    ends_line: bool,
    /// The times of its lines, if they are known.
    span: Option<Span>,
    /// A line of it may be selected, as far as its text tells.
    may_matter: bool,
}

/// A part of a stream that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it lies in the file. It has whole blocks.
    pub(super) range: Range<u64>,
    /// The line ends in the file before it, and in it.
    pub(super) lines_before: u64,
    pub(super) lines: u64,
}

/// The blocks of a stream, and whether any line of them has a time.
#[derive(Debug, Default)]
pub(super) struct AllFacts {
    blocks: Vec<Facts>,
    pub(super) has_times: bool,
}

impl AllFacts {
    /// Adds the next block. By `rules` this search reads times.
    pub(super) fn push(&mut self, block: &KeptBlock, lines_before: u64, skip: &Skip, rules: u64) {
        // Other rules, other times: those of a zone change, and formats become known.
        let is_same = rules != 0 && block.rules == rules && !skip.other_lines;
        let span = block.span.filter(|_| is_same);
        let next = Facts {
            range: block.offset..block.offset + u64::from(block.text_bytes),
            lines_before,
            lines: block.lines.into(),
            ends_line: block.ends_line,
            span,
            may_matter: skip.may_matter(block),
        };
        self.has_times |= span.is_some_and(|span| span.times.is_some());
        match self.blocks.last_mut() {
            Some(last)
                if last.is_always_read(skip)
                    && next.is_always_read(skip)
                    && last.range.end == next.range.start =>
            {
                last.join(&next);
            }
            _ => self.blocks.push(next),
        }
    }

    /// The parts that must be read, in order.
    pub(super) fn parts(&self, skip: &Skip) -> Vec<Part> {
        let mut reads = Reads { blocks: &self.blocks, is_read: self.selected(skip) };
        reads.keep_lines_whole();
        if skip.by_time || !skip.window.is_unbounded() {
            reads.begin_with_times();
            if !self.has_times && !reads.is_read.contains(&true) {
                // The reader tells that no line has a time, once it has read one.
                reads.is_read.first_mut().into_iter().for_each(|first| *first = true);
            }
        }
        reads.add_before(skip.before);
        reads.add_after(skip.after);
        reads.keep_lines_whole();
        reads.parts()
    }

    /// For each block, whether a line of it may be selected.
    fn selected(&self, skip: &Skip) -> Vec<bool> {
        let mut carried = Carried::Nothing;
        let selected = |block: &Facts| {
            let is_inside = skip.window.is_unbounded() || block.may_be_in(skip.window, carried);
            carried = carried.after(block.span);
            let is_told = !skip.window.is_unbounded() || skip.by_time;
            let has_unread = is_told && block.span.is_some_and(|span| span.unread);
            has_unread || (is_inside && block.may_matter)
        };
        self.blocks.iter().map(selected).collect()
    }
}

/// The time that lines without one have at a block's beginning.
#[derive(Debug, Clone, Copy)]
enum Carried {
    /// No line before has a time.
    Nothing,
    /// One of this range.
    Within(i64, i64),
    Unknown,
}

impl Carried {
    fn after(self, span: Option<Span>) -> Carried {
        match span {
            None => Carried::Unknown,
            Some(Span { times: Some((earliest, latest)), .. }) => Carried::Within(earliest, latest),
            Some(Span { times: None, .. }) => self,
        }
    }
}

impl Facts {
    /// Whether it is read whatever is selected, so that nothing more need be known of it.
    fn is_always_read(&self, skip: &Skip) -> bool {
        self.may_matter && (skip.window.is_unbounded() && !skip.by_time || self.span.is_none())
    }

    fn join(&mut self, next: &Facts) {
        self.range.end = next.range.end;
        self.lines += next.lines;
        self.ends_line = next.ends_line;
    }

    /// Whether a line of it may lie in the window.
    fn may_be_in(&self, window: Window, carried: Carried) -> bool {
        let Some(span) = self.span else { return true };
        let overlaps = |(earliest, latest): (i64, i64)| {
            window.since.is_none_or(|since| latest >= since)
                && window.until.is_none_or(|until| earliest < until)
        };
        let first_lines = match carried {
            _ if span.first_dated => false,
            Carried::Nothing => false,
            Carried::Within(earliest, latest) => overlaps((earliest, latest)),
            Carried::Unknown => true,
        };
        first_lines || span.times.is_some_and(overlaps)
    }

    /// Whether its first line has a time of its own, for sure.
    fn begins_with_time(&self) -> bool {
        self.span.is_some_and(|span| span.first_dated)
    }
}

/// Which blocks are read. It grows.
struct Reads<'b> {
    blocks: &'b [Facts],
    is_read: Vec<bool>,
}

impl Reads<'_> {
    /// A block is read with those that have a line with it.
    fn keep_lines_whole(&mut self) {
        let mut begin = 0;
        for (at, block) in self.blocks.iter().enumerate() {
            if block.ends_line || at + 1 == self.blocks.len() {
                let run = self.is_read.get_mut(begin..=at).unwrap_or_default();
                let any = run.contains(&true);
                run.fill(any);
                begin = at + 1;
            }
        }
    }

    /// What is read begins with a line that has a time: lines without one belong to it.
    fn begin_with_times(&mut self) {
        for (at, block) in self.blocks.iter().enumerate().skip(1).rev() {
            if self.is_read.get(at) == Some(&true) && !block.begins_with_time() {
                self.read(at - 1);
            }
        }
    }

    /// Adds the blocks that have this many lines before each one that is read.
    fn add_before(&mut self, lines: u64) {
        let mut left = 0;
        for (at, block) in self.blocks.iter().enumerate().rev() {
            left = self.pass(at, block, left, lines);
        }
    }

    /// Adds the blocks that have this many lines after each one that is read.
    fn add_after(&mut self, lines: u64) {
        let mut left = 0;
        for (at, block) in self.blocks.iter().enumerate() {
            left = self.pass(at, block, left, lines);
        }
    }

    /// Reads a block if `left` lines of it and what is beyond it are wanted. Returns how many are
    /// wanted of what is beyond.
    fn pass(&mut self, at: usize, block: &Facts, left: u64, lines: u64) -> u64 {
        if self.is_read.get(at) == Some(&true) {
            return lines;
        }
        if left > 0 {
            self.read(at);
        }
        left.saturating_sub(block.lines)
    }

    fn read(&mut self, at: usize) {
        if let Some(is_read) = self.is_read.get_mut(at) {
            *is_read = true;
        }
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let read = self.blocks.iter().zip(&self.is_read).filter(|(_, is_read)| **is_read);
        for (Facts { range, lines_before, lines, .. }, _) in read {
            match parts.last_mut() {
                Some(part) if part.range.end == range.start => {
                    part.range.end = range.end;
                    part.lines += lines;
                }
                _ => parts.push(Part {
                    range: range.clone(),
                    lines_before: *lines_before,
                    lines: *lines,
                }),
            }
        }
        parts
    }
}

#[cfg(test)]
#[path = "parts_tests.rs"]
mod tests;
