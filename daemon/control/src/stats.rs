//! Questions over logs: what `memberctl stats` asks. It owns no state.

use crate::grep::{GrepOrder, GrepPrinting, GrepRequest};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// The longest text of a question, in bytes.
pub const MAX_QUERY_BYTES: usize = 16 * 1024;

/// The longest part of an answer, in bytes. A member answers with any number of them.
pub const MAX_PARTIAL_BYTES: usize = 64 * 1024;

/// The intervals at which a member may send its sums, in milliseconds.
pub const EVERY_MS: RangeInclusive<u64> = 100..=3_600_000;

/// Counts lines of the members' logs, and answers with sums.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsRequest {
    /// The members, the files and the lines. Its pattern is that of the question. The way of
    /// printing is ignored, but for [`GrepPrinting::no_messages`](crate::grep::GrepPrinting).
    pub grep: GrepRequest,
    /// As [`StatsQuestion::query`].
    pub query: String,
    /// As [`StatsQuestion::groups`].
    pub groups: u64,
    /// As [`StatsQuestion::bytes`].
    pub bytes: u64,
    /// As [`StatsQuestion::every_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
}

/// What is asked of the selected lines. The words are those of the crate `memberd-streams`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsQuestion {
    /// The whole question, its pattern included. No daemon reads it.
    pub query: String,
    /// The most groups that a member may have.
    pub groups: u64,
    /// The most bytes of memory for a member's groups. Zero means as many as there are.
    pub bytes: u64,
    /// How often a member sends the sums of what it has counted since, in milliseconds, one of
    /// [`EVERY_MS`]. A search that follows files has it, and no other one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
}

impl StatsRequest {
    /// The search that members are asked for, or why there is none: one line.
    ///
    /// # Errors
    /// When a question cannot be asked like this.
    pub fn into_grep(self) -> Result<GrepRequest, &'static str> {
        let StatsRequest { grep, query, groups, bytes, every_ms } = self;
        let question = StatsQuestion { query, groups, bytes, every_ms };
        question.check()?;
        if grep.files.journal.is_some() {
            return Err("stats reads files; it does not read the journal yet");
        }
        if grep.printing.by_time {
            return Err("stats does not merge files by time");
        }
        if grep.files.follow != every_ms.is_some() {
            return Err("stats sends sums at an interval if it follows files, and only then");
        }
        if grep.files.follow && (grep.files.since.is_some() || grep.files.until.is_some()) {
            return Err("stats follows what is written from now on, whatever its time");
        }
        let no_messages = grep.printing.no_messages;
        // A follow does not count what copies have.
        let copies = grep.copies && !grep.files.follow;
        let printing = GrepPrinting { no_messages, ..GrepPrinting::default() };
        let (output_file, order, stats) = (None, GrepOrder::Found, Some(question));
        Ok(GrepRequest { printing, output_file, order, copies, stats, ..grep })
    }
}

impl StatsQuestion {
    /// Checks its bounds.
    ///
    /// # Errors
    /// When it is too long, or allows no group: one line.
    pub fn check(&self) -> Result<(), &'static str> {
        match self {
            StatsQuestion { query, .. } if query.len() > MAX_QUERY_BYTES => {
                Err("the question is longer than 16 KiB")
            }
            StatsQuestion { groups: 0, .. } => Err("a question needs room for a group at least"),
            StatsQuestion { every_ms: Some(every_ms), .. } if !EVERY_MS.contains(every_ms) => {
                Err("sums are sent at an interval of 100 ms to an hour")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grep::GrepJournal;

    fn request(change: impl FnOnce(&mut StatsRequest)) -> StatsRequest {
        let query = "| nginx | count".to_owned();
        let mut request = StatsRequest { query, groups: 1, ..StatsRequest::default() };
        change(&mut request);
        request
    }

    #[test]
    fn a_question_becomes_a_search_that_carries_it() {
        let grep = request(|_| ()).into_grep().unwrap();
        let query = "| nginx | count".to_owned();
        assert_eq!(
            grep.stats,
            Some(StatsQuestion { query, groups: 1, ..StatsQuestion::default() })
        );
    }

    #[test]
    fn a_question_that_follows_has_an_interval() {
        let grep = request(|it| (it.grep.files.follow, it.every_ms) = (true, Some(1_000)));
        let grep = grep.into_grep().unwrap();
        assert_eq!((grep.files.follow, grep.stats.unwrap().every_ms), (true, Some(1_000)));
    }

    #[test]
    fn what_cannot_be_asked_is_refused_in_words() {
        let journal = GrepJournal::default();
        let follow =
            |every_ms| request(|it| (it.grep.files.follow, it.every_ms) = (true, Some(every_ms)));
        let mut since = follow(100).grep;
        since.files.since = Some(0);
        for (refused, words) in [
            (request(|it| it.grep.files.journal = Some(journal)), "journal"),
            (request(|it| it.grep.files.follow = true), "interval"),
            (request(|it| it.every_ms = Some(1_000)), "interval"),
            (follow(99), "100 ms"),
            (follow(u64::MAX), "an hour"),
            (StatsRequest { grep: since, ..follow(100) }, "from now on"),
            (request(|it| it.grep.printing.by_time = true), "merge"),
            (request(|it| it.groups = 0), "group"),
            (request(|it| it.query = "x".repeat(MAX_QUERY_BYTES + 1)), "16 KiB"),
        ] {
            assert!(refused.into_grep().unwrap_err().contains(words), "{words}");
        }
    }
}
