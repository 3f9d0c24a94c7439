//! Answers `memberctl metrics`. It owns no state.

use crate::control::client::{Client, ClientError};
use crate::control::refusal::ended;
use crate::services::Services;
use memberd_control::message::Reply;

/// Sends all metrics.
pub(crate) async fn handle(client: &mut Client, services: &Services) -> Result<(), ClientError> {
    let reply = match services.metrics().await {
        Ok(text) => Reply::Metrics(text),
        Err(error) => ended(error),
    };
    client.send(&reply).await
}
