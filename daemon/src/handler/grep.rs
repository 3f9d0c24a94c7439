//! `memberctl grep`.

use super::{Context, ended, not_in_group, refused};
use crate::control::connection::{Client, ClientError};
use crate::membership::Command;
use crate::search::fan_out::FanOut;
use crate::search::refusal;
use memberd_control::grep::GrepRequest;
use memberd_control::message::{RefusalKind, Reply};

/// Greps all members' logs and streams what they find. Ends, everywhere, when the client goes.
pub(super) async fn handle(request: GrepRequest, client: &mut Client, context: &Context) -> Result<(), ClientError> {
    // A bad pattern is refused before anything is sent.
    if let Some(message) = refusal(&request) {
        return client.send(&refused(RefusalKind::Usage, message)).await;
    }
    let members = match context.membership.ask(|reply| Command::Up { reply }).await {
        Ok(Some(members)) => members,
        Ok(None) => return client.send(&not_in_group()).await,
        Err(error) => return client.send(&ended(error)).await,
    };
    let mut search = FanOut::start(context.caller.clone(), members, &request)?;
    loop {
        let reply = tokio::select! {
            reply = search.next() => reply,
            () = client.gone() => return Ok(()),
        };
        let Some(reply) = reply else { break };
        client.stream(&reply).await?;
    }
    client.send(&Reply::Done).await
}
