//! The leader of the jobs: gives stages to members, and writes that into the table before anybody
//! hears of it. Owns the table while it leads. Data flows without it.

mod commands;
mod plan;
#[cfg(test)]
mod tests;

use crate::ids::{Epoch, JobId, MemberId, Now, Stage};
use crate::log::{Heard, Log};
use crate::message::Message;
use crate::output::{Note, Output};
use crate::record::{RecordError, encode, entries};
use crate::settings::Settings;
use crate::store::{AskId, JobFile, StoreAnswer, StoreAsk};
use crate::table::{Job, JobSpec, Table};
use commands::Starting;
use memberd_membership::{Name, VersionedTags};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub use commands::{Command, CommandError};

/// A member as the agreed view and the list of the ring have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberState {
    /// Who.
    pub member: MemberId,
    /// Whether it is up. A mistake costs time and nothing else.
    pub is_alive: bool,
    /// False once it has said that it has no jobs: it owns nothing, and no window waits for it.
    pub has_jobs: bool,
    /// Its tags. Version 0: they are not known.
    pub tags: VersionedTags,
}

impl MemberState {
    /// Whether its files count for a job. None: nobody knows yet.
    fn takes_part(&self, spec: &JobSpec) -> Option<bool> {
        let has = |(key, value): &(String, String)| {
            self.tags.get(key).is_some_and(|tag| tag.as_str() == value)
        };
        match self.has_jobs {
            false => Some(false),
            true if spec.tags.is_empty() => Some(true),
            true => (self.tags.version() > 0).then(|| spec.tags.iter().all(has)),
        }
    }
}

/// The most characters of why a job stops.
const MAX_REASON: usize = 300;

/// The leader, in one term.
#[derive(Debug)]
pub struct Leader {
    settings: Arc<Settings>,
    term: u32,
    log: Log,
    table: Arc<Table>,
    /// The newest table that was seen before: no other one may look older than it.
    known: (u64, Epoch),
    /// What is on its way into the file.
    writing: Option<Table>,
    /// The epochs of this term that were given, even if nobody ever saw them.
    given: u32,
    members: BTreeMap<Name, MemberState>,
    changed_ms: u64,
    /// Commands that are not durable in the table.
    commands: VecDeque<Command>,
    /// How many of them are in what is on its way.
    carried: usize,
    starting: Option<Starting>,
    /// The stages that are open, and under which epoch.
    opened: BTreeMap<(JobId, Stage), Epoch>,
    /// Jobs that cannot go on: whether nobody writes the last line of the sink, and why.
    stops: BTreeMap<JobId, (bool, String)>,
    /// Jobs whose sinks have their last lines.
    finished: BTreeSet<JobId>,
    beat_at_ms: u64,
    asks: u64,
    /// Whether it was said that a member is left out.
    is_full: bool,
}

impl Leader {
    /// A leader that was elected in this term. No other one ever is.
    #[must_use]
    pub fn new(settings: Arc<Settings>, term: u32, now: Now) -> Leader {
        let token = Epoch { term, number: 0 }.token();
        Leader {
            settings,
            term,
            log: Log::new(JobFile::Table, token),
            table: Arc::default(),
            known: (0, Epoch::default()),
            writing: None,
            given: 0,
            members: BTreeMap::new(),
            changed_ms: now.boot_ms,
            commands: VecDeque::new(),
            carried: 0,
            starting: None,
            opened: BTreeMap::new(),
            stops: BTreeMap::new(),
            finished: BTreeSet::new(),
            beat_at_ms: now.boot_ms,
            asks: 0,
            is_full: false,
        }
    }

    /// Takes the newest table that this member has seen. Whatever the file has comes after it for
    /// all members, even if people have removed all jobs with their files.
    pub fn know(&mut self, table: &Table) {
        self.known = (table.version, table.newest);
    }

    /// Its term.
    #[must_use]
    pub fn term(&self) -> u32 {
        self.term
    }

    /// Whether another leader has the table: this one may be dropped.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.log.has_ended()
    }

    /// The table, once it was read.
    #[must_use]
    pub fn table(&self) -> Option<&Arc<Table>> {
        self.log.is_open().then_some(&self.table)
    }

    /// When [`Leader::handle_timeout`] has something to do, in milliseconds since boot.
    #[must_use]
    pub fn due_ms(&self) -> u64 {
        self.log.due_ms(&self.settings).unwrap_or(u64::MAX).min(self.beat_at_ms)
    }

    /// Takes the members, all of them.
    pub fn handle_members(
        &mut self,
        now: Now,
        members: &[MemberState],
        out: &mut VecDeque<Output>,
    ) {
        let members = members.iter().map(|state| (state.member.name.clone(), state.clone()));
        let members: BTreeMap<Name, MemberState> = members.collect();
        if members != self.members {
            self.members = members;
            self.changed_ms = now.boot_ms;
        }
        self.work(now, out);
    }

    /// Takes what a member said.
    pub fn handle_message(&mut self, from: &Name, message: &Message, out: &mut VecDeque<Output>) {
        match message {
            Message::AskTable if self.log.is_open() => {
                let table = Message::Table(Arc::clone(&self.table));
                out.push_back(Output::Send(from.clone(), table));
            }
            Message::Opened { job, stage, epoch } => {
                let known = self.opened.entry((*job, *stage)).or_default();
                *known = (*known).max(*epoch);
            }
            Message::Stop { job, stage, epoch, reason, has_log }
                if self.owns(from, *job, *stage, *epoch) =>
            {
                let reason = reason.chars().take(MAX_REASON).collect();
                let ends_sink = *stage == Stage::Sink && !has_log;
                self.stops.insert(*job, (ends_sink, reason));
            }
            Message::Finished { job, epoch }
                if self.owns(from, *job, Stage::Sink, *epoch)
                    && self.table.jobs.get(job).is_some_and(Job::is_ending) =>
            {
                self.finished.insert(*job);
            }
            _ => {}
        }
    }

    /// Whether a member has a stage under this epoch.
    fn owns(&self, name: &Name, job: JobId, stage: Stage, epoch: Epoch) -> bool {
        let assignment = self.table.jobs.get(&job).and_then(|job| job.stages.get(&stage));
        assignment.is_some_and(|it| it.owner.name == *name && it.epoch == epoch)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now, out: &mut VecDeque<Output>) {
        self.work(now, out);
        if self.beat_at_ms <= now.boot_ms {
            self.beat_at_ms = now.boot_ms + self.settings.beat_ms;
            if self.log.is_open() {
                let (term, version) = (self.term, self.table.version);
                self.tell(&Message::Beat { term, version }, out);
            }
        }
    }

    /// Takes an answer about the table, or about a file of a job that starts.
    pub fn handle_store(
        &mut self,
        now: Now,
        (id, file): (AskId, JobFile),
        answer: StoreAnswer,
        out: &mut VecDeque<Output>,
    ) {
        if file == JobFile::Table {
            let (heard, ask) = self.log.answer(now.boot_ms, &self.settings, id, answer);
            self.heard(now, heard, ask, out);
        } else {
            self.made(file, &answer, out);
        }
        self.work(now, out);
    }

    fn heard(&mut self, now: Now, heard: Heard, ask: Option<StoreAsk>, out: &mut VecDeque<Output>) {
        out.extend(ask.map(Output::Store));
        match heard {
            Heard::Nothing | Heard::Deposed => {}
            Heard::Opened(bytes) => match read_table(&bytes) {
                Ok(table) => {
                    let table = self.after_known(table);
                    self.table = Arc::new(table);
                    self.tell(&Message::Table(Arc::clone(&self.table)), out);
                }
                Err(error) => {
                    out.push_back(Output::Note(Note::TableUnreadable(error.to_string())));
                    self.log.reopen(now.boot_ms + 60_000, &self.settings);
                }
            },
            Heard::Written => {
                if let Some(table) = self.writing.take() {
                    self.commands.drain(..self.carried);
                    self.table = Arc::new(table);
                    self.tell(&Message::Table(Arc::clone(&self.table)), out);
                }
            }
            // What was on its way is done again, if the table does not have it.
            Heard::Doubt => self.writing = None,
            // No leader makes it: it would take a table that is lost for one without jobs.
            Heard::Lost => out.push_back(Output::Note(Note::TableLost)),
        }
    }

    /// A table that was made anew by people comes after what is known here.
    fn after_known(&self, table: Table) -> Table {
        let (version, newest) = self.known;
        if table.version >= version { table } else { table.beyond(version, newest) }
    }

    fn tell(&self, message: &Message, out: &mut VecDeque<Output>) {
        for state in self.members.values().filter(|state| state.is_alive) {
            out.push_back(Output::Send(state.member.name.clone(), message.clone()));
        }
    }

    fn work(&mut self, now: Now, out: &mut VecDeque<Output>) {
        let (heard, ask) = self.log.work(now.boot_ms, &self.settings);
        self.heard(now, heard, ask, out);
        if !self.log.is_ready() || self.writing.is_some() {
            return;
        }
        let mut table = Table::clone(&self.table);
        self.carry_out(now, &mut table, out);
        self.end_jobs(&mut table);
        self.place(now, &mut table, out);
        if table == *self.table {
            self.commands.drain(..self.carried);
            return;
        }
        table.version += 1;
        let bytes = encode(&table);
        self.writing = Some(table);
        out.push_back(Output::Store(self.log.replace(now.boot_ms, bytes)));
    }

    fn next_epoch(&mut self, table: &mut Table) -> Epoch {
        if table.newest.term == self.term {
            self.given = self.given.max(table.newest.number);
        }
        self.given += 1;
        table.newest = Epoch { term: self.term, number: self.given };
        table.newest
    }
}

/// The content of the file of a table.
#[must_use]
pub fn table_bytes(table: &Table) -> Vec<u8> {
    encode(table)
}

/// Reads the table of a file's content. An empty file has no jobs.
///
/// # Errors
/// When the bytes are no table.
pub fn read_table(bytes: &[u8]) -> Result<Table, RecordError> {
    Ok(entries(bytes)?.pop().unwrap_or_default())
}
