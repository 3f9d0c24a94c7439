//! Replies to clients that cannot be served.

use crate::membership::Ended;
use memberd_control::message::{Refusal, RefusalKind, Reply};

/// The request is refused, for this reason.
pub(crate) fn refused(kind: RefusalKind, message: impl Into<String>) -> Reply {
    Reply::Refused(Refusal { kind, message: message.into() })
}

/// The daemon is in no group.
pub(crate) fn not_in_group() -> Reply {
    refused(RefusalKind::NotInGroup, "not in a group: join one with memberctl join")
}

/// The daemon is shutting down.
pub(crate) fn ended(ended: Ended) -> Reply {
    refused(RefusalKind::Failed, ended.to_string())
}
