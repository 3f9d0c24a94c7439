//! The answers about agreed views: each comes back as it was sent, and the largest fits a frame.

use memberd_control::frame::{HEADER_BYTES, decode, encode};
use memberd_control::message::{
    Checked, ClaimedRecord, LeaderRecord, LeaseLost, LeaseRecord, LostRecord, MAX_LOST_NAMES,
    PastViewRecord, PendingRecord, RecoverRequest, RecoveryPlan, Reply, Request,
    VIEW_MEMBERS_PER_REPLY, ViewMember, ViewOperation, ViewRecord,
};

/// The longest name of a member.
fn name() -> String {
    "n".repeat(64)
}

fn member() -> ViewMember {
    ViewMember { name: name(), id: "n".repeat(140) }
}

#[test]
fn every_answer_comes_back() {
    use ViewOperation::{
        Add, AddShare, Claim, Delete, FillShare, Leader, LoseShare, RemoveShare, Seat,
    };
    let pending = [Add, Delete, Seat, Claim, Leader, AddShare, RemoveShare, FillShare, LoseShare];
    let pending = pending.map(|operation| PendingRecord { operation, name: name() }).to_vec();
    let council = vec![name(); 15];
    let plan = RecoveryPlan {
        number: 18,
        term: 1 << 20,
        reached: council.clone(),
        lost: vec![LostRecord { name: name(), heard_ms_ago: Some(1) }],
        wait_ms: 6_000,
    };
    for reply in [
        Reply::ViewMembers(vec![member()]),
        Reply::PastView(PastViewRecord { added: council.clone(), ..Default::default() }),
        Reply::View(Box::new(ViewRecord { pending, council, ..Default::default() })),
        Reply::RecoveryPlan(plan),
        Reply::Leader(LeaderRecord { leader: Some(name()), ..Default::default() }),
        Reply::Checked(Checked::Exclusive { term: 7, until_boot_ns: u64::MAX }),
        Reply::Checked(Checked::Not { reason: "vm3 leads".to_owned() }),
        Reply::Lease(LeaseRecord { term: 7, until_boot_ns: 9, hold: u64::MAX }),
        Reply::LeaseLost(LeaseLost { term: 7, reason: "replaced".to_owned() }),
        Reply::Claimed(ClaimedRecord { by_us: true, by: name(), term: 7 }),
    ] {
        let frame = encode(&reply).unwrap();
        assert_eq!(decode::<Reply>(&frame[HEADER_BYTES..]).unwrap(), reply);
    }
}

#[test]
fn a_full_part_of_a_view_fits_a_reply() {
    assert!(encode(&Reply::ViewMembers(vec![member(); VIEW_MEMBERS_PER_REPLY])).is_ok());
}

/// A view of the past may have as many members as a group.
#[test]
fn the_largest_change_of_a_view_fits_a_reply() {
    let past = PastViewRecord { added: vec![name(); 10_000], ..Default::default() };
    assert!(encode(&Reply::PastView(past)).is_ok());
}

#[test]
fn a_stranger_cannot_name_any_number_of_lost() {
    for (count, read) in [(MAX_LOST_NAMES, true), (MAX_LOST_NAMES + 1, false)] {
        let lost = vec!["vm4".to_owned(); count];
        let frame = encode(&Request::Recover(RecoverRequest { lost, plan_only: true })).unwrap();
        assert_eq!(decode::<Request>(&frame[HEADER_BYTES..]).is_ok(), read, "{count}");
    }
}
