//! What is answered to who cannot be served.

use crate::membership::Ended;
use memberd_control::message::{Refusal, RefusalKind, Reply};

/// A request is refused, in these words.
pub(crate) fn refused(kind: RefusalKind, message: impl Into<String>) -> Reply {
    Reply::Refused(Refusal { kind, message: message.into() })
}

/// There is no group to be asked of.
pub(crate) fn not_in_group() -> Reply {
    refused(RefusalKind::NotInGroup, "not in a group: join one with memberctl join")
}

/// The daemon is about to end.
pub(crate) fn ended(ended: Ended) -> Reply {
    refused(RefusalKind::Failed, ended.to_string())
}
