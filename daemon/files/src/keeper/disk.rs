//! The writes of a keeper, and what waits for them: [`Disk`].

use crate::keeper::event::{DiskId, Output};
use crate::keeper::message::Message;
use crate::keeper::record::Record;
use memberd_membership::Name;
use std::collections::VecDeque;

/// The most messages that wait for writes. Of more, the oldest is dropped: it is asked for again.
const MAX_HELD: usize = 1024;

/// Owns the numbers of writes, and what may be said only after one of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    issued: u64,
    written: u64,
    records: Vec<Record>,
    held: VecDeque<(u64, Name, Message)>,
    /// The end of the own log as each write leaves it.
    ends: VecDeque<(u64, u64)>,
    durable_end: u64,
}

impl Disk {
    /// The log that was on disk at the start.
    pub(crate) fn set_durable_end(&mut self, end: u64) {
        self.durable_end = end;
    }

    /// Writes a record with the next write.
    pub(crate) fn write(&mut self, record: Record) {
        if let (Some(Record::Entries(before)), Record::Entries(more)) =
            (self.records.last_mut(), &record)
        {
            before.extend(more.iter().cloned());
        } else {
            self.records.push(record);
        }
    }

    /// The write after which all that was written so far is durable.
    pub(crate) fn covering(&self) -> u64 {
        self.issued + u64::from(!self.records.is_empty())
    }

    pub(crate) fn was_written(&self, write: u64) -> bool {
        write <= self.written
    }

    /// Up to which index the own log is durable.
    pub(crate) fn durable_end(&self) -> u64 {
        self.durable_end
    }

    /// A message that waits for all that was written so far.
    pub(crate) fn answer(&mut self, to: Name, message: Message) {
        if self.held.len() == MAX_HELD {
            self.held.pop_front();
        }
        self.held.push_back((self.covering(), to, message));
    }

    /// The log was cut: what is durable of it ends there as well.
    pub(crate) fn cut(&mut self, from: u64) {
        let last = from.saturating_sub(1);
        self.durable_end = self.durable_end.min(last);
        for (_, end) in &mut self.ends {
            *end = (*end).min(last);
        }
    }

    /// Ends a step: the write, if there is any.
    pub(crate) fn flush(&mut self, log_end: u64) -> Option<Output> {
        if self.records.is_empty() {
            return None;
        }
        self.issued += 1;
        self.ends.push_back((self.issued, log_end));
        let records = std::mem::take(&mut self.records);
        Some(Output::Write { id: DiskId(self.issued), records })
    }

    pub(crate) fn on_written(&mut self, id: DiskId) {
        self.written = self.written.max(id.0.min(self.issued));
        while let Some((write, end)) = self.ends.front().copied()
            && write <= self.written
        {
            self.durable_end = end;
            self.ends.pop_front();
        }
    }

    /// THE RULE that a keeper says nothing before what it promises is durable.
    pub(crate) fn release(&mut self, early: bool) -> Option<(Name, Message)> {
        let ready = self.held.front().is_some_and(|(write, _, _)| early || *write <= self.written);
        if ready { self.held.pop_front().map(|(_, to, message)| (to, message)) } else { None }
    }
}
