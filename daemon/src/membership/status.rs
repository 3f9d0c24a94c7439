//! Makes the membership's status and its warnings: the part of `memberctl status` that the node's
//! owner knows. It owns no state.

use super::member::suspected;
use super::traffic::Traffic;
use super::{Founded, JoinFailure, address, join_words};
use crate::resolve::Resolved;
use memberd_membership::{
    Detection, Identity, MemberState, Name, Neighbour, Node, Now, PhaseName, Tags,
};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A loss of this size is worth a warning. It is three times the loss of a bad but usable network.
const MUCH_LOSS_PERMILLE: u16 = 100;

/// For this long after a change of its list, neighbours may have a different one.
const LISTS_SETTLE: Duration = Duration::from_secs(3);

/// The status of the membership.
#[derive(Debug)]
pub struct Status {
    /// Whether this member is in its group.
    pub phase: PhaseName,
    /// This member's name.
    pub name: Name,
    /// This member's address.
    pub address: SocketAddr,
    /// This member's identity while it is in the group.
    pub id: Option<Identity>,
    /// How long the membership task has run.
    pub uptime: Duration,
    /// Members that are alive, this one included.
    pub alive: u64,
    /// Members that failed.
    pub failed: u64,
    /// Members that left.
    pub left: u64,
    /// How many of the alive are suspected.
    pub suspected: u64,
    /// The hash of the list of live members. It is the same on every member at rest.
    pub list_hash: u32,
    /// The members that this one watches, or that watch it.
    pub neighbours: Vec<NeighbourStatus>,
    /// Counters since the start, by name.
    pub counters: Vec<(&'static str, u64)>,
    /// The warnings, one line each.
    pub warnings: Vec<String>,
    /// This member's own tags.
    pub tags: Tags,
}

/// The status of a neighbour.
#[derive(Debug)]
pub struct NeighbourStatus {
    /// The node's data about it.
    pub neighbour: Neighbour,
    /// How many of a thousand of its heartbeats were lost recently; `None` while unknown.
    pub lost_permille: Option<u16>,
    /// The monitor that suspects it.
    pub suspected_by: Option<Name>,
}

/// The members in the order of the ring.
#[derive(Debug)]
pub struct Ring {
    /// The number of members that watch each member.
    pub max_simultaneous_failures: u8,
    /// The names of the members in the order of the ring.
    pub names: Vec<Name>,
}

/// The sources of a [`Status`].
pub(super) struct Sources<'t> {
    pub(super) node: &'t Node,
    /// The address that the socket is bound to.
    pub(super) bind: IpAddr,
    pub(super) traffic: &'t Traffic,
    /// The datagrams that the seal refused, by cause.
    pub(super) refusals: &'t [(&'static str, u64)],
    pub(super) uptime: Duration,
    pub(super) now: Now,
    /// Whether the daemon still tries to join.
    pub(super) trying_to_join: bool,
    /// Why the newest attempt to join failed, if any.
    pub(super) not_joined: Option<&'t JoinFailure>,
    /// Why this member founded its group, if it did.
    pub(super) founded: Option<Founded>,
    /// What is known of the introducers of the settings.
    pub(super) introducers: &'t Resolved,
    /// The problem that keeps the state from the disk, if any.
    pub(super) unwritten: Option<String>,
}

impl Sources<'_> {
    pub(super) fn status(self) -> Status {
        let node = self.node;
        let count = |wanted: fn(&MemberState) -> bool| {
            let count = node.list().iter().filter(|entry| wanted(&entry.state)).count();
            u64::try_from(count).unwrap_or(u64::MAX)
        };
        let neighbours = self.neighbours();
        Status {
            phase: node.phase(),
            name: node.name().clone(),
            address: node.address(),
            id: node.member(),
            uptime: self.uptime,
            alive: count(|state| matches!(state, MemberState::Alive)),
            failed: count(|state| {
                matches!(state, MemberState::Failed(_) | MemberState::Doubted(_))
            }),
            left: count(|state| matches!(state, MemberState::Left)),
            suspected: u64::try_from(suspected(node).count()).unwrap_or(u64::MAX),
            list_hash: node.list().digest().hash,
            counters: self.counters(),
            tags: node.tags(),
            warnings: self.warnings(&neighbours),
            neighbours,
        }
    }

    fn neighbours(&self) -> Vec<NeighbourStatus> {
        let status = |neighbour: Neighbour| NeighbourStatus {
            lost_permille: self.traffic.lost_permille(neighbour.member.address),
            suspected_by: self.node.suspected_by(&neighbour.member.name).cloned(),
            neighbour,
        };
        self.node.neighbours(self.now.mono).into_iter().map(status).collect()
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let totals = self.traffic.totals();
        let heartbeats = |kinds: &super::ByKind| kinds.get("heartbeat").copied().unwrap_or(0);
        let own = [
            ("datagrams_unsent", totals.unsent),
            ("heartbeats_lost", totals.heartbeats_lost),
            ("heartbeats_received", heartbeats(&totals.received)),
            ("heartbeats_sent", heartbeats(&totals.sent)),
        ];
        let refusals = self.refusals.iter().copied();
        self.node.counters().named().into_iter().chain(own).chain(refusals).collect()
    }

    fn warnings(&self, neighbours: &[NeighbourStatus]) -> Vec<String> {
        let node = self.node;
        let mut warnings = clock_warnings(neighbours);
        warnings.extend(network_warnings(node, neighbours, self.now));
        if self.trying_to_join && node.phase() != PhaseName::Member {
            warnings.push(join_words::not_in_group_yet(self.not_joined, self.introducers));
        } else {
            warnings.extend(join_words::without_address(self.introducers));
        }
        if node.phase() == PhaseName::Member
            && node.list().up() == 1
            && self.founded == Some(Founded::NoIntroducers)
        {
            warnings.push(join_words::ALONE.to_owned());
        }
        warnings.extend(address::gone(self.bind));
        warnings.extend(self.unwritten.as_ref().map(|reason| {
            format!(
                "the state cannot be written, so a restart may not know of the last changes: \
                {reason}"
            )
        }));
        warnings
    }
}

/// Warnings about clocks that disagree. If most neighbours' clocks differ in the same direction,
/// this machine's clock is wrong.
fn clock_warnings(neighbours: &[NeighbourStatus]) -> Vec<String> {
    let skewed: Vec<(&str, i64)> = neighbours
        .iter()
        .map(|status| &status.neighbour)
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
            in_words(middle)
        )];
    }
    skewed
        .into_iter()
        .map(|(name, offset)| {
            let direction = if offset > 0 { "ahead of" } else { "behind" };
            format!("the clock of {name} is {} {direction} ours", in_words(offset))
        })
        .collect()
}

/// Units of time and their seconds, and from how many seconds on each is used. A clock is often
/// wrong by a whole number of hours or days, so no unit begins there.
const UNITS: [(&str, f64, f64); 3] =
    [("days", 86_400.0, 130_000.0), ("h", 3_600.0, 5_000.0), ("min", 60.0, 100.0)];

fn in_words(milliseconds: i64) -> String {
    let seconds = Duration::from_millis(milliseconds.unsigned_abs()).as_secs_f64();
    let unit = UNITS.into_iter().find(|(_, _, from)| seconds >= *from);
    let (unit, size, _) = unit.unwrap_or(("s", 1.0, 0.0));
    format!("{:.1} {unit}", seconds / size)
}

/// Warnings about lost or missing heartbeats, and about lists that stay different.
fn network_warnings(node: &Node, neighbours: &[NeighbourStatus], now: Now) -> Vec<String> {
    let mut warnings = Vec::new();
    let watched: Vec<&NeighbourStatus> =
        neighbours.iter().filter(|status| status.neighbour.watched).collect();
    let limit = node.group_settings().interval() * 2;
    let silent: Vec<(&Name, Duration)> = watched
        .iter()
        .map(|status| &status.neighbour)
        .filter_map(|neighbour| Some((&neighbour.member.name, neighbour.heartbeat_age?)))
        .filter(|(_, age)| *age > limit)
        .collect();
    if silent.len() == watched.len() && silent.len() > 1 {
        warnings.push(
            "no neighbour's heartbeats arrive here: is UDP to our port let in (firewall), \
            are we cut off?"
                .to_owned(),
        );
    } else {
        warnings.extend(silent.iter().map(|(name, age)| {
            format!("{name} has sent no heartbeat for {:.1} s", age.as_secs_f64())
        }));
    }
    warnings.extend(watched.iter().filter_map(|status| {
        let lost = status.lost_permille.filter(|lost| *lost >= MUCH_LOSS_PERMILLE)?;
        let name = &status.neighbour.member.name;
        Some(match node.group_settings().detection {
            Detection::Ring { .. } => {
                format!("{} % of the heartbeats of {name} are lost on the way", lost / 10)
            }
            Detection::Swim(_) => format!("{} % of the pings to {name} have no answer", lost / 10),
        })
    }));
    let newest = node.list().iter().map(|entry| entry.since).max();
    let settled = newest.is_some_and(|newest| now.mono.since(newest) > LISTS_SETTLE);
    let differing: Vec<&str> = watched
        .iter()
        .map(|status| &status.neighbour)
        .filter(|neighbour| settled && !neighbour.agrees && neighbour.heartbeat_age.is_some())
        .map(|neighbour| neighbour.member.name.as_str())
        .collect();
    if !differing.is_empty() {
        warnings.push(format!("these members' lists differ from ours: {}", differing.join(", ")));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_membership::Incarnation;

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
        let status = |(number, offset): (u16, &i64)| NeighbourStatus {
            neighbour: neighbour(number, *offset),
            lost_permille: None,
            suspected_by: None,
        };
        let neighbours: Vec<NeighbourStatus> = (1..).zip(offsets).map(status).collect();
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

    /// Clocks are wrong by whole hours and days, and a millisecond does not change the words.
    #[test]
    fn a_large_difference_has_a_large_unit() {
        for (offset, words) in [
            (99_900, "99.9 s"),
            (172_800_000, "2.0 days"),
            (172_799_990, "2.0 days"),
            (86_400_000, "24.0 h"),
            (86_399_990, "24.0 h"),
            (3_600_000, "60.0 min"),
            (3_599_990, "60.0 min"),
            (31_536_000_000, "365.0 days"),
        ] {
            let expected = format!("the clock of vm1 is {words} ahead of ours");
            assert_eq!(warnings(&[offset]), [expected]);
        }
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
