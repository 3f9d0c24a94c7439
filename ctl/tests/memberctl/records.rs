//! Records of members as a daemon would send them. The tests in `src` use them too.

use memberd_control::message::{Change, EventRecord, EvidenceRecord, MemberRecord, MemberStatus};
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

fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis().try_into().unwrap()
}
