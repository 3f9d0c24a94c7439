//! What people ask of a leader: what it takes, why not, and what that does to the table. Owns no
//! state.

use super::Leader;
use crate::ids::{Epoch, JobId, MemberId, Now};
use crate::output::{Note, Output};
use crate::record::encode;
use crate::store::{AskId, JobFile, StoreAnswer, StoreAsk, StoreOperation};
use crate::table::{Assignment, Job, JobSpec, MAX_JOBS, SourceState, SpecError, Table};
use crate::wire::MESSAGE_CAP;
use memberd_membership::Name;
use std::collections::VecDeque;

/// What people ask of a leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begins a job.
    Start(JobSpec),
    /// Ends it.
    Cancel(JobId),
    /// The disk of this member will not come back.
    Forget(JobId, Name),
    /// Gives it up, although its sink may lack rows and its last line: it ends, but cannot.
    Abandon(JobId),
    /// Takes it out of the table. It has ended, and its logs are deleted.
    Remove(JobId),
}

/// Why a command is not taken. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The leader has not read the table yet, or has lost it to another.
    #[error("the leader does not have the jobs yet; try again")]
    NotReady,
    /// As many commands wait as may.
    #[error("{} commands wait already; try again", Leader::MAX_COMMANDS)]
    Busy,
    /// As many jobs are there as may be.
    #[error("there are {MAX_JOBS} jobs already; cancel one")]
    TooManyJobs,
    /// The texts of all jobs together are too large.
    #[error("the jobs have no room for this one; cancel one, or name less files")]
    TableFull,
    /// A job of this name is there.
    #[error("a job of this name is there already; cancel it, or choose another name")]
    NameTaken,
    /// A job of this name writes its rows into the same file.
    #[error("job {0} has its rows in this file already; choose another sink")]
    SinkTaken(String),
    /// There is no such job.
    #[error("there is no such job")]
    NoSuchJob,
    /// The job has not ended.
    #[error("the job has not ended; cancel it first")]
    NotFinished,
    /// The job has no files of this member.
    #[error("the job never had files of this member")]
    NoSuchMember,
    /// The spec is none.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// The most bytes of a table that a job is added to. What a message has room for beyond that is
/// for members that join later.
const TABLE_BYTES: usize = MESSAGE_CAP / 4 * 3;

/// How long the files of a job may take to be made, in milliseconds. Commands behind the start wait
/// as long: it is given up then, since without copies the file system may never make them.
const MAKING_MS: u64 = 30_000;

/// A job whose files are being made.
#[derive(Debug)]
pub(super) struct Starting {
    id: JobId,
    spec: JobSpec,
    /// The files that are not there yet.
    pub(super) files: Vec<JobFile>,
    since_ms: u64,
    asked_ms: u64,
}

impl Leader {
    /// The most commands that wait.
    pub const MAX_COMMANDS: usize = 64;

    /// Takes a command. What it does is in the table once that is durable.
    ///
    /// # Errors
    /// Why not. Nothing happens then.
    pub fn command(
        &mut self,
        now: Now,
        command: Command,
        out: &mut VecDeque<Output>,
    ) -> Result<(), CommandError> {
        self.check(&command)?;
        self.commands.push_back(command);
        self.work(now, out);
        Ok(())
    }

    /// The spec of a job that is in the table, or that is being started.
    #[must_use]
    pub fn spec(&self, id: JobId) -> Option<&JobSpec> {
        let starting = self.starting.as_ref().filter(|starting| starting.id == id);
        let known = || self.newest().jobs.get(&id).map(|job| &job.spec);
        starting.map(|starting| &starting.spec).or_else(known)
    }

    /// The table as it will be once it is written.
    fn newest(&self) -> &Table {
        self.writing.as_ref().unwrap_or(&self.table)
    }

    fn check(&self, command: &Command) -> Result<(), CommandError> {
        if !self.log.is_open() {
            return Err(CommandError::NotReady);
        }
        if self.commands.len() >= Self::MAX_COMMANDS {
            return Err(CommandError::Busy);
        }
        let job = |id: &JobId| self.newest().jobs.get(id).ok_or(CommandError::NoSuchJob);
        match command {
            Command::Start(spec) => self.check_start(spec),
            Command::Cancel(id) => job(id).map(|_| ()),
            Command::Remove(id) if job(id)?.is_finished => Ok(()),
            Command::Abandon(id) if job(id)?.is_ending() => Ok(()),
            Command::Remove(_) | Command::Abandon(_) => Err(CommandError::NotFinished),
            Command::Forget(id, name) => match job(id)?.sources.contains_key(name) {
                true => Ok(()),
                false => Err(CommandError::NoSuchMember),
            },
        }
    }

    fn check_start(&self, spec: &JobSpec) -> Result<(), CommandError> {
        spec.check()?;
        let starts = self.commands.iter().filter_map(|command| match command {
            Command::Start(spec) => Some(spec),
            _ => None,
        });
        let starts: Vec<&JobSpec> = starts.collect();
        let known = self.newest().jobs.values().map(|job| &job.spec);
        let known: Vec<&JobSpec> = known.chain(starts.iter().copied()).collect();
        if known.iter().any(|known| known.name == spec.name) {
            return Err(CommandError::NameTaken);
        }
        if let Some(other) = known.iter().find(|known| known.sink == spec.sink) {
            return Err(CommandError::SinkTaken(other.name.clone()));
        }
        if self.newest().jobs.len() + starts.len() >= MAX_JOBS {
            return Err(CommandError::TooManyJobs);
        }
        let mut table = self.newest().clone();
        for (id, spec) in (u64::MAX - 64..).zip(starts.into_iter().chain([spec])) {
            table.jobs.insert(JobId(id), self.largest(spec));
        }
        match encode(&table).len() {
            bytes if bytes > TABLE_BYTES => Err(CommandError::TableFull),
            _ => Ok(()),
        }
    }

    /// A job with all members as sources, and all stages with the member of the longest name.
    fn largest(&self, spec: &JobSpec) -> Job {
        let mut job = Job::new(spec.clone());
        job.sources = self.members.keys().map(|name| (name.clone(), SourceState::Failed)).collect();
        let owner = self.members.keys().max_by_key(|name| name.as_str().len());
        if let Some(name) = owner {
            let incarnation = memberd_membership::Incarnation(u64::MAX);
            let owner = MemberId { name: name.clone(), incarnation };
            let epoch = Epoch { term: u32::MAX, number: u32::MAX };
            let stages = job.all_stages();
            job.stages =
                stages.map(|stage| (stage, Assignment { owner: owner.clone(), epoch })).collect();
        }
        job
    }

    pub(super) fn carry_out(&mut self, now: Now, table: &mut Table, out: &mut VecDeque<Output>) {
        self.carried = 0;
        self.end_late_start(now, out);
        while let Some(command) = self.commands.get(self.carried).cloned() {
            match command {
                Command::Start(spec) => {
                    let is_there = table.jobs.values().any(|job| job.spec.name == spec.name);
                    if !is_there && !self.start(now, spec, table, out) {
                        return;
                    }
                }
                Command::Cancel(id) => {
                    if let Some(job) = table.jobs.get_mut(&id) {
                        job.is_cancelled = true;
                    }
                }
                Command::Forget(id, name) => {
                    if let Some(job) = table.jobs.get_mut(&id) {
                        job.sources.insert(name, SourceState::Forgotten);
                    }
                }
                Command::Abandon(id) => {
                    if let Some(job) = table.jobs.get_mut(&id) {
                        job.is_finished = true;
                    }
                }
                Command::Remove(id) => {
                    table.jobs.remove(&id);
                }
            }
            self.carried += 1;
        }
    }

    /// Writes down which jobs cannot go on, and which have ended.
    pub(super) fn end_jobs(&mut self, table: &mut Table) {
        let known = &self.table.jobs;
        self.stops.retain(|id, _| known.get(id).is_some_and(|job| !job.is_finished));
        self.finished.retain(|id| known.get(id).is_some_and(|job| !job.is_finished));
        for (id, (ends_sink, reason)) in &self.stops {
            if let Some(job) = table.jobs.get_mut(id) {
                job.stopped.get_or_insert_with(|| reason.clone());
                job.is_finished |= ends_sink;
            }
        }
        for id in &self.finished {
            if let Some(job) = table.jobs.get_mut(id).filter(|job| job.is_ending()) {
                job.is_finished = true;
            }
        }
        for job in table.jobs.values_mut().filter(|job| job.is_finished) {
            job.sources.clear();
            job.stages.clear();
        }
        self.opened.retain(|(id, _), _| table.jobs.get(id).is_some_and(|job| !job.is_finished));
    }

    /// A file of a job that starts is there, or is another's.
    pub(super) fn made(&mut self, file: JobFile, answer: &StoreAnswer, out: &mut VecDeque<Output>) {
        let Some(starting) = &mut self.starting else { return };
        match answer {
            StoreAnswer::Done(_) => starting.files.retain(|waiting| *waiting != file),
            // It has bytes: rows would come behind those of another job.
            StoreAnswer::Changed(_) if starting.files.contains(&file) => {
                out.push_back(Output::Note(Note::NotStarted(starting.spec.name.clone(), file)));
                self.drop_start();
            }
            _ => {}
        }
    }

    /// Gives up a start whose files cannot be made, so that the commands behind it go on.
    fn end_late_start(&mut self, now: Now, out: &mut VecDeque<Output>) {
        let is_late = |starting: &&Starting| {
            !starting.files.is_empty() && starting.since_ms + MAKING_MS <= now.boot_ms
        };
        if let Some(starting) = self.starting.as_ref().filter(is_late) {
            out.push_back(Output::Note(Note::NotMade(starting.spec.name.clone())));
            self.drop_start();
        }
    }

    /// The files that it has stay, empty and known to nobody.
    fn drop_start(&mut self) {
        let Some(Starting { spec, .. }) = self.starting.take() else { return };
        let is_it = |command: &Command| matches!(command, Command::Start(it) if *it == spec);
        self.commands.retain(|command| !is_it(command));
    }

    /// Makes the files of a job, and then puts it into the table. False while files are missing.
    /// Owners make none: a log that is gone must not be taken for one that is new.
    fn start(
        &mut self,
        now: Now,
        spec: JobSpec,
        table: &mut Table,
        out: &mut VecDeque<Output>,
    ) -> bool {
        if self.starting.as_ref().is_none_or(|starting| starting.spec != spec) {
            let id = JobId(self.next_epoch(&mut table.clone()).token());
            let mut files = vec![JobFile::Sink(id)];
            let stages = Job::new(spec.clone()).all_stages();
            files.extend(stages.map(|stage| JobFile::Log(id, stage)));
            self.starting = Some(Starting {
                id,
                spec: spec.clone(),
                files,
                since_ms: now.boot_ms,
                asked_ms: 0,
            });
        }
        let token = Epoch { term: self.term, number: 0 }.token();
        let Some(starting) = &mut self.starting else { return false };
        if starting.files.is_empty() {
            let id = starting.id;
            self.starting = None;
            table.jobs.insert(id, Job::new(spec));
            return true;
        }
        let retry_ms = self.settings.retry_ms;
        if starting.asked_ms == 0 || starting.asked_ms + retry_ms <= now.boot_ms {
            starting.asked_ms = now.boot_ms;
            for file in &starting.files {
                self.asks += 1;
                let id = AskId { token, number: self.asks };
                let operation = StoreOperation::Create { copies: starting.spec.copies };
                out.push_back(Output::Store(StoreAsk { id, file: *file, operation }));
            }
        }
        false
    }
}
