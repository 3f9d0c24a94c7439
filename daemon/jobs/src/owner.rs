//! The owner of a partition: takes deltas at their cursors, and makes them durable before it
//! acknowledges any. Owns the partition's state and the conversation about its log.

mod commit;
mod pending;
mod taking;
#[cfg(test)]
mod tests;

use crate::cursor::Cursor;
use crate::ids::{Epoch, FileId, FileKey, JobId, Now, Partition, Stage};
use crate::log::{Heard, Log};
use crate::message::{CursorsKind, MAX_ROWS, Message, Rows};
use crate::output::{Note, Output};
use crate::record::{Record, Row};
use crate::settings::Settings;
use crate::state::{State, StateError, WindowTimes};
use crate::status::PartitionStatus;
use crate::store::{AskId, JobFile, StoreAnswer, StoreAsk};
use crate::sums::{Sums, SumsError};
use crate::table::Job;
use memberd_membership::Name;
use pending::Pending;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The owner of one partition under one epoch.
pub(crate) struct Owner<S: Sums> {
    settings: Arc<Settings>,
    sums: Arc<S>,
    job_id: JobId,
    partition: Partition,
    epoch: Epoch,
    job: Arc<Job>,
    log: Log,
    /// What the log has, and what is on its way there.
    state: State<S::Table>,
    /// What the log has of cursors.
    durable: BTreeMap<FileId, Cursor>,
    /// The newest record in the log that has dropped cursors.
    durable_dropped_at: u64,
    /// The rows below this number are in the log.
    durable_rows: u64,
    /// What comes into the next record.
    pending: Pending<S::Table>,
    /// What was given to the log and is not durable.
    writing: Option<Record>,
    /// A mutant's second half.
    second: VecDeque<Record>,
    log_bytes: u64,
    image_bytes: u64,
    commit_at_ms: u64,
    rows_at_ms: u64,
    /// The sink asked whether windows are closed that end at this time.
    asked_until: i64,
    /// Who said hello before the log was open.
    greeters: BTreeMap<Name, Option<FileKey>>,
    is_full: bool,
    /// How many bytes more it may take before the member is weighed again.
    room: usize,
}

impl<S: Sums> Owner<S> {
    pub(crate) fn new(
        settings: Arc<Settings>,
        sums: Arc<S>,
        (job_id, partition): (JobId, Partition),
        epoch: Epoch,
        job: Arc<Job>,
    ) -> Self {
        let file = JobFile::Log(job_id, Stage::Partition(partition));
        Owner {
            settings,
            sums,
            job_id,
            partition,
            epoch,
            job,
            log: Log::new(file, epoch.token()),
            state: State::default(),
            durable: BTreeMap::new(),
            durable_dropped_at: 0,
            durable_rows: 0,
            pending: Pending::default(),
            writing: None,
            second: VecDeque::new(),
            log_bytes: 0,
            image_bytes: 0,
            commit_at_ms: 0,
            rows_at_ms: 0,
            asked_until: i64::MIN,
            greeters: BTreeMap::new(),
            is_full: false,
            room: usize::MAX,
        }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn is_open(&self) -> bool {
        self.log.is_open()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.log.has_ended()
    }

    pub(crate) fn state(&self) -> &State<S::Table> {
        &self.state
    }

    /// How far it is.
    pub(crate) fn status(&self) -> PartitionStatus {
        let state = &self.state;
        let is_open = self.is_open();
        let (now, holds) = self.watermark();
        let holds = holds.filter(|_| is_open && !state.is_last);
        // Without a window that it would close, nobody writes down how far it is.
        let watermark = if is_open && !self.closes(now) { now } else { state.watermark };
        let is_known = (i64::MIN + 1..i64::MAX).contains(&watermark);
        PartitionStatus {
            partition: self.partition,
            epoch: self.epoch,
            is_open,
            has_ended: state.is_last,
            is_full: self.is_full,
            watermark: is_known.then_some(watermark),
            held_back_by: holds.cloned(),
            late: state.late,
            uncounted: state.uncounted,
            gaps: state.gaps,
            groups_bytes: u64::try_from(self.weight()).unwrap_or(u64::MAX),
        }
    }

    /// About how many bytes its sums take.
    pub(crate) fn weight(&self) -> usize {
        let windows = self.state.windows.values();
        windows.map(|window| self.sums.weight(&window.table)).sum::<usize>()
            + self.pending.weight(&*self.sums)
    }

    /// About how many bytes it takes, with rows that wait.
    pub(crate) fn memory(&self) -> usize {
        self.weight() + self.state.row_bytes
    }

    pub(crate) fn room(&self) -> usize {
        self.room
    }

    pub(crate) fn set_room(&mut self, room: usize) {
        self.room = room;
    }

    pub(crate) fn due_ms(&self) -> u64 {
        match self.log.due_ms(&self.settings) {
            Some(due) => due,
            None if self.log.has_ended() => u64::MAX,
            None => self.commit_at_ms.min(self.rows_at_ms),
        }
    }

    pub(crate) fn handle_job(&mut self, now: Now, job: Arc<Job>, out: &mut VecDeque<Output>) {
        let sink_moved = self.job.stages.get(&Stage::Sink) != job.stages.get(&Stage::Sink);
        self.job = job;
        if self.job.is_cancelled {
            self.commit(now, out);
        }
        if sink_moved && self.log.is_open() {
            self.send_rows(now, out);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Now, out: &mut VecDeque<Output>) {
        let (heard, ask) = self.log.work(now.boot_ms, &self.settings);
        self.heard(now, heard, ask, out);
        if self.commit_at_ms <= now.boot_ms {
            self.commit(now, out);
        }
        if self.rows_at_ms <= now.boot_ms && self.log.is_open() {
            self.send_rows(now, out);
        }
    }

    pub(crate) fn handle_store(
        &mut self,
        now: Now,
        id: AskId,
        answer: StoreAnswer,
        out: &mut VecDeque<Output>,
    ) {
        let (heard, ask) = self.log.answer(now.boot_ms, &self.settings, id, answer);
        self.heard(now, heard, ask, out);
    }

    fn heard(&mut self, now: Now, heard: Heard, ask: Option<StoreAsk>, out: &mut VecDeque<Output>) {
        out.extend(ask.map(Output::Store));
        out.extend(heard.end_of(self.job_id, Stage::Partition(self.partition)).map(Output::Note));
        match heard {
            Heard::Nothing | Heard::Deposed | Heard::Lost => {}
            Heard::Opened(bytes) => self.opened(now, &bytes, out),
            Heard::Written => self.written(now, out),
            // All in memory is void: the log has it or it will come again.
            Heard::Doubt => self.forget(),
        }
    }

    fn forget(&mut self) {
        self.state = State::default();
        self.pending = Pending::default();
        self.writing = None;
        self.second.clear();
        self.durable.clear();
    }

    /// The sums cannot go on, so the job has to end. The log stays as it is.
    fn stop(&mut self, error: &SumsError, out: &mut VecDeque<Output>) {
        self.forget();
        self.log.end();
        let stage = Stage::Partition(self.partition);
        out.push_back(Output::Note(Note::Stopped(self.job_id, stage, error.to_string())));
    }

    fn times(&self) -> WindowTimes {
        self.job.spec.times()
    }

    fn opened(&mut self, now: Now, bytes: &[u8], out: &mut VecDeque<Output>) {
        self.forget();
        match State::read(&*self.sums, self.times(), bytes) {
            Ok(state) => self.state = state,
            Err(StateError::Sums(error @ SumsError::Full(_))) => return self.stop(&error, out),
            Err(error) => {
                let stage = Stage::Partition(self.partition);
                let note = Note::LogUnreadable(self.job_id, stage, error.to_string());
                out.push_back(Output::Note(note));
                self.log.reopen(now.boot_ms + 60_000, &self.settings);
                return;
            }
        }
        self.durable = self.state.cursors.clone();
        self.durable_dropped_at = self.state.dropped_at;
        self.durable_rows = self.state.next_row();
        self.log_bytes = bytes.len() as u64;
        self.image_bytes = 0;
        self.commit_at_ms = now.boot_ms;
        out.push_back(Output::Note(Note::Opened(self.job_id, Stage::Partition(self.partition))));
        for (name, after) in std::mem::take(&mut self.greeters) {
            self.tell_all(name, after, out);
        }
        self.send_rows(now, out);
    }

    /// The record is durable: now it is acknowledged, and not before.
    fn written(&mut self, now: Now, out: &mut VecDeque<Output>) {
        let Some(record) = self.writing.take() else { return };
        let mut by_member: BTreeMap<Name, Vec<FileId>> = BTreeMap::new();
        for (file, cursor) in record.cursors {
            by_member.entry(file.member.clone()).or_default().push(file.clone());
            self.durable.insert(file, cursor);
        }
        for file in record.dropped {
            self.durable_dropped_at = record.sequence;
            self.durable.remove(&file);
            by_member.entry(file.member.clone()).or_default().push(file);
        }
        self.durable_rows += record.rows.len() as u64;
        for (name, files) in by_member {
            self.tell(&name, CursorsKind::Acknowledged, &files, out);
        }
        if let Some(second) = self.second.pop_front() {
            self.write(now, second, out);
        }
        self.send_rows(now, out);
    }

    /// Offers the sink the rows that are durable and that it is not known to have.
    fn send_rows(&mut self, now: Now, out: &mut VecDeque<Output>) {
        self.rows_at_ms = now.boot_ms + self.settings.retry_ms;
        let Some(sink) = self.job.stages.get(&Stage::Sink) else { return };
        let durable = self.durable_rows.saturating_sub(self.state.first_row);
        let count = usize::try_from(durable).unwrap_or(usize::MAX).min(self.settings.rows);
        let is_last = self.state.is_last && self.writing.is_none();
        let end = is_last.then(|| self.state.next_row());
        if count == 0 && end.is_none() {
            return;
        }
        let mut room = self.settings.rows_bytes;
        let mut rows: Vec<Row> = Vec::new();
        for row in self.state.rows.iter().take(count.min(MAX_ROWS)) {
            if row.bytes() > room && !rows.is_empty() {
                break;
            }
            room = room.saturating_sub(row.bytes());
            rows.push(row.clone());
        }
        let rows = Rows {
            job: self.job_id,
            partition: self.partition,
            epoch: sink.epoch,
            from: self.state.first_row,
            rows,
            end,
        };
        out.push_back(Output::Send(sink.owner.name.clone(), Message::Rows(rows)));
    }

    /// The sink waits for windows that end at this time.
    pub(crate) fn handle_ask_closed(
        &mut self,
        now: Now,
        from: &Name,
        (epoch, until): (Epoch, i64),
        out: &mut VecDeque<Output>,
    ) {
        if self.is_sink(from, epoch) {
            self.asked_until = until.max(self.asked_until);
            self.commit(now, out);
        }
    }

    /// Whether a member has the sink under this epoch.
    fn is_sink(&self, name: &Name, epoch: Epoch) -> bool {
        let sink = self.job.stages.get(&Stage::Sink);
        sink.is_some_and(|sink| sink.epoch == epoch && sink.owner.name == *name)
    }

    pub(crate) fn handle_rows_taken(
        &mut self,
        now: Now,
        from: &Name,
        (epoch, next): (Epoch, u64),
        out: &mut VecDeque<Output>,
    ) {
        if !self.is_sink(from, epoch) || !self.log.is_open() || next <= self.state.first_row {
            return;
        }
        self.state.rows_taken(next.min(self.durable_rows));
        self.send_rows(now, out);
    }
}
