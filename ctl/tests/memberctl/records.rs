//! Records of members as a daemon would send them. The tests in `src` use them too.

use memberd_control::message::{
    Change, EventRecord, EvidenceRecord, MemberRecord, MemberStatus, PendingRecord, ViewChange,
    ViewEventRecord, ViewOperation,
};
use memberd_control::tags::Tags;

/// A listed member that has had this status for three minutes. Member 1 is the daemon's own.
pub(crate) fn member(number: usize, status: MemberStatus) -> MemberRecord {
    MemberRecord {
        id: format!("vm{number}@127.0.0.{number}:8946/1763688033123"),
        name: format!("vm{number}"),
        address: format!("127.0.0.{number}"),
        port: 8946,
        status,
        incarnation: 1_763_688_033_123,
        this_machine: number == 1,
        since: now() - 200_000,
        evidence: (status == MemberStatus::Failed)
            .then(|| EvidenceRecord { accuser: "vm2".to_owned(), silent_for: 1_769 }),
        suspected_by: None,
        tags: Tags::new(),
    }
}

/// A member that is alive, and that member 2 suspects.
pub(crate) fn suspected(number: usize) -> MemberRecord {
    let suspected_by = Some("vm2".to_owned());
    MemberRecord { suspected_by, ..member(number, MemberStatus::Alive) }
}

/// The change of a member to this status.
pub(crate) fn event(number: usize, status: MemberStatus) -> EventRecord {
    EventRecord {
        time: 1_763_688_033_123,
        change: Change::Liveness,
        status,
        member: member(number, status),
    }
}

/// The change of a member's tags to these.
pub(crate) fn tagged(number: usize, tags: &[(&str, &str)]) -> EventRecord {
    let mut event = EventRecord { change: Change::Tags, ..event(number, MemberStatus::Alive) };
    event.member.tags =
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    event
}

/// What happened to the agreed views in a second: member 4 was deleted, then the leader was cut
/// off.
pub(crate) fn view_events() -> [ViewEventRecord; 7] {
    let event = |change| ViewEventRecord {
        time: 1_763_688_034_000,
        change,
        number: 18,
        term: Some(7),
        ..ViewEventRecord::default()
    };
    let operation = |change| {
        let deleted = PendingRecord { operation: ViewOperation::Delete, name: "vm4".to_owned() };
        let by = Some("vm3".to_owned());
        ViewEventRecord { term: None, operations: vec![deleted], by, ..event(change) }
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    [
        operation(ViewChange::Pending),
        ViewEventRecord {
            leader: Some("vm3".to_owned()),
            members: 5,
            removed: names(&["vm4"]),
            ..event(ViewChange::Installed)
        },
        operation(ViewChange::Finished),
        ViewEventRecord { reason: Some("no-majority".to_owned()), ..event(ViewChange::Lost) },
        ViewEventRecord { missing: names(&["vm5", "vm6"]), ..event(ViewChange::Stale) },
        ViewEventRecord { after_ms: Some(4_000), ..event(ViewChange::Fresh) },
        ViewEventRecord {
            term: Some(8),
            leader: Some("vm1".to_owned()),
            ..event(ViewChange::Elected)
        },
    ]
}

fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis().try_into().unwrap()
}
