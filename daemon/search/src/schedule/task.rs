//! Divides a search into tasks: the files in order, and large files in chunks.

use std::io;
use std::sync::Arc;

use crate::files::{Compression, FileError, FileIdentity, Opened, reason};
use crate::kept::{KeptFile, Skip, Unit, Units};
use crate::scan::{ChunkedFile, Wanted};
use crate::searched::{Files, SearchedFile};

/// What one thread does at once.
#[derive(Debug)]
pub(crate) struct Task {
    /// The index of its file.
    pub(crate) file: usize,
    pub(crate) input: TaskInput,
}

/// What a task searches.
#[derive(Debug)]
pub(crate) enum TaskInput {
    /// Nothing. The file is gone, or is no regular file any more.
    Missing,
    /// Nothing. The file cannot be opened, for this reason.
    Failed(String),
    /// A whole file, from its beginning to its end.
    File(Opened, Option<Compression>),
    /// The chunk of a file with this index.
    Chunk(Arc<ChunkedFile>, u64),
    /// A kept stream, from its beginning to its end.
    Kept,
    /// A part of a kept stream.
    Unit(Unit),
}

impl Task {
    /// Up to where its file is wanted, if the task is a part of it.
    pub(crate) fn wanted(&self) -> Option<Arc<Wanted>> {
        match &self.input {
            TaskInput::Chunk(chunks, _) => Some(Arc::clone(chunks.wanted())),
            TaskInput::Unit(unit) => Some(Arc::clone(&unit.wanted)),
            _ => None,
        }
    }
}

/// The file whose parts are being handed out.
#[derive(Debug)]
enum Begun<'f> {
    /// Its chunks, and the index of the next one.
    Chunks(Arc<ChunkedFile>, u64),
    Units(Box<Units<'f>>),
}

/// Hands out the tasks in order.
#[derive(Debug)]
pub(crate) struct TaskQueue<'f> {
    files: Files<'f>,
    /// The index of the next file, or of the one whose parts are being handed out.
    next: usize,
    begun: Option<Begun<'f>>,
    /// The size of a chunk; none when files are searched as a whole.
    chunk_bytes: Option<u64>,
    line_ends: [u8; 2],
    /// The file that is left out, since the results are written to it.
    output_file: Option<FileIdentity>,
}

impl<'f> TaskQueue<'f> {
    /// The tasks of `files`. If `chunk_bytes` is given, plain files are cut into chunks of about
    /// that size, at one of `line_ends`, and kept streams into units.
    pub(crate) fn new(
        files: Files<'f>,
        chunk_bytes: Option<u64>,
        line_ends: [u8; 2],
    ) -> TaskQueue<'f> {
        TaskQueue { files, next: 0, begun: None, chunk_bytes, line_ends, output_file: None }
    }

    /// The same tasks without those of this file.
    pub(crate) fn without(self, output_file: Option<FileIdentity>) -> TaskQueue<'f> {
        TaskQueue { output_file, ..self }
    }

    pub(crate) fn files(&self) -> Files<'f> {
        self.files
    }

    /// Whether there is a next task.
    pub(crate) fn has_more(&self) -> bool {
        self.begun.is_some() || self.next < self.files.len()
    }

    /// The next task, and whether it is the last of its file.
    pub(crate) fn next(&mut self) -> Option<(Task, bool)> {
        match self.begun.take() {
            Some(Begun::Chunks(chunks, index)) => return Some(self.chunk(chunks, index)),
            Some(Begun::Units(units)) => return Some(self.unit(units)),
            None => {}
        }
        let searched = self.files.get(self.next)?;
        let input = match searched {
            SearchedFile::Exposed(_) | SearchedFile::Handed(_) => match self.open(searched) {
                Ok(TaskInput::Chunk(chunks, index)) => return Some(self.chunk(chunks, index)),
                Ok(input) => input,
                Err(error) => TaskInput::Failed(reason(&error)),
            },
            SearchedFile::Kept(file, skip) if self.chunk_bytes.is_some() => {
                return Some(self.units(file, skip));
            }
            SearchedFile::Kept(..) => TaskInput::Kept,
        };
        let file = self.next;
        self.next += 1;
        Some((Task { file, input }, true))
    }

    fn open(&self, file: SearchedFile<'_>) -> io::Result<TaskInput> {
        let opened = match file {
            SearchedFile::Exposed(file) => file.open()?,
            SearchedFile::Handed(file) => Some(file.opened()?),
            SearchedFile::Kept(..) => None,
        };
        let Some(opened) = opened else { return Ok(TaskInput::Missing) };
        if self.output_file == Some(opened.identity) {
            return Err(FileError::IsOutput.into());
        }
        let compression = Compression::of(&opened.file, file.path())?;
        Ok(match self.chunk_bytes {
            Some(chunk_bytes) if compression.is_none() && opened.size > 0 => {
                let chunks =
                    ChunkedFile::new(opened.file, opened.size, chunk_bytes, self.line_ends);
                TaskInput::Chunk(Arc::new(chunks), 0)
            }
            _ => TaskInput::File(opened, compression),
        })
    }

    fn chunk(&mut self, chunks: Arc<ChunkedFile>, index: u64) -> (Task, bool) {
        let file = self.next;
        let is_last = index + 1 >= chunks.count();
        if is_last {
            self.next += 1;
        } else {
            self.begun = Some(Begun::Chunks(Arc::clone(&chunks), index + 1));
        }
        (Task { file, input: TaskInput::Chunk(chunks, index) }, is_last)
    }

    /// The first unit of a kept stream. One of which nothing is read has an empty one.
    fn units(&mut self, file: &'f KeptFile, skip: &'f Skip) -> (Task, bool) {
        self.unit(Box::new(Units::new(file, skip)))
    }

    fn unit(&mut self, mut units: Box<Units<'f>>) -> (Task, bool) {
        let file = self.next;
        let unit = units.next().unwrap_or_default();
        let is_last = !units.has_more();
        if is_last {
            self.next += 1;
        } else {
            self.begun = Some(Begun::Units(units));
        }
        (Task { file, input: TaskInput::Unit(unit) }, is_last)
    }
}
