//! Changes of contents that no catalog can make alone, since bytes must be written anew. It owns no
//! state.

use super::adapter::Files;
use super::catalog::change_error;
use super::convert;
use super::source::{Source, WritingSource as _};
use super::transfer::Download;
use crate::files::FilesError;
use memberd_files::{
    ClientError, FilePath, Mutation, PutIf, Refusal, StatusKind, Token, Truncate, Version, WriteTo,
};
use memberd_webhdfs::FileError;

impl<S: Source> Files<S> {
    /// Joins contents that do not join in the catalog, since some lie in it and some in extents:
    /// their bytes are written anew. The sources end after that.
    pub(super) async fn concat_bytes(
        &self,
        target: &FilePath,
        sources: &[FilePath],
    ) -> Result<(), FileError> {
        let mut parts = Vec::new();
        for path in std::iter::once(target).chain(sources) {
            parts.push((path, self.look_at_file(path).await?));
        }
        self.rewrite(target, &parts).await?;
        for (path, (only, _)) in parts.into_iter().skip(1) {
            let delete =
                Mutation::Delete { path: path.clone(), recursive: false, only: Some(only) };
            self.change_at(path, delete).await?;
        }
        Ok(())
    }

    /// Writes a file anew from the first bytes of files, itself the first. It must not have changed
    /// meanwhile.
    async fn rewrite(
        &self,
        target: &FilePath,
        parts: &[(&FilePath, (Version, u64))],
    ) -> Result<(), FileError> {
        let status = self.look(target).await?;
        let (StatusKind::File { copies, .. }, Some((_, (version, _)))) =
            (status.kind, parts.first())
        else {
            return Err(FileError::NotFound(format!("{target} is a directory")));
        };
        let to = WriteTo::Put {
            condition: PutIf::Is(*version),
            copies,
            mode: status.attributes.mode,
            parents: false,
        };
        let mut writing =
            self.source.write(target.clone(), to).await.map_err(|e| change_error(target, e))?;
        for (path, (_, length)) in parts {
            if *length == 0 {
                continue;
            }
            let reading = self.source.read((*path).clone(), 0, Some(*length)).await;
            let mut download =
                Download::new((*path).clone(), reading.map_err(|e| convert::error(path, e))?);
            if download.length() != *length {
                return Err(FileError::Unavailable(format!("{path} changed meanwhile")));
            }
            while let Some(piece) = download.next().await? {
                writing.push(&piece).await.map_err(|e| change_error(target, e))?;
            }
        }
        let written = writing.finish().await;
        written.map(|_| ()).map_err(|error| change_error(target, error))
    }

    pub(super) async fn cut(&self, path: &FilePath, length: u64) -> Result<(), FileError> {
        let (version, before) = self.look_at_file(path).await?;
        if length > before {
            return Err(FileError::Invalid(format!("{path} has {before} bytes")));
        }
        let cut = Truncate {
            path: path.clone(),
            only: Some(version),
            length,
            token: Token::default(),
            last: None,
            age_s: 0,
        };
        match self.mutate(path, Mutation::Truncate(cut)).await {
            // The cut goes through an extent.
            Err(FilesError::Client(ClientError::Refused(Refusal::NeedsExtent))) => {
                self.rewrite(path, &[(path, (version, length))]).await
            }
            cut => cut.map(|_| ()).map_err(|error| change_error(path, error)),
        }
    }
}
