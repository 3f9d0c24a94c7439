//! `memberctl status`.

use crate::control::client::{Client, ClientError};
use crate::control::permissions::ListenerPolicy;
use crate::control::refusal::ended;
use crate::services::Services;
use memberd_control::message::Reply;

/// Sends how this daemon is doing, as far as who comes by this policy may know.
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
