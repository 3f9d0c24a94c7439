//! How a membership change is logged: one line with a fixed shape in `machine.i.log`, and fields and a message id in journald.

use memberd_ring::{MemberEvent, MemberEventKind};
use tracing::info;

/// The message ids of journald (systemd.journal-fields(7)), for `journalctl MESSAGE_ID=...` and the catalogue.
const JOINED: &str = "6d5f3a0f0c7b4d5f9a5d2c0b7e1a4c01";
const FAILED: &str = "6d5f3a0f0c7b4d5f9a5d2c0b7e1a4c02";
const LEFT: &str = "6d5f3a0f0c7b4d5f9a5d2c0b7e1a4c03";

/// Logs a membership change.
pub fn member_event(event: &MemberEvent) {
    let name = event.member.name.as_str();
    let id = event.member.to_string();
    let incarnation = event.member.incarnation.0;
    match &event.kind {
        MemberEventKind::Joined => info!(
            message_id = JOINED,
            memberd_event = "joined",
            memberd_name = name,
            memberd_id = id,
            memberd_incarnation = incarnation,
            "member joined"
        ),
        MemberEventKind::Failed(evidence) => info!(
            message_id = FAILED,
            memberd_event = "failed",
            memberd_name = name,
            memberd_id = id,
            memberd_incarnation = incarnation,
            memberd_noticed_by = evidence.accuser.as_str(),
            memberd_silent_ms = evidence.silent_for,
            "member failed"
        ),
        MemberEventKind::Restarted => info!(
            message_id = FAILED,
            memberd_event = "failed",
            memberd_name = name,
            memberd_id = id,
            memberd_incarnation = incarnation,
            memberd_reason = "restarted",
            "member failed"
        ),
        MemberEventKind::Left => info!(
            message_id = LEFT,
            memberd_event = "left",
            memberd_name = name,
            memberd_id = id,
            memberd_incarnation = incarnation,
            "member left"
        ),
    }
}
