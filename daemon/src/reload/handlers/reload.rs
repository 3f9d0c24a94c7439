//! Answers `memberctl reload`. It owns no state.

use crate::control::client::{Client, ClientError};
use crate::control::refusal::ended;
use crate::membership::Ended;
use crate::services::Services;
use memberd_control::message::Reply;

/// Reloads the settings, and answers with what has changed.
pub(crate) async fn handle(client: &mut Client, services: &Services) -> Result<(), ClientError> {
    let reply = match services.reloader.ask().await {
        Some(report) => Reply::Reloaded(report),
        None => ended(Ended),
    };
    client.send(&reply).await
}
