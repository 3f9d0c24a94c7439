//! Whether there is a job table. One that was lost is made anew, of the newest one that a member
//! has seen. [`Lost`] owns what members said of theirs.
//!
//! The leader alone does that. The table is put where none is, in one step, so that nobody ever
//! reads one without its jobs in the place of the lost one. Its version and its newest epoch leave
//! room for those that were written last and that nobody heard of.

use super::{Engine, Work};
use memberd_jobs::{Leader, Message, Name, Now, Table};
use std::sync::Arc;

/// How long members may take to say which table they have seen, in milliseconds.
const COLLECT_MS: u64 = 3_000;

/// A table that is lost.
#[derive(Debug)]
pub(super) struct Lost {
    /// The newest one that a member has seen.
    newest: Arc<Table>,
    /// When it is made anew, in milliseconds since boot.
    pub(super) due_ms: u64,
}

impl Engine {
    /// There is a job table. Before that, a leader would take it for a table that is lost.
    pub(in crate::jobs) fn handle_table_there(&mut self, now: Now) {
        let Some(term) = self.term.filter(|_| self.leader.is_none()) else { return };
        (self.find_at_ms, self.lost) = (u64::MAX, None);
        self.has_read_table = false;
        let mut leader = Leader::new(Arc::clone(&self.settings), term, now);
        if let Some(worker) = &self.worker {
            leader.know(worker.table());
        }
        leader.handle_members(now, &self.members, &mut self.outputs);
        self.leader = Some(leader);
        self.drain(now);
    }

    /// Somebody found no job table. Who leads looks for it before it writes again.
    pub(in crate::jobs) fn handle_table_missed(&mut self, now: Now) {
        if self.leader.take().is_some() {
            self.find_at_ms = now.boot_ms;
            self.drain(now);
        }
    }

    /// The job table was made once, and is gone. Who leads asks all what they know of it.
    pub(in crate::jobs) fn handle_table_lost(&mut self, now: Now) {
        if self.term.is_none() || self.leader.is_some() || self.lost.is_some() {
            return;
        }
        let (newest, due_ms) = (self.table(), now.boot_ms + COLLECT_MS);
        self.lost = Some(Lost { newest, due_ms });
        let others = self.members.iter().filter(|state| state.is_alive);
        let others = others.map(|state| &state.member.name).filter(|name| **name != self.own);
        self.work.extend(others.map(|name| Work::Send(name.clone(), Message::AskTable)));
    }

    /// Whether a message was about a table that is lost: what a member has seen of it, or the
    /// leader's question for that.
    pub(super) fn hears_of_lost(&mut self, from: &Name, message: &Message) -> bool {
        if let (Message::Table(table), Some(lost)) = (message, &mut self.lost) {
            if table.version > lost.newest.version {
                lost.newest = Arc::clone(table);
            }
            return true;
        }
        let asks = *message == Message::AskTable && self.lead.as_ref() == Some(from);
        let table = self.table();
        if asks && self.term.is_none() && table.version > 0 {
            self.work.push_back(Work::Send(from.clone(), Message::Table(table)));
        }
        asks && self.term.is_none()
    }

    /// Makes the table anew, once members have had their time to answer.
    pub(super) fn restore_if_due(&mut self, now: Now) {
        let Some(lost) = self.lost.take_if(|lost| lost.due_ms <= now.boot_ms) else { return };
        let Table { version, newest, .. } = *lost.newest;
        let table = || Arc::new(Table::clone(&lost.newest).beyond(version, newest));
        let table = (version > 0).then(table);
        self.work.push_back(Work::RestoreTable(table));
    }
}
