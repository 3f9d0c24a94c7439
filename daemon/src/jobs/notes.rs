//! Writes the log lines of jobs. It owns no state.

use memberd_jobs::{JobId, Note, Stage, Table};
use tracing::{debug, error, info, warn};

/// Writes what people should know of a job in this table.
pub(super) fn log(note: &Note, table: &Table) {
    let name = |job: &JobId| {
        let job = table.jobs.get(job);
        job.map_or("of another table", |job| job.spec.name.as_str())
    };
    match note {
        Note::Opened(job, stage) => {
            info!(job = name(job), stage = stage_text(*stage), "a stage of a job runs here");
        }
        Note::Deposed(job, stage) => {
            let stage = stage_text(*stage);
            info!(job = name(job), stage, "a stage of a job runs on another machine now");
        }
        Note::LogLost(job, stage) => {
            let stage = stage_text(*stage);
            error!(job = name(job), stage, "all copies of a stage's log are lost: it stays closed");
        }
        Note::LogUnreadable(job, stage, why) => {
            let stage = stage_text(*stage);
            error!(job = name(job), stage, why, "the log of a stage cannot be read");
        }
        // Before the first job there is none.
        Note::TableLost => debug!("there is no job table"),
        Note::TableUnreadable(why) => error!(why, "the job table cannot be read"),
        Note::SinkDamaged(job) => {
            error!(job = name(job), "the sink of a job has bytes that the job did not write");
        }
        Note::BadSums(job, member, why) => {
            warn!(job = name(job), %member, why, "a member sent sums that cannot be read");
        }
        Note::Full(job, partition) => {
            let partition = partition.0;
            warn!(job = name(job), partition, "the sums of a job have no room: its files wait");
        }
        Note::LeftOut(job, member) => {
            warn!(job = name(job), %member, "the job table has no room for a member's files");
        }
        Note::Stopped(job, stage, why) => {
            let stage = stage_text(*stage);
            error!(job = name(job), stage, why, "a job stops");
        }
        Note::CannotRun(job) => {
            error!(job = name(job), "a job waits: its query needs a newer memberd here");
        }
        Note::NotStarted(job, _) => {
            warn!(job, "a job does not begin: the file of its rows has bytes already");
        }
        Note::NotMade(job) => {
            warn!(job, "a job does not begin: the replicated files did not make its files");
        }
        Note::Lost(job, file) => {
            let file = format!("{:032x}", file.0);
            // That comes again and again. Why is told once (`source.rs`).
            debug!(job = name(job), file, "a range of a log cannot be read now");
        }
    }
}

/// A stage, as people read it.
pub(super) fn stage_text(stage: Stage) -> String {
    match stage {
        Stage::Partition(partition) => format!("p{:02}", partition.0),
        Stage::Sink => "sink".to_owned(),
    }
}
