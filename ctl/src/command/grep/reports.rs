//! What is reported on standard error of a search's members. It owns what was said so far.

use memberd_control::grep::{GrepCopy, GrepOutcome};

use super::notices::{self, Messages};
use super::tally::Tally;
use crate::format;

/// What was reported on standard error, and what remains for the end.
pub(in crate::command) struct Reports {
    messages: Messages,
    /// The members that are gone were reported.
    gone: bool,
    /// A search that follows has no end, so everything is reported at once.
    at_once: bool,
}

impl Reports {
    /// Nothing was reported yet. A search that follows reports all at once.
    pub(in crate::command) fn new(at_once: bool) -> Reports {
        Reports { messages: Messages::default(), gone: false, at_once }
    }

    /// The lines about the members that are gone. They come before all else, and are reported once.
    pub(in crate::command) fn gone(&mut self, tally: &Tally) -> Vec<String> {
        if std::mem::replace(&mut self.gone, true) {
            return Vec::new();
        }
        let now = format::now();
        let mut lines: Vec<String> = notices::failed(tally.members(), now).into_iter().collect();
        lines.extend(notices::left(tally.members(), now));
        lines.extend(notices::copies(tally.copies(), now));
        lines
    }

    /// A line about a copy that is searched in place of another one.
    pub(super) fn copy(&self, member: &str, copy: &GrepCopy) -> Option<String> {
        self.gone.then(|| notices::copy(member, copy, format::now()))
    }

    /// A message about a file.
    pub(in crate::command) fn message(&mut self, member: String, text: String) -> Option<String> {
        if self.at_once {
            return Some(format!("{member}:{text}"));
        }
        self.messages.take(member, text)
    }

    /// What is reported at once about a member's outcome.
    pub(in crate::command) fn outcome(
        &self,
        member: &String,
        outcome: &GrepOutcome,
    ) -> Option<String> {
        self.at_once.then(|| notices::lost_line(outcome, &[member])).flatten()
    }

    /// What remains to be reported.
    pub(in crate::command) fn end(mut self, tally: &Tally) -> Vec<String> {
        let mut lines = self.gone(tally);
        lines.extend(self.messages.end());
        if !self.at_once {
            lines.extend(notices::lost(tally.members()));
        }
        lines
    }
}
