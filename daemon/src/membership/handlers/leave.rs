//! Answers `memberctl leave`. It owns no state.

use crate::agreement::RELEASE_LIMIT;
use crate::control::client::{Client, ClientError};
use crate::control::refusal::ended;
use crate::membership::Command;
use crate::services::Services;
use memberd_control::message::Reply;
use tokio::time::Instant;

/// Hands over what is agreed, leaves the group and answers when a member has acknowledged it.
pub(crate) async fn handle(client: &mut Client, services: &Services) -> Result<(), ClientError> {
    services.agreement.release(Instant::now() + RELEASE_LIMIT).await;
    let reply = match services.membership.handle.ask(|reply| Command::Leave { reply }).await {
        Ok(was_member) => Reply::Left { was_member },
        Err(error) => ended(error),
    };
    client.send(&reply).await
}
