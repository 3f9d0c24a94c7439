//! Collects the outcomes of the members, from which the exit status follows.

use memberd_control::grep::{GrepCopy, GrepOutcome};

use super::Status;
use super::totals::Copies;

/// The outcomes so far.
#[derive(Debug, Default)]
pub(in crate::command) struct Tally {
    members: Vec<(String, GrepOutcome)>,
    /// The copies that are searched in place of members that are gone.
    copies: Copies,
    /// The FILEs that no member has offered so far.
    nowhere: Vec<String>,
    answered: bool,
    matched: bool,
    errors: bool,
    lost: bool,
    /// A member was not asked, and nobody keeps its logs.
    gone: bool,
}

impl Tally {
    /// No outcome yet of a search in these FILEs.
    pub(in crate::command) fn new(files: Vec<String>) -> Tally {
        Tally { nowhere: files, ..Tally::default() }
    }

    /// Adds a member's outcome.
    pub(in crate::command) fn count(&mut self, member: String, outcome: GrepOutcome) {
        match &outcome {
            GrepOutcome::Searched(totals) => {
                self.answered = true;
                self.nowhere.retain(|file| totals.unmatched.contains(file));
                self.matched |= totals.lines > 0;
                let is_whole = self.copies.get(&member).is_none_or(GrepCopy::is_whole);
                self.errors |= totals.errors > 0 || !is_whole;
            }
            GrepOutcome::Lost(_) | GrepOutcome::Dropped(_) => self.lost = true,
            GrepOutcome::NotAsked { .. } => self.gone = true,
        }
        self.members.push((member, outcome));
    }

    /// A copy of this member's logs is searched.
    pub(super) fn note_copy(&mut self, member: String, copy: GrepCopy) {
        self.copies.insert(member, copy);
    }

    /// The copies that are searched.
    pub(in crate::command) fn copies(&self) -> &Copies {
        &self.copies
    }

    /// Notes that lines were printed whose members have not ended. The search ends here.
    pub(super) fn note_limit(&mut self) {
        (self.matched, self.answered) = (true, true);
        self.nowhere.clear();
    }

    /// The outcome of each member.
    pub(in crate::command) fn members(&self) -> &[(String, GrepOutcome)] {
        &self.members
    }

    /// Whether any line was selected.
    pub(super) fn matched(&self) -> bool {
        self.matched
    }

    /// Messages about each FILE that no member offers, which is an error as in grep. If some
    /// members offer it, it is none, since machines differ.
    pub(in crate::command) fn check_files(&mut self) -> Vec<String> {
        if !self.answered || self.lost {
            return Vec::new();
        }
        self.errors |= !self.nowhere.is_empty();
        let message = |file| {
            format!("{file}: no member offers such a file: see [logs] files in the settings")
        };
        self.nowhere.iter().map(message).collect()
    }

    /// Whether all members were searched without an error, or whole copies of their logs.
    pub(in crate::command) fn is_whole(&self) -> bool {
        !self.errors && !self.lost && !self.gone
    }

    /// The exit status, as in GNU grep 3.8. Also with `-L`, 0 means a selected line, and not a
    /// printed name. Failed members, which are not asked, change nothing unless all members are
    /// failed.
    pub(super) fn status(&self, quiet: bool) -> Status {
        let nobody = !self.members.is_empty() && !self.answered;
        match self {
            Tally { matched: true, .. } if quiet => Status::Matched,
            Tally { errors: true, .. } => Status::Trouble,
            Tally { lost: true, .. } => Status::Lost,
            Tally { matched: true, .. } => Status::Matched,
            Tally { matched: false, .. } if nobody => Status::Lost,
            Tally { matched: false, .. } => Status::Unmatched,
        }
    }
}
