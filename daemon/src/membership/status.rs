//! How this daemon is doing: the report behind `memberctl status`, and what is wrong in plain
//! words.

use super::address;
use super::traffic::Traffic;
use memberd_control::message::{NeighbourRecord, StatusReport};
use memberd_membership::list::Standing;
use memberd_membership::node::{Neighbour, PhaseName};
use memberd_membership::{Node, Now, time::millis};
use std::time::Duration;

/// Loss is worth a word from here on: three times what a bad but usable network has.
const MUCH_LOSS: u16 = 100;

/// For this long after its list last changed, neighbours may well have another.
const LISTS_SETTLE: Duration = Duration::from_secs(3);

/// The report. `refusals` are what the seal turned away, by cause; `unwritten` is why the state is
/// not on disk, if it is not. Whoever asks adds the greps, the keys, what was not reloaded, and the
/// lines that the log lost.
pub(super) fn report(
    node: &Node,
    traffic: &Traffic,
    refusals: &[(&'static str, u64)],
    uptime: Duration,
    now: Now,
    trying_to_join: bool,
    unwritten: Option<String>,
) -> StatusReport {
    let standing = |wanted: fn(&Standing) -> bool| {
        let count = node.list().iter().filter(|entry| wanted(&entry.standing)).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    };
    let neighbours = node.neighbours(now.mono);
    let records: Vec<NeighbourRecord> =
        neighbours.iter().map(|neighbour| record(neighbour, traffic)).collect();
    let mut warnings = clock_warnings(&neighbours);
    warnings.extend(network_warnings(node, &records, now));
    if trying_to_join && node.phase() != PhaseName::Member {
        warnings.push(
            "not in the group yet; trying to join: are the introducers up and reachable?"
                .to_owned(),
        );
    }
    warnings.extend(address::gone(node.address().ip()));
    warnings.extend(unwritten.map(|reason| {
        format!(
            "the state cannot be written, so a restart may not know of the last changes: {reason}"
        )
    }));
    StatusReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        phase: node.phase().as_str().to_owned(),
        name: node.name().to_string(),
        address: node.address().to_string(),
        id: node.member().map(|id| id.to_string()),
        uptime: millis(uptime),
        alive: standing(|standing| matches!(standing, Standing::Alive)),
        failed: standing(|standing| matches!(standing, Standing::Failed(_) | Standing::Doubted(_))),
        left: standing(|standing| matches!(standing, Standing::Left)),
        digest: format!("{:08x}", node.list().digest().hash),
        neighbours: records,
        counters: counters(node, traffic, refusals),
        warnings,
        greps: Vec::new(),
        searches: 0,
        keys: Vec::new(),
        tags: node
            .tags()
            .iter()
            .map(|(key, value)| (key.as_str().to_owned(), value.as_str().to_owned()))
            .collect(),
    }
}

fn record(neighbour: &Neighbour, traffic: &Traffic) -> NeighbourRecord {
    NeighbourRecord {
        name: neighbour.member.name.to_string(),
        heartbeat_age: neighbour.heartbeat_age.map(millis),
        clock_offset: neighbour.clock_offset,
        agrees: neighbour.agrees,
        watched: neighbour.watched,
        watches: neighbour.watches,
        smallest_delay: neighbour.smallest_delay,
        lost_permille: traffic.lost_permille(neighbour.member.address),
    }
}

fn counters(
    node: &Node,
    traffic: &Traffic,
    refusals: &[(&'static str, u64)],
) -> Vec<(String, u64)> {
    let totals = traffic.totals();
    let heartbeats = |kinds: &super::ByKind| kinds.get("heartbeat").copied().unwrap_or(0);
    let own = [
        ("datagrams_unsent", totals.unsent),
        ("heartbeats_lost", totals.heartbeats_lost),
        ("heartbeats_received", heartbeats(&totals.received)),
        ("heartbeats_sent", heartbeats(&totals.sent)),
    ];
    let mut counters: Vec<(String, u64)> = node
        .counters()
        .named()
        .into_iter()
        .chain(own)
        .chain(refusals.iter().copied())
        .map(|(name, count)| (name.to_owned(), count))
        .collect();
    counters.sort();
    counters
}

/// Clocks that disagree. If most neighbours' do, and in the same direction, it is this machine's
/// that is wrong.
fn clock_warnings(neighbours: &[Neighbour]) -> Vec<String> {
    let skewed: Vec<(&str, i64)> = neighbours
        .iter()
        .filter(|neighbour| neighbour.clock_disagrees)
        .filter_map(|neighbour| Some((neighbour.member.name.as_str(), neighbour.clock_offset?)))
        .collect();
    let ahead = skewed.iter().filter(|(_, offset)| *offset > 0).count();
    if neighbours.len() >= 3 && ahead.max(skewed.len() - ahead) * 2 > neighbours.len() {
        let mut offsets: Vec<i64> = skewed.iter().map(|(_, offset)| *offset).collect();
        offsets.sort_unstable();
        let middle = offsets.get(offsets.len() / 2).copied().unwrap_or_default();
        let direction = if middle > 0 { "behind" } else { "ahead of" };
        let most = format!("those of most neighbours ({} of {})", skewed.len(), neighbours.len());
        return vec![format!(
            "our clock is {} {direction} {most}: set it, see timedatectl",
            in_seconds(middle)
        )];
    }
    skewed
        .into_iter()
        .map(|(name, offset)| {
            let direction = if offset > 0 { "ahead of" } else { "behind" };
            format!("the clock of {name} is {} {direction} ours", in_seconds(offset))
        })
        .collect()
}

fn in_seconds(milliseconds: i64) -> String {
    format!("{:.1} s", Duration::from_millis(milliseconds.unsigned_abs()).as_secs_f64())
}

/// Heartbeats that are lost or stay away, and lists that stay different.
fn network_warnings(node: &Node, neighbours: &[NeighbourRecord], now: Now) -> Vec<String> {
    let mut warnings = Vec::new();
    let watched: Vec<&NeighbourRecord> =
        neighbours.iter().filter(|neighbour| neighbour.watched).collect();
    let interval = millis(node.group_settings().heartbeat_interval);
    let silent = |neighbour: &&&NeighbourRecord| {
        neighbour.heartbeat_age.is_some_and(|age| age > interval * 2)
    };
    match watched.iter().filter(silent).count() {
        0 => {}
        count if count == watched.len() && count > 1 => warnings.push(
            "no neighbour's heartbeats arrive here: is UDP to our port let in (firewall), \
            are we cut off?"
                .to_owned(),
        ),
        _ => warnings.extend(watched.iter().filter(silent).filter_map(|neighbour| {
            let age = Duration::from_millis(neighbour.heartbeat_age?).as_secs_f64();
            Some(format!("{} has sent no heartbeat for {age:.1} s", neighbour.name))
        })),
    }
    warnings.extend(watched.iter().filter_map(|neighbour| {
        let lost = neighbour.lost_permille.filter(|lost| *lost >= MUCH_LOSS)?;
        Some(format!("{} % of the heartbeats of {} are lost on the way", lost / 10, neighbour.name))
    }));
    let newest = node.list().iter().map(|entry| entry.since).max();
    let settled = newest.is_some_and(|newest| now.mono.since(newest) > LISTS_SETTLE);
    let differing: Vec<&str> = watched
        .iter()
        .filter(|neighbour| settled && !neighbour.agrees && neighbour.heartbeat_age.is_some())
        .map(|neighbour| neighbour.name.as_str())
        .collect();
    if !differing.is_empty() {
        warnings.push(format!("another list than ours have {}", differing.join(", ")));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_membership::{Identity, Incarnation, Name};

    fn neighbour(number: u16, offset: i64) -> Neighbour {
        let name = Name::new(&format!("vm{number}")).unwrap();
        Neighbour {
            member: Identity {
                name,
                address: ([127, 0, 0, 1], number).into(),
                incarnation: Incarnation(1),
            },
            heartbeat_age: None,
            clock_offset: Some(offset),
            clock_disagrees: offset.abs() > 250,
            agrees: true,
            watched: true,
            watches: true,
            smallest_delay: None,
        }
    }

    fn warnings(offsets: &[i64]) -> Vec<String> {
        let neighbours: Vec<Neighbour> =
            (1..).zip(offsets).map(|(number, offset)| neighbour(number, *offset)).collect();
        clock_warnings(&neighbours)
    }

    #[test]
    fn a_clock_that_is_wrong_is_named() {
        assert!(warnings(&[0, 2, -3, 100]).is_empty());
        assert_eq!(warnings(&[0, 2, -4_100, 1]), ["the clock of vm3 is 4.1 s behind ours"]);
        assert_eq!(warnings(&[900]), ["the clock of vm1 is 0.9 s ahead of ours"]);
        let both =
            ["the clock of vm1 is 9.0 s ahead of ours", "the clock of vm2 is 9.0 s behind ours"];
        assert_eq!(warnings(&[9_000, -9_000, 0, 0]), both);
    }

    #[test]
    fn if_most_clocks_seem_wrong_it_is_ours() {
        let words = |direction| {
            [format!(
                "our clock is 4.1 s {direction} those of most neighbours (3 of 4): set it, see \
                timedatectl"
            )]
        };
        assert_eq!(warnings(&[4_100, 4_101, 4_099, 0]), words("behind"));
        assert_eq!(warnings(&[-4_100, -4_101, -4_099, 0]), words("ahead of"));
    }
}
