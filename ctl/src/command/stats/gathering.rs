//! Adds up the members' sums. It owns the parts of members that have not ended, so that a member
//! counts wholly or not at all.

mod rounds;

pub(super) use rounds::RoundEnd;

use std::collections::HashMap;
use std::sync::Arc;

use memberd_control::grep::GrepOutcome;
use memberd_streams::{Full, Gather, Limits, MAX_PARTIAL, PartialError, Plan, Rows};

use super::options;
use crate::exit::{Exit, Failure};

/// How many times the memory for groups the sums of members may take that have not ended.
const AT_ONCE: usize = 4;

/// Sums of members that have not ended may take as many bytes, however little memory groups have.
const LEAST_AT_ONCE: usize = 256 << 20;

/// The sums so far.
pub(super) struct Gathering {
    sums: Gather,
    /// By member.
    kept: HashMap<String, Kept>,
    /// The bytes of all of them.
    kept_bytes: usize,
    limits: Limits,
    /// A member has searched all.
    searched: bool,
}

/// What a member has sent that has not ended.
#[derive(Default)]
struct Kept {
    parts: Vec<Vec<u8>>,
    bytes: usize,
    /// It has sent too much, so it does not count. This says why.
    refused: Option<String>,
    /// The user knows that.
    is_told: bool,
}

impl Gathering {
    /// No sums yet.
    pub(super) fn new(plan: Arc<Plan>, limits: Limits) -> Gathering {
        let sums = Gather::new(plan, limits);
        Gathering { sums, kept: HashMap::new(), kept_bytes: 0, limits, searched: false }
    }

    /// Keeps a part of a member's sums until its end. What is too much costs that member its sums:
    /// nobody else's are dropped for them.
    pub(super) fn keep(&mut self, member: String, part: Vec<u8>) {
        let kept = self.kept.entry(member.clone()).or_default();
        if kept.refused.is_some() {
            return;
        }
        // Parts without a byte are no way around the limit.
        let bytes = part.len() + size_of::<Vec<u8>>();
        kept.parts.push(part);
        kept.bytes += bytes;
        self.kept_bytes += bytes;
        // In a table, sums take more memory than in the form in which they are sent.
        if kept.bytes > self.limits.bytes.saturating_add(MAX_PARTIAL) {
            let most = options::size_text(self.limits.bytes);
            self.refuse(&member, format!("its sums take more than {most}: {MORE_MEMORY}"));
        }
        let at_once = self.limits.bytes.saturating_mul(AT_ONCE).max(LEAST_AT_ONCE);
        if self.kept_bytes > at_once {
            let largest = self.kept.iter().max_by_key(|(_, kept)| kept.bytes);
            let largest = largest.map_or(member, |(member, _)| member.clone());
            let most = options::size_text(at_once);
            let why = "the sums of members that have not ended take more than";
            self.refuse(&largest, format!("{why} {most}, and its are the largest: {MORE_MEMORY}"));
        }
    }

    /// Drops what a member has sent and will send.
    fn refuse(&mut self, member: &str, why: String) {
        self.taken(member);
        let refused = Kept { refused: Some(why), ..Kept::default() };
        self.kept.insert(member.to_owned(), refused);
    }

    /// Adds a member's sums if it has searched all, and drops them if not. Returns its outcome,
    /// which is another one if its sums do not count.
    ///
    /// # Errors
    /// When there are more groups than may be.
    pub(super) fn end(
        &mut self,
        member: &str,
        outcome: GrepOutcome,
    ) -> Result<GrepOutcome, Failure> {
        let Kept { parts, refused, .. } = self.taken(member);
        if !matches!(outcome, GrepOutcome::Searched(_)) {
            return Ok(outcome);
        }
        let refused = refused.or_else(|| self.fault(member, &parts));
        if let Some(why) = refused {
            return Ok(GrepOutcome::Lost(why));
        }
        self.add(member, &parts)?;
        Ok(outcome)
    }

    /// Why these parts do not count, if they do not. All are looked at before the first is added,
    /// since none can be taken back.
    fn fault(&self, member: &str, parts: &[Vec<u8>]) -> Option<String> {
        let error = parts.iter().find_map(|part| self.sums.check(member, part).err());
        error.map(|error| not_counted(&error))
    }

    /// Adds parts in which [`Gathering::fault`] has found none.
    fn add(&mut self, member: &str, parts: &[Vec<u8>]) -> Result<(), Failure> {
        self.searched = true;
        for part in parts {
            match self.sums.checked_partial(part) {
                Ok(()) => {}
                Err(PartialError::Full(limit)) => return Err(full(&limit)),
                Err(error) => {
                    let message = format!("{member}: {}", not_counted(&error));
                    return Err(Failure::new(Exit::Failed, message));
                }
            }
        }
        Ok(())
    }

    fn taken(&mut self, member: &str) -> Kept {
        let kept = self.kept.remove(member).unwrap_or_default();
        self.kept_bytes -= kept.bytes;
        kept
    }

    /// The answer. It has no row if no member has searched all, since a sum of nothing would not
    /// say that.
    ///
    /// # Errors
    /// When it has more groups than may be: each of several windows that overlap has its own.
    pub(super) fn finish(self) -> Result<Rows, Failure> {
        let searched = self.searched;
        self.sums.finish().map_err(|limit| full(&limit)).map(|rows| known(searched, rows))
    }
}

/// The rows, if a member has searched all.
fn known(searched: bool, rows: Rows) -> Rows {
    if searched { rows } else { Rows { rows: Vec::new(), ..rows } }
}

/// What is said of a member whose sums cannot be added to those of the others.
fn not_counted(error: &PartialError) -> String {
    format!("its sums do not count: {error}")
}

/// What to do about too much memory.
const MORE_MEMORY: &str = "name fewer keys behind by, or give more with --memory";

/// The failure for a limit that the answer has reached.
fn full(limit: &Full) -> Failure {
    let message = match limit {
        Full::Groups(groups) => format!(
            "the answer has more than {groups} groups: name fewer keys behind by, or give more \
            with --groups"
        ),
        Full::Bytes(bytes) => format!(
            "the groups of the answer take more than {} of memory: {MORE_MEMORY}",
            options::size_text(*bytes)
        ),
    };
    Failure::new(Exit::Failed, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_control::grep::GrepTotals;
    use memberd_streams::{Fold, LineTime, Query, Value};

    struct NoTime;

    impl LineTime for NoTime {
        fn milliseconds(&mut self, _: &[u8]) -> Option<i64> {
            None
        }
    }

    fn plan() -> Arc<Plan> {
        Arc::new(Plan::new(&Query::parse("| count").unwrap()).unwrap())
    }

    fn sums(lines: u64) -> Vec<Vec<u8>> {
        let mut fold = Fold::new(plan(), "vm1", Limits { groups: 9, bytes: 1 << 20 });
        (0..lines).for_each(|_| fold.line(b"x", &mut NoTime).unwrap());
        fold.into_partials().collect()
    }

    fn searched() -> GrepOutcome {
        GrepOutcome::Searched(GrepTotals::default())
    }

    fn gathering(bytes: usize) -> Gathering {
        Gathering::new(plan(), Limits { groups: 9, bytes })
    }

    fn lost(outcome: GrepOutcome) -> String {
        match outcome {
            GrepOutcome::Lost(why) => why,
            outcome => panic!("{outcome:?}"),
        }
    }

    fn keep(gathering: &mut Gathering, member: &str, lines: u64) {
        sums(lines).into_iter().for_each(|part| gathering.keep(member.to_owned(), part));
    }

    #[test]
    fn only_members_that_searched_all_count() {
        let mut gathering = gathering(1 << 20);
        for (member, lines) in [("vm1", 3), ("vm2", 50), ("vm3", 700)] {
            keep(&mut gathering, member, lines);
        }
        gathering.end("vm2", GrepOutcome::Lost("gone".to_owned())).unwrap();
        assert_eq!(gathering.end("vm1", searched()).unwrap(), searched());
        // Nothing is known of the end of vm3.
        let rows = gathering.finish().unwrap();
        assert_eq!(rows.rows[0].values, [Value::Number(3_u64.into())]);
        assert_eq!(rows.counts.lines, 3);
    }

    /// The row 0 would say that nobody has such a line.
    #[test]
    fn without_a_member_that_searched_all_there_is_no_row() {
        let mut gathering = gathering(1 << 20);
        keep(&mut gathering, "vm1", 3);
        gathering.end("vm1", GrepOutcome::Lost("gone".to_owned())).unwrap();
        gathering.end("vm2", GrepOutcome::NotAsked { failed: 1, left: false }).unwrap();
        assert_eq!(gathering.finish().unwrap().rows.len(), 0);
        // A member that has no such line is another matter.
        let mut gathering = Gathering::new(plan(), Limits { groups: 9, bytes: 1 << 20 });
        keep(&mut gathering, "vm1", 0);
        gathering.end("vm1", searched()).unwrap();
        assert_eq!(gathering.finish().unwrap().rows[0].values, [Value::Number(0_u64.into())]);
    }

    #[test]
    fn a_member_that_sends_without_end_loses_only_its_own_sums() {
        let mut gathering = gathering(1 << 20);
        keep(&mut gathering, "vm2", 5);
        for part in [64 * 1024, 0] {
            (0..100_000).for_each(|_| gathering.keep(format!("evil{part}"), vec![0; part]));
            assert!(gathering.kept_bytes < 1_000, "{}", gathering.kept_bytes);
        }
        for evil in ["evil0", "evil65536"] {
            assert_eq!(
                lost(gathering.end(evil, searched()).unwrap()),
                "its sums take more than 1M: name fewer keys behind by, or give more with --memory"
            );
        }
        // It may end otherwise as well.
        keep(&mut gathering, "vm2", 2);
        assert_eq!(gathering.end("vm2", searched()).unwrap(), searched());
        assert_eq!(gathering.finish().unwrap().counts.lines, 7);
    }

    /// The sums of as many of these lines as a table of so many bytes has room for.
    fn full_table(query: &str, keys: usize, bytes: usize) -> (usize, Vec<Vec<u8>>) {
        let plan = Arc::new(Plan::new(&Query::parse(query).unwrap()).unwrap());
        let limits = Limits { groups: 1_000_000, bytes };
        let line = |at: usize| format!("k=key{} v=-{}.{at:09}", at % keys, at * 7_919 % 100_003);
        let fold = |lines: usize| {
            let mut fold = Fold::new(Arc::clone(&plan), "vm1", limits);
            let full = (0..lines).find(|at| fold.line(line(*at).as_bytes(), &mut NoTime).is_err());
            full.map_or(Ok(fold), Err)
        };
        let lines = fold(20_000).map_or_else(|full| full, |_| 20_000);
        let Ok(fold) = fold(lines) else { panic!("{query}") };
        (lines, fold.into_partials().collect())
    }

    /// Who keeps to the limit loses nothing by it, whatever the sums are.
    #[test]
    fn sums_of_a_table_that_is_just_not_full_are_kept() {
        for query in [
            "| logfmt | count by k",
            "| logfmt | count, sum(v), avg(v), min(v), max(v) by k",
            "| logfmt | p50(v), p999(v) by k",
            "| logfmt | distinct(v) by k",
            "| logfmt | min(v), distinct(line), p99(v), count by k, v",
        ] {
            for (keys, bytes) in [(1, 64 << 10), (7, 64 << 10), (100_000, 256 << 10)] {
                let (lines, parts) = full_table(query, keys, bytes);
                let mut gathering = gathering(bytes);
                parts.into_iter().for_each(|part| gathering.keep("vm1".to_owned(), part));
                let refused = gathering.kept["vm1"].refused.as_ref();
                assert_eq!(refused, None, "{query}, {keys} keys, {lines} lines");
            }
        }
    }

    /// Many members have the same keys, and their table is small.
    #[test]
    fn members_that_end_at_once_may_send_more_than_one_may() {
        let mut gathering = gathering(1 << 20);
        for member in 0..60 {
            let member = format!("vm{member}");
            (0..15).for_each(|_| gathering.keep(member.clone(), vec![0; 64 * 1024]));
            keep(&mut gathering, &member, 1);
        }
        assert!(gathering.kept.values().all(|kept| kept.refused.is_none()));
        assert!(gathering.kept_bytes > 40 << 20, "{}", gathering.kept_bytes);
    }

    #[test]
    fn the_largest_sums_are_dropped_if_all_take_too_much() {
        let mut gathering = gathering(64 << 20);
        let part = || vec![0; 1 << 20];
        (0..60).for_each(|_| gathering.keep("large".to_owned(), part()));
        for member in 0..20 {
            keep(&mut gathering, &format!("vm{member}"), 1);
            (0..9).for_each(|_| gathering.keep(format!("vm{member}"), part()));
        }
        (0..20).for_each(|_| gathering.keep("last".to_owned(), part()));
        let refused: Vec<&String> = gathering
            .kept
            .iter()
            .filter(|(_, kept)| kept.refused.is_some())
            .map(|(member, _)| member)
            .collect();
        assert_eq!(refused, ["large"]);
        assert_eq!(
            lost(gathering.end("large", searched()).unwrap()),
            "the sums of members that have not ended take more than 256M, and its are the largest: \
             name fewer keys behind by, or give more with --memory"
        );
        assert!(gathering.kept_bytes > 190 << 20);
    }

    #[test]
    fn sums_that_are_wrong_in_one_part_do_not_count_at_all() {
        let mut gathering = gathering(1 << 20);
        keep(&mut gathering, "vm7", 3);
        gathering.keep("vm7".into(), vec![255; 3]);
        keep(&mut gathering, "vm1", 5);
        let why = lost(gathering.end("vm7", searched()).unwrap());
        assert!(why.starts_with("its sums do not count: the sums have version 255"), "{why}");
        gathering.end("vm1", searched()).unwrap();
        assert_eq!(gathering.finish().unwrap().counts.lines, 5);
    }

    /// A member's own words about a limit, which are those of the crate, name the option.
    #[test]
    fn limits_of_a_member_name_the_option_that_raises_them() {
        assert!(Full::Groups(7).to_string().contains("raise --groups"));
        assert!(Full::Bytes(7).to_string().contains("raise --memory"));
    }
}
