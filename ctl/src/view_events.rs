//! What is shown of an event of the agreed views, in words and as variables. It owns no state.

use memberd_control::message::{PendingRecord, ViewChange, ViewEventRecord, ViewOperation};

use crate::format;

/// What happened, as the log says it.
pub(crate) fn verb(change: ViewChange) -> &'static str {
    match change {
        ViewChange::Installed => "view installed",
        ViewChange::Elected => "leader elected",
        ViewChange::Lost => "leadership lost",
        ViewChange::Pending => "operation pending",
        ViewChange::Finished => "operation finished",
        ViewChange::Stale => "view is stale",
        ViewChange::Fresh => "view is fresh",
    }
}

/// The kind of event, as the journal's field `MEMBERD_EVENT` has it.
pub(crate) fn kind(change: ViewChange) -> &'static str {
    match change {
        ViewChange::Installed | ViewChange::Pending | ViewChange::Finished => "view",
        ViewChange::Elected | ViewChange::Lost => "leader",
        ViewChange::Stale | ViewChange::Fresh => "stale",
    }
}

/// What follows the verb: `, number 18, term 7, led by vm3; added vm4; 5 members`.
pub(crate) fn detail(event: &ViewEventRecord) -> String {
    let term = event.term.map(|term| format!(", term {term}")).unwrap_or_default();
    let number = format!(", number {}", event.number);
    let leader = event.leader.as_deref().map(format::printable);
    match event.change {
        ViewChange::Installed => {
            let led =
                leader.map_or(", without a leader".to_owned(), |name| format!(", led by {name}"));
            let changed = [("added", &event.added), ("removed", &event.removed)];
            let changed = changed.iter().filter(|(_, names)| !names.is_empty());
            let changed: String =
                changed.map(|(verb, members)| format!("; {verb} {}", names(members))).collect();
            format!("{number}{term}{led}{changed}; {}", format::count(event.members, "member"))
        }
        ViewChange::Elected => format!(": {}{term}", leader.unwrap_or_default()),
        ViewChange::Lost => format!("{term}: {}", reason(event)),
        ViewChange::Pending | ViewChange::Finished => {
            let by = event.by.as_deref().map(format::printable).unwrap_or_default();
            format!(": {}, by {by}, view {}", operations(event), event.number)
        }
        ViewChange::Stale if event.missing.is_empty() => number,
        ViewChange::Stale => format!("{number}: {} not reached", names(&event.missing)),
        ViewChange::Fresh => {
            let after = event.after_ms.map(|ms| format!(", after {}", format::duration(ms)));
            number + &after.unwrap_or_default()
        }
    }
}

/// An operation: `delete vm4`.
pub(crate) fn operation(operation: &PendingRecord) -> String {
    let verb = match operation.operation {
        ViewOperation::Add => "add",
        ViewOperation::Delete => "delete",
        ViewOperation::Seat => "seat a new council",
        ViewOperation::Claim => "claim",
        ViewOperation::Leader => "lead:",
        ViewOperation::AddShare => "add share",
        ViewOperation::RemoveShare => "remove share",
        ViewOperation::FillShare => "fill share",
        ViewOperation::LoseShare => "lose share",
    };
    format!("{verb} {}", format::printable(&operation.name)).trim_end().to_owned()
}

/// The event as variables without their prefix, named like the journal's fields.
pub(crate) fn variables(event: &ViewEventRecord) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("EVENT", kind(event.change).to_owned()),
        ("CHANGE", change(event.change).to_owned()),
        ("TIME", format::timestamp(event.time)),
        ("VIEW", event.number.to_string()),
    ];
    let mut add = |name, value: Option<String>| variables.extend(value.map(|value| (name, value)));
    let some = |texts: &[String]| (!texts.is_empty()).then(|| format::printable(&texts.join(",")));
    add("TERM", event.term.map(|term| term.to_string()));
    add("LEADER", event.leader.as_deref().map(format::printable));
    let installed = event.change == ViewChange::Installed;
    add("MEMBERS", installed.then(|| event.members.to_string()));
    add("ADDED", some(&event.added));
    add("REMOVED", some(&event.removed));
    add("OPERATIONS", (!event.operations.is_empty()).then(|| operations(event)));
    add("BY", event.by.as_deref().map(format::printable));
    add("REASON", event.reason.as_deref().map(format::printable));
    add("MISSING", some(&event.missing));
    add("AFTER_MS", event.after_ms.map(|ms| ms.to_string()));
    variables
}

/// What happened, as JSON says it.
fn change(change: ViewChange) -> &'static str {
    match change {
        ViewChange::Installed => "installed",
        ViewChange::Elected => "elected",
        ViewChange::Lost => "lost",
        ViewChange::Pending => "pending",
        ViewChange::Finished => "finished",
        ViewChange::Stale => "stale",
        ViewChange::Fresh => "fresh",
    }
}

fn reason(event: &ViewEventRecord) -> String {
    let words = match event.reason.as_deref() {
        Some("replaced") => "another leader was elected",
        Some("handed-over") => "handed over",
        Some("no-majority") => "no majority of the council answers",
        Some("slow-disk") => "the disk of this machine takes too long",
        Some("unseated") => "this machine has no seat in the council any more",
        Some("recovery") => "the views are recovered without a majority",
        other => other.unwrap_or("unknown"),
    };
    format::printable(words)
}

fn operations(event: &ViewEventRecord) -> String {
    event.operations.iter().map(operation).collect::<Vec<_>>().join(", ")
}

fn names(names: &[String]) -> String {
    format::printable(&names.join(", "))
}
