//! `memberctl events`.

use super::{Context, ended, refused};
use crate::control::connection::{Client, ClientError};
use crate::control::server::{Door, FOLLOWERS};
use crate::membership::Ended;
use memberd_control::message::{RefusalKind, Reply};
use tokio::sync::broadcast::error::RecvError;

/// Streams membership changes until the client goes. One that reads too slowly to be told everything is told that, and let go.
pub(super) async fn handle(client: &mut Client, door: &Door, context: &Context) -> Result<(), ClientError> {
    let Ok(_place) = door.followers.try_acquire() else {
        let message = format!("{FOLLOWERS} clients follow events already: end one of them");
        return client.send(&refused(RefusalKind::Failed, message)).await;
    };
    let mut events = context.membership.follow();
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = client.gone() => return Ok(()),
        };
        match event {
            Ok(event) => client.send(&Reply::Event(event)).await?,
            Err(RecvError::Lagged(missed)) => {
                let message = format!("{missed} events were missed, since they were read too slowly: follow again");
                return client.send(&refused(RefusalKind::Failed, message)).await;
            }
            Err(RecvError::Closed) => return client.send(&ended(Ended)).await,
        }
    }
}
