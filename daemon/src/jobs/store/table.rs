//! The file of the job table, and the files of jobs that have ended: made once, found, removed. It
//! owns no state.
//!
//! The table and the directory in which it lies are made in one step, and nothing else makes that
//! directory before. So a directory without a table is one whose table was lost or removed, and no
//! empty table is made in its place: it would let jobs begin anew whose rows are there already. The
//! leader makes it anew with all jobs that members know.
//! Who removes the directory as a whole removes all jobs, and the next one begins with a new table.

use super::JobStore;
use super::outcome::Failure;
use super::paths::{self, SinkError};
use crate::files::FilesError;
use memberd_council::KeeperCount;
use memberd_files::{ClientError, FilePath, Found, HolderSet, Mutation, Query, Refusal};
use memberd_jobs::{JobId, Table};

/// How many copies the table wants: as many as there may be.
#[expect(clippy::cast_possible_truncation, reason = "it is 5")]
const COPIES: u8 = HolderSet::MAX_MEMBERS as u8;

/// Whether there is a job table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFound {
    /// There is.
    There,
    /// There never was one, as far as this member's view says.
    Never,
    /// There was one, and it is gone.
    Lost,
}

/// Why there is no job table, or why the files of a job are as they were.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// There was one.
    #[error(
        "the table of all jobs, /streams/.jobs/table, is gone: the leader makes it anew of what \
         members know of it, within a minute. If they know nothing, all jobs are lost: \
         memberctl file rm -r /streams/.jobs, and start them anew"
    )]
    Lost,
    /// What files say.
    #[error("/streams/.jobs: {0}")]
    Files(String),
    /// A file has the place of a job's rows.
    #[error("{0}: has {1} bytes already: remove it, or choose another place for the rows")]
    SinkTaken(FilePath, u64),
    /// Nothing can lie there.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The place of the rows cannot be looked at.
    #[error("{0}: {1}")]
    NoSink(FilePath, String),
}

impl From<Failure> for TableError {
    fn from(failure: Failure) -> TableError {
        TableError::Files(failure.to_string())
    }
}

impl JobStore {
    /// Whether there is a job table. `Never` may come of a view here that is too old: ask again
    /// when that changes.
    ///
    /// # Errors
    /// When nobody can say so now.
    pub async fn find_table(&self) -> Result<TableFound, TableError> {
        match self.files.is_there(&paths::directory()?).await {
            Ok(true) => {}
            Ok(false) | Err(Failure::Files(FilesError::Client(ClientError::NoShare(_)))) => {
                return Ok(TableFound::Never);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(match self.files.is_there(&paths::table()?).await? {
            true => TableFound::There,
            false => TableFound::Lost,
        })
    }

    /// Makes the job table, empty, if there never was one, and the share in which it lies.
    ///
    /// # Errors
    /// When it was lost, or when it cannot be made or found now. It may be made later then, which
    /// does no harm.
    pub async fn ensure_table(&self) -> Result<(), TableError> {
        let table = paths::table()?;
        let has_share = self.files.handle().shares().iter().any(|(name, _)| name == table.share());
        if !has_share {
            // Its names survive as many crashes as the files that lie in it.
            let share = table.share().clone();
            let added = self.files.handle().add_share(share, KeeperCount::FIVE).await;
            added.map_err(|error| TableError::Files(error.to_string()))?;
        }
        match self.find_table().await? {
            TableFound::There => return Ok(()),
            TableFound::Lost => return Err(TableError::Lost),
            TableFound::Never => {}
        }
        match self.files.put_empty(&table, COPIES).await {
            Ok(_) => Ok(()),
            // Somebody else has made it meanwhile.
            Err(Failure::Files(FilesError::Client(ClientError::Refused(Refusal::Exists)))) => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a table that was lost, with these jobs. It succeeds if there is one.
    ///
    /// # Errors
    /// When it cannot be made now, or nobody knows whether it was.
    pub async fn restore_table(&self, table: &Table) -> Result<(), TableError> {
        let bytes = memberd_jobs::table_bytes(table);
        match self.files.put_new(&paths::table()?, COPIES, &bytes).await {
            Ok(_) => Ok(()),
            Err(Failure::Files(FilesError::Client(ClientError::Refused(Refusal::Exists)))) => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a new job can have its rows at this place: nothing lies there yet, or an empty file.
    ///
    /// # Errors
    /// When it cannot, and why.
    pub async fn check_sink(&self, sink: &str) -> Result<(), TableError> {
        let path = paths::sink_path(sink)?;
        match self.files.length(&path).await {
            Ok(None | Some(0)) => Ok(()),
            Ok(Some(length)) => Err(TableError::SinkTaken(path, length)),
            Err(error) => Err(TableError::NoSink(path, error.to_string())),
        }
    }

    /// Removes the logs of a job that has ended. Its rows stay. It succeeds if they are gone.
    ///
    /// # Errors
    /// When they may be there still: try again.
    pub async fn remove(&self, job: JobId) -> Result<(), TableError> {
        let path = paths::of_job(job)?;
        let delete = Mutation::Delete { path: path.clone(), recursive: true, only: None };
        match self.files.change(&path, delete).await {
            Ok(_)
            | Err(Failure::Files(FilesError::Client(ClientError::Refused(Refusal::NotFound)))) => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the logs of all jobs that the table does not have, and that no leader can put there
    /// any more: a leader made them and ended before the job was in the table, or a job ended and
    /// nobody removed them. `term` is that of the leader here, and `table` is as it read that under
    /// its own token; so whoever was leader before changes the table no more. Returns how many.
    ///
    /// # Errors
    /// When some may be left: try again.
    pub async fn remove_leftovers(&self, table: &Table, term: u32) -> Result<usize, TableError> {
        let mut removed = 0;
        for job in self.jobs_with_logs().await? {
            if job.0 >> 32 < u64::from(term) && !table.jobs.contains_key(&job) {
                self.remove(job).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    async fn jobs_with_logs(&self) -> Result<Vec<JobId>, TableError> {
        let (path, mut jobs, mut after) = (paths::directory()?, Vec::new(), None);
        loop {
            let limit = u32::try_from(Query::MAX_PAGE).unwrap_or(u32::MAX);
            let query = Query::List { path: path.clone(), after, limit };
            let found = self.files.handle().ask(path.share().clone(), query, false).await;
            let (found, _) = found.map_err(Failure::from)?;
            let Found::Listing(page) = found else { return Err(Failure::Misfit.into()) };
            jobs.extend(page.entries.iter().filter_map(|entry| paths::job_of(&entry.name)));
            after = page.entries.last().map(|entry| entry.name.to_string());
            if page.remaining == 0 || after.is_none() {
                return Ok(jobs);
            }
        }
    }
}
