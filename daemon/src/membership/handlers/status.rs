//! Answers `memberctl status`. It owns no state.

use crate::control::client::{Client, ClientError};
use crate::control::permissions::ListenerPolicy;
use crate::control::refusal::ended;
use crate::services::Services;
use memberd_control::message::Reply;

/// Sends this daemon's status, as far as this policy allows.
pub(crate) async fn handle(
    client: &mut Client,
    policy: &ListenerPolicy,
    services: &Services,
) -> Result<(), ClientError> {
    let reply = match services.status(policy.access).await {
        Ok(report) => Reply::Status(Box::new(report)),
        Err(error) => ended(error),
    };
    client.send(&reply).await
}
