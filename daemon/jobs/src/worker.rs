//! One member's part in all jobs: the source of each, and the stages that the table gives it.
//! Owns them, and hands every input to the part that it concerns.

mod here;
#[cfg(test)]
mod tests;

use crate::ids::{FileKey, JobId, MemberId, Now, Partition, Stage};
use crate::message::Message;
use crate::output::{Folded, Note, Output};
use crate::owner::Owner;
use crate::settings::Settings;
use crate::sink::Sink;
use crate::source::{Acknowledged, Look, Source};
use crate::state::State;
use crate::status::{JobStatus, Lag};
use crate::store::{AskId, JobFile, StoreAnswer};
use crate::sums::Sums;
use crate::table::{Job, JobSpec, Table};
use here::Here;
use memberd_membership::Name;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

/// What makes the sums of a job.
pub type MakeSums<S> = fn(&JobSpec) -> Option<S>;

/// One member's part.
///
/// Its host hands it inputs together with the time. After each it asks [`Worker::poll_output`]
/// until there is no more, and [`Worker::due_ms`] when to wake it. Nothing in it waits, and
/// nothing in it must survive: what must is in the logs.
pub struct Worker<S: Sums> {
    settings: Arc<Settings>,
    own: MemberId,
    make: MakeSums<S>,
    table: Arc<Table>,
    leader: Option<(u32, Name)>,
    jobs: BTreeMap<JobId, Here<S>>,
    /// When the leader is told again what it has to write.
    report_at_ms: u64,
    weighed: Weighed,
    outputs: VecDeque<Output>,
}

impl<S: Sums> fmt::Debug for Worker<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Worker").field("own", &self.own).finish_non_exhaustive()
    }
}

impl<S: Sums> Worker<S> {
    /// A member that has just started. `make` makes the sums of a job; a job of which it makes
    /// none does not run here.
    #[must_use]
    pub fn new(settings: Arc<Settings>, own: MemberId, make: MakeSums<S>) -> Self {
        Worker {
            settings,
            own,
            make,
            table: Arc::default(),
            leader: None,
            jobs: BTreeMap::new(),
            report_at_ms: 0,
            weighed: Weighed::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Worker::handle_timeout`] has something to do, in milliseconds since boot.
    #[must_use]
    pub fn due_ms(&self) -> u64 {
        let of_job = |here: &Here<S>| {
            let owners = here.owners.values().map(Owner::due_ms).min().unwrap_or(u64::MAX);
            let sink = here.sink.as_ref().map_or(u64::MAX, Sink::due_ms);
            let report = if here.has_report() { self.report_at_ms } else { u64::MAX };
            let source = here.source.as_ref().map_or(u64::MAX, Source::due_ms);
            owners.min(sink).min(source).min(report)
        };
        self.jobs.values().map(of_job).min().unwrap_or(u64::MAX)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        let out = &mut self.outputs;
        for here in self.jobs.values_mut() {
            if let Some(source) = &mut here.source {
                source.handle_timeout(now, out);
            }
            for owner in here.owners.values_mut().filter(|owner| owner.due_ms() <= now.boot_ms) {
                owner.handle_timeout(now, out);
            }
            if let Some(sink) = here.sink.as_mut().filter(|sink| sink.due_ms() <= now.boot_ms) {
                sink.handle_timeout(now, out);
            }
        }
        self.after(now);
    }

    /// Takes a look at the files of a job.
    pub fn handle_look(&mut self, now: Now, job: JobId, look: &Look) {
        if let Some(source) = source(&mut self.jobs, job) {
            source.handle_look(now, look, &mut self.outputs);
        }
    }

    /// Takes sums that were asked for: of each range, or None if it cannot be read.
    pub fn handle_folded(&mut self, now: Now, job: JobId, number: u64, folded: &[Option<Folded>]) {
        if let Some(source) = source(&mut self.jobs, job) {
            source.handle_folded(now, number, folded, &mut self.outputs);
        }
    }

    /// Takes an answer about a log or a sink.
    pub fn handle_store(&mut self, now: Now, id: AskId, file: JobFile, answer: StoreAnswer) {
        let out = &mut self.outputs;
        match file {
            JobFile::Log(job, Stage::Partition(partition)) => {
                let here = self.jobs.get_mut(&job);
                if let Some(owner) = here.and_then(|here| here.owners.get_mut(&partition)) {
                    owner.handle_store(now, id, answer, out);
                }
            }
            JobFile::Log(job, Stage::Sink) | JobFile::Sink(job) => {
                let here = self.jobs.get_mut(&job);
                if let Some(sink) = here.and_then(|here| here.sink.as_mut()) {
                    sink.handle_store(now, (id, file), answer, out);
                }
            }
            JobFile::Table => {}
        }
        self.after(now);
    }

    /// Takes what a member said.
    pub fn handle_message(&mut self, now: Now, from: &Name, message: Message) {
        let out = &mut self.outputs;
        match message {
            Message::Table(table) => self.handle_table(now, table),
            Message::Beat { term, version } => self.handle_beat(from, term, version),
            Message::Hello { job, partition, epoch, after } => {
                if let Some(owner) = owner(&mut self.jobs, job, partition)
                    && owner.epoch() == epoch
                {
                    owner.handle_hello(from, after, out);
                }
            }
            Message::Frame(frame) => {
                let room = self.weighed.room(now, &self.settings, &self.jobs);
                if let Some(owner) = owner(&mut self.jobs, frame.job, frame.partition) {
                    owner.set_room(room);
                    owner.handle_frame(now, from, frame, out);
                    self.weighed.bytes += room - owner.room();
                }
            }
            Message::Cursors(cursors) => {
                if let Some(source) = source(&mut self.jobs, cursors.job) {
                    source.handle_cursors(now, from, &cursors, out);
                }
            }
            Message::Rows(rows) => {
                let lists = self.jobs.values().filter_map(|here| here.sink.as_ref());
                let all: usize = lists.map(Sink::lists_bytes).sum();
                let here = self.jobs.get_mut(&rows.job);
                if let Some(sink) = here.and_then(|here| here.sink.as_mut()) {
                    let others = all - sink.lists_bytes();
                    sink.set_room(self.settings.lists_bytes.saturating_sub(others));
                    sink.handle_rows(now, from, &rows, out);
                }
            }
            Message::RowsTaken { job, partition, epoch, next } => {
                if let Some(owner) = owner(&mut self.jobs, job, partition) {
                    owner.handle_rows_taken(now, from, (epoch, next), out);
                }
            }
            Message::AskClosed { job, partition, epoch, until } => {
                if let Some(owner) = owner(&mut self.jobs, job, partition) {
                    owner.handle_ask_closed(now, from, (epoch, until), out);
                }
            }
            Message::AskTable
            | Message::Opened { .. }
            | Message::Stop { .. }
            | Message::Finished { .. } => {}
        }
        self.after(now);
    }

    fn handle_beat(&mut self, from: &Name, term: u32, version: u64) {
        if self.leader.as_ref().is_none_or(|(known, _)| *known < term) {
            self.leader = Some((term, from.clone()));
            self.report_at_ms = 0;
            for (id, here) in &self.jobs {
                for (stage, epoch) in here.open() {
                    let opened = Message::Opened { job: *id, stage, epoch };
                    self.outputs.push_back(Output::Send(from.clone(), opened));
                }
            }
        }
        if version > self.table.version {
            self.outputs.push_back(Output::Send(from.clone(), Message::AskTable));
        }
    }

    /// Begins and ends what a newer table says.
    fn handle_table(&mut self, now: Now, table: Arc<Table>) {
        if table.version <= self.table.version {
            return;
        }
        // A leader takes no job whose spec is none, so no leader that keeps the rules wrote it.
        let runs = |job: &Job| !job.is_finished && job.spec.check().is_ok();
        self.jobs.retain(|id, _| table.jobs.get(id).is_some_and(runs));
        for (id, job) in table.jobs.iter().filter(|(_, job)| !job.is_finished) {
            if !runs(job) {
                self.outputs.push_back(Output::Note(Note::CannotRun(*id)));
                continue;
            }
            let job = Arc::new(job.clone());
            if !self.jobs.contains_key(id) {
                let Some(sums) = (self.make)(&job.spec) else {
                    self.outputs.push_back(Output::Note(Note::CannotRun(*id)));
                    continue;
                };
                self.jobs.insert(*id, Here::new(sums));
            }
            if let Some(here) = self.jobs.get_mut(id) {
                here.obey(now, (&self.settings, &self.own, *id), &job, &mut self.outputs);
            }
        }
        self.table = table;
        self.handle_timeout(now);
    }

    /// Drops the stages that have ended, and tells the leader of those that are open now, and of
    /// those that cannot go on.
    fn after(&mut self, now: Now) {
        for output in &self.outputs {
            if let Output::Note(note) = output {
                self.jobs.iter_mut().for_each(|(id, here)| here.note(*id, note));
            }
        }
        for here in self.jobs.values_mut() {
            let ended = &mut here.ended;
            here.owners.retain(|partition, owner| {
                if owner.has_ended() {
                    ended.insert(Stage::Partition(*partition), owner.epoch());
                }
                !owner.has_ended()
            });
            if let Some(sink) = here.sink.take_if(|sink| sink.has_ended()) {
                ended.insert(Stage::Sink, sink.epoch());
            }
        }
        self.report(now);
        let Some((_, leader)) = &self.leader else { return };
        let mut opened = Vec::new();
        for output in &self.outputs {
            if let Output::Note(Note::Opened(job, stage)) = output
                && let Some(epoch) = self.jobs.get(job).and_then(|here| here.epoch(*stage))
            {
                let message = Message::Opened { job: *job, stage: *stage, epoch };
                opened.push(Output::Send(leader.clone(), message));
            }
        }
        self.outputs.extend(opened);
    }

    /// Tells the leader again and again what it has to write into the table.
    fn report(&mut self, now: Now) {
        if self.report_at_ms > now.boot_ms || !self.jobs.values().any(Here::has_report) {
            return;
        }
        self.report_at_ms = now.boot_ms + self.settings.retry_ms;
        let Some((_, leader)) = &self.leader else { return };
        for message in self.jobs.iter().flat_map(|(id, here)| here.reports(*id)) {
            self.outputs.push_back(Output::Send(leader.clone(), message));
        }
    }

    /// The newest table that it has seen.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// How far a job is here. None if it does not run here.
    #[must_use]
    pub fn status(&self, now: Now, job: JobId) -> Option<JobStatus> {
        let here = self.jobs.get(&job)?;
        let lag = here.source.as_ref().map_or(Some(Lag::default()), |source| source.lag(now));
        Some(JobStatus {
            partitions: here.owners.values().map(Owner::status).collect(),
            sink: here.sink.as_ref().map(Sink::status),
            lag,
        })
    }

    /// The state of a partition, with what is on its way into the log. None if it is not open here.
    #[must_use]
    pub fn state(&self, job: JobId, partition: Partition) -> Option<&State<S::Table>> {
        let owner = self.jobs.get(&job)?.owners.get(&partition)?;
        owner.is_open().then(|| owner.state())
    }

    /// About how many bytes the sums of each partition take here.
    pub fn weights(&self) -> impl Iterator<Item = (JobId, Partition, usize)> {
        self.jobs.iter().flat_map(|(id, here)| {
            let owners = here.owners.iter();
            owners.map(|(partition, owner)| (*id, *partition, owner.weight()))
        })
    }

    /// What the source of a job knows to be durable.
    #[must_use]
    pub fn acknowledged(&self, job: JobId) -> Acknowledged {
        let here = self.jobs.get(&job).and_then(|here| here.source.as_ref());
        here.map_or_else(Vec::new, Source::acknowledged)
    }

    /// Below this, bytes of a file are durable in all partitions. A host that keeps a deleted file
    /// open may let go of them.
    #[must_use]
    pub fn released(&self, job: JobId, file: FileKey) -> u64 {
        let Some(here) = self.jobs.get(&job) else { return 0 };
        here.source.as_ref().map_or(u64::MAX, |source| source.released(file))
    }
}

/// What the owners of a member take of its memory. To weigh them costs time, so in between it is
/// reckoned from what they took since.
#[derive(Debug, Default)]
struct Weighed {
    bytes: usize,
    /// When they are weighed again, in milliseconds since boot.
    at_ms: u64,
}

impl Weighed {
    /// How many bytes more they may take.
    fn room<S: Sums>(
        &mut self,
        now: Now,
        settings: &Settings,
        jobs: &BTreeMap<JobId, Here<S>>,
    ) -> usize {
        if self.at_ms <= now.boot_ms {
            self.at_ms = now.boot_ms + settings.look_ms;
            let owners = jobs.values().flat_map(|here| here.owners.values());
            self.bytes = owners.map(Owner::memory).sum();
        }
        settings.member_bytes.saturating_sub(self.bytes)
    }
}

fn source<S: Sums>(jobs: &mut BTreeMap<JobId, Here<S>>, job: JobId) -> Option<&mut Source> {
    jobs.get_mut(&job)?.source.as_mut()
}

fn owner<S: Sums>(
    jobs: &mut BTreeMap<JobId, Here<S>>,
    job: JobId,
    partition: Partition,
) -> Option<&mut Owner<S>> {
    jobs.get_mut(&job)?.owners.get_mut(&partition)
}
