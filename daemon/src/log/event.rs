//! Logs membership changes: one line of a fixed form in `machine.i.log`, and fields and a message
//! id in journald. It owns no state.

use memberd_membership::{Entry, MemberEvent, MemberEventKind, Name};
use tracing::info;

/// The message ids of journald (systemd.journal-fields(7)), one for each kind, for `journalctl
/// MESSAGE_ID=...`.
const JOINED: &str = "095275bdbc6a4466b0eb9cc32a1b7e33";
const FAILED: &str = "7f61797190c3421b9f87c97645290419";
const LEFT: &str = "b927a2a25cf14cb7b8f6029d53890581";
const TAGGED: &str = "7032c401c2384d5f97a6e32099e5004a";
const FORGOTTEN: &str = "dddc9a656bc541199a72b04631407a5f";

/// Logs a membership change. The line and the journal leave out fields that have no value.
pub fn member_event(event: &MemberEvent) {
    let (kind, message_id, evidence, reason) = match &event.kind {
        MemberEventKind::Joined => ("joined", JOINED, None, None),
        MemberEventKind::Failed(evidence) => ("failed", FAILED, Some(evidence), None),
        MemberEventKind::Restarted => ("failed", FAILED, None, Some("restarted")),
        MemberEventKind::Left => ("left", LEFT, None, None),
    };
    info!(
        message_id,
        memberd_event = kind,
        memberd_name = event.member.name.as_str(),
        memberd_id = %event.member,
        memberd_incarnation = event.member.incarnation.0,
        memberd_noticed_by = evidence.map(|evidence| evidence.detected_by.as_str()),
        memberd_silent_ms = evidence.map(|evidence| evidence.silent_ms),
        memberd_reason = reason,
        "member {kind}"
    );
}

/// Logs that an operator had a member forgotten, through the member `by`.
pub fn member_forgotten(entry: &Entry, by: &Name) {
    info!(
        message_id = FORGOTTEN,
        memberd_event = "forgotten",
        memberd_name = entry.identity.name.as_str(),
        memberd_id = %entry.identity,
        memberd_incarnation = entry.identity.incarnation.0,
        memberd_by = by.as_str(),
        "member forgotten"
    );
}

/// Logs that a member has changed its tags, with the new tags.
pub fn member_tagged(entry: &Entry) {
    info!(
        message_id = TAGGED,
        memberd_event = "tagged",
        memberd_name = entry.identity.name.as_str(),
        memberd_id = %entry.identity,
        memberd_incarnation = entry.identity.incarnation.0,
        memberd_tags = %entry.tags,
        "member tagged"
    );
}
