//! Changes of the job table that people wait for. Owns who waits for which.

use memberd_jobs::{
    Command, CommandError, Job, JobId, JobSpec, Leader, Name, Note, Now, Output, SourceState, Table,
};
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// A change that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Begin a job.
    Start(JobSpec),
    /// End the job of this name.
    Cancel(String),
    /// Give up the job of this name, which is to end: its last rows may be missing.
    Abandon(String),
    /// The disk of this member will not come back, for the job of this name.
    Forget(String, Name),
}

/// The table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Which job.
    pub(crate) job: JobId,
}

/// Why there was no change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChangeError {
    /// Only the leader changes the table.
    #[error("this machine does not lead: see memberctl leader, then try again")]
    NotLeader,
    /// It has just begun to lead, or the replicated files do not answer.
    #[error("the job table cannot be read now: see memberctl file status, then try again")]
    NoTable,
    /// There is none of this name.
    #[error("there is no job of the name {0}: see memberctl stream list")]
    NoJob(String),
    /// The file of its rows is another's.
    #[error("{0} has bytes already: remove it, or choose another place for the rows")]
    SinkTaken(String),
    /// The replicated files did not make its files in time.
    #[error("the files of the job cannot be made now: see memberctl file status, then try again")]
    NotMade,
    /// The leader does not take it.
    #[error(transparent)]
    Refused(CommandError),
}

impl From<CommandError> for ChangeError {
    fn from(error: CommandError) -> ChangeError {
        match error {
            CommandError::NotReady => ChangeError::NoTable,
            other => ChangeError::Refused(other),
        }
    }
}

type Reply = oneshot::Sender<Result<Changed, ChangeError>>;

/// The changes that the leader has and the table has not.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// At most [`Leader::MAX_COMMANDS`], since the leader takes no more.
    waiting: Vec<(Command, Reply)>,
}

impl Changes {
    /// Hands a change to the leader.
    pub(super) fn begin(
        &mut self,
        now: Now,
        change: Change,
        reply: Reply,
        leader: &mut Leader,
        outputs: &mut VecDeque<Output>,
    ) {
        let table = leader.table().ok_or(ChangeError::NoTable);
        let command = table.and_then(|table| command(change, table));
        let taken = command.and_then(|command| {
            self.waiting.retain(|(_, reply)| !reply.is_closed());
            if self.waiting.len() >= Leader::MAX_COMMANDS {
                return Err(CommandError::Busy.into());
            }
            leader.command(now, command.clone(), outputs)?;
            Ok(command)
        });
        match taken {
            Ok(command) => self.waiting.push((command, reply)),
            Err(error) => answer(reply, Err(error)),
        }
    }

    /// Answers those whose job cannot begin.
    pub(super) fn note(&mut self, note: &Note) {
        let (Note::NotStarted(name, _) | Note::NotMade(name)) = note else { return };
        for (command, reply) in std::mem::take(&mut self.waiting) {
            match command {
                Command::Start(spec) if spec.name == *name => {
                    let error = match note {
                        Note::NotMade(_) => ChangeError::NotMade,
                        _ => ChangeError::SinkTaken(spec.sink.clone()),
                    };
                    answer(reply, Err(error));
                }
                command => self.waiting.push((command, reply)),
            }
        }
    }

    /// Answers those whose change is in the table.
    pub(super) fn settle(&mut self, leader: &Leader) {
        let Some(table) = leader.table() else { return };
        for (command, reply) in std::mem::take(&mut self.waiting) {
            match outcome(&command, table) {
                Some(outcome) => answer(reply, outcome),
                None => self.waiting.push((command, reply)),
            }
        }
    }

    /// This member leads no more, or has lost the table. The next leader may or may not see what
    /// was begun.
    pub(super) fn end(&mut self, error: &ChangeError) {
        for (_, reply) in self.waiting.drain(..) {
            answer(reply, Err(error.clone()));
        }
    }
}

/// Who asked may have gone.
fn answer(reply: Reply, outcome: Result<Changed, ChangeError>) {
    let _ = reply.send(outcome);
}

fn job_of(name: &str, table: &Table) -> Option<JobId> {
    let job = table.jobs.iter().find(|(_, job)| job.spec.name == name);
    job.map(|(id, _)| *id)
}

fn named(name: String, table: &Table) -> Result<JobId, ChangeError> {
    job_of(&name, table).ok_or(ChangeError::NoJob(name))
}

fn command(change: Change, table: &Table) -> Result<Command, ChangeError> {
    match change {
        Change::Start(spec) => Ok(Command::Start(spec)),
        Change::Cancel(name) => named(name, table).map(Command::Cancel),
        Change::Abandon(name) => named(name, table).map(Command::Abandon),
        Change::Forget(name, member) => named(name, table).map(|job| Command::Forget(job, member)),
    }
}

/// How a command ended, once the table shows it.
fn outcome(command: &Command, table: &Table) -> Option<Result<Changed, ChangeError>> {
    match command {
        Command::Start(spec) => {
            let job = job_of(&spec.name, table)?;
            let has_it = table.jobs.get(&job).is_some_and(|known| known.spec == *spec);
            Some(match has_it {
                true => Ok(Changed { job }),
                // The file system did it late, for a leader of before.
                false => Err(CommandError::NameTaken.into()),
            })
        }
        Command::Cancel(job) => {
            let is_over = table.jobs.get(job).is_none_or(Job::is_ending);
            is_over.then_some(Ok(Changed { job: *job }))
        }
        Command::Abandon(job) => {
            let is_over = table.jobs.get(job).is_none_or(|known| known.is_finished);
            is_over.then_some(Ok(Changed { job: *job }))
        }
        // Nobody waits for that.
        Command::Remove(job) => Some(Ok(Changed { job: *job })),
        Command::Forget(job, member) => {
            let state = table.jobs.get(job).map(|known| known.sources.get(member));
            let is_done = state.is_none_or(|state| state == Some(&SourceState::Forgotten));
            is_done.then_some(Ok(Changed { job: *job }))
        }
    }
}
