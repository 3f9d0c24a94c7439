//! What jobs count with: the plan of a job's query. Owns no state.

use memberd_jobs::{JobSpec, Part, Partition, StreamSums};
use memberd_streams::{Limits, Plan, Query};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most groups of a range that is read, in all windows and partitions together, and the most
/// bytes of their sums.
pub(super) const LIMITS: Limits = Limits { groups: 1_000_000, bytes: 256 << 20 };

/// The sums of a job. None if its query cannot be read here, which a later version wrote.
pub(super) fn sums_of(spec: &JobSpec) -> Option<StreamSums> {
    let plan = Plan::new(&Query::parse(&spec.query).ok()?).ok()?;
    let whole = |number| usize::try_from(number).unwrap_or(usize::MAX);
    let limits = Limits { groups: whole(spec.limits.groups), bytes: whole(spec.limits.bytes) };
    Some(StreamSums::new(Arc::new(plan), limits))
}

/// What a fold of a range made, by the partitions that it was asked for.
///
/// # Errors
/// When a partial sum is none of this query: one line.
pub(super) fn by_partition(
    sums: &StreamSums,
    spec: &JobSpec,
    wanted: &BTreeSet<Partition>,
    partials: &[Vec<u8>],
) -> Result<BTreeMap<Partition, Vec<Part>>, String> {
    let mut parts: BTreeMap<Partition, Vec<Part>> = BTreeMap::new();
    for partial in partials {
        let divided = sums.divide(partial, spec.partitions).map_err(|error| error.to_string())?;
        for (partition, division) in divided.1 {
            let Some(window) = division.window.filter(|_| wanted.contains(&partition)) else {
                continue;
            };
            // A window's lines are told once.
            let lines = std::iter::once(division.lines).chain(std::iter::repeat(0));
            let pieces = division.partials.into_iter().zip(lines);
            let pieces = pieces.map(|(sums, lines)| Part { window, lines, sums });
            parts.entry(partition).or_default().extend(pieces);
        }
    }
    Ok(parts)
}
