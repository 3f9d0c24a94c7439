//! Searches what is kept here of another member's logs. It owns no state.

use crate::search::compile::{self, Compiled};
use crate::search::local::LocalSearcher;
use crate::search::reply_sink::ReplySink;
use memberd_control::grep::GrepRequest;
use memberd_copies::kept::{self, KeptList};
use memberd_membership::Name;
use memberd_search::{KeptFiles, MAX_FILES, Output, Totals};
use std::sync::atomic::AtomicBool;

impl LocalSearcher {
    /// Searches what is kept of the logs of `member`, and offered by it. It also returns the globs
    /// that match none of its files.
    pub(in crate::search) fn search_kept(
        &self,
        member: &str,
        request: &GrepRequest,
        mut compiled: Compiled,
        output: &mut ReplySink,
        cancel: &AtomicBool,
    ) -> Result<(Totals, Vec<String>), String> {
        if request.files.journal.is_some() || request.files.follow {
            return Err("copies of logs have no journal, and are not followed".to_owned());
        }
        let copies = self.kept_copies().ok_or("copies of logs are switched off there")?;
        let name = Name::new(member).map_err(|error| error.to_string())?;
        let KeptList { streams, unlisted, .. } = kept::list_all(copies.directory(), &name)
            .map_err(|error| format!("cannot read the copies: {error}"))?;
        for problem in unlisted.iter().filter(|_| !request.printing.no_messages) {
            if output.message(format!(" {problem}")).is_err() {
                break;
            }
        }
        let narrow = &compiled.narrow;
        let KeptFiles { files, unmatched, cut } = match &request.follow_from {
            Some(from) => KeptFiles::choose_followed(streams, narrow, &from.positions),
            None => KeptFiles::choose(streams, narrow),
        };
        if request.printing.by_time {
            compiled = compile::make_room_to_merge_kept(request, compiled, &files)?;
        }
        if cut {
            // If nobody receives it, the search ends at once.
            let _ = output.message(format!(
                "more than {MAX_FILES} files match: the first of them are searched; name fewer"
            ));
        }
        let search = &compiled.search;
        let totals = match &request.follow_from {
            Some(from) => search.follow_kept(member, &files, from, output, cancel),
            None => search.run_kept(&self.plan(request), member, &files, output, cancel),
        };
        // The lines that they have are missing, and nobody knows of which files.
        let errors = totals.errors + u64::from(cut) + unlisted.len() as u64;
        Ok((Totals { errors, ..totals }, unmatched))
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
