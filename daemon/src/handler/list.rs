//! `memberctl list`.

use super::context::Context;
use super::refusal::{ended, not_in_group};
use crate::control::client::{Client, ClientError};
use crate::membership::Command;
use memberd_control::message::{MEMBERS_PER_REPLY, MemberStatus, Reply};

/// Sends the list in parts, each made when it is sent.
pub(super) async fn handle(
    all: bool,
    client: &mut Client,
    context: &Context,
) -> Result<(), ClientError> {
    let list = match context.membership.ask(|reply| Command::List { reply }).await {
        Ok(Some(list)) => list,
        Ok(None) => return client.send(&not_in_group()).await,
        Err(error) => return client.send(&ended(error)).await,
    };
    let mut records = list.records().filter(|record| all || record.status == MemberStatus::Alive);
    loop {
        let part: Vec<_> = records.by_ref().take(MEMBERS_PER_REPLY).collect();
        if part.is_empty() {
            return client.send(&Reply::Done).await;
        }
        client.send(&Reply::Members(part)).await?;
    }
}
