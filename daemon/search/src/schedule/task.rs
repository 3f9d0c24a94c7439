//! What there is to do: the files in order, large ones in parts.

use std::io;
use std::sync::Arc;

use crate::files::{Compression, OfferedFile, Opened, reason};
use crate::scan::Blocks;

/// A part of the work.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Which of the files it is of.
    pub(crate) file: usize,
    pub(crate) part: Part,
}

/// What is searched at once.
#[derive(Debug)]
pub(crate) enum Part {
    /// Nothing: what is no regular file any more, or not there any more, is not offered.
    Gone,
    /// Nothing: it cannot be opened, and why.
    Failed(String),
    /// A whole file, from its beginning to its end.
    Whole(Opened, Option<Compression>),
    /// One of a file's blocks.
    Block(Arc<Blocks>, u64),
}

impl Unit {
    /// The blocks of its file, if it is one of them.
    pub(crate) fn blocks(&self) -> Option<Arc<Blocks>> {
        match &self.part {
            Part::Block(blocks, _) => Some(Arc::clone(blocks)),
            _ => None,
        }
    }
}

/// Hands out the units in order.
#[derive(Debug)]
pub(crate) struct Units<'f> {
    files: &'f [OfferedFile],
    /// The file that is next, or the one whose blocks are being handed out.
    next: usize,
    blocks: Option<(Arc<Blocks>, u64)>,
    /// How large blocks are; none when files are to be searched as a whole.
    block_bytes: Option<u64>,
    line_ends: [u8; 2],
}

impl<'f> Units<'f> {
    pub(crate) fn new(
        files: &'f [OfferedFile],
        block_bytes: Option<u64>,
        line_ends: [u8; 2],
    ) -> Units<'f> {
        Units { files, next: 0, blocks: None, block_bytes, line_ends }
    }

    /// Whether there is a next unit.
    pub(crate) fn has_more(&self) -> bool {
        self.blocks.is_some() || self.next < self.files.len()
    }

    /// The next unit, and whether it is the last of its file.
    pub(crate) fn next(&mut self) -> Option<(Unit, bool)> {
        if let Some((blocks, index)) = self.blocks.take() {
            return Some(self.block(blocks, index));
        }
        let file = self.next;
        let offered = self.files.get(file)?;
        let part = match self.open(offered) {
            Ok(Part::Block(blocks, index)) => return Some(self.block(blocks, index)),
            Ok(part) => part,
            Err(error) => Part::Failed(reason(&error)),
        };
        self.next += 1;
        Some((Unit { file, part }, true))
    }

    fn open(&self, file: &OfferedFile) -> io::Result<Part> {
        let Some(opened) = file.open()? else { return Ok(Part::Gone) };
        let compression = Compression::of(&opened.file)?;
        Ok(match self.block_bytes {
            Some(block_bytes) if compression.is_none() && opened.size > 0 => {
                let blocks = Blocks::new(opened.file, opened.size, block_bytes, self.line_ends);
                Part::Block(Arc::new(blocks), 0)
            }
            _ => Part::Whole(opened, compression),
        })
    }

    fn block(&mut self, blocks: Arc<Blocks>, index: u64) -> (Unit, bool) {
        let file = self.next;
        let is_last = index + 1 >= blocks.count();
        if is_last {
            self.next += 1;
        } else {
            self.blocks = Some((Arc::clone(&blocks), index + 1));
        }
        (Unit { file, part: Part::Block(blocks, index) }, is_last)
    }
}
