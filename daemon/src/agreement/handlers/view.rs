//! Answers `memberctl view`. It owns no state.

use crate::agreement::convert::{past_view, view_member, view_record};
use crate::agreement::{Command, Handle};
use crate::control::client::{Client, ClientError};
use crate::control::refusal::ended;
use crate::membership::Ended;
use memberd_control::message::{Reply, VIEW_MEMBERS_PER_REPLY, ViewRequest};
use memberd_council::Confirmation;

/// Waits for the view if asked to, confirms it unless asked not to, and sends it in parts.
pub(crate) async fn handle(
    request: ViewRequest,
    client: &mut Client,
    handle: &Handle,
) -> Result<(), ClientError> {
    if let Some(number) = request.wait {
        // The client bounds the time.
        let waited = tokio::select! {
            waited = handle.wait_for(|shown| shown.view.number.0 >= number) => waited,
            () = client.gone() => return Ok(()),
        };
        if let Err(error) = waited {
            return client.send(&ended(error)).await;
        }
    }
    match send(request, client, handle).await {
        Ok(sent) => sent,
        Err(error) => client.send(&ended(error)).await,
    }
}

/// Sends the view.
///
/// # Errors
/// When the task has ended.
pub(super) async fn send(
    request: ViewRequest,
    client: &mut Client,
    handle: &Handle,
) -> Result<Result<(), ClientError>, Ended> {
    let confirmation: Option<Confirmation> = match request.local {
        true => None,
        false => Some(handle.ask(Command::Confirm).await?),
    };
    let told = handle.ask(Command::Tell).await?;
    Ok(async {
        for part in told.status.view.members.chunks(VIEW_MEMBERS_PER_REPLY) {
            let members = part.iter().map(view_member).collect();
            client.send(&Reply::ViewMembers(members)).await?;
        }
        if request.history {
            for past in told.history.clone() {
                client.send(&Reply::PastView(past_view(past))).await?;
            }
        }
        let record = view_record(&told, confirmation.as_ref());
        client.send(&Reply::View(Box::new(record))).await
    }
    .await)
}
