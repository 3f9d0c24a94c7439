//! `memberctl list`.

use super::context::Context;
use super::refusal::{ended, not_in_group};
use crate::control::client::{Client, ClientError};
use crate::membership::Command;
use memberd_control::message::{MEMBERS_PER_REPLY, MemberStatus, Reply};

/// Sends the list in parts.
pub(super) async fn handle(all: bool, client: &mut Client, context: &Context) -> Result<(), ClientError> {
    let mut records = match context.membership.ask(|reply| Command::List { reply }).await {
        Ok(Some(records)) => records,
        Ok(None) => return client.send(&not_in_group()).await,
        Err(error) => return client.send(&ended(error)).await,
    };
    records.retain(|record| all || record.status == MemberStatus::Alive);
    for part in records.chunks(MEMBERS_PER_REPLY) {
        client.send(&Reply::Members(part.to_vec())).await?;
    }
    client.send(&Reply::Done).await
}
