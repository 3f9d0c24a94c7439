//! `memberctl events`.

use super::{Context, ended, refused};
use crate::control::connection::{Client, ClientError};
use crate::control::server::{Door, FOLLOWERS};
use crate::membership::{Command, Ended, Followed, Scope};
use memberd_control::message::{EventRecord, EventsFrom, MissedRecord, RefusalKind, Reply};
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Streams who joins, fails and leaves until the client goes. One that reads too slowly to be told everything is told that, and let go.
pub(super) async fn handle(client: &mut Client, door: &Door, context: &Context) -> Result<(), ClientError> {
    let Ok(_place) = door.followers.try_acquire() else { return client.send(&full()).await };
    let mut events = context.membership.follow();
    loop {
        match next(&mut events, Scope::Standings, client).await {
            None => return Ok(()),
            Some(Ok(event)) => client.send(&Reply::Event(Arc::unwrap_or_clone(event))).await?,
            Some(Err(RecvError::Lagged(missed))) => {
                let message = format!("{missed} events were missed, since they were read too slowly: follow again");
                return client.send(&refused(RefusalKind::Failed, message)).await;
            }
            Some(Err(RecvError::Closed)) => return client.send(&ended(Ended)).await,
        }
    }
}

/// As [`handle`] with changes of this scope, but begins with what is remembered, and goes on after a gap, once that is said.
pub(super) async fn handle_from(
    wanted: EventsFrom,
    scope: Scope,
    client: &mut Client,
    door: &Door,
    context: &Context,
) -> Result<(), ClientError> {
    let Ok(_place) = door.followers.try_acquire() else { return client.send(&full()).await };
    let followed = context.membership.ask(|reply| Command::Follow { scope, wanted, reply }).await;
    let Ok(Followed { past, missed, mut coming }) = followed else { return client.send(&ended(Ended)).await };
    if let Some(missed) = missed {
        client.send(&Reply::EventsMissed(missed)).await?;
    }
    for event in past {
        client.send(&Reply::Event(Arc::unwrap_or_clone(event))).await?;
    }
    let mut missing = None;
    loop {
        match next(&mut coming, scope, client).await {
            None => return Ok(()),
            Some(Ok(event)) => {
                if let Some(count) = missing.take() {
                    client.send(&Reply::EventsMissed(MissedRecord { until: event.time, count: Some(count) })).await?;
                }
                client.send(&Reply::Event(Arc::unwrap_or_clone(event))).await?;
            }
            Some(Err(RecvError::Lagged(count))) => missing = Some(missing.unwrap_or(0) + count),
            Some(Err(RecvError::Closed)) => return client.send(&ended(Ended)).await,
        }
    }
}

/// The next change of the scope, or none if the client goes first.
async fn next(
    events: &mut Receiver<Arc<EventRecord>>,
    scope: Scope,
    client: &mut Client,
) -> Option<Result<Arc<EventRecord>, RecvError>> {
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = client.gone() => return None,
        };
        match event {
            Ok(event) if !scope.includes(&event) => {}
            event => return Some(event),
        }
    }
}

fn full() -> Reply {
    refused(RefusalKind::Failed, format!("{FOLLOWERS} clients follow events already: end one of them"))
}
