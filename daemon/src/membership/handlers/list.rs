//! Answers `memberctl list`. It owns no state.

use crate::control::client::{Client, ClientError};
use crate::control::convert::member_record;
use crate::control::refusal::{ended, not_in_group};
use crate::membership::{Command, Liveness};
use crate::services::Services;
use memberd_control::message::{MEMBERS_PER_REPLY, Reply};

/// Sends the list in parts. Each part is made when it is sent.
pub(crate) async fn handle(
    all: bool,
    client: &mut Client,
    services: &Services,
) -> Result<(), ClientError> {
    let list = match services.membership.handle.ask(|reply| Command::List { reply }).await {
        Ok(Some(list)) => list,
        Ok(None) => return client.send(&not_in_group()).await,
        Err(error) => return client.send(&ended(error)).await,
    };
    let mut records = list
        .members()
        .filter(|member| all || member.liveness == Liveness::Alive)
        .map(|member| member_record(&member));
    loop {
        let part: Vec<_> = records.by_ref().take(MEMBERS_PER_REPLY).collect();
        if part.is_empty() {
            return client.send(&Reply::Done).await;
        }
        client.send(&Reply::Members(part)).await?;
    }
}
