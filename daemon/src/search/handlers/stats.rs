//! Answers `memberctl stats`: a grep of which members send sums in place of lines. It owns no
//! state.

use super::grep;
use crate::control::client::{Client, ClientError};
use crate::control::permissions::ListenerPolicy;
use crate::control::refusal::refused;
use crate::services::Services;
use memberd_control::message::RefusalKind;
use memberd_control::stats::StatsRequest;

/// Counts lines of all members' logs, and streams the sums. All searches end when the client
/// disconnects.
pub(crate) async fn handle(
    request: StatsRequest,
    client: &mut Client,
    policy: &ListenerPolicy,
    services: &Services,
) -> Result<(), ClientError> {
    match request.into_grep() {
        Ok(request) => grep::search(request, client, policy, services).await,
        Err(words) => client.send(&refused(RefusalKind::Usage, words)).await,
    }
}
