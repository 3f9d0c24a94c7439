//! Members and their changes, as the rest of the daemon sees them. These values own copies of the
//! node's data. [`crate::control::convert`] turns them into records for clients.

use crate::time::Anchor;
use memberd_membership::{
    Entry, FailureEvidence, Identity, MemberEvent, MemberEventKind, MemberState, Name, Node, Now,
    VersionedTags, WallTime,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A member at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, address and incarnation.
    pub identity: Identity,
    /// Its state.
    pub liveness: Liveness,
    /// When it joined, failed or left, as the list says it. Where no time is known, it is when this
    /// daemon learned of that.
    pub since: WallTime,
    /// The monitor that suspects it. A change never says so.
    pub suspected_by: Option<Name>,
    /// Its tags.
    pub tags: VersionedTags,
    /// Whether it is this daemon's own member.
    pub this_machine: bool,
}

/// An incarnation that was further ahead than this when it was learned is no time of a join.
const MOST_AHEAD_MS: u64 = 60_000;

/// Whether a member is up, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// It is up.
    Alive,
    /// It failed. There is no evidence if only its quick return revealed the failure.
    Failed(Option<FailureEvidence>),
    /// It left.
    Left,
}

/// A change of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberChange {
    /// When this daemon saw it.
    pub at: WallTime,
    /// The kind of the change.
    pub kind: ChangeKind,
    /// The member after the change.
    pub member: Member,
}

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// Its liveness: it joined, failed or left.
    Liveness,
    /// Its tags.
    Tags,
    /// An operator had it forgotten.
    Forgotten,
}

impl From<&MemberState> for Liveness {
    fn from(state: &MemberState) -> Self {
        match state {
            MemberState::Alive => Liveness::Alive,
            MemberState::Doubted(evidence) | MemberState::Failed(evidence) => {
                Liveness::Failed(Some(evidence.clone()))
            }
            MemberState::Left => Liveness::Left,
        }
    }
}

impl From<MemberEventKind> for Liveness {
    fn from(kind: MemberEventKind) -> Self {
        match kind {
            MemberEventKind::Joined => Liveness::Alive,
            MemberEventKind::Failed(evidence) => Liveness::Failed(Some(evidence)),
            MemberEventKind::Restarted => Liveness::Failed(None),
            MemberEventKind::Left => Liveness::Left,
        }
    }
}

/// When a member joined, failed or left. The incarnation says when it joined, unless a clock was
/// set back: it is far ahead of the time then. Only this machine doubts.
fn since(entry: &Entry, anchor: Anchor) -> WallTime {
    let learned = anchor.wall(entry.since);
    let joined = WallTime(entry.identity.incarnation.0);
    match entry.state {
        MemberState::Alive if joined.0 > learned.0.saturating_add(MOST_AHEAD_MS) => learned,
        MemberState::Alive => joined,
        MemberState::Doubted(_) => learned,
        MemberState::Failed(_) | MemberState::Left => entry.ended.unwrap_or(learned),
    }
}

impl Member {
    /// The member of an entry, suspected by nobody. `this` is the name of this machine's member.
    pub fn new(entry: &Entry, this: &Name, anchor: Anchor) -> Self {
        Member {
            identity: entry.identity.clone(),
            liveness: Liveness::from(&entry.state),
            since: since(entry, anchor),
            suspected_by: None,
            tags: entry.tags.clone(),
            this_machine: entry.identity.name == *this,
        }
    }
}

impl MemberChange {
    /// A change of a member's liveness at this moment. `entry` is what the list says of its name
    /// now: the tags, and since when. That is the same in a list that is read later.
    pub fn of_liveness(
        event: MemberEvent,
        entry: Option<&Entry>,
        this: &Name,
        anchor: Anchor,
        now: Now,
    ) -> Self {
        let same = entry.filter(|entry| entry.identity == event.member);
        let member = Member {
            this_machine: event.member.name == *this,
            identity: event.member,
            liveness: event.kind.into(),
            since: same.map_or(now.wall, |entry| since(entry, anchor)),
            suspected_by: None,
            tags: entry.map(|entry| entry.tags.clone()).unwrap_or_default(),
        };
        MemberChange { at: now.wall, kind: ChangeKind::Liveness, member }
    }

    /// A member is forgotten at this moment. Its entry says how it was before.
    pub fn of_forgotten(entry: &Entry, this: &Name, anchor: Anchor, now: Now) -> Self {
        let member = Member::new(entry, this, anchor);
        MemberChange { at: now.wall, kind: ChangeKind::Forgotten, member }
    }

    /// A change of a member's tags at this moment, to those of its entry.
    pub fn of_tags(entry: &Entry, this: &Name, anchor: Anchor, now: Now) -> Self {
        let member = Member::new(entry, this, anchor);
        MemberChange { at: now.wall, kind: ChangeKind::Tags, member }
    }
}

/// The alive members that are suspected, each with the monitor that suspects it.
pub(super) fn suspected(node: &Node) -> impl Iterator<Item = (&Name, &Name)> {
    node.list().iter().filter(|entry| entry.state == MemberState::Alive).filter_map(|entry| {
        let name = &entry.identity.name;
        Some((name, node.suspected_by(name)?))
    })
}

/// The list as it was at one moment. It shares the entries with the node, so a client that reads
/// slowly costs little memory.
#[derive(Debug, Clone)]
pub struct Snapshot {
    entries: Vec<Arc<Entry>>,
    /// Who suspects whom of these.
    suspected: BTreeMap<Name, Name>,
    this: Name,
    anchor: Anchor,
}

impl Snapshot {
    /// The node's list as it is.
    pub fn new(node: &Node, anchor: Anchor) -> Self {
        Snapshot {
            entries: node.list().iter().cloned().collect(),
            suspected: suspected(node).map(|(name, by)| (name.clone(), by.clone())).collect(),
            this: node.name().clone(),
            anchor,
        }
    }

    /// All entries, ordered by name, each with whether it is suspected.
    pub fn entries(&self) -> impl Iterator<Item = (&Entry, bool)> {
        let suspected = |entry: &Entry| self.suspected.contains_key(&entry.identity.name);
        self.entries.iter().map(move |entry| (entry.as_ref(), suspected(entry)))
    }

    /// All members, ordered by name.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.entries.iter().map(|entry| Member {
            suspected_by: self.suspected.get(&entry.identity.name).cloned(),
            ..Member::new(entry, &self.this, self.anchor)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_membership::{
        Body, Claim, GroupSettings, Incarnation, Instant, List, Message, SentAt, Settings,
        SimulatedGroup, Suspicion, Update, wire,
    };
    use std::net::SocketAddr;

    /// A restart of this daemon, or a list that it takes over, changes nothing about that.
    #[test]
    fn a_member_is_as_it_is_since_the_list_says_so() {
        let anchor = Anchor::new(Now { mono: Instant::EPOCH, wall: WallTime(5_000) });
        let identity = Identity {
            name: Name::new("vm1").unwrap(),
            address: ([10, 0, 0, 1], 1_000).into(),
            incarnation: Incarnation(3_000),
        };
        let since = |update: Update| {
            let mut list = List::new();
            list.merge(update, Instant::EPOCH);
            let entry = list.iter().next().cloned().unwrap();
            Member::new(&entry, &identity.name, anchor).since.0
        };
        let update = |claim| Update::new(identity.clone(), claim);
        assert_eq!(since(update(Claim::Alive)), 3_000);
        assert_eq!(since(update(Claim::Left).ended_at(WallTime(4_000))), 4_000);
        assert_eq!(since(update(Claim::Left).ended_at(WallTime(9_000))), 9_000, "by their clock");
        assert_eq!(since(update(Claim::Left)), 5_000, "an older member did not say it");
        let mut set_back = update(Claim::Alive);
        set_back.identity.incarnation = Incarnation(5_500);
        assert_eq!(since(set_back.clone()), 5_500, "their clocks are a little apart");
        set_back.identity.incarnation = Incarnation(90_000);
        assert_eq!(since(set_back), 5_000);
    }

    /// The node of member 3 in a group of this many members, each with the incarnation 7.
    fn node(now: Now, members: u16) -> Node {
        let name = |i: u16| Name::new(&format!("vm{i}")).unwrap();
        let mut list = List::new();
        for i in 0..members {
            let incarnation = Incarnation(7);
            let identity = Identity { name: name(i), address: address(i), incarnation };
            list.set(Update::new(identity, Claim::Alive), now.mono);
        }
        let settings = Settings { group: GroupSettings::swim(), ..Settings::default() };
        let mut node = Node::new(settings, name(3), address(3), None, 1);
        node.assume(now, SimulatedGroup { list, incarnation: Incarnation(7) });
        node
    }

    fn address(i: u16) -> SocketAddr {
        ([10, 0, 0, 1], 1_000 + i).into()
    }

    const NOW: Now = Now { mono: Instant::EPOCH, wall: WallTime(1_763_688_010_000) };

    #[test]
    fn a_snapshot_says_who_is_suspected_at_its_moment() {
        let mut node = node(NOW, 5);
        let vm = |i: u16| Name::new(&format!("vm{i}")).unwrap();
        let mut say = |sent, by| {
            let (name, incarnation) = (vm(2), Incarnation(7));
            let body = Body::Suspicions(vec![Suspicion { name, incarnation, sent, by }]);
            let stamp = SentAt { mono: 9, wall: NOW.wall };
            let mut bytes = Vec::new();
            wire::encode(&Message { incarnation, sent: stamp, body }, &mut bytes);
            node.handle_datagram(NOW, address(1), &bytes).unwrap();
            let snapshot = Snapshot::new(&node, Anchor::new(NOW));
            let members: Vec<Member> = snapshot.members().collect();
            assert!(members.iter().all(|member| member.liveness == Liveness::Alive));
            members.into_iter().map(|member| member.suspected_by).collect::<Vec<_>>()
        };
        assert_eq!(say(5, Some(vm(1))), [None, None, Some(vm(1)), None, None]);
        assert_eq!(say(6, None), [None, None, None, None, None], "it was heard later than that");
    }

    #[test]
    fn a_snapshot_shares_its_entries_with_the_node() {
        let node = node(NOW, 1_000);
        let snapshot = Snapshot::new(&node, Anchor::new(NOW));
        assert!(
            snapshot
                .entries
                .iter()
                .zip(node.list().iter())
                .all(|(ours, nodes)| Arc::ptr_eq(ours, nodes))
        );
        let names: Vec<Name> = snapshot.members().map(|member| member.identity.name).collect();
        assert!(names.len() == 1_000 && names.is_sorted(), "{names:?}");
    }
}
