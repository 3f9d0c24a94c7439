//! Makes the replies for clients that cannot be served. It owns no state.

use crate::membership::Ended;
use memberd_control::message::{RefusalKind, Reply, RequestRefusal};

/// Refuses the request, for this reason.
pub(crate) fn refused(kind: RefusalKind, message: impl Into<String>) -> Reply {
    Reply::Refused(RequestRefusal { kind, message: message.into() })
}

/// Refuses because the daemon is not in a group.
pub(crate) fn not_in_group() -> Reply {
    refused(RefusalKind::NotInGroup, "not in a group: join one with memberctl join")
}

/// Refuses because the task that would answer has ended.
pub(crate) fn ended(ended: Ended) -> Reply {
    refused(RefusalKind::Failed, ended.to_string())
}
