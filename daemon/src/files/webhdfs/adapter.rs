//! Replicated files as WebHDFS needs them: [`Files`]. It owns nothing but handles.

use super::blocks::Members;
use super::catalog::{change_error, summary};
use super::convert::{self, BLOCK_BYTES};
use super::source::Source;
use super::transfer::{Download, Upload};
use crate::files::FilesError;
use memberd_files::{
    AttributeChange, ClientError, FilePath, HolderSet, Mutation, PutIf, Refusal, RenameHow, Token,
    WriteTo,
};
use memberd_webhdfs::{
    Block, Change, Checksummer, Create, Defaults, FileChecksum, FileError, FileSystem, HdfsPath,
    Kind, Later, Page, Reader, RenameMode, Space, Span, Status, Summary, Writer,
};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The pause before it is tried again.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// How long reading a file for its checksum may take.
const SUMMED_WITHIN: Duration = Duration::from_secs(45);

/// Copies of a new file.
const COPIES: u8 = 3;

/// Permission bits of a new file and directory.
const FILE_MODE: u16 = 0o644;
const DIRECTORY_MODE: u16 = 0o755;

/// Files behind WebHDFS.
#[derive(Debug, Clone)]
pub(super) struct Files<S> {
    pub(super) source: S,
    pub(super) members: Members,
    pub(super) patience: Patience,
}

/// How long clients wait for others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How long a question waits for the newest answer, while a share has no primary. Then an older
    /// one will do: a machine that is cut off from the others still reads.
    pub(super) newest_within: Duration,
    /// How long what cannot be done now is tried. Clients of Java wait for 60 s.
    pub(super) tried_for: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { newest_within: Duration::from_secs(10), tried_for: Duration::from_secs(40) }
    }
}

impl<S: Source> Files<S> {
    async fn begin_reading(
        &self,
        path: &HdfsPath,
        span: Span,
    ) -> Result<Download<S::Reading>, FileError> {
        let path = convert::path_to_read(path)?;
        let (_, length) = self.look_at_file(&path).await?;
        let range = span.within(length)?;
        if range.is_empty() {
            return Ok(Download::empty());
        }
        let until = Instant::now() + self.patience.tried_for;
        loop {
            let limit = Some(range.end - range.start);
            match self.source.read(path.clone(), range.start, limit).await {
                Ok(reading) => return Ok(Download::new(path, reading)),
                Err(error) if convert::may_try_again(&error) && Instant::now() < until => {
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(convert::error(&path, error)),
            }
        }
    }

    async fn rename_there(
        &self,
        from: &HdfsPath,
        to: &HdfsPath,
        how: RenameHow,
    ) -> Result<(), FileError> {
        let (from, to) = (convert::path_in_share(from)?, convert::path_to_change(to)?);
        if from.share() != to.share() {
            return Err(FileError::Denied("a rename does not lead to another share".to_owned()));
        }
        let rename = Mutation::Rename { from: from.clone(), to: to.clone(), how };
        let renamed = self.mutate(&from, rename).await;
        renamed.map(|_| ()).map_err(|error| match error {
            FilesError::Client(ClientError::Refused(Refusal::NotFound)) => {
                FileError::NotFound(from.to_string())
            }
            error => change_error(&to, error),
        })
    }

    async fn checksum_of(&self, path: &HdfsPath) -> Result<FileChecksum, FileError> {
        let mut summer = Checksummer::new(BLOCK_BYTES);
        let mut download = self.begin_reading(path, Span::default()).await?;
        while let Some(piece) = download.next().await? {
            summer.update(&piece);
            // Whoever else uses this thread has a turn.
            tokio::task::yield_now().await;
        }
        Ok(summer.finish())
    }

    fn upload(&self, path: FilePath, to: WriteTo) -> Box<dyn Writer> {
        Box::new(Upload::new(self.clone(), path, to))
    }
}

impl<S: Source> FileSystem for Files<S> {
    fn status<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Status> {
        Box::pin(async move {
            if path.is_root() {
                return Ok(convert::directory(self.source.shares().len() as u64));
            }
            Ok(convert::status(&self.look(&convert::path_to_read(path)?).await?))
        })
    }

    fn list<'a>(
        &'a self,
        path: &'a HdfsPath,
        after: Option<&'a str>,
        limit: usize,
    ) -> Later<'a, Page> {
        Box::pin(async move {
            if path.is_root() {
                return Ok(self.shares(after, limit).await);
            }
            self.page(&convert::path_to_read(path)?, after, limit).await
        })
    }

    fn open<'a>(&'a self, path: &'a HdfsPath, span: Span) -> Later<'a, Box<dyn Reader>> {
        Box::pin(
            async move { Ok(Box::new(self.begin_reading(path, span).await?) as Box<dyn Reader>) },
        )
    }

    fn create<'a>(&'a self, path: &'a HdfsPath, how: Create) -> Later<'a, Box<dyn Writer>> {
        Box::pin(async move {
            let to = WriteTo::Put {
                condition: if how.overwrite { PutIf::Any } else { PutIf::Absent },
                copies: COPIES,
                mode: FILE_MODE,
                parents: how.make_parents,
            };
            Ok(self.upload(convert::path_in_share(path)?, to))
        })
    }

    fn append<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Box<dyn Writer>> {
        Box::pin(async move {
            let path = convert::path_in_share(path)?;
            Ok(self.upload(path, WriteTo::Append { only: None, length: None }))
        })
    }

    fn rename<'a>(
        &'a self,
        from: &'a HdfsPath,
        to: &'a HdfsPath,
        mode: RenameMode,
    ) -> Later<'a, bool> {
        Box::pin(async move {
            let how = match mode {
                RenameMode::Plain => RenameHow::Plain,
                RenameMode::Exclusive => RenameHow::Exclusive,
                RenameMode::Overwrite => RenameHow::Overwrite,
            };
            match self.rename_there(from, to, how).await {
                Ok(()) => Ok(true),
                Err(error) if mode == RenameMode::Plain && is_no(&error) => Ok(false),
                Err(error) => Err(error),
            }
        })
    }

    fn delete<'a>(&'a self, path: &'a HdfsPath, recursive: bool) -> Later<'a, bool> {
        Box::pin(async move {
            let path = convert::path_in_share(path)?;
            let delete = Mutation::Delete { path: path.clone(), recursive, only: None };
            match self.mutate(&path, delete).await {
                Ok(_) => Ok(true),
                Err(FilesError::Client(
                    ClientError::Refused(Refusal::NotFound | Refusal::NotDirectory)
                    | ClientError::NoShare(_),
                )) => Ok(false),
                Err(error) => Err(change_error(&path, error)),
            }
        })
    }

    fn make_directories<'a>(&'a self, path: &'a HdfsPath, _: &'a str) -> Later<'a, ()> {
        Box::pin(async move {
            if path.is_root() {
                return Ok(());
            }
            let path = convert::path_to_change(path)?;
            let make = Mutation::MakeDirectory { path: path.clone(), mode: DIRECTORY_MODE };
            self.change_at(&path, make).await
        })
    }

    fn concat<'a>(&'a self, path: &'a HdfsPath, sources: &'a [HdfsPath]) -> Later<'a, ()> {
        Box::pin(async move {
            let target = convert::path_in_share(path)?;
            let sources: Vec<FilePath> =
                sources.iter().map(convert::path_in_share).collect::<Result<_, _>>()?;
            if sources.iter().any(|source| source.share() != target.share()) {
                return Err(FileError::Denied("all files must lie in one share".to_owned()));
            }
            let concat = Mutation::Concat {
                target: target.clone(),
                sources: sources.clone(),
                token: Token::default(),
            };
            match self.mutate(&target, concat).await {
                Err(FilesError::Client(ClientError::Refused(Refusal::NeedsExtent))) => {
                    self.concat_bytes(&target, &sources).await
                }
                done => done.map(|_| ()).map_err(|error| change_error(&target, error)),
            }
        })
    }

    fn truncate<'a>(&'a self, path: &'a HdfsPath, length: u64) -> Later<'a, ()> {
        Box::pin(async move { self.cut(&convert::path_in_share(path)?, length).await })
    }

    fn change<'a>(&'a self, path: &'a HdfsPath, change: &'a Change) -> Later<'a, ()> {
        Box::pin(async move {
            let path = convert::path_to_change(path)?;
            let change = attributes(change)?;
            let set = Mutation::SetAttributes { path: path.clone(), change };
            self.change_at(&path, set).await
        })
    }

    fn summary<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Summary> {
        Box::pin(async move {
            if path.is_root() {
                return self.sum_of_all().await;
            }
            Ok(summary(self.sum(&convert::path_to_read(path)?).await?))
        })
    }

    fn checksum<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, FileChecksum> {
        Box::pin(async move {
            let too_long = |_| FileError::Io(format!("{path} is too long to sum up in 45 s"));
            timeout(SUMMED_WITHIN, self.checksum_of(path)).await.map_err(too_long)?
        })
    }

    fn blocks<'a>(&'a self, path: &'a HdfsPath) -> Later<'a, Vec<Block>> {
        Box::pin(async move { self.blocks_of(&convert::path_to_read(path)?).await })
    }

    fn space(&self) -> Later<'_, Space> {
        Box::pin(async move {
            let store = self.source.store().await.map_err(|error| convert::error("/", error))?;
            let unknown = || FileError::Unavailable("the storage does not answer".to_owned());
            let store = store.ok_or_else(unknown)?;
            let (capacity, used) = (store.capacity_bytes, store.used_bytes);
            Ok(Space { capacity, used, remaining: capacity.saturating_sub(used) })
        })
    }

    fn defaults(&self) -> Defaults {
        Defaults { block_bytes: BLOCK_BYTES, copies: u16::from(COPIES) }
    }
}

/// Whether a plain rename is answered by false, as HDFS does where others fail.
fn is_no(error: &FileError) -> bool {
    matches!(
        error,
        FileError::NotFound(_)
            | FileError::Exists(_)
            | FileError::ParentNotDirectory(_)
            | FileError::NotEmpty(_)
            | FileError::Denied(_)
            | FileError::Invalid(_)
    )
}

fn attributes(change: &Change) -> Result<AttributeChange, FileError> {
    let none = AttributeChange::default();
    Ok(match change {
        Change::Permission(bits) => AttributeChange { mode: Some(*bits), ..none },
        Change::Owner { owner, group } => {
            AttributeChange { owner: owner.clone(), group: group.clone(), ..none }
        }
        Change::Times { modified, accessed } => {
            AttributeChange { modified_ms: *modified, accessed_ms: *accessed, ..none }
        }
        Change::Copies(copies) => {
            let most = HolderSet::MAX_MEMBERS;
            let copies =
                u8::try_from(*copies).ok().filter(|it| (1..=most).contains(&usize::from(*it)));
            let wrong = || FileError::Invalid(format!("a file has 1 to {most} copies"));
            AttributeChange { copies: Some(copies.ok_or_else(wrong)?), ..none }
        }
    })
}

/// Whether a status is that of a file.
pub(super) fn is_file(status: &Status) -> bool {
    status.kind == Kind::File
}
