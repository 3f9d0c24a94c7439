//! The protocol's entries and events as the control socket tells them.

use crate::time::Anchor;
use memberd_control::message::{Change, EventRecord, EvidenceRecord, MemberRecord, MemberStatus};
use memberd_control::tags::Tags;
use memberd_membership::list::{Entry, Evidence, Standing};
use memberd_membership::tags::VersionedTags;
use memberd_membership::{Identity, MemberEvent, MemberEventKind, Name, Node, Now};
use std::sync::Arc;

/// The list as it was at one moment. The entries are shared: that many clients keep one while they
/// read it costs little.
#[derive(Debug, Clone)]
pub struct Snapshot {
    entries: Vec<Arc<Entry>>,
    this: Name,
    anchor: Anchor,
}

impl Snapshot {
    /// The node's list as it is.
    pub fn new(node: &Node, anchor: Anchor) -> Self {
        Snapshot {
            entries: node.list().iter().cloned().collect(),
            this: node.name().clone(),
            anchor,
        }
    }

    /// All entries, ordered by name.
    pub fn records(&self) -> impl Iterator<Item = MemberRecord> {
        self.entries.iter().map(|entry| member_record(entry, &self.this, self.anchor))
    }
}

/// An entry of the list; `this` is the machine's own name.
pub fn member_record(entry: &Entry, this: &Name, anchor: Anchor) -> MemberRecord {
    let (status, evidence) = match &entry.standing {
        Standing::Alive => (MemberStatus::Alive, None),
        Standing::Doubted(evidence) | Standing::Failed(evidence) => {
            (MemberStatus::Failed, Some(evidence))
        }
        Standing::Left => (MemberStatus::Left, None),
    };
    let tags = tag_record(&entry.tags);
    MemberRecord {
        tags,
        ..record(&entry.identity, this, status, evidence, anchor.wall(entry.since))
    }
}

/// A member's tags.
pub fn tag_record(tags: &VersionedTags) -> Tags {
    tags.iter().map(|(key, value)| (key.as_str().to_owned(), value.as_str().to_owned())).collect()
}

/// A membership change; the member's tags are not part of it.
pub fn event_record(event: &MemberEvent, this: &Name, now: Now) -> EventRecord {
    let (status, evidence) = match &event.kind {
        MemberEventKind::Joined => (MemberStatus::Alive, None),
        MemberEventKind::Failed(evidence) => (MemberStatus::Failed, Some(evidence)),
        MemberEventKind::Restarted => (MemberStatus::Failed, None),
        MemberEventKind::Left => (MemberStatus::Left, None),
    };
    let member = record(&event.member, this, status, evidence, now.wall.0);
    EventRecord { time: now.wall.0, change: Change::Standing, status, member }
}

/// A change of a member's tags to those that its entry has.
pub fn tagged_record(entry: &Entry, this: &Name, anchor: Anchor, now: Now) -> EventRecord {
    let member = member_record(entry, this, anchor);
    EventRecord { time: now.wall.0, change: Change::Tags, status: member.status, member }
}

fn record(
    identity: &Identity,
    this: &Name,
    status: MemberStatus,
    evidence: Option<&Evidence>,
    since: u64,
) -> MemberRecord {
    MemberRecord {
        id: identity.to_string(),
        name: identity.name.to_string(),
        address: identity.address.ip().to_string(),
        port: identity.address.port(),
        status,
        incarnation: identity.incarnation.0,
        this_machine: identity.name == *this,
        since,
        evidence: evidence.map(|evidence| EvidenceRecord {
            accuser: evidence.accuser.to_string(),
            silent_for: evidence.silent_for,
        }),
        tags: Tags::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_membership::list::{Claim, List, Update};
    use memberd_membership::{Incarnation, Instant, Settings, WallTime};

    #[test]
    fn a_list_that_is_kept_for_a_client_shares_its_entries_with_the_nodes() {
        let now = Now { mono: Instant::EPOCH, wall: WallTime(1_763_688_010_000) };
        let (name, address) = (
            |i: u16| Name::new(&format!("vm{i}")).unwrap(),
            |i: u16| ([10, 0, 0, 1], 1_000 + i).into(),
        );
        let mut list = List::new();
        for i in 0..1_000 {
            let identity =
                Identity { name: name(i), address: address(i), incarnation: Incarnation(7) };
            list.set(Update::new(identity, Claim::Alive), now.mono);
        }
        let mut node = Node::new(Settings::default(), name(3), address(3), None, 1);
        node.assume(now, list, Incarnation(7));
        let snapshot = Snapshot::new(&node, Anchor::new(now));
        assert!(
            snapshot
                .entries
                .iter()
                .zip(node.list().iter())
                .all(|(ours, nodes)| Arc::ptr_eq(ours, nodes))
        );
        let names: Vec<String> = snapshot.records().map(|record| record.name).collect();
        assert!(names.len() == 1_000 && names.is_sorted(), "{names:?}");
    }
}
