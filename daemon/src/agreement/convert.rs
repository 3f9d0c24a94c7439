//! Turns what the task tells into the records of the control protocol. It owns no state.

use super::history::PastView;
use super::{Shown, Told};
use memberd_control::message::{
    LeaderRecord, PastViewRecord, PendingRecord, ViewMember, ViewOperation, ViewRecord, ViewSummary,
};
use memberd_council::{Confirmation, Identity, Name, Operation, ShareChange};
use memberd_membership::millis;

/// The view, with what the council said of it just now, if it was asked.
pub(super) fn view_record(told: &Told, confirmation: Option<&Confirmation>) -> ViewRecord {
    let Told { status, now, .. } = told;
    let confirmed_by = confirmation.map_or(told.confirmed_by, |said| said.confirmed_by);
    let missing = match confirmation {
        Some(said) if !said.majority => &said.missing,
        _ => &status.missing,
    };
    let stale = status.stale_since.is_some() || confirmation.is_some_and(|said| !said.majority);
    ViewRecord {
        number: status.view.number.0,
        term: status.view.term.0,
        leader: status.view.leader.as_ref().map(|leader| leader.name.to_string()),
        council: status.view.council.iter().map(|voter| voter.name.to_string()).collect(),
        pending: status.pending.iter().map(pending_record).collect(),
        confirmed_ms_ago: status.confirmed_ago.map(millis),
        confirmed_by: u64::try_from(confirmed_by).unwrap_or(u64::MAX),
        stale,
        stale_ms: status.stale_since.map(|since| millis(now.boot.since(since))),
        missing: if stale { texts(missing) } else { Vec::new() },
    }
}

pub(super) fn texts(names: &[Name]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

pub(super) fn pending_record(operation: &Operation) -> PendingRecord {
    let (operation, name) = match operation {
        Operation::Add(member) => (ViewOperation::Add, member.name.to_string()),
        Operation::Delete(member) => (ViewOperation::Delete, member.name.to_string()),
        Operation::Seat(_) => (ViewOperation::Seat, String::new()),
        Operation::Claim { claim, .. } => (ViewOperation::Claim, claim.key.clone()),
        Operation::Share(ShareChange::Add { name, .. }) => {
            (ViewOperation::AddShare, name.to_string())
        }
        Operation::Share(ShareChange::Remove { name, .. }) => {
            (ViewOperation::RemoveShare, name.to_string())
        }
        Operation::Share(ShareChange::Fill { name, keeper, .. }) => {
            (ViewOperation::FillShare, format!("{name} {keeper}"))
        }
        Operation::Share(ShareChange::Lose { name, keeper, .. }) => {
            (ViewOperation::LoseShare, format!("{name} {keeper}"))
        }
        Operation::Leader { voter, .. } => (ViewOperation::Leader, voter.name.to_string()),
    };
    PendingRecord { operation, name }
}

pub(super) fn view_member(member: &Identity) -> ViewMember {
    ViewMember { name: member.name.to_string(), id: member.to_string() }
}

pub(super) fn past_view(past: PastView) -> PastViewRecord {
    let PastView { number, term, leader, at, added, removed, members, council } = past;
    PastViewRecord {
        number,
        term,
        leader,
        time: at.0,
        added,
        removed,
        members: u64::try_from(members).unwrap_or(u64::MAX),
        council,
    }
}

/// The view in short.
pub(super) fn view_summary(told: &Told) -> ViewSummary {
    let Told { status, now, .. } = told;
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    ViewSummary {
        number: status.view.number.0,
        term: status.view.term.0,
        leader: status.leader.as_ref().map(|leader| leader.name.to_string()),
        exclusive: told.exclusive,
        members: count(status.view.members.len()),
        pending: count(status.pending.len() + status.waiting),
        stale_ms: status.stale_since.map(|since| millis(now.boot.since(since))),
        missing: status.stale_since.map_or_else(Vec::new, |_| texts(&status.missing)),
    }
}

/// The leader, as far as it is known to lead still.
pub(super) fn leader_record(told: &Told) -> LeaderRecord {
    let Told { status, now, .. } = told;
    let here = status.leader.as_ref() == Some(&status.own);
    LeaderRecord {
        leader: status.leader.as_ref().map(|leader| leader.name.to_string()),
        term: status.view.term.0,
        exclusive: told.exclusive,
        here,
        for_ms: status.leader.as_ref().map(|_| millis(now.boot.since(told.leader_since))),
    }
}

/// Whether a leader is exclusive, as far as is known here.
pub(super) fn is_led(shown: &Shown) -> bool {
    shown.leader.is_some() && shown.exclusive
}
