//! Logs membership changes: one line of a fixed form in `machine.i.log`, and fields and a message
//! id in journald. It owns no state.

use memberd_membership::{Entry, Event, Identity, MemberEvent, MemberEventKind, Name, millis};
use std::time::Duration;
use tracing::{debug, info};

/// The message ids of journald (systemd.journal-fields(7)), one for each kind, for `journalctl
/// MESSAGE_ID=...`.
const JOINED: &str = "095275bdbc6a4466b0eb9cc32a1b7e33";
const FAILED: &str = "7f61797190c3421b9f87c97645290419";
const LEFT: &str = "b927a2a25cf14cb7b8f6029d53890581";
const TAGGED: &str = "7032c401c2384d5f97a6e32099e5004a";
const FORGOTTEN: &str = "dddc9a656bc541199a72b04631407a5f";
const SUSPECTED: &str = "73880489b9a94df2b48615378980b90c";
const CLEARED: &str = "3a27737d1f3c4afea3f4b83ef68c134a";
const REFUTED: &str = "b889a7334d494571ae610f6c9f9f54eb";
const DETECTED: &str = "ffce4ad31b3347529634ae803d3f0f87";
const TOLD: &str = "69c61f83d2214c80aae511197da9aa75";

/// Logs a line about a member: its message id, its kind, the member's identity, and further fields.
macro_rules! line {
    ($words:literal, $message_id:expr, $event:expr, $member:expr $(, $($fields:tt)+)?) => {
        info!(
            message_id = $message_id,
            memberd_event = $event,
            memberd_name = $member.name.as_str(),
            memberd_id = %$member,
            memberd_incarnation = $member.incarnation.0,
            $($($fields)+,)?
            $words
        )
    };
}

/// Logs a membership change. The line and the journal leave out fields that have no value.
pub fn member_event(event: &MemberEvent) {
    let (kind, message_id, evidence, reason) = match &event.kind {
        MemberEventKind::Joined => ("joined", JOINED, None, None),
        MemberEventKind::Failed(evidence) => ("failed", FAILED, Some(evidence), None),
        MemberEventKind::Restarted => ("failed", FAILED, None, Some("restarted")),
        MemberEventKind::Left => ("left", LEFT, None, None),
    };
    // Whoever joins or leaves is the first to say so itself.
    let told_by = matches!(kind, "failed").then_some(event.told_by.as_ref()).flatten();
    let told_by = told_by.map(Name::as_str);
    line!(
        "member {kind}",
        message_id,
        kind,
        event.member,
        memberd_noticed_by = evidence.map(|evidence| evidence.detected_by.as_str()),
        memberd_silent_ms = evidence.map(|evidence| evidence.silent_ms),
        memberd_reason = reason,
        memberd_told_by = told_by
    );
}

/// Logs what a detector found, or said of it to others. The other events are not of a detector.
pub fn detection(event: &Event) {
    match event {
        Event::Suspected { member, by, silent } => member_suspected(member, by, *silent),
        Event::Cleared { member, suspected_by, after } => {
            member_cleared(member, suspected_by, *after);
        }
        Event::Refuted { member, by, last_sent } => suspicion_refuted(member, by, *last_sent),
        Event::FailureDetected { member, silent_ms } => failure_detected(member, *silent_ms),
        Event::FailureTold { member, told } => failure_told(member, told),
        _ => {}
    }
}

/// Logs that the monitor `by` suspects a member. `silent` is the age of its newest evidence here.
fn member_suspected(member: &Identity, by: &Name, silent: Option<Duration>) {
    line!(
        "member suspected",
        SUSPECTED,
        "suspected",
        member,
        memberd_suspected_by = by.as_str(),
        memberd_last_sent_ms = silent.map(millis)
    );
}

/// Logs that a member is not suspected any more.
fn member_cleared(member: &Identity, suspected_by: &Name, after: Duration) {
    line!(
        "member cleared",
        CLEARED,
        "cleared",
        member,
        memberd_suspected_by = suspected_by.as_str(),
        memberd_after_ms = millis(after)
    );
}

/// Logs that this machine itself was suspected, and said that it is up. `last_sent` is the age of
/// its newest datagram that the monitor `by` knew of.
fn suspicion_refuted(own: &Identity, by: &Name, last_sent: Duration) {
    line!(
        "suspicion refuted",
        REFUTED,
        "refuted",
        own,
        memberd_suspected_by = by.as_str(),
        memberd_last_sent_ms = millis(last_sent)
    );
}

/// Logs that this machine itself detected a failure.
fn failure_detected(member: &Identity, silent_ms: u64) {
    line!("failure detected", DETECTED, "detected", member, memberd_silent_ms = silent_ms);
}

/// Logs to how many members a failure was told, and at level debug to whom.
fn failure_told(member: &Identity, told: &[Name]) {
    line!("failure told", TOLD, "told", member, memberd_to = told.len());
    for told in told {
        debug!(name = member.name.as_str(), to = told.as_str(), "failure told to a member");
    }
}

/// Logs that an operator had a member forgotten, through the member `by`.
pub fn member_forgotten(entry: &Entry, by: &Name) {
    line!("member forgotten", FORGOTTEN, "forgotten", entry.identity, memberd_by = by.as_str());
}

/// Logs that a member has changed its tags, with the new tags.
pub fn member_tagged(entry: &Entry) {
    line!("member tagged", TAGGED, "tagged", entry.identity, memberd_tags = %entry.tags);
}
