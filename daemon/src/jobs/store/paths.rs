//! Where the files of jobs lie. It owns no state.
//!
//! | file | path |
//! |---|---|
//! | the table | `/streams/.jobs/table` |
//! | the log of a partition | `/streams/.jobs/ID/p07`, where ID is the job's, in 16 hex digits |
//! | the log of the sink | `/streams/.jobs/ID/sink` |
//! | the rows | where the job says |

use memberd_files::{FilePath, PathError};
use memberd_jobs::{JobFile, JobId, Stage};

/// The directory of all that jobs keep.
const DIRECTORY: &str = "/streams/.jobs";

/// Why a path is no place for rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// It is no path.
    #[error("{0}: {1}")]
    NoPath(String, PathError),
    /// It names a share.
    #[error("{0}: is a share: add the name of a file")]
    IsShare(String),
    /// It is among what jobs keep for themselves.
    #[error("{0}: /streams/.jobs is for what jobs keep for themselves: choose another place")]
    IsKept(String),
}

/// The place of a job's rows.
///
/// # Errors
/// When none may lie there.
pub fn sink_path(text: &str) -> Result<FilePath, SinkError> {
    let path = parse(text)?;
    if path.is_share() {
        return Err(SinkError::IsShare(text.to_owned()));
    }
    let kept = parse(DIRECTORY)?;
    if path.share() == kept.share() && path.names().starts_with(kept.names()) {
        return Err(SinkError::IsKept(text.to_owned()));
    }
    Ok(path)
}

/// The path of a file. `sink` is where the rows of its job go.
pub(super) fn path(file: JobFile, sink: &str) -> Result<FilePath, SinkError> {
    match file {
        JobFile::Table => table(),
        JobFile::Log(job, stage) => {
            let directory = text_of(job);
            parse(&match stage {
                Stage::Partition(part) => format!("{directory}/p{:02}", part.0),
                Stage::Sink => format!("{directory}/sink"),
            })
        }
        JobFile::Sink(_) => sink_path(sink),
    }
}

/// The job table.
pub(super) fn table() -> Result<FilePath, SinkError> {
    parse(&format!("{DIRECTORY}/table"))
}

/// The directory of the table and all logs.
pub(super) fn directory() -> Result<FilePath, SinkError> {
    parse(DIRECTORY)
}

/// The directory of a job's logs.
pub(super) fn of_job(job: JobId) -> Result<FilePath, SinkError> {
    parse(&text_of(job))
}

/// The job whose logs lie in the directory of this name.
pub(super) fn job_of(name: &str) -> Option<JobId> {
    let id = u64::from_str_radix(name, 16).ok().map(JobId)?;
    (name == name_of(id)).then_some(id)
}

fn text_of(job: JobId) -> String {
    format!("{DIRECTORY}/{}", name_of(job))
}

fn name_of(job: JobId) -> String {
    format!("{:016x}", job.0)
}

fn parse(text: &str) -> Result<FilePath, SinkError> {
    FilePath::parse(text).map_err(|error| SinkError::NoPath(text.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_jobs::Partition;

    #[test]
    fn each_file_has_a_path_of_its_own() {
        let (job, sink) = (JobId(3 << 32 | 17), "/streams/shop.tsv");
        let of = |file| path(file, sink).unwrap().to_string();
        assert_eq!(of(JobFile::Table), "/streams/.jobs/table");
        let log = |stage| of(JobFile::Log(job, stage));
        assert_eq!(log(Stage::Partition(Partition(7))), "/streams/.jobs/0000000300000011/p07");
        assert_eq!(log(Stage::Partition(Partition(63))), "/streams/.jobs/0000000300000011/p63");
        assert_eq!(log(Stage::Sink), "/streams/.jobs/0000000300000011/sink");
        assert_eq!(of(JobFile::Sink(job)), sink);
        let directory = of_job(job).unwrap();
        assert_eq!(job_of(directory.name().unwrap()), Some(job));
        for wrong in ["table", "3", "0000000300000011x", "000000030000000G", "+000000300000011"] {
            assert_eq!(job_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn rows_go_to_no_place_of_the_jobs_own() {
        for wrong in
            ["", "rows", "/streams", "/streams/.jobs", "/streams//.jobs/table", "/s/../streams/x"]
        {
            assert!(sink_path(wrong).is_err(), "{wrong}");
        }
        for right in ["/streams/x", "/streams/.jobs2", "/other/.jobs/x", "/streams/a/b.tsv"] {
            assert_eq!(sink_path(right).unwrap().to_string(), right);
        }
    }
}
