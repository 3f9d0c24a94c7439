//! Operations without data: each is one or two calls of the file system.

use crate::access::Shares;
use crate::answer::Said;
use crate::error::FileError;
use crate::file_system::{Block, FileSystem, RenameMode, Span, Summary};
use crate::json;
use crate::listing::{BATCH, of_the_root};
use crate::operation::{Asked, Operation};
use crate::path::HdfsPath;
use crate::repeats::{Deed, Entered, Repeats};

/// The most that one read of block locations tells.
const MOST_BLOCKS: usize = 100_000;

/// What the operations need.
pub(crate) struct Metadata<'a> {
    pub(crate) files: &'a dyn FileSystem,
    pub(crate) shares: &'a Shares,
    pub(crate) repeats: &'a Repeats,
}

impl Metadata<'_> {
    /// Carries an operation out.
    pub(crate) async fn answer(&self, asked: Asked) -> Result<Said, FileError> {
        let Asked { path, operation, user, .. } = asked;
        match operation {
            Operation::Rename { to, mode } => self.rename(path, to, mode, user).await,
            Operation::Delete { recursive } => self.delete(path, recursive, user).await,
            Operation::Mkdirs
            | Operation::Concat { .. }
            | Operation::Truncate { .. }
            | Operation::Change { .. } => {
                let said = self.change(&path, &operation, &user).await;
                self.repeats.touch(&path);
                said
            }
            _ => self.ask(&path, operation, &user).await,
        }
    }

    async fn change(
        &self,
        path: &HdfsPath,
        operation: &Operation,
        user: &str,
    ) -> Result<Said, FileError> {
        let done = || Ok(json::boolean(true).into());
        match operation {
            Operation::Mkdirs => {
                self.files.make_directories(path, user).await?;
                done()
            }
            Operation::Truncate { length } => {
                self.files.truncate(path, *length).await?;
                done()
            }
            Operation::Concat { sources } => {
                self.files.concat(path, sources).await?;
                sources.iter().for_each(|source| self.repeats.touch(source));
                Ok(Said::Nothing)
            }
            Operation::Change { change } => {
                self.files.change(path, change).await?;
                match change {
                    crate::Change::Copies(_) => done(),
                    _ => Ok(Said::Nothing),
                }
            }
            _ => Err(FileError::Unsupported("no change".to_owned())),
        }
    }

    async fn ask(
        &self,
        path: &HdfsPath,
        operation: Operation,
        user: &str,
    ) -> Result<Said, FileError> {
        let files = self.files;
        Ok(match operation {
            Operation::GetFileStatus => json::status(&files.status(path).await?).into(),
            Operation::ListStatusBatch { after } => self.page(path, after.as_deref()).await?.into(),
            Operation::GetBlockLocations { span } => {
                let all = files.blocks(path).await?;
                json::located_blocks(&all, &within(&all, span)?).into()
            }
            Operation::GetFileBlockLocations { span } => {
                json::block_locations(&within(&files.blocks(path).await?, span)?).into()
            }
            Operation::GetServerDefaults => json::defaults(files.defaults()).into(),
            Operation::GetHomeDirectory => json::path(&format!("/user/{user}")).into(),
            Operation::GetTrashRoot => json::path(&format!("/user/{user}/.Trash")).into(),
            Operation::GetTrashRoots => serde_json::json!({"Paths": []}).into(),
            Operation::GetContentSummary => json::summary(self.summary(path).await?).into(),
            Operation::GetFileChecksum => json::checksum(&files.checksum(path).await?).into(),
            Operation::GetStatus => json::space(files.space().await?).into(),
            Operation::CheckAccess { .. } => {
                files.status(path).await?;
                Said::Nothing
            }
            _ => return Err(FileError::Unsupported("no such question".to_owned())),
        })
    }

    async fn page(
        &self,
        path: &HdfsPath,
        after: Option<&str>,
    ) -> Result<serde_json::Value, FileError> {
        // `startafter` may be a whole path.
        let after = after.map(|name| name.rsplit('/').next().unwrap_or(name));
        let page = self.files.list(path, after, BATCH).await?;
        Ok(json::page(&if path.is_root() { of_the_root(page, self.shares) } else { page }))
    }

    /// The root's is the sum over the shares that are seen.
    async fn summary(&self, path: &HdfsPath) -> Result<Summary, FileError> {
        let Shares::Only(shares) = self.shares else { return self.files.summary(path).await };
        if !path.is_root() {
            return self.files.summary(path).await;
        }
        let mut sum = Summary { directories: 1, ..Summary::default() };
        for share in shares {
            let Ok(path) = HdfsPath::parse(&format!("/{share}")) else { continue };
            let one = match self.files.summary(&path).await {
                Err(FileError::NotFound(_)) => continue,
                other => other?,
            };
            sum.directories += one.directories;
            sum.files += one.files;
            sum.length += one.length;
            sum.stored += one.stored;
        }
        Ok(sum)
    }

    async fn delete(
        &self,
        path: HdfsPath,
        recursive: bool,
        user: String,
    ) -> Result<Said, FileError> {
        let deed = Deed { path, to: None, how: format!("{recursive} {user}") };
        let entered = self.repeats.enter(&deed);
        let deleted = self.files.delete(&deed.path, recursive).await;
        let done = matches!(deleted, Ok(true));
        let was_done = self.settle(entered, &deed, done).await;
        Ok(json::boolean(deleted? || was_done).into())
    }

    async fn rename(
        &self,
        path: HdfsPath,
        to: HdfsPath,
        mode: RenameMode,
        user: String,
    ) -> Result<Said, FileError> {
        let deed = Deed { path, to: Some(to.clone()), how: format!("{mode:?} {user}") };
        let entered = self.repeats.enter(&deed);
        let renamed = self.files.rename(&deed.path, &to, mode).await;
        let done = matches!(renamed, Ok(true));
        let was_done = self.settle(entered, &deed, done).await;
        match mode {
            _ if was_done && mode != RenameMode::Plain => Ok(Said::Nothing),
            RenameMode::Plain => Ok(json::boolean(was_done || renamed?).into()),
            RenameMode::Exclusive | RenameMode::Overwrite => renamed.map(|_| Said::Nothing),
        }
    }

    /// Notes how a deed ended. It says whether this is the repeat of one that was done, and what it
    /// was about is still gone.
    async fn settle(&self, entered: Entered, deed: &Deed, done: bool) -> bool {
        if done {
            self.repeats.touch_others(deed);
        }
        match entered {
            Entered::First(first) => {
                if done {
                    first.succeeded();
                } else {
                    self.repeats.failed(deed);
                }
                false
            }
            Entered::Again(again) => {
                !done
                    && again.succeeded().await
                    && matches!(self.files.status(&deed.path).await, Err(FileError::NotFound(_)))
            }
        }
    }
}

/// The blocks of which something lies in a span.
fn within(blocks: &[Block], span: Span) -> Result<Vec<Block>, FileError> {
    let end = span.offset.saturating_add(span.length.unwrap_or(u64::MAX));
    let is_in = |block: &&Block| {
        block.offset < end && span.offset < block.offset.saturating_add(block.length)
    };
    let found: Vec<Block> = blocks.iter().filter(is_in).cloned().collect();
    if found.len() > MOST_BLOCKS {
        return Err(FileError::Invalid(format!("at most {MOST_BLOCKS} blocks at once")));
    }
    Ok(found)
}
