//! Fuzzes questions over logs, the lines they are asked of, and partial sums of other members.
//!
//! The first byte chooses. 0: a question up to the first newline, and lines behind it. Its rows do
//! not depend on the order of lines and of partial sums. Else: what is behind the head of a partial
//! sum of a known question.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_fuzz::STATS_QUESTIONS;
use memberd_streams::{Fold, Gather, Limits, LineTime, MAX_PARTIAL, Plan, Query, Rows};
use std::sync::{Arc, LazyLock};

/// The length of the head of a partial sum in bytes: its version, and the hash of its question.
const HEAD: usize = 17;

/// Overlapping windows may multiply groups, so a question has few.
const LIMITS: Limits = Limits { groups: 20_000, bytes: 64 << 20 };

/// The time of a line is the number of its bytes, in seconds.
struct Length;

impl LineTime for Length {
    fn milliseconds(&mut self, line: &[u8]) -> Option<i64> {
        i64::try_from(line.len()).ok().map(|seconds| seconds * 1_000)
    }
}

/// The known questions, and the head of a partial sum of each.
static KNOWN: LazyLock<Vec<(Arc<Plan>, Vec<u8>)>> = LazyLock::new(|| {
    STATS_QUESTIONS
        .iter()
        .map(|question| {
            let query = Query::parse(question).expect("a question");
            let plan = Arc::new(Plan::new(&query).expect("a plan"));
            let head = partials(&plan, [].into_iter()).swap_remove(0);
            (plan, head[..HEAD].to_vec())
        })
        .collect()
});

fn partials<'a>(plan: &Arc<Plan>, lines: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut fold = Fold::new(plan.clone(), "vm1", LIMITS);
    fold.set_file(b"/srv/log");
    for line in lines {
        // A full table is an answer.
        if fold.line(line, &mut Length).is_err() {
            break;
        }
    }
    fold.into_partials().collect()
}

fn rows<'a>(plan: &Arc<Plan>, partials: impl Iterator<Item = &'a Vec<u8>>) -> Option<Rows> {
    let mut gather = Gather::new(plan.clone(), LIMITS);
    for partial in partials {
        assert!(partial.len() <= MAX_PARTIAL);
        gather.partial("vm1", partial).expect("a partial sum of this question");
    }
    let rows = gather.finish().ok()?;
    assert!(rows.rows.iter().all(|row| row.values.len() == rows.columns.len()));
    Some(rows)
}

/// Asks a question of lines in both orders.
fn ask(input: &[u8]) {
    let mut parts = input.split(|byte| *byte == b'\n');
    let question = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let compiled = Query::parse(&question).and_then(|query| Plan::new(&query));
    let plan = match compiled {
        Ok(plan) => Arc::new(plan),
        Err(error) => {
            assert!(error.span.end <= question.len() && !error.message.contains('\n'));
            assert!(error.pointed(&question).ends_with(&error.message));
            return;
        }
    };
    let lines: Vec<&[u8]> = parts.collect();
    let forward = partials(&plan, lines.iter().copied());
    let backward = partials(&plan, lines.iter().rev().copied());
    assert_eq!(rows(&plan, forward.iter()), rows(&plan, backward.iter().rev()));
}

/// The same sums twice in an answer that grows, of which all windows leave that have ended.
fn follow(plan: &Arc<Plan>, partial: &[u8]) {
    let mut gather = Gather::following(plan.clone(), LIMITS);
    if gather.partial("vm1", partial).is_err() {
        return;
    }
    let changed = gather.changed().map(|rows| rows.rows.len());
    assert_eq!(gather.rows().map(|rows| rows.rows.len()), changed);
    gather.forget_before(gather.newest(i64::MAX).unwrap_or_default());
    // A full table is an answer.
    let _ = gather.partial("vm1", partial);
    let _ = gather.rows();
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let Some(known) = usize::from(*kind).checked_sub(1) else { return ask(bytes) };
    let (plan, head) = &KNOWN[known % KNOWN.len()];
    let mut gather = Gather::new(plan.clone(), LIMITS);
    let partial = [head.as_slice(), bytes].concat();
    follow(plan, &partial);
    let read = gather.partial("vm1", &partial);
    let again = read.is_ok().then(|| gather.partial("vm1", &partial));
    assert_ne!(again.map(|again| again.is_ok()), Some(false), "it is read once more");
    let _ = gather.finish();
});
