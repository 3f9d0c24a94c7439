//! What the members reported, and the exit status that comes of it.

use memberd_control::grep::GrepOutcome;

use super::Status;
use crate::format;

/// What the members reported so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    members: Vec<(String, GrepOutcome)>,
    /// The FILEs that no member has had so far.
    nowhere: Vec<String>,
    answered: bool,
    matched: bool,
    errors: bool,
    lost: bool,
}

impl Tally {
    /// Nothing so far, of a search in these FILEs.
    pub(super) fn new(files: Vec<String>) -> Tally {
        Tally { nowhere: files, ..Tally::default() }
    }

    /// Takes in what became of a member, and returns what there is to say about it.
    pub(super) fn count(&mut self, member: String, outcome: GrepOutcome) -> Option<String> {
        let words = match &outcome {
            GrepOutcome::Searched(totals) => {
                self.answered = true;
                self.nowhere.retain(|file| totals.unmatched.contains(file));
                self.matched |= totals.lines > 0;
                self.errors |= totals.errors > 0;
                None
            }
            GrepOutcome::Lost(why) => {
                self.lost = true;
                Some(format!("{member}: did not answer: {why}"))
            }
            GrepOutcome::NotAsked { failed } => Some(format!(
                "{member} failed {}: its logs are not searched",
                format::ago(*failed, format::now())
            )),
        };
        self.members.push((member, outcome));
        words
    }

    /// What became of each.
    pub(super) fn members(&self) -> &[(String, GrepOutcome)] {
        &self.members
    }

    /// Whether some line was selected.
    pub(super) fn matched(&self) -> bool {
        self.matched
    }

    /// A FILE that no member has is an error, as it is grep's. One that some have is none: machines
    /// differ.
    pub(super) fn check_files(&mut self) -> Vec<String> {
        if !self.answered || self.lost {
            return Vec::new();
        }
        self.errors |= !self.nowhere.is_empty();
        let words = |file| {
            format!("{file}: no member offers such a file: see [logs] files in the settings")
        };
        self.nowhere.iter().map(words).collect()
    }

    /// As GNU grep 3.8 has it, `-L` included: 0 is for a selected line, not for a name that was
    /// printed. Members that were not asked, being dead, change nothing, unless there was nobody
    /// else to ask.
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
