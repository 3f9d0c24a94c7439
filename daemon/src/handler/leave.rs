//! `memberctl leave`.

use super::context::Context;
use super::refusal::ended;
use crate::control::client::{Client, ClientError};
use crate::membership::Command;
use memberd_control::message::Reply;

/// Leaves the group and answers when a member has acknowledged it.
pub(super) async fn handle(client: &mut Client, context: &Context) -> Result<(), ClientError> {
    let reply = match context.membership.ask(|reply| Command::Leave { reply }).await {
        Ok(was_member) => Reply::Left { was_member },
        Err(error) => ended(error),
    };
    client.send(&reply).await
}
