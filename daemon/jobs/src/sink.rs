//! The owner of a job's sink: numbers the rows of all partitions, and appends each exactly where
//! its record says. Owns the state of that, and the conversations about its log and the sink.
//!
//! A row's place is durable before the row is written. So whoever writes it, and however often:
//! it is the same bytes at the same place, or the place is taken and nothing happens.

mod lists;
mod state;
mod taking;
#[cfg(test)]
mod tests;

use crate::ids::{Epoch, JobId, Now, Partition, Stage};
use crate::log::{Heard, Log};
use crate::message::Message;
use crate::output::{Note, Output};
use crate::record::{SinkRecord, encode};
use crate::settings::{Mutant, Settings};
use crate::status::SinkStatus;
use crate::store::{AskId, Condition, JobFile, StoreAnswer, StoreAsk};
use crate::sums::OrderStep;
use crate::table::Job;
use memberd_membership::Name;
pub use state::SinkState;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The owner of a sink under one epoch.
#[derive(Debug)]
pub(crate) struct Sink {
    settings: Arc<Settings>,
    job_id: JobId,
    epoch: Epoch,
    job: Arc<Job>,
    log: Log,
    file: Log,
    /// What the log has.
    state: SinkState,
    /// What is on its way into the log, and whose rows these are.
    writing: Option<SinkRecord>,
    /// What comes into the next record.
    pending: SinkRecord,
    /// Who sent rows of each partition.
    senders: BTreeMap<Partition, Name>,
    log_bytes: u64,
    image_bytes: u64,
    /// Until then rows wait for those of other partitions.
    commit_at_ms: u64,
    /// Whether a partition has more rows than came.
    has_more: bool,
    /// The stages that order rows. None: each row stands for itself.
    steps: Vec<OrderStep>,
    /// How many bytes lists may take.
    room: usize,
    /// Whether windows are due for which a record had no room.
    has_more_lists: bool,
    /// Whether the job has to stop, so that no more rows are taken.
    has_stopped: bool,
    /// Up to when partitions were asked to close windows, and when they are asked again.
    asked: BTreeMap<Partition, i64>,
    ask_at_ms: u64,
}

impl Sink {
    pub(crate) fn new(
        settings: Arc<Settings>,
        job_id: JobId,
        epoch: Epoch,
        job: Arc<Job>,
        steps: Vec<OrderStep>,
    ) -> Sink {
        Sink {
            room: settings.lists_bytes,
            settings,
            job_id,
            epoch,
            job,
            log: Log::new(JobFile::Log(job_id, Stage::Sink), epoch.token()),
            file: Log::new(JobFile::Sink(job_id), epoch.token()),
            state: SinkState::default(),
            writing: None,
            pending: SinkRecord::default(),
            senders: BTreeMap::new(),
            log_bytes: 0,
            image_bytes: 0,
            commit_at_ms: 0,
            has_more: false,
            steps,
            has_more_lists: false,
            has_stopped: false,
            asked: BTreeMap::new(),
            ask_at_ms: u64::MAX,
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn is_open(&self) -> bool {
        self.log.is_open()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.log.has_ended() || self.file.has_ended()
    }

    /// Whether the sink has its last line.
    pub(crate) fn is_finished(&self) -> bool {
        let is_known = self.log.is_open() && self.file.is_open();
        is_known && self.state.is_last && self.state.tail.is_empty()
    }

    /// How far it is.
    pub(crate) fn status(&self) -> SinkStatus {
        SinkStatus {
            epoch: self.epoch,
            is_open: self.is_open(),
            rows: self.state.next_row,
            is_finished: self.is_finished(),
            lists_bytes: self.lists_bytes(),
        }
    }

    pub(crate) fn handle_job(&mut self, now: Now, job: Arc<Job>, out: &mut VecDeque<Output>) {
        self.job = job;
        self.commit(now, out);
        self.ask_closed(now, out);
    }

    pub(crate) fn due_ms(&self) -> u64 {
        let log = self.log.due_ms(&self.settings).unwrap_or(u64::MAX);
        // The file is opened once the log says what to look for.
        if !self.log.is_open() {
            return log;
        }
        let due = log.min(self.file.due_ms(&self.settings).unwrap_or(u64::MAX)).min(self.ask_at_ms);
        let is_free = self.log.is_ready() && self.writing.is_none() && self.state.tail.is_empty();
        if is_free && self.has_rows() { due.min(self.commit_at_ms) } else { due }
    }

    pub(crate) fn handle_timeout(&mut self, now: Now, out: &mut VecDeque<Output>) {
        let (heard, ask) = self.log.work(now.boot_ms, &self.settings);
        self.heard_of_log(now, heard, ask, out);
        if self.log.is_open() {
            let offset = self.state.tail.front().map_or(self.state.end, |(offset, _)| *offset);
            self.file.read_from(offset);
            let (heard, ask) = self.file.work(now.boot_ms, &self.settings);
            self.heard_of_file(now, heard, ask, out);
            self.commit(now, out);
            self.ask_closed(now, out);
        }
    }

    pub(crate) fn handle_store(
        &mut self,
        now: Now,
        (id, file): (AskId, JobFile),
        answer: StoreAnswer,
        out: &mut VecDeque<Output>,
    ) {
        if let JobFile::Sink(_) = file {
            let (heard, ask) = self.file.answer(now.boot_ms, &self.settings, id, answer);
            self.heard_of_file(now, heard, ask, out);
        } else {
            let (heard, ask) = self.log.answer(now.boot_ms, &self.settings, id, answer);
            self.heard_of_log(now, heard, ask, out);
        }
    }

    fn heard_of_log(
        &mut self,
        now: Now,
        heard: Heard,
        ask: Option<StoreAsk>,
        out: &mut VecDeque<Output>,
    ) {
        out.extend(ask.map(Output::Store));
        out.extend(heard.end_of(self.job_id, Stage::Sink).map(Output::Note));
        match heard {
            Heard::Nothing | Heard::Deposed | Heard::Lost => {}
            Heard::Opened(bytes) => self.opened(now, &bytes, out),
            Heard::Written => self.written(now, out),
            Heard::Doubt => {
                self.forget();
                self.file.reopen(now.boot_ms, &self.settings);
            }
        }
    }

    fn opened(&mut self, now: Now, bytes: &[u8], out: &mut VecDeque<Output>) {
        match SinkState::read(bytes) {
            Ok(state) => self.state = state,
            Err(error) => {
                let note = Note::LogUnreadable(self.job_id, Stage::Sink, error.to_string());
                out.push_back(Output::Note(note));
                self.log.reopen(now.boot_ms + 60_000, &self.settings);
                return;
            }
        }
        self.forget();
        self.has_stopped = false;
        // Some may have had no room.
        self.has_more_lists = !self.steps.is_empty();
        self.log_bytes = bytes.len() as u64;
        out.push_back(Output::Note(Note::Opened(self.job_id, Stage::Sink)));
        self.handle_timeout(now, out);
    }

    /// What is not durable comes again.
    fn forget(&mut self) {
        self.writing = None;
        self.pending = self.next_record();
        self.has_more_lists = false;
        self.asked.clear();
    }

    /// Whether there are rows, or what else the log has to have.
    fn has_rows(&self) -> bool {
        !self.pending.cursors.is_empty() || (self.has_more_lists && !self.state.is_last)
    }

    /// The record behind all that are durable, without rows.
    fn next_record(&self) -> SinkRecord {
        SinkRecord { next_row: self.state.next_row, ..SinkRecord::default() }
    }

    /// Whether the rows of more partitions may come first: windows close everywhere at about the
    /// same time, and each append to the sink makes it a little dearer to read.
    fn waits(&self, now: Now) -> bool {
        let is_full = self.has_more || self.has_more_lists || self.is_full();
        let ends = !self.pending.ended.is_empty() || self.job.stopped.is_some();
        now.boot_ms < self.commit_at_ms && !is_full && !ends
    }

    /// Makes durable where the rows go, if the log is free and the sink has all before them.
    fn commit(&mut self, now: Now, out: &mut VecDeque<Output>) {
        let first = self.settings.is(Mutant::SinkFirst);
        let is_free = self.log.is_ready() && self.writing.is_none();
        let nothing = !self.has_rows() && self.pending.ended.is_empty();
        let is_idle = (nothing && self.job.stopped.is_none()) || self.state.is_last;
        if !is_free || is_idle || !self.state.tail.is_empty() || self.waits(now) {
            return;
        }
        self.commit_at_ms = now.boot_ms + self.job.spec.commit_ms;
        (self.has_more, self.has_more_lists) = (false, false);
        let mut record = std::mem::take(&mut self.pending);
        if self.job.stopped.is_none()
            && !self.steps.is_empty()
            && let Err(reason) = self.show(&mut record)
        {
            return self.stop(reason, out);
        }
        self.pending.next_row = record.next_row;
        match self.last_line(&record) {
            Some(line) => {
                record.text.extend_from_slice(line.as_bytes());
                record.is_last = true;
            }
            None if record.is_empty() => return,
            None => {}
        }
        record.sequence = self.state.sequence + 1;
        record.epoch = self.epoch;
        record.offset = self.state.end;
        if first && self.file.is_ready() {
            let only = Condition::Length(record.offset);
            let text = record.text.clone();
            out.push_back(Output::Store(self.file.append(now.boot_ms, only, text)));
        }
        let bytes = encode(&record);
        let length = self.log_bytes + bytes.len() as u64;
        let bound = self.settings.log_bytes.max(self.settings.log_factor * self.image_bytes);
        let ask = if length > bound || bytes.len() > self.settings.append_bytes {
            let mut state = self.state.clone();
            state.take(&record);
            let image = encode(&state.image());
            self.image_bytes = image.len() as u64;
            self.log_bytes = self.image_bytes;
            self.log.replace(now.boot_ms, image)
        } else {
            self.log_bytes = length;
            let only = Condition::Version(self.log.at().version);
            self.log.append(now.boot_ms, only, bytes)
        };
        self.writing = Some(record);
        out.push_back(Output::Store(ask));
    }

    /// The record is durable: its rows are acknowledged, and go to the place that it names.
    fn written(&mut self, now: Now, out: &mut VecDeque<Output>) {
        let Some(record) = self.writing.take() else { return };
        self.state.take(&record);
        for (partition, next) in record.cursors {
            self.acknowledge(partition, next, out);
        }
        self.append(now, out);
    }

    fn acknowledge(&self, partition: Partition, next: u64, out: &mut VecDeque<Output>) {
        let Some(sender) = self.senders.get(&partition) else { return };
        let (job, epoch) = (self.job_id, self.epoch);
        let taken = Message::RowsTaken { job, partition, epoch, next };
        out.push_back(Output::Send(sender.clone(), taken));
    }

    /// Appends the next text to the sink, if that ends where the text begins.
    fn append(&mut self, now: Now, out: &mut VecDeque<Output>) {
        if !self.file.is_ready() {
            return;
        }
        let Some((offset, text)) = self.state.tail.front() else {
            return self.commit(now, out);
        };
        let blind = self.settings.is(Mutant::BlindSink);
        let only = if blind { Condition::Always } else { Condition::Length(*offset) };
        out.push_back(Output::Store(self.file.append(now.boot_ms, only, text.clone())));
    }

    fn heard_of_file(
        &mut self,
        now: Now,
        heard: Heard,
        ask: Option<StoreAsk>,
        out: &mut VecDeque<Output>,
    ) {
        out.extend(ask.map(Output::Store));
        out.extend(heard.end_of(self.job_id, Stage::Sink).map(Output::Note));
        match heard {
            // In doubt it is opened again: then its bytes say what it has.
            Heard::Nothing | Heard::Doubt | Heard::Deposed | Heard::Lost => {}
            Heard::Opened(bytes) => self.compare(now, &bytes, out),
            Heard::Written => {
                self.state.written(self.file.at().length);
                self.append(now, out);
            }
        }
    }

    /// The sink's bytes from the first text on that it may lack: those that are there are skipped.
    fn compare(&mut self, now: Now, bytes: &[u8], out: &mut VecDeque<Output>) {
        let expected = self.state.tail.iter().flat_map(|(_, text)| text);
        let is_same = bytes.iter().zip(expected).all(|(one, other)| one == other);
        let end = self.file.at().length;
        let first = self.state.tail.front().map_or(self.state.end, |(offset, _)| *offset);
        let fits = end == first || end == self.state.end || {
            let mut ends = self.state.tail.iter().map(|(at, text)| at + text.len() as u64);
            ends.any(|at| at == end)
        };
        if !is_same || !fits {
            out.push_back(Output::Note(Note::SinkDamaged(self.job_id)));
            self.file.reopen(now.boot_ms + 60_000, &self.settings);
            return;
        }
        self.state.written(end);
        self.append(now, out);
    }
}
