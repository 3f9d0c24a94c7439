//! Splits a network in two, and heals it.

use crate::follow::Seen;
use crate::wait::{SOON, holds};
use crate::{Fleet, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The results of a split.
#[derive(Debug)]
pub struct Healed {
    /// From the heal until every list was whole again.
    pub whole: Duration,
    /// How many members came back under a new incarnation.
    pub renewed: usize,
}

/// Splits a whole fleet in halves for this long, and heals it.
///
/// # Panics
/// When the halves do not lose sight of each other, the lists do not become whole, or in any list
/// an incarnation was followed by an older one.
pub fn halves(fleet: &Fleet, span: Duration) -> Healed {
    let before: BTreeSet<String> = fleet.wait_until_whole().into_iter().collect();
    let mut followers = fleet.follow();
    let all = fleet.running_numbers();
    let (one, other) = all.split_at(all.len() / 2);
    fleet.network().cut(one, other);
    let start = Instant::now();
    wait_until("each half lists itself alone, and the split has lasted", span + SOON, || {
        holds(start.elapsed() >= span, || format!("{:?} so far", start.elapsed()))?;
        for (half, number) in
            [one, other].into_iter().flat_map(|half| half.iter().map(move |number| (half, *number)))
        {
            let alive = fleet[number].control().alive().map_err(|error| error.to_string())?;
            let names: BTreeSet<&str> =
                alive.iter().filter_map(|id| id.split('@').next()).collect();
            let expected: Vec<String> = half.iter().map(|number| format!("vm{number}")).collect();
            holds(names == expected.iter().map(String::as_str).collect(), || {
                format!("vm{number} lists {alive:?}")
            })?;
        }
        Ok(())
    });
    fleet.network().heal();
    let healed = Instant::now();
    let after: BTreeSet<String> = fleet.wait_until_whole().into_iter().collect();
    let whole = healed.elapsed();
    assert_only_forward(followers.seen());
    Healed { whole, renewed: after.difference(&before).count() }
}

/// Asserts that in no list an incarnation was followed by an older one of the same name.
fn assert_only_forward(seen: &[Seen]) {
    let mut newest: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for Seen { observer, id, status, .. } in seen {
        let (name, incarnation) = parts(id);
        let known = newest.entry((observer, name)).or_insert(incarnation);
        assert!(
            incarnation >= *known,
            "{observer} heard that {id} is {status:?} after it knew of {known}"
        );
        *known = incarnation;
    }
}

/// The name and the incarnation in `name@address:port/incarnation`.
fn parts(id: &str) -> (&str, u64) {
    let name = id.split('@').next().unwrap_or(id);
    let incarnation = id.rsplit('/').next().and_then(|digits| digits.parse().ok());
    (name, incarnation.unwrap_or_else(|| panic!("{id} has no incarnation")))
}
