//! Adds up the members' sums. It owns the parts of members that have not ended, so that a member
//! counts wholly or not at all.

use std::collections::HashMap;
use std::sync::Arc;

use memberd_control::grep::GrepOutcome;
use memberd_streams::{Full, Gather, Limits, PartialError, Plan, Rows};

use super::options;
use crate::exit::{Exit, Failure};

/// The sums so far.
pub(super) struct Gathering {
    sums: Gather,
    kept: HashMap<String, Vec<Vec<u8>>>,
    kept_bytes: usize,
    limits: Limits,
}

impl Gathering {
    /// No sums yet.
    pub(super) fn new(plan: Arc<Plan>, limits: Limits) -> Gathering {
        let sums = Gather::new(plan, limits);
        Gathering { sums, kept: HashMap::new(), kept_bytes: 0, limits }
    }

    /// Keeps a part of a member's sums until its end.
    ///
    /// # Errors
    /// When all that is kept takes too much memory.
    pub(super) fn keep(&mut self, member: String, bytes: Vec<u8>) -> Result<(), Failure> {
        self.kept_bytes += bytes.len();
        if self.kept_bytes > self.limits.bytes {
            return Err(full(&Full::Bytes(self.limits.bytes)));
        }
        self.kept.entry(member).or_default().push(bytes);
        Ok(())
    }

    /// Adds a member's sums if it has searched all, and drops them if not.
    ///
    /// # Errors
    /// When there are more groups than may be, or the sums are in an unknown form.
    pub(super) fn end(&mut self, member: &str, outcome: &GrepOutcome) -> Result<(), Failure> {
        let parts = self.taken(member);
        if !matches!(outcome, GrepOutcome::Searched(_)) {
            return Ok(());
        }
        for part in parts {
            self.sums.partial(&part).map_err(|error| match error {
                PartialError::Full(limit) => full(&limit),
                error => Failure::new(Exit::Failed, format!("{member} sent wrong sums: {error}")),
            })?;
        }
        Ok(())
    }

    fn taken(&mut self, member: &str) -> Vec<Vec<u8>> {
        let parts = self.kept.remove(member).unwrap_or_default();
        self.kept_bytes -= parts.iter().map(Vec::len).sum::<usize>();
        parts
    }

    /// The answer.
    ///
    /// # Errors
    /// When it has more groups than may be: each of several windows that overlap has its own.
    pub(super) fn finish(self) -> Result<Rows, Failure> {
        self.sums.finish().map_err(|limit| full(&limit))
    }
}

/// The failure for a limit that the answer has reached.
fn full(limit: &Full) -> Failure {
    let message = match limit {
        Full::Groups(groups) => format!(
            "the answer has more than {groups} groups: name fewer keys behind by, or give more \
            with --groups"
        ),
        Full::Bytes(bytes) => format!(
            "the groups of the answer take more than {} of memory: name fewer keys behind by, or \
            give more with --memory",
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

    #[test]
    fn only_members_that_searched_all_count() {
        let mut gathering = gathering(1 << 20);
        for (member, lines) in [("vm1", 3), ("vm2", 50), ("vm3", 700)] {
            sums(lines).into_iter().for_each(|part| gathering.keep(member.into(), part).unwrap());
        }
        gathering.end("vm2", &GrepOutcome::Lost("gone".to_owned())).unwrap();
        gathering.end("vm1", &searched()).unwrap();
        // Nothing is known of the end of vm3.
        let rows = gathering.finish().unwrap();
        assert_eq!(rows.rows[0].values, [Value::Number(3_u64.into())]);
        assert_eq!(rows.counts.lines, 3);
    }

    #[test]
    fn a_member_that_sends_without_end_is_stopped() {
        let mut gathering = gathering(1 << 20);
        let part = || vec![0; 64 * 1024];
        let error = (0..20).find_map(|_| gathering.keep("vm1".into(), part()).err()).unwrap();
        assert_eq!(
            error.to_string(),
            "the groups of the answer take more than 1M of memory: name fewer keys behind by, or \
            give more with --memory"
        );
        gathering.end("vm1", &GrepOutcome::Lost("gone".to_owned())).unwrap();
        gathering.keep("vm2".into(), part()).unwrap();
    }

    #[test]
    fn sums_in_an_unknown_form_name_their_member() {
        let mut gathering = gathering(1 << 20);
        gathering.keep("vm7".into(), vec![255; 3]).unwrap();
        let error = gathering.end("vm7", &searched()).unwrap_err().to_string();
        assert!(error.starts_with("vm7 sent wrong sums: "), "{error}");
    }
}
