//! Files that clients of WebHDFS read and write. A [`Download`] and an [`Upload`] own one operation
//! each.

use super::adapter::{Files, PAUSE, is_file};
use super::catalog::change_error;
use super::convert;
use super::source::{ReadingSource, Source, WritingSource as _};
use crate::files::FilesError;
use bytes::Bytes;
use memberd_files::{ClientError, Done, FilePath, Refusal, WriteTo};
use memberd_webhdfs::{FileError, FileSystem as _, HdfsPath, Later, Reader, Writer};
use tokio::time::{Instant, sleep};

/// So many bytes of an upload are held here before it begins. A file of no more can be written
/// again when a member is lost meanwhile, which nobody notices.
const HELD_BYTES: usize = 256 << 10;

/// A part of a file, as it is read.
pub(super) struct Download<R> {
    /// Nothing if the part is empty.
    reading: Option<(FilePath, R)>,
}

impl<R: ReadingSource> Download<R> {
    pub(super) fn new(path: FilePath, reading: R) -> Self {
        Download { reading: Some((path, reading)) }
    }

    pub(super) fn empty() -> Self {
        Download { reading: None }
    }

    pub(super) fn length(&self) -> u64 {
        self.reading.as_ref().map_or(0, |(_, reading)| reading.length())
    }

    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, FileError> {
        let Some((path, reading)) = &mut self.reading else { return Ok(None) };
        let piece = reading.next().await.map_err(|error| convert::error(path, error))?;
        Ok(piece.map(Bytes::from_owner))
    }
}

impl<R: ReadingSource> Reader for Download<R> {
    fn length(&self) -> u64 {
        Download::length(self)
    }

    fn next(&mut self) -> Later<'_, Option<Bytes>> {
        Box::pin(Download::next(self))
    }
}

/// A file's content as it comes.
pub(super) struct Upload<S: Source> {
    files: Files<S>,
    path: FilePath,
    to: WriteTo,
    /// What came, until it is too much.
    held: Vec<u8>,
    /// The operation, once it was.
    writing: Option<S::Writing>,
}

impl<S: Source> Upload<S> {
    pub(super) fn new(files: Files<S>, path: FilePath, to: WriteTo) -> Self {
        Upload { files, path, to, held: Vec::new(), writing: None }
    }

    async fn take(&mut self, piece: &[u8]) -> Result<(), FilesError> {
        if self.writing.is_none() && self.held.len() + piece.len() <= HELD_BYTES {
            self.held.extend_from_slice(piece);
            return Ok(());
        }
        if self.writing.is_none() {
            let mut writing = self.files.source.write(self.path.clone(), self.to).await?;
            writing.push(&std::mem::take(&mut self.held)).await?;
            self.writing = Some(writing);
        }
        match &mut self.writing {
            Some(writing) => writing.push(piece).await,
            None => Ok(()),
        }
    }

    async fn end(mut self) -> Result<(), FileError> {
        if let Some(writing) = self.writing.take() {
            return writing.finish().await.map(|_| ()).map_err(|error| self.error(error));
        }
        if self.held.is_empty() && matches!(self.to, WriteTo::Append { .. }) {
            return self.append_nothing().await;
        }
        let until = Instant::now() + self.files.patience.tried_for;
        loop {
            match self.write_held().await {
                Ok(_) => return Ok(()),
                Err(error) if convert::may_try_again(&error) && Instant::now() < until => {
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(self.error(error)),
            }
        }
    }

    async fn write_held(&self) -> Result<Done, FilesError> {
        let mut writing = self.files.source.write(self.path.clone(), self.to).await?;
        writing.push(&self.held).await?;
        writing.finish().await
    }

    /// It changes nothing, and fails as an append would.
    async fn append_nothing(&self) -> Result<(), FileError> {
        let path = HdfsPath::parse(&self.path.to_string())?;
        let status = self.files.status(&path).await?;
        let directory = || FileError::NotFound(format!("{path} is a directory"));
        is_file(&status).then_some(()).ok_or_else(directory)
    }

    fn error(&self, error: FilesError) -> FileError {
        match (error, self.to) {
            (
                FilesError::Client(ClientError::Refused(Refusal::IsDirectory)),
                WriteTo::Put { .. },
            ) => FileError::Exists(self.path.to_string()),
            (error, _) => change_error(&self.path, error),
        }
    }
}

impl<S: Source> Writer for Upload<S> {
    fn write(&mut self, piece: Bytes) -> Later<'_, ()> {
        Box::pin(async move {
            let taken = self.take(&piece).await;
            taken.map_err(|error| self.error(error))
        })
    }

    fn commit(self: Box<Self>) -> Later<'static, ()> {
        Box::pin(self.end())
    }
}
