//! Logs the changes of the agreed views: one line of a fixed form in `machine.i.log`, and fields
//! and a message id in journald. It owns no state.

use memberd_council::{
    Identity, LossReason, Name, Operation, ShareChange, Term, View, ViewNumber, Voter,
};
use memberd_membership::millis;
use std::fmt::Display;
use std::time::Duration;
use tracing::{info, warn};

/// The message ids of journald (systemd.journal-fields(7)), one for each kind.
const INSTALLED: &str = "574e9bcebe4a47e8a0bcb8ad4e0eb41d";
const ELECTED: &str = "50de95837b1c4cf6bfe62df95f88015e";
const LOST: &str = "bef6fa7308d6419eb1fec620ecc4fbd0";
const PENDING: &str = "a68052b10fdc4ee18d91a5a59a9ab8b9";
const FINISHED: &str = "de880363355d4b6694c5ad17ac48f22a";
const STALE: &str = "a32656599ccf4586a8048076adbbf034";
const FRESH: &str = "e2fdff1d3204473191b7f23d855b2448";

/// The most names or operations of a line. A first view has as many as the fleet has machines.
const MOST_NAMES: usize = 32;

/// Logs that a view was installed. Only the leader knows who confirmed it, and how long that took.
pub fn installed(
    view: &View,
    added: &[Identity],
    removed: &[Identity],
    confirmed_by: &[Name],
    took: Option<Duration>,
) {
    let names = |identities: &[Identity]| some(identities.iter().map(|one| &one.name));
    info!(
        message_id = INSTALLED,
        memberd_event = "view",
        memberd_view = view.number.0,
        memberd_term = view.term.0,
        memberd_leader = view.leader.as_ref().map(|leader| leader.name.as_str()),
        memberd_members = view.members.len(),
        memberd_added = names(added),
        memberd_removed = names(removed),
        memberd_confirmed_by = some(confirmed_by),
        memberd_took_ms = took.map(millis),
        "view installed"
    );
}

/// Logs that the view has a new leader.
pub fn elected(leader: &Voter, term: Term, here: bool, view: &View) {
    info!(
        message_id = ELECTED,
        memberd_event = "leader",
        memberd_view = view.number.0,
        memberd_term = term.0,
        memberd_leader = leader.name.as_str(),
        memberd_here = here,
        "leader elected"
    );
}

/// Logs that this machine leads no more.
pub fn lost(term: Term, reason: LossReason, view: &View) {
    warn!(
        message_id = LOST,
        memberd_event = "leader",
        memberd_view = view.number.0,
        memberd_term = term.0,
        memberd_reason = reason.as_str(),
        "leadership lost"
    );
}

/// Logs operations that wait for a majority.
pub fn pending(number: ViewNumber, operations: &[Operation], by: &Voter) {
    line(PENDING, "operation pending", number, operations, by);
}

/// Logs operations that are in a view.
pub fn finished(number: ViewNumber, operations: &[Operation], by: &Voter) {
    line(FINISHED, "operation finished", number, operations, by);
}

/// Logs operations on the view of this number.
fn line(
    message_id: &str,
    happened: &str,
    number: ViewNumber,
    operations: &[Operation],
    by: &Voter,
) {
    info!(
        message_id,
        memberd_event = "view",
        memberd_view = number.0,
        memberd_operations = some(operations.iter().map(words)),
        memberd_by = by.name.as_str(),
        "{happened}"
    );
}

/// Logs that no majority of the council is reached.
pub fn stale(view: &View, missing: &[Name]) {
    warn!(
        message_id = STALE,
        memberd_event = "stale",
        memberd_view = view.number.0,
        memberd_term = view.term.0,
        memberd_missing = some(missing),
        "view is stale"
    );
}

/// Logs that a majority is reached again.
pub fn fresh(view: &View, after: Duration) {
    info!(
        message_id = FRESH,
        memberd_event = "stale",
        memberd_view = view.number.0,
        memberd_term = view.term.0,
        memberd_after_ms = millis(after),
        "view is fresh"
    );
}

/// An operation in words without spaces: `delete:vm4`.
fn words(operation: &Operation) -> String {
    match operation {
        Operation::Add(member) => format!("add:{}", member.name),
        Operation::Delete(member) => format!("delete:{}", member.name),
        Operation::Seat(council) => {
            let names: Vec<&str> = council.iter().map(|voter| voter.name.as_str()).collect();
            format!("seat:{}", names.join("+"))
        }
        Operation::Claim { claim, .. } => format!("claim:{}@{}", claim.key, claim.holder.name),
        Operation::Share(ShareChange::Add { name, .. }) => format!("add-share:{name}"),
        Operation::Share(ShareChange::Remove { name, .. }) => format!("remove-share:{name}"),
        Operation::Share(ShareChange::Fill { name, keeper, .. }) => {
            format!("fill-share:{name}@{keeper}")
        }
        Operation::Share(ShareChange::Lose { name, keeper, .. }) => {
            format!("lose-share:{name}@{keeper}")
        }
        Operation::Leader { voter, .. } => format!("leader:{}", voter.name),
    }
}

/// The first of some texts, and how many more there are; nothing if there are none.
fn some<T: Display>(texts: impl IntoIterator<Item = T>) -> Option<String> {
    let mut texts = texts.into_iter();
    let mut shown: Vec<String> =
        texts.by_ref().take(MOST_NAMES).map(|one| one.to_string()).collect();
    let more = texts.count();
    if more > 0 {
        shown.push(format!("+{more}"));
    }
    (!shown.is_empty()).then(|| shown.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_some_names_and_the_number_of_the_others() {
        assert_eq!(some(Vec::<String>::new()), None);
        assert_eq!(some(["a", "b"]).as_deref(), Some("a,b"));
        let many = some((0..40).map(|number| format!("vm{number}"))).unwrap();
        assert!(many.starts_with("vm0,vm1,") && many.ends_with("vm31,+8"), "{many}");
    }
}
