//! What WebHDFS needs of files: [`Source`]. The daemon's [`Handle`] is one, and tests have a
//! catalog in memory. It owns no state.

use crate::files::{FilesError, Handle, Reading, Writing};
use memberd_files::store::StoreStatus;
use memberd_files::{Done, FilePath, Found, Mutation, Piece, Query, ShareKeepers, ShareName};
use memberd_files::{Token, WriteTo};

/// The methods of [`Handle`] that WebHDFS calls.
pub(super) trait Source: Clone + Send + Sync + 'static {
    /// A file that is being read.
    type Reading: ReadingSource;
    /// A file that is being written.
    type Writing: WritingSource;

    /// [`Handle::ask`].
    fn ask(
        &self,
        share: ShareName,
        query: Query,
        stale: bool,
    ) -> impl Future<Output = Result<(Found, bool), FilesError>> + Send;

    /// [`Handle::change`].
    fn change(
        &self,
        share: ShareName,
        mutation: Mutation,
    ) -> impl Future<Output = Result<Done, FilesError>> + Send;

    /// [`Handle::write`], under the token of those who have none.
    fn write(
        &self,
        path: FilePath,
        to: WriteTo,
    ) -> impl Future<Output = Result<Self::Writing, FilesError>> + Send;

    /// [`Handle::read`].
    fn read(
        &self,
        path: FilePath,
        offset: u64,
        limit: Option<u64>,
    ) -> impl Future<Output = Result<Self::Reading, FilesError>> + Send;

    /// [`Handle::shares`].
    fn shares(&self) -> Vec<(ShareName, ShareKeepers)>;

    /// The store of [`Handle::status`].
    fn store(&self) -> impl Future<Output = Result<Option<StoreStatus>, FilesError>> + Send;
}

/// The methods of [`Reading`].
pub(super) trait ReadingSource: Send + 'static {
    /// [`Reading::length`].
    fn length(&self) -> u64;
    /// [`Reading::next`].
    fn next(&mut self) -> impl Future<Output = Result<Option<Piece>, FilesError>> + Send;
}

/// The methods of [`Writing`].
pub(super) trait WritingSource: Send + Sync + 'static {
    /// [`Writing::push`].
    fn push(&mut self, bytes: &[u8]) -> impl Future<Output = Result<(), FilesError>> + Send;
    /// [`Writing::finish`].
    fn finish(self) -> impl Future<Output = Result<Done, FilesError>> + Send;
}

impl Source for Handle {
    type Reading = Reading;
    type Writing = Writing;

    async fn ask(
        &self,
        share: ShareName,
        query: Query,
        stale: bool,
    ) -> Result<(Found, bool), FilesError> {
        Handle::ask(self, share, query, stale).await
    }

    async fn change(&self, share: ShareName, mutation: Mutation) -> Result<Done, FilesError> {
        Handle::change(self, share, mutation).await
    }

    async fn write(&self, path: FilePath, to: WriteTo) -> Result<Writing, FilesError> {
        Handle::write(self, path, Token::default(), to).await
    }

    async fn read(
        &self,
        path: FilePath,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<Reading, FilesError> {
        Handle::read(self, path, offset, limit).await
    }

    fn shares(&self) -> Vec<(ShareName, ShareKeepers)> {
        Handle::shares(self)
    }

    async fn store(&self) -> Result<Option<StoreStatus>, FilesError> {
        Ok(Handle::status(self).await?.store)
    }
}

impl ReadingSource for Reading {
    fn length(&self) -> u64 {
        Reading::length(self)
    }

    async fn next(&mut self) -> Result<Option<Piece>, FilesError> {
        Reading::next(self).await
    }
}

impl WritingSource for Writing {
    async fn push(&mut self, bytes: &[u8]) -> Result<(), FilesError> {
        Writing::push(self, bytes).await
    }

    async fn finish(self) -> Result<Done, FilesError> {
        Writing::finish(self).await
    }
}
