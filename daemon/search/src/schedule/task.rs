//! What there is to do: the files in order, large ones in parts.

use std::io;
use std::sync::Arc;

use crate::files::{Compression, OfferedFile, Opened, reason};
use crate::scan::ChunkedFile;

/// A part of the work.
#[derive(Debug)]
pub(crate) struct Task {
    /// Which of the files it is of.
    pub(crate) file: usize,
    pub(crate) input: TaskInput,
}

/// What is searched at once.
#[derive(Debug)]
pub(crate) enum TaskInput {
    /// Nothing: what is no regular file any more, or not there any more, is not offered.
    Missing,
    /// Nothing: it cannot be opened, and why.
    Failed(String),
    /// A whole file, from its beginning to its end.
    File(Opened, Option<Compression>),
    /// One of a file's blocks.
    Chunk(Arc<ChunkedFile>, u64),
}

impl Task {
    /// The blocks of its file, if it is one of them.
    pub(crate) fn blocks(&self) -> Option<Arc<ChunkedFile>> {
        match &self.input {
            TaskInput::Chunk(blocks, _) => Some(Arc::clone(blocks)),
            _ => None,
        }
    }
}

/// Hands out the units in order.
#[derive(Debug)]
pub(crate) struct TaskQueue<'f> {
    files: &'f [OfferedFile],
    /// The file that is next, or the one whose blocks are being handed out.
    next: usize,
    blocks: Option<(Arc<ChunkedFile>, u64)>,
    /// How large blocks are; none when files are to be searched as a whole.
    chunk_bytes: Option<u64>,
    line_ends: [u8; 2],
}

impl<'f> TaskQueue<'f> {
    pub(crate) fn new(
        files: &'f [OfferedFile],
        chunk_bytes: Option<u64>,
        line_ends: [u8; 2],
    ) -> TaskQueue<'f> {
        TaskQueue { files, next: 0, blocks: None, chunk_bytes, line_ends }
    }

    /// Whether there is a next unit.
    pub(crate) fn has_more(&self) -> bool {
        self.blocks.is_some() || self.next < self.files.len()
    }

    /// The next unit, and whether it is the last of its file.
    pub(crate) fn next(&mut self) -> Option<(Task, bool)> {
        if let Some((blocks, index)) = self.blocks.take() {
            return Some(self.block(blocks, index));
        }
        let file = self.next;
        let offered = self.files.get(file)?;
        let part = match self.open(offered) {
            Ok(TaskInput::Chunk(blocks, index)) => return Some(self.block(blocks, index)),
            Ok(part) => part,
            Err(error) => TaskInput::Failed(reason(&error)),
        };
        self.next += 1;
        Some((Task { file, input: part }, true))
    }

    fn open(&self, file: &OfferedFile) -> io::Result<TaskInput> {
        let Some(opened) = file.open()? else { return Ok(TaskInput::Missing) };
        let compression = Compression::of(&opened.file)?;
        Ok(match self.chunk_bytes {
            Some(chunk_bytes) if compression.is_none() && opened.size > 0 => {
                let blocks =
                    ChunkedFile::new(opened.file, opened.size, chunk_bytes, self.line_ends);
                TaskInput::Chunk(Arc::new(blocks), 0)
            }
            _ => TaskInput::File(opened, compression),
        })
    }

    fn block(&mut self, blocks: Arc<ChunkedFile>, index: u64) -> (Task, bool) {
        let file = self.next;
        let is_last = index + 1 >= blocks.count();
        if is_last {
            self.next += 1;
        } else {
            self.blocks = Some((Arc::clone(&blocks), index + 1));
        }
        (Task { file, input: TaskInput::Chunk(blocks, index) }, is_last)
    }
}
