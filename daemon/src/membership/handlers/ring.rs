//! Answers requests for the ring, which `memberctl top` draws. It owns no state.

use crate::control::client::{Client, ClientError};
use crate::control::convert::ring_parts;
use crate::control::refusal::{ended, not_in_group};
use crate::membership::Command;
use crate::services::Services;
use memberd_control::message::{MEMBERS_PER_REPLY, Reply};

/// Sends the names of all members in the order of the ring, in parts.
pub(crate) async fn handle(client: &mut Client, services: &Services) -> Result<(), ClientError> {
    let ring = match services.membership.handle.ask(|reply| Command::Ring { reply }).await {
        Ok(Some(ring)) => ring,
        Ok(None) => return client.send(&not_in_group()).await,
        Err(error) => return client.send(&ended(error)).await,
    };
    for part in ring_parts(&ring, MEMBERS_PER_REPLY) {
        client.send(&Reply::Ring(part)).await?;
    }
    client.send(&Reply::Done).await
}
