//! What is asked of catalogs, and changed there, for WebHDFS. What fails because a member was just
//! lost is tried again. It owns no state.

use super::adapter::{Files, PAUSE};
use super::convert;
use super::source::Source;
use crate::files::FilesError;
use memberd_files::{
    ClientError, Done, FilePath, Found, Mutation, Query, Refusal, StatusKind, Totals, Version,
};
use memberd_webhdfs::{FileError, Page, Summary};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How long the shares may take to say what they are, when all are listed.
const SHARES_WITHIN: Duration = Duration::from_secs(5);

impl<S: Source> Files<S> {
    /// What a catalog finds, or [`Found::Refused`]. The newest, unless nobody has it for long.
    pub(super) async fn ask(&self, path: &FilePath, query: Query) -> Result<Found, FilesError> {
        let until = Instant::now() + self.patience.newest_within;
        let newest = timeout_at(until, self.ask_newest(path, &query)).await;
        let asked = match newest {
            Ok(Err(FilesError::Client(ClientError::Closed { .. }))) | Err(_) => {
                let share = path.share().clone();
                self.source.ask(share, query, true).await.map(|(found, _)| found)
            }
            Ok(asked) => asked,
        };
        match asked {
            Err(FilesError::Client(ClientError::Refused(refusal))) => Ok(Found::Refused(refusal)),
            asked => asked,
        }
    }

    async fn ask_newest(&self, path: &FilePath, query: &Query) -> Result<Found, FilesError> {
        let until = Instant::now() + self.patience.newest_within;
        loop {
            match self.source.ask(path.share().clone(), query.clone(), false).await {
                Ok((found, _)) => return Ok(found),
                Err(error) if convert::may_try_again(&error) && Instant::now() < until => {
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What is at a path.
    pub(super) async fn look(&self, path: &FilePath) -> Result<memberd_files::Status, FileError> {
        let found = self.ask(path, Query::Status(path.clone())).await;
        match found.map_err(|error| convert::error(path, error))? {
            Found::Status(status) => Ok(*status),
            Found::Refused(Refusal::NotDirectory) => Err(FileError::NotFound(path.to_string())),
            other => Err(unexpected(path, &other)),
        }
    }

    /// A file as it is now, and its bytes.
    pub(super) async fn look_at_file(&self, path: &FilePath) -> Result<(Version, u64), FileError> {
        let status = self.look(path).await?;
        match status.kind {
            StatusKind::File { length, generation, .. } => {
                Ok((Version { inode: status.inode, generation }, length))
            }
            StatusKind::Directory { .. } => {
                Err(FileError::NotFound(format!("{path} is a directory")))
            }
        }
    }

    /// Changes a catalog. What fails because a member was just lost is tried again.
    pub(super) async fn mutate(
        &self,
        path: &FilePath,
        mutation: Mutation,
    ) -> Result<Done, FilesError> {
        let until = Instant::now() + self.patience.tried_for;
        loop {
            match self.source.change(path.share().clone(), mutation.clone()).await {
                Err(error) if convert::may_try_again(&error) && Instant::now() < until => {
                    sleep(PAUSE).await;
                }
                changed => return changed,
            }
        }
    }

    pub(super) async fn change_at(
        &self,
        path: &FilePath,
        mutation: Mutation,
    ) -> Result<(), FileError> {
        let changed = self.mutate(path, mutation).await;
        changed.map(|_| ()).map_err(|error| change_error(path, error))
    }

    /// All shares after a name, with what they say of themselves in time.
    pub(super) async fn shares(&self, after: Option<&str>, limit: usize) -> Page {
        let until = Instant::now() + SHARES_WITHIN;
        let mut names: Vec<String> =
            self.source.shares().into_iter().map(|(name, _)| name.as_str().to_owned()).collect();
        names.retain(|name| after.is_none_or(|after| name.as_str() > after));
        names.sort_unstable();
        let remaining = names.len().saturating_sub(limit) as u64;
        let mut entries = Vec::new();
        for name in names.into_iter().take(limit) {
            let asked = async {
                let path = FilePath::parse(&format!("/{name}")).ok()?;
                self.look(&path).await.ok()
            };
            let found = timeout_at(until, asked).await.ok().flatten();
            entries.push((
                name,
                found.map_or_else(|| convert::directory(0), |it| convert::status(&it)),
            ));
        }
        Page { entries, remaining }
    }

    pub(super) async fn page(
        &self,
        path: &FilePath,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, FileError> {
        let query = Query::List {
            path: path.clone(),
            after: after.map(str::to_owned),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        };
        match self.ask(path, query).await.map_err(|error| convert::error(path, error))? {
            Found::Listing(listing) => {
                let entry = |listed: memberd_files::Listed| {
                    (listed.name.to_string(), convert::status(&listed.status))
                };
                let entries = listing.entries.into_iter().map(entry).collect();
                Ok(Page { entries, remaining: listing.remaining })
            }
            Found::Refused(Refusal::NotDirectory) => {
                let status = convert::status(&self.look(path).await?);
                Ok(Page { entries: vec![(String::new(), status)], remaining: 0 })
            }
            other => Err(unexpected(path, &other)),
        }
    }

    pub(super) async fn sum(&self, path: &FilePath) -> Result<Totals, FileError> {
        let found = self.ask(path, Query::Summary(path.clone())).await;
        match found.map_err(|error| convert::error(path, error))? {
            Found::Summary(totals) => Ok(totals),
            other => Err(unexpected(path, &other)),
        }
    }

    pub(super) async fn sum_of_all(&self) -> Result<Summary, FileError> {
        let mut sum = Summary { directories: 1, ..Summary::default() };
        for (name, _) in self.source.shares() {
            let path = FilePath::parse(&format!("/{name}"));
            let path = path.map_err(|error| FileError::Io(error.to_string()))?;
            let one = summary(self.sum(&path).await?);
            sum.directories += one.directories;
            sum.files += one.files;
            sum.length += one.length;
            sum.stored += one.stored;
        }
        Ok(sum)
    }
}

/// Why a change failed. Where there is no share, nothing can be made.
pub(super) fn change_error(path: &FilePath, error: FilesError) -> FileError {
    match error {
        FilesError::Client(error @ ClientError::NoShare(_)) => FileError::Denied(error.to_string()),
        error => convert::error(path, error),
    }
}

/// What a catalog says of no use here, a refusal for instance.
pub(super) fn unexpected(path: &FilePath, found: &Found) -> FileError {
    match found {
        Found::Refused(refusal) => convert::refused(&path.to_string(), *refusal),
        _ => FileError::Io(format!("{path}: the catalog answered something else")),
    }
}

/// The sums as WebHDFS has them.
pub(super) fn summary(totals: Totals) -> Summary {
    Summary {
        directories: totals.directories,
        files: totals.files,
        length: totals.bytes,
        stored: totals.copied_bytes,
        names_quota: None,
        bytes_quota: None,
    }
}
