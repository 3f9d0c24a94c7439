//! One member's part in durable jobs, without I/O and without a clock: its [`Worker`], the
//! [`Leader`] while this member leads, and the changes of the table that people wait for.

mod changes;
mod lost;
#[cfg(test)]
mod tests;

pub(super) use changes::{Change, ChangeError, Changed};

use super::group::Group;
use super::sums::sums_of;
use changes::Changes;
use lost::Lost;
use memberd_jobs::{
    AskId, FoldAsk, Folded, Job, JobFile, JobId, JobSpec, Leader, Look, MemberId, MemberState,
    Message, Name, Note, Now, Output, Settings, StoreAnswer, StoreAsk, StreamSums, Table, Worker,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A look that is not answered after this many times `look_ms` is asked for again: its thread may
/// have ended.
const LOOK_TRIES: u64 = 100;

/// How often who leads looks for a job table that is not there, in milliseconds. Who begins the
/// first job makes it, and says so.
const FIND_MS: u64 = 30_000;

/// How long the table keeps a job that has ended, in milliseconds: people see how it ended, and
/// then its name is free.
const KEEP_MS: u64 = 60_000;

/// Something for the task to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Send this to another member.
    Send(Name, Message),
    /// Ask the file system.
    Store(StoreAsk),
    /// Find out whether there is a job table.
    FindTable,
    /// Make the table that is lost, with these jobs. None: no member knows any.
    RestoreTable(Option<Arc<Table>>),
    /// The leader of this term has read the table: files of jobs that it has not may go.
    TableRead(Arc<Table>, u32),
    /// Look at the files of a job on this machine.
    Look(JobId, Arc<JobSpec>),
    /// Sum ranges of them.
    Fold(FoldAsk, Arc<JobSpec>),
    /// Delete the logs of a job that has ended.
    Remove(JobId),
    /// Tell people.
    Note(Note),
}

/// The looks at the files of one job.
#[derive(Debug)]
struct Looks {
    spec: Arc<JobSpec>,
    due_ms: u64,
}

/// This member's part.
#[derive(Debug)]
pub(super) struct Engine {
    settings: Arc<Settings>,
    own: Name,
    /// None while this machine is out of the group.
    worker: Option<Worker<StreamSums>>,
    member: Option<MemberId>,
    members: Vec<MemberState>,
    /// How many workers there were. What was read for one is nothing to the next.
    life: u64,
    /// The term in which this member leads.
    term: Option<u32>,
    /// Who leads, as far as is known here. The table of another one is not obeyed.
    lead: Option<Name>,
    /// None before there is a table.
    leader: Option<Leader>,
    /// The table that is lost, while members say what they know of it.
    lost: Option<Lost>,
    /// When to look for a table, in milliseconds since boot.
    find_at_ms: u64,
    has_read_table: bool,
    changes: Changes,
    looks: BTreeMap<JobId, Looks>,
    /// Who leads removes jobs that have ended, at these times in milliseconds since boot.
    ended: BTreeMap<JobId, u64>,
    /// What the leader asks for.
    outputs: VecDeque<Output>,
    work: VecDeque<Work>,
}

impl Engine {
    /// The part of the member of this name, which is in no group yet.
    pub(super) fn new(own: Name, settings: Arc<Settings>) -> Engine {
        Engine {
            settings,
            own,
            worker: None,
            member: None,
            members: Vec::new(),
            life: 0,
            term: None,
            lead: None,
            leader: None,
            lost: None,
            find_at_ms: u64::MAX,
            has_read_table: false,
            changes: Changes::default(),
            looks: BTreeMap::new(),
            ended: BTreeMap::new(),
            outputs: VecDeque::new(),
            work: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub(super) fn poll_work(&mut self) -> Option<Work> {
        self.work.pop_front()
    }

    /// When [`Engine::handle_timeout`] has something to do, in milliseconds since boot.
    pub(super) fn due_ms(&self) -> u64 {
        let worker = self.worker.as_ref().map_or(u64::MAX, Worker::due_ms);
        let leader = self.leader.as_ref().map_or(u64::MAX, Leader::due_ms);
        let looks = self.looks.values().map(|looks| looks.due_ms).min().unwrap_or(u64::MAX);
        let ended = self.ended.values().copied().min().unwrap_or(u64::MAX);
        let lost = self.lost.as_ref().map_or(u64::MAX, |lost| lost.due_ms);
        worker.min(leader).min(looks).min(ended).min(lost).min(self.find_at_ms)
    }

    /// Which worker there is: an answer to what another one asked says nothing.
    pub(super) fn life(&self) -> u64 {
        self.life
    }

    /// The newest table that this member has seen.
    pub(super) fn table(&self) -> Arc<Table> {
        let leader = self.leader.as_ref().and_then(Leader::table);
        let worker = self.worker.as_ref().map(Worker::table);
        let tables = leader.into_iter().chain(worker);
        tables.max_by_key(|table| table.version).cloned().unwrap_or_default()
    }

    /// Its worker.
    pub(super) fn worker(&self) -> Option<&Worker<StreamSums>> {
        self.worker.as_ref()
    }

    /// The path of the sink that a file of the file system belongs to. Empty for the table.
    pub(super) fn sink_of(&self, file: JobFile) -> String {
        let (JobFile::Log(job, _) | JobFile::Sink(job)) = file else { return String::new() };
        let starting = self.leader.as_ref().and_then(|leader| leader.spec(job));
        let spec = starting.or_else(|| {
            let table = self.worker.as_ref()?.table();
            table.jobs.get(&job).map(|job| &job.spec)
        });
        spec.map_or_else(String::new, |spec| spec.sink.clone())
    }

    /// Whether this machine reads its files for a job.
    pub(super) fn reads(&self, job: JobId) -> bool {
        self.looks.contains_key(&job)
    }

    /// Whether it leads the jobs.
    pub(super) fn leads(&self) -> bool {
        self.term.is_some()
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Now) {
        if let Some(worker) = &mut self.worker {
            worker.handle_timeout(now);
        }
        if let Some(leader) = &mut self.leader {
            leader.handle_timeout(now, &mut self.outputs);
        }
        self.restore_if_due(now);
        if self.find_at_ms <= now.boot_ms {
            self.find_at_ms = now.boot_ms + FIND_MS;
            self.work.push_back(Work::FindTable);
        }
        for (job, due_ms) in self.ended.iter_mut().filter(|(_, due_ms)| **due_ms <= now.boot_ms) {
            *due_ms = now.boot_ms + KEEP_MS;
            self.work.push_back(Work::Remove(*job));
        }
        for (job, looks) in &mut self.looks {
            if looks.due_ms <= now.boot_ms {
                looks.due_ms = now.boot_ms + LOOK_TRIES * self.settings.look_ms;
                self.work.push_back(Work::Look(*job, Arc::clone(&looks.spec)));
            }
        }
        self.drain(now);
    }

    /// Takes who is there and who leads.
    pub(super) fn handle_group(&mut self, now: Now, group: &Group) {
        if self.member != group.own {
            self.member.clone_from(&group.own);
            self.life += 1;
            self.looks.clear();
            let settings = Arc::clone(&self.settings);
            let worker = |own| Worker::new(settings, own, sums_of);
            self.worker = group.own.clone().map(worker);
        }
        self.follow_lead(now, group);
        self.lead = group.lead.as_ref().map(|lead| lead.name.clone());
        self.members.clone_from(&group.members);
        if let Some(leader) = &mut self.leader {
            leader.handle_members(now, &group.members, &mut self.outputs);
        }
        self.drain(now);
    }

    fn follow_lead(&mut self, now: Now, group: &Group) {
        let lead = group.lead.as_ref().filter(|lead| lead.name == self.own);
        match lead {
            Some(lead) if self.term == Some(lead.term) => {}
            Some(lead) if lead.is_sure => {
                (self.term, self.leader, self.lost) = (Some(lead.term), None, None);
                self.find_at_ms = now.boot_ms;
            }
            // What a former process of this machine was is not what this one is.
            Some(_) | None => {
                (self.term, self.leader, self.lost) = (None, None, None);
                self.find_at_ms = u64::MAX;
            }
        }
    }

    /// Takes what another member said.
    pub(super) fn handle_message(&mut self, now: Now, from: &Name, message: Message) {
        if self.hears_of_lost(from, &message) {
            return;
        }
        // A leader that is not known here yet says it again.
        let is_leaders = matches!(message, Message::Table(_) | Message::Beat { .. });
        if is_leaders && self.lead.as_ref() != Some(from) {
            return;
        }
        self.deliver(now, from, message);
        self.drain(now);
    }

    /// Takes an answer of the file system.
    pub(super) fn handle_store(
        &mut self,
        now: Now,
        (id, file): (AskId, JobFile),
        answer: StoreAnswer,
    ) {
        // A leader's token has no number, and no owner has such a one.
        let is_leaders = |leader: &&mut Leader| id.token == u64::from(leader.term()) << 32;
        if let Some(leader) = self.leader.as_mut().filter(is_leaders) {
            leader.handle_store(now, (id, file), answer, &mut self.outputs);
        } else if let Some(worker) = &mut self.worker {
            worker.handle_store(now, id, file, answer);
        }
        self.drain(now);
    }

    /// Takes a look that was asked for in this life.
    pub(super) fn handle_look(&mut self, now: Now, job: JobId, look: &Look) {
        let Some(looks) = self.looks.get_mut(&job) else { return };
        looks.due_ms = now.boot_ms + self.settings.look_ms;
        if let Some(worker) = &mut self.worker {
            worker.handle_look(now, job, look);
        }
        self.drain(now);
    }

    /// Takes the sums that were asked for in this life.
    pub(super) fn handle_folded(
        &mut self,
        now: Now,
        (job, number): (JobId, u64),
        folded: &[Option<Folded>],
    ) {
        if let Some(worker) = &mut self.worker {
            worker.handle_folded(now, job, number, folded);
        }
        self.drain(now);
    }

    /// Begins a change of the table. The reply comes once the table has it.
    pub(super) fn change(
        &mut self,
        now: Now,
        change: Change,
        reply: oneshot::Sender<Result<Changed, ChangeError>>,
    ) {
        let Some(leader) = &mut self.leader else {
            let is_leader = self.term.is_some();
            let error = if is_leader { ChangeError::NoTable } else { ChangeError::NotLeader };
            // Who asked may have gone.
            let _ = reply.send(Err(error));
            return;
        };
        self.changes.begin(now, change, reply, leader, &mut self.outputs);
        self.drain(now);
    }

    /// The logs of a job that has ended are deleted.
    pub(super) fn handle_removed(&mut self, now: Now, job: JobId) {
        if let Some(leader) = &mut self.leader {
            // Who cannot take it is told again later.
            let _ = leader.command(now, memberd_jobs::Command::Remove(job), &mut self.outputs);
        }
        self.drain(now);
    }

    fn deliver(&mut self, now: Now, from: &Name, message: Message) {
        match message {
            Message::AskTable
            | Message::Opened { .. }
            | Message::Stop { .. }
            | Message::Finished { .. } => {
                if let Some(leader) = &mut self.leader {
                    leader.handle_message(from, &message, &mut self.outputs);
                }
            }
            message => {
                if let Some(worker) = &mut self.worker {
                    worker.handle_message(now, from, message);
                }
            }
        }
    }

    /// Passes on what worker and leader ask for. What they say to this member is heard at once.
    fn drain(&mut self, now: Now) {
        let own = self.own.clone();
        while let Some(output) = self.next_output() {
            match output {
                Output::Send(to, message) if to == own => self.deliver(now, &own, message),
                Output::Send(to, message) => self.work.push_back(Work::Send(to, message)),
                Output::Store(ask) => self.work.push_back(Work::Store(ask)),
                Output::Fold(ask) => {
                    if let Some(looks) = self.looks.get(&ask.job) {
                        self.work.push_back(Work::Fold(ask, Arc::clone(&looks.spec)));
                    }
                }
                Output::Note(note) => {
                    if note == Note::TableLost {
                        (self.leader, self.find_at_ms) = (None, now.boot_ms);
                    }
                    self.changes.note(&note);
                    self.work.push_back(Work::Note(note));
                }
            }
        }
        self.follow_table(now);
        let Some(leader) = &self.leader else {
            self.ended.clear();
            let leads = self.term.is_some();
            let error = if leads { ChangeError::NoTable } else { ChangeError::NotLeader };
            return self.changes.end(&error);
        };
        self.changes.settle(leader);
        if let Some(table) = leader.table() {
            let has_ended = |id: &JobId| table.jobs.get(id).is_some_and(|job| job.is_finished);
            self.ended.retain(|id, _| has_ended(id));
            for id in table.jobs.keys().filter(|id| has_ended(id)) {
                self.ended.entry(*id).or_insert(now.boot_ms + KEEP_MS);
            }
        }
        if let Some(table) = leader.table().filter(|_| !self.has_read_table) {
            self.has_read_table = true;
            self.work.push_back(Work::TableRead(Arc::clone(table), leader.term()));
        }
    }

    fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front().or_else(|| self.worker.as_mut()?.poll_output())
    }

    /// Looks at the files of the jobs that the worker has, and of no others.
    fn follow_table(&mut self, now: Now) {
        let Some(worker) = &self.worker else { return };
        let table = Arc::clone(worker.table());
        let own = &self.own;
        let reads = |job: &Job| !job.is_ending() && job.sources.contains_key(own);
        let runs = |job: &JobId| table.jobs.get(job).is_some_and(reads);
        self.looks.retain(|job, _| runs(job));
        for (id, job) in table.jobs.iter().filter(|(id, _)| runs(id)) {
            self.looks
                .entry(*id)
                .or_insert_with(|| Looks { spec: Arc::new(job.spec.clone()), due_ms: now.boot_ms });
        }
    }
}
