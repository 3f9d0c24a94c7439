//! The agreement file as it shall be, its writes, and the answers that wait for them.

use crate::durable::Durable;
use crate::event::{Output, WriteId};
use crate::message::Message;
use crate::time::BootTime;
use memberd_membership::Name;
use std::collections::VecDeque;
use std::time::Duration;

/// The most answers that wait for a write. Of more, the oldest is dropped: whoever waits for it
/// asks again.
const MAX_HELD: usize = 256;

/// Owns the record, the numbers of its writes, and what may be sent only after one of them.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    durable: Durable,
    changed: bool,
    issued: WriteId,
    written: WriteId,
    /// Writes that have not ended, and when they began.
    under_way: VecDeque<(WriteId, BootTime)>,
    held: VecDeque<Held>,
}

#[derive(Debug, Clone)]
struct Held {
    after: WriteId,
    to: Name,
    message: Message,
}

impl Store {
    /// A record that is on disk, or one that is not yet.
    pub(crate) fn new(durable: Durable, on_disk: bool) -> Self {
        Store {
            durable,
            changed: !on_disk,
            issued: WriteId::default(),
            written: WriteId::default(),
            under_way: VecDeque::new(),
            held: VecDeque::new(),
        }
    }

    pub(crate) fn get(&self) -> &Durable {
        &self.durable
    }

    /// Changes the record. It is written at the end of the step.
    pub(crate) fn change(&mut self) -> &mut Durable {
        self.changed = true;
        &mut self.durable
    }

    /// The write that has all changes made so far.
    pub(crate) fn covering(&self) -> WriteId {
        WriteId(self.issued.0 + u64::from(self.changed))
    }

    /// Whether the voter id of this record was written: before that, nothing is said.
    pub(crate) fn was_written(&self, id: WriteId) -> bool {
        id <= self.written
    }

    /// An answer that depends on the record as it is now.
    pub(crate) fn answer(&mut self, to: Name, message: Message) {
        let kind = message.body.kind();
        self.held.retain(|held| held.to != to || held.message.body.kind() != kind);
        if self.held.len() == MAX_HELD {
            self.held.pop_front();
        }
        self.held.push_back(Held { after: self.covering(), to, message });
    }

    /// Ends a step: the write, if the record has changed.
    pub(crate) fn write(&mut self, now: BootTime) -> Option<Output> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        self.issued.0 += 1;
        // Of many under way, only the oldest and the newest matter.
        if self.under_way.len() >= 64 {
            self.under_way.pop_back();
        }
        self.under_way.push_back((self.issued, now));
        Some(Output::Write { id: self.issued, durable: Box::new(self.durable.clone()) })
    }

    /// A write has ended.
    pub(crate) fn on_written(&mut self, id: WriteId) {
        self.written = self.written.max(id.min(self.issued));
        self.under_way.retain(|(under_way, _)| *under_way > self.written);
    }

    /// THE RULE that an answer waits until what it promises is durable.
    pub(crate) fn release(&mut self, mutant: bool) -> Option<(Name, Message)> {
        let written = self.written;
        let at = self.held.iter().position(|held| mutant || held.after <= written)?;
        self.held.remove(at).map(|held| (held.to, held.message))
    }

    /// How long the oldest write has lasted.
    pub(crate) fn lasts(&self, now: BootTime) -> Option<Duration> {
        self.under_way.front().map(|(_, began)| now.since(*began))
    }

    /// When the oldest write began.
    pub(crate) fn began(&self) -> Option<BootTime> {
        self.under_way.front().map(|(_, began)| *began)
    }
}
