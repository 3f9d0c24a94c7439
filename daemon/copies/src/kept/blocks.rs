//! Walks over the blocks of a stream, segment by segment.

use super::list::OpenWalk;
use super::{KeptBlock, KeptError, KeptStream, Part};
use crate::filter::{self, BlockSet, Filter};
use crate::needs::Needs;
use crate::segment::index::{self, Index};
use crate::segment::names::{self, Form};
use crate::segment::open_block::{HEAD_BYTES, TextFacts, count_lines};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// The blocks of a stream, in order: see [`KeptStream::blocks`].
#[derive(Debug)]
pub struct Blocks<'a> {
    stream: &'a KeptStream,
    needs: &'a Needs,
    /// The number of the next segment.
    next: usize,
    /// What is left of the present one: some thousand blocks at most.
    ready: VecDeque<Result<KeptBlock, KeptError>>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(stream: &'a KeptStream, needs: &'a Needs) -> Blocks<'a> {
        Blocks { stream, needs, next: 0, ready: VecDeque::new() }
    }

    /// Reads what the next segment has. Returns whether there was one.
    fn read_segment(&mut self) -> bool {
        let stream = self.stream;
        let Some(segment) = stream.segments.get(self.next) else { return false };
        let Some(part) = stream.parts.get(segment.part) else { return false };
        let begin = segment.begin;
        self.next += 1;
        let end = stream.segments.get(self.next).map(|next| next.begin);
        let segment = match part.open(begin) {
            Ok(Some((file, Form::Sealed))) => {
                stream.read_sealed(part, &Arc::new(file), begin, self.needs)
            }
            Ok(Some((file, Form::Open))) => part.read_open(&Arc::new(file), begin),
            Ok(None) => {
                self.ready.push_back(Err(KeptError::Dropped { offset: begin }));
                return true;
            }
            Err(error) => Err(error),
        };
        let blocks = match segment {
            Ok(blocks) => blocks,
            Err(error) => {
                self.ready.push_back(Err(KeptError::Unreadable { offset: begin, error }));
                return true;
            }
        };
        let limit = end.unwrap_or(stream.end);
        let reached = blocks.last().map_or(begin, KeptBlock::end);
        let is_short = reached < limit || (end.is_none() && stream.is_damaged);
        let wanted = blocks.into_iter().filter(|block| block.offset < limit);
        self.ready.extend(wanted.map(|block| match part.is_cut && block.end() > limit {
            true => block.up_to(limit),
            false => Ok(block),
        }));
        if is_short {
            self.ready.push_back(Err(KeptError::Damaged { offset: reached.min(limit) }));
        }
        true
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<KeptBlock, KeptError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                return Some(next);
            }
            if !self.read_segment() {
                return None;
            }
        }
    }
}

impl Part {
    /// Opens a segment in the form that it has now. None if it was dropped.
    fn open(&self, begin: u64) -> io::Result<Option<(File, Form)>> {
        // It may be sealed between the first two.
        for form in [Form::Sealed, Form::Open, Form::Sealed] {
            match File::open(names::segment_file(&self.directory, begin, form)) {
                Ok(file) => return Ok(Some((file, form))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The blocks of an open segment, up to the first that is none.
    fn read_open(&self, file: &Arc<File>, begin: u64) -> io::Result<Vec<KeptBlock>> {
        let mut walk = OpenWalk::new(file, self.id, begin)?;
        let mut blocks = Vec::new();
        while let Some((place, head)) = walk.next()? {
            blocks.push(KeptBlock {
                offset: head.block.offset,
                text_bytes: head.block.text_bytes,
                frame_bytes: head.frame_bytes,
                lines: head.lines,
                ends_line: head.text.ends_line,
                has_nul: head.text.has_nul,
                span: None,
                rules: 0,
                may_match: true,
                file: Arc::clone(file),
                place: place + HEAD_BYTES as u64,
                frame_hash: head.frame_hash,
                frame_text_bytes: head.block.text_bytes,
            });
        }
        Ok(blocks)
    }
}

impl KeptBlock {
    /// The block without its text from `end` on, which lies within it. What was known of its lines
    /// is known of more than these.
    ///
    /// # Errors
    /// When it cannot be read: its lines must be counted.
    fn up_to(mut self, end: u64) -> Result<KeptBlock, KeptError> {
        let text_bytes = end.saturating_sub(self.offset);
        self.text_bytes = u32::try_from(text_bytes).unwrap_or(u32::MAX).min(self.text_bytes);
        let text = self.read()?;
        (self.lines, self.ends_line) = (count_lines(&text), TextFacts::of(&text).ends_line);
        Ok(self)
    }
}

impl KeptStream {
    /// The blocks of a sealed segment: none if its index is damaged.
    fn read_sealed(
        &self,
        part: &Part,
        file: &Arc<File>,
        begin: u64,
        needs: &Needs,
    ) -> io::Result<Vec<KeptBlock>> {
        let index = index::read(file, part.id)?;
        let Some(index) = index.filter(|index| index.summary.begin == begin) else {
            return Ok(Vec::new());
        };
        let selected = select(&index, needs);
        let summary = &index.summary;
        let times_hold = summary.zone == self.head.zone
            && (summary.modified_ms..=summary.same_until_ms).contains(&self.head.modified_ms);
        let (mut offset, mut place, mut begins_line) = (begin, 0, summary.begins_line);
        let blocks = index.entries.iter().enumerate().map(|(number, entry)| {
            let is_selected = selected.as_ref().is_none_or(|selected| selected.contains(number));
            let block = KeptBlock {
                offset,
                text_bytes: entry.text_bytes,
                frame_bytes: entry.frame_bytes,
                lines: entry.lines,
                ends_line: entry.text.ends_line,
                has_nul: entry.text.has_nul,
                span: times_hold.then_some(entry.span),
                rules: summary.rules,
                may_match: is_selected || !begins_line || !entry.text.ends_line,
                file: Arc::clone(file),
                place,
                frame_hash: entry.frame_hash,
                frame_text_bytes: entry.text_bytes,
            };
            begins_line = entry.text.ends_line;
            offset = block.end();
            place += u64::from(entry.frame_bytes);
            block
        });
        Ok(blocks.collect())
    }
}

/// The blocks that may have what is needed. None is all of them.
fn select(index: &Index, needs: &Needs) -> Option<BlockSet> {
    if !filter::is_useful(needs) {
        return None;
    }
    let filter = Filter::parse(&index.filter).ok()?;
    (filter.len() == index.entries.len()).then(|| filter.blocks(needs))
}
