//! Forgetting on request: what a record of a forgotten member does to the list.

use super::Members;
use crate::context::Context;
use crate::event::Event;
use crate::forgotten::Forgotten;

impl Members {
    /// Merges the record of a forgotten member, and drops the entry that it covers. Returns whether
    /// the record was new here. This member's own entry stays: it knows better.
    pub(crate) fn forget(&mut self, record: &Forgotten, context: &mut Context) -> bool {
        let keep = record.keep.min(context.settings.forget_after);
        let record = Forgotten { keep, ..record.clone() };
        let now = context.now.mono;
        let listed = self
            .list
            .get(&record.identity.name)
            .is_some_and(|entry| entry.identity.incarnation <= record.identity.incarnation);
        if !self.forgotten.merge(&record, listed, now) {
            return false;
        }
        let Forgotten { identity, by, .. } = record;
        if identity.name == context.local.name {
            return true;
        }
        if let Some(entry) = self.list.remove(&identity.name, identity.incarnation) {
            // It was gone where it was forgotten, so it is gone here as well.
            if entry.is_alive_to_others() {
                self.ring_moved = true;
                self.last_change = now;
            }
            context.report(Event::Forgotten { entry, by });
        }
        true
    }
}
