//! What must hold at every step, held against the files themselves. It is told of facts alone:
//! what the store did, and what was sent. It folds lines directly, and knows nothing of how owners
//! decide.
//!
//! - I1 ranges of a file tile `start..cursor`; I2 the state is the fold of exactly those bytes
//! - I3 no write succeeds with a smaller token than one that has read the file
//! - I4 the sink is the rows of all partitions, each once and in order
//! - I5 nothing is acknowledged that is not durable
//! - I6 no watermark passes a line that is neither counted nor late
//! - I7 an epoch has one owner
//! - I8 sums stay within their memory (`sim.rs`)
//! - I9 a cursor is dropped once nobody can need it, and not before

use super::lines::LogFile;
use super::listing::Listing;
use super::setup::Setup;
use super::shadow::Shadow;
use super::sim::Machine;
use super::store::Stored;
use super::sums::{Counting, Order};
use memberd_jobs::{
    Acknowledged, Entry, Epoch, JobFile, JobId, JobSpec, Message, OnFailed, Partition, SinkRecord,
    SinkState, SourceState, Stage, State, StoreAnswer, StoreAsk, StoreOperation as Operation,
    WindowTimes, entries, read_table,
};
use std::collections::{BTreeMap, BTreeSet};

pub type Judged = Result<(), String>;

/// What a file's token has seen.
#[derive(Debug, Default)]
struct Seen {
    token: u64,
    writes: u64,
}

pub struct Oracle {
    pub job: Option<JobId>,
    pub spec: JobSpec,
    pub shadows: BTreeMap<Partition, Shadow>,
    sink: SinkState,
    /// What it must have, if the job lists the first rows of windows.
    pub listing: Listing,
    /// All rows of the sink whose place is durable.
    pub text: Vec<u8>,
    readers: BTreeMap<JobFile, Seen>,
    owners: BTreeMap<(Stage, Epoch), usize>,
    forgotten: bool,
    /// What the table says of the job's end.
    pub is_cancelled: bool,
    pub stopped: Option<String>,
    pub is_finished: bool,
    /// Where the texts of records end: lists come whole.
    ends: BTreeSet<usize>,
    pub records: u64,
    pub images: u64,
}

impl Oracle {
    pub fn new(setup: &Setup) -> Oracle {
        Oracle {
            job: None,
            spec: setup.spec.clone(),
            shadows: BTreeMap::new(),
            sink: SinkState::default(),
            listing: Listing::default(),
            text: Vec::new(),
            readers: BTreeMap::new(),
            owners: BTreeMap::new(),
            forgotten: false,
            is_cancelled: false,
            stopped: None,
            is_finished: false,
            ends: BTreeSet::new(),
            records: 0,
            images: 0,
        }
    }

    pub fn counting(&self) -> Counting {
        Counting::make(&self.spec).unwrap()
    }

    fn times(&self) -> WindowTimes {
        self.spec.times()
    }

    /// An operation of the store is done.
    pub fn stored(
        &mut self,
        machines: &[Machine],
        ask: &StoreAsk,
        at: usize,
        (file, before): (Option<&Stored>, usize),
        answer: &StoreAnswer,
    ) -> Judged {
        let Some(stored) = file else { return Ok(()) };
        let seen = self.readers.entry(ask.file).or_default();
        match (&ask.operation, answer) {
            (Operation::Read { .. }, StoreAnswer::Bytes(..)) => {
                seen.token = seen.token.max(ask.id.token);
                return Ok(());
            }
            (Operation::Append { .. } | Operation::Replace { .. }, StoreAnswer::Done(_)) => {}
            _ => return Ok(()),
        }
        if ask.id.token < seen.token {
            return Err(format!("I3: {ask:?} after {:?} was read by {}", ask.file, seen.token));
        }
        seen.writes += 1;
        let writes = seen.writes;
        let is_whole = matches!(ask.operation, Operation::Replace { .. });
        let new = if is_whole { &stored.bytes[..] } else { &stored.bytes[before..] };
        match ask.file {
            JobFile::Table => self.table(new),
            JobFile::Sink(_) => self.appended(before, new),
            JobFile::Log(_, stage) => {
                self.one_owner(stage, ask.id.token, at)?;
                match stage {
                    Stage::Sink => self.sink_records(new),
                    Stage::Partition(partition) => {
                        self.partition_records(machines, partition, new)?;
                        let often = writes.is_multiple_of(40);
                        if often { self.compare(partition, &stored.bytes) } else { Ok(()) }
                    }
                }
            }
        }
    }

    fn one_owner(&mut self, stage: Stage, token: u64, at: usize) -> Judged {
        let epoch = Epoch { term: (token >> 32) as u32, number: token as u32 };
        let owner = *self.owners.entry((stage, epoch)).or_insert(at);
        if owner == at {
            return Ok(());
        }
        Err(format!("I7: vm{owner} and vm{at} both have {stage:?} under {epoch:?}"))
    }

    fn table(&mut self, bytes: &[u8]) -> Judged {
        let table = read_table(bytes).map_err(|error| format!("the table: {error}"))?;
        for (id, job) in &table.jobs {
            if *self.job.get_or_insert(*id) != *id {
                return Err(format!("I7: {id:?} began beside {:?}", self.job));
            }
            for (stage, assignment) in &job.stages {
                let owner = super::sim::index(&assignment.owner.name);
                let known = *self.owners.entry((*stage, assignment.epoch)).or_insert(owner);
                if known != owner {
                    let epoch = assignment.epoch;
                    return Err(format!("I7: vm{known} and vm{owner} get {stage:?}, {epoch:?}"));
                }
            }
            self.is_cancelled |= job.is_cancelled;
            self.stopped = self.stopped.take().or_else(|| job.stopped.clone());
            self.is_finished |= job.is_finished;
            if job.is_finished && !self.sink.is_last {
                return Err("I4: the job has ended, and the sink has not".to_owned());
            }
            self.forgotten |= job.sources.values().any(|it| *it == SourceState::Forgotten);
        }
        Ok(())
    }

    fn partition_records(
        &mut self,
        machines: &[Machine],
        partition: Partition,
        bytes: &[u8],
    ) -> Judged {
        let read: Vec<Entry> = entries(bytes).map_err(|error| format!("a log: {error}"))?;
        let (counting, times) = (self.counting(), self.times());
        for entry in read {
            self.records += 1;
            self.images += u64::from(matches!(entry, Entry::Image(_)));
            let new = || Shadow::new(partition, &self.spec, counting, times);
            let shadow = self.shadows.entry(partition).or_insert_with(new);
            let before = shadow.watermark;
            shadow.take(machines, &entry)?;
            if shadow.is_last && !self.is_cancelled {
                return Err(format!("I6: {partition:?} ended without a reason"));
            }
            if shadow.watermark > before && !shadow.is_last {
                let excludes = self.spec.on_failed == OnFailed::Exclude;
                shadow.no_line_is_passed(machines, excludes, self.spec.lateness_ms)?;
            }
        }
        Ok(())
    }

    /// Reads a whole log as a new owner would, and compares.
    pub fn compare(&self, partition: Partition, log: &[u8]) -> Judged {
        let state = State::read(&self.counting(), self.times(), log);
        let state = state.map_err(|error| format!("I1: the log of {partition:?}: {error}"))?;
        self.shadows.get(&partition).map_or(Ok(()), |shadow| shadow.is(&state))
    }

    fn sink_records(&mut self, bytes: &[u8]) -> Judged {
        let read: Vec<SinkRecord> = entries(bytes).map_err(|error| format!("a log: {error}"))?;
        for record in read {
            if self.sink.is_last {
                return Err("I4: a record follows the last one".to_owned());
            }
            if record.sequence != self.sink.sequence + 1 {
                return Err(format!("I4: {} follows {}", record.sequence, self.sink.sequence));
            }
            if record.offset != self.text.len() as u64 {
                return Err(format!("I4: {} is not the end of the rows", record.offset));
            }
            let counting = self.counting();
            if counting.order != Order::Nothing {
                self.lists(&record, counting)?;
                continue;
            }
            let mut number = self.sink.next_row;
            for line in record.text.split_inclusive(|byte| *byte == b'\n') {
                if line.starts_with(b"# ") {
                    self.last_line(line, number)?;
                    continue;
                }
                let taken = record.cursors.iter().find(|(partition, next)| {
                    let at = self.sink.cursors.get(partition).copied().unwrap_or(0);
                    let row = self.shadows.get(partition).and_then(|it| it.rows.get(at as usize));
                    at < *next && row.is_some_and(|row| row.line(number) == line)
                });
                let Some((partition, _)) = taken else {
                    let line = String::from_utf8_lossy(line).into_owned();
                    return Err(format!("I4: {line:?} is not the next row of any partition"));
                };
                *self.sink.cursors.entry(*partition).or_default() += 1;
                number += 1;
            }
            for (partition, next) in &record.cursors {
                let at = self.sink.cursors.get(partition).copied().unwrap_or(0);
                if at != *next {
                    return Err(format!("I4: rows {at}..{next} of {partition:?} are missing"));
                }
            }
            if record.is_last != self.sink.is_last {
                return Err("I4: the last record has no last line".to_owned());
            }
            self.text.extend(record.text);
            self.sink.sequence = record.sequence;
            self.sink.next_row = number;
        }
        Ok(())
    }

    /// A record of a sink with lists.
    fn lists(&mut self, record: &SinkRecord, counting: Counting) -> Judged {
        let place = (&self.sink.cursors, self.sink.next_row);
        let job = (&self.spec, counting);
        let number = self.listing.take(record, job, &self.shadows, place)?;
        self.sink.cursors.extend(record.cursors.iter().copied());
        let mut lines = record.text.split_inclusive(|byte| *byte == b'\n');
        if let Some(line) = lines.next_back().filter(|line| line.starts_with(b"# ")) {
            let over_ms = self.times().over_ms;
            let owes = self.listing.unrest(i64::MAX - over_ms, over_ms, counting);
            if let Some(at) = owes.filter(|_| self.stopped.is_none()) {
                return Err(format!("I4: the sink ends, and {at} is not in it"));
            }
            self.last_line(line, number)?;
        }
        if record.is_last != self.sink.is_last {
            return Err("I4: the last record has no last line".to_owned());
        }
        self.text.extend(&record.text);
        self.ends.insert(self.text.len());
        self.sink.sequence = record.sequence;
        self.sink.next_row = number;
        Ok(())
    }

    /// The last line is due, and is the last one.
    fn last_line(&mut self, line: &[u8], rows: u64) -> Judged {
        let line = String::from_utf8_lossy(line).into_owned();
        let have_ended = (0..self.spec.partitions).map(Partition).all(|partition| {
            let shadow = self.shadows.get(&partition);
            shadow.is_some_and(|shadow| shadow.is_last)
        });
        let is_cancelled = line == format!("# cancelled {rows}\n");
        let is_due = match &self.stopped {
            Some(reason) => line == format!("# stopped {rows} {reason}\n"),
            None => is_cancelled && have_ended && self.has_all_rows(),
        };
        if self.sink.is_last || !is_due {
            return Err(format!("I4: {line:?} is not due behind {rows} rows"));
        }
        self.sink.is_last = true;
        Ok(())
    }

    /// Bytes came to the end of the sink: at any moment it is a prefix of one sequence of rows.
    fn appended(&self, before: usize, new: &[u8]) -> Judged {
        let end = before + new.len();
        let is_whole = self.counting().order == Order::Nothing || self.ends.contains(&end);
        if self.text.get(before..end) == Some(new) && is_whole {
            return Ok(());
        }
        let text = String::from_utf8_lossy(new).into_owned();
        Err(format!("I4: the sink got {text:?} at {before}"))
    }

    /// A message leaves: nothing that is acknowledged in it may be lost.
    pub fn sent(&self, from: usize, to: usize, message: &Message) -> Judged {
        match message {
            Message::Cursors(cursors) => {
                let shadow = self.shadows.get(&cursors.partition);
                for told in &cursors.files {
                    let Some(durable) = told.durable else { continue };
                    let member = super::sim::name(to);
                    let at = shadow.and_then(|shadow| shadow.cursor(&member, told.file));
                    if at.is_none_or(|at| at < durable) {
                        let file = told.file;
                        return Err(format!(
                            "I5: vm{from} acknowledges {durable} of {file:?} to vm{to}, and {at:?} \
                             is durable"
                        ));
                    }
                }
                Ok(())
            }
            Message::RowsTaken { partition, next, .. } => {
                let durable = self.sink.cursors.get(partition).copied().unwrap_or(0);
                if *next <= durable {
                    return Ok(());
                }
                Err(format!("I5: row {next} of {partition:?} is acknowledged, not durable"))
            }
            _ => Ok(()),
        }
    }

    /// What a source takes for durable is durable.
    pub fn acknowledged(&self, i: usize, acknowledged: &Acknowledged) -> Judged {
        let member = super::sim::name(i);
        for (partition, _, files) in acknowledged {
            let shadow = self.shadows.get(partition);
            for (file, at) in files {
                let durable = shadow.and_then(|shadow| shadow.cursor(&member, *file));
                if durable.is_none_or(|durable| durable < *at) {
                    return Err(format!("I5: vm{i} takes {at} of {file:?} for durable"));
                }
            }
        }
        Ok(())
    }

    /// Whether a file is counted to its end everywhere.
    pub fn is_counted(&self, i: usize, file: &LogFile) -> bool {
        let member = super::sim::name(i);
        let partitions = (0..self.spec.partitions).map(Partition);
        partitions.into_iter().all(|partition| {
            let shadow = self.shadows.get(&partition);
            shadow.is_some_and(|shadow| shadow.has_all(&member, file))
        })
    }

    /// Whether all rows are durable in the sink's log.
    pub fn has_all_rows(&self) -> bool {
        self.shadows.iter().all(|(partition, shadow)| {
            let next = self.sink.cursors.get(partition).copied().unwrap_or(0);
            next == shadow.rows.len() as u64
        })
    }
}
