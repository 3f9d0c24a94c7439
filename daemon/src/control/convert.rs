//! Converts the daemon's values to records of the control protocol. Only this file makes text of
//! them, at the socket. It owns no state.

use crate::membership::{
    ChangeKind, Liveness, Member, MemberChange, NeighbourStatus, Ring, Status,
};
use memberd_control::message::{
    Change, EventRecord, EvidenceRecord, MemberRecord, MemberStatus, NeighbourRecord, RingPart,
    StatusReport,
};
use memberd_control::tags::Tags;
use memberd_membership::{FailureEvidence, TagKey, TagValue, millis};

/// Converts a member of the list.
pub fn member_record(member: &Member) -> MemberRecord {
    let Member { identity, liveness, since, suspected_by, tags, this_machine } = member;
    let evidence = match liveness {
        Liveness::Failed(evidence) => evidence.as_ref(),
        Liveness::Alive | Liveness::Left => None,
    };
    MemberRecord {
        id: identity.to_string(),
        name: identity.name.to_string(),
        address: identity.address.ip().to_string(),
        port: identity.address.port(),
        status: member_status(liveness),
        incarnation: identity.incarnation.0,
        this_machine: *this_machine,
        since: since.0,
        evidence: evidence.map(evidence_record),
        suspected_by: suspected_by.as_ref().map(ToString::to_string),
        tags: tag_record(tags.iter()),
    }
}

/// Converts a change of a member.
pub fn event_record(change: &MemberChange) -> EventRecord {
    EventRecord {
        time: change.at.0,
        change: match change.kind {
            ChangeKind::Liveness => Change::Liveness,
            ChangeKind::Tags => Change::Tags,
            ChangeKind::Forgotten => Change::Forgotten,
        },
        status: member_status(&change.member.liveness),
        member: member_record(&change.member),
    }
}

/// Converts the state of a member.
pub fn member_status(liveness: &Liveness) -> MemberStatus {
    match liveness {
        Liveness::Alive => MemberStatus::Alive,
        Liveness::Failed(_) => MemberStatus::Failed,
        Liveness::Left => MemberStatus::Left,
    }
}

/// Converts the ring, in parts of at most this many members.
pub fn ring_parts(ring: &Ring, members_per_part: usize) -> impl Iterator<Item = RingPart> {
    ring.names.chunks(members_per_part).map(|names| RingPart {
        max_simultaneous_failures: ring.max_simultaneous_failures,
        names: names.iter().map(ToString::to_string).collect(),
    })
}

/// Converts the membership's status. The other parts of the report stay empty.
pub fn status_report(status: &Status) -> StatusReport {
    let counters = status.counters.iter().map(|(name, value)| ((*name).to_owned(), *value));
    StatusReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        phase: status.phase.as_str().to_owned(),
        name: status.name.to_string(),
        address: status.address.to_string(),
        id: status.id.as_ref().map(ToString::to_string),
        uptime: millis(status.uptime),
        alive: status.alive,
        failed: status.failed,
        left: status.left,
        suspected: status.suspected,
        digest: format!("{:08x}", status.list_hash),
        neighbours: status.neighbours.iter().map(neighbour_record).collect(),
        counters: counters.collect(),
        warnings: status.warnings.clone(),
        greps: Vec::new(),
        searches: 0,
        keys: Vec::new(),
        tags: tag_record(status.tags.iter()),
        view: None,
    }
}

fn neighbour_record(status: &NeighbourStatus) -> NeighbourRecord {
    let NeighbourStatus { neighbour, lost_permille, suspected_by } = status;
    NeighbourRecord {
        name: neighbour.member.name.to_string(),
        heartbeat_age: neighbour.heartbeat_age.map(millis),
        clock_offset: neighbour.clock_offset,
        agrees: neighbour.agrees,
        watched: neighbour.watched,
        watches: neighbour.watches,
        smallest_delay: neighbour.smallest_delay,
        lost_permille: *lost_permille,
        suspected_by: suspected_by.as_ref().map(ToString::to_string),
    }
}

fn evidence_record(evidence: &FailureEvidence) -> EvidenceRecord {
    EvidenceRecord { accuser: evidence.detected_by.to_string(), silent_for: evidence.silent_ms }
}

fn tag_record<'t>(tags: impl Iterator<Item = (&'t TagKey, &'t TagValue)>) -> Tags {
    tags.map(|(key, value)| (key.as_str().to_owned(), value.as_str().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_control::frame::encode;
    use memberd_control::message::Reply;
    use memberd_membership::{
        Identity, Incarnation, Name, Tags as OwnTags, VersionedTags, WallTime,
    };

    fn member(liveness: Liveness) -> Member {
        let tag = (TagKey::new("role").unwrap(), TagValue::new("web").unwrap());
        Member {
            identity: Identity {
                name: Name::new("vm3").unwrap(),
                address: "[2001:db8::3]:8946".parse().unwrap(),
                incarnation: Incarnation(7),
            },
            liveness,
            since: WallTime(8),
            suspected_by: None,
            tags: VersionedTags::first(OwnTags::new([tag]).unwrap()),
            this_machine: true,
        }
    }

    #[test]
    fn a_member_is_a_record_with_its_evidence() {
        let evidence = FailureEvidence { detected_by: Name::new("vm2").unwrap(), silent_ms: 1_760 };
        let record = MemberRecord {
            id: "vm3@[2001:db8::3]:8946/7".to_owned(),
            name: "vm3".to_owned(),
            address: "2001:db8::3".to_owned(),
            port: 8946,
            status: MemberStatus::Failed,
            incarnation: 7,
            this_machine: true,
            since: 8,
            evidence: Some(EvidenceRecord { accuser: "vm2".to_owned(), silent_for: 1_760 }),
            suspected_by: None,
            tags: Tags::from([("role".to_owned(), "web".to_owned())]),
        };
        assert_eq!(member_record(&member(Liveness::Failed(Some(evidence)))), record);
    }

    #[test]
    fn a_suspected_member_is_alive_and_names_who_suspects_it() {
        let suspected_by = Some(Name::new("vm2").unwrap());
        let record = member_record(&Member { suspected_by, ..member(Liveness::Alive) });
        assert_eq!(record.status, MemberStatus::Alive);
        assert_eq!(record.suspected_by.as_deref(), Some("vm2"));
    }

    /// A failure that only a quick return gave away has no evidence.
    #[test]
    fn a_change_is_a_record_with_its_kind() {
        let change =
            |kind, liveness| MemberChange { at: WallTime(9), kind, member: member(liveness) };
        let restarted = event_record(&change(ChangeKind::Liveness, Liveness::Failed(None)));
        assert_eq!(restarted.time, 9);
        assert_eq!(restarted.change, Change::Liveness);
        assert_eq!(restarted.status, MemberStatus::Failed);
        assert_eq!(restarted.member.evidence, None);
        let word = b"Standing";
        let bytes = encode(&Reply::Event(restarted)).unwrap();
        assert!(bytes.windows(word.len()).any(|part| part == word), "as clients know it");
        let tagged = event_record(&change(ChangeKind::Tags, Liveness::Alive));
        assert_eq!(tagged.change, Change::Tags);
        assert_eq!(tagged.status, MemberStatus::Alive);
        assert_eq!(tagged.member.status, MemberStatus::Alive);
    }
}
