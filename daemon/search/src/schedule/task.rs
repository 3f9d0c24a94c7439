//! Divides a search into tasks: the files in order, and large files in chunks.

use std::io;
use std::sync::Arc;

use crate::files::{Compression, ExposedFile, FileError, FileIdentity, Opened, reason};
use crate::scan::ChunkedFile;

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
}

impl Task {
    /// The chunks of its file, if the task is one of them.
    pub(crate) fn chunks(&self) -> Option<Arc<ChunkedFile>> {
        match &self.input {
            TaskInput::Chunk(chunks, _) => Some(Arc::clone(chunks)),
            _ => None,
        }
    }
}

/// Hands out the tasks in order.
#[derive(Debug)]
pub(crate) struct TaskQueue<'f> {
    files: &'f [ExposedFile],
    /// The index of the next file, or of the one whose chunks are being handed out.
    next: usize,
    /// The file whose chunks are being handed out, and the index of the next chunk.
    chunks: Option<(Arc<ChunkedFile>, u64)>,
    /// The size of a chunk; none when files are searched as a whole.
    chunk_bytes: Option<u64>,
    line_ends: [u8; 2],
    /// The file that is left out, since the results are written to it.
    output_file: Option<FileIdentity>,
}

impl<'f> TaskQueue<'f> {
    /// The tasks of `files`. If `chunk_bytes` is given, plain files are cut into chunks of about
    /// that size, at one of `line_ends`.
    pub(crate) fn new(
        files: &'f [ExposedFile],
        chunk_bytes: Option<u64>,
        line_ends: [u8; 2],
    ) -> TaskQueue<'f> {
        TaskQueue { files, next: 0, chunks: None, chunk_bytes, line_ends, output_file: None }
    }

    /// The same tasks without those of this file.
    pub(crate) fn without(self, output_file: Option<FileIdentity>) -> TaskQueue<'f> {
        TaskQueue { output_file, ..self }
    }

    pub(crate) fn files(&self) -> &'f [ExposedFile] {
        self.files
    }

    /// Whether there is a next task.
    pub(crate) fn has_more(&self) -> bool {
        self.chunks.is_some() || self.next < self.files.len()
    }

    /// The next task, and whether it is the last of its file.
    pub(crate) fn next(&mut self) -> Option<(Task, bool)> {
        if let Some((chunks, index)) = self.chunks.take() {
            return Some(self.chunk(chunks, index));
        }
        let file = self.next;
        let exposed = self.files.get(file)?;
        let input = match self.open(exposed) {
            Ok(TaskInput::Chunk(chunks, index)) => return Some(self.chunk(chunks, index)),
            Ok(input) => input,
            Err(error) => TaskInput::Failed(reason(&error)),
        };
        self.next += 1;
        Some((Task { file, input }, true))
    }

    fn open(&self, file: &ExposedFile) -> io::Result<TaskInput> {
        let Some(opened) = file.open()? else { return Ok(TaskInput::Missing) };
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
            self.chunks = Some((Arc::clone(&chunks), index + 1));
        }
        (Task { file, input: TaskInput::Chunk(chunks, index) }, is_last)
    }
}
