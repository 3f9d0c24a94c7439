//! `memberctl events`.

use super::context::Context;
use super::refusal::{ended, refused};
use crate::control::client::{Client, ClientError};
use crate::control::door::{Door, FOLLOWERS};
use crate::membership::{Command, Ended, Followed, Kinds, Scope};
use memberd_control::message::{EventRecord, EventsFrom, MissedRecord, RefusalKind, Reply};
use std::future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

/// Streams who joins, fails and leaves until the client goes. One that reads too slowly to be told
/// everything is told that, and let go.
pub(super) async fn handle(
    client: &mut Client,
    door: &Door,
    context: &Context,
) -> Result<(), ClientError> {
    let Ok(_place) = door.followers.try_acquire() else { return client.send(&full()).await };
    let mut coming = Coming::new(context.membership.follow(), Scope::endless(Kinds::Standings));
    loop {
        match coming.next(client).await {
            Next::Event(event) => client.send(&Reply::Event(Arc::unwrap_or_clone(event))).await?,
            Next::Missed(missed) => {
                let message = format!(
                    "{missed} events were missed, since they were read too slowly: follow again"
                );
                return client.send(&refused(RefusalKind::Failed, message)).await;
            }
            Next::Ended => return client.send(&ended(Ended)).await,
            Next::Over | Next::ClientGone => return Ok(()),
        }
    }
}

/// As [`handle`] with changes of this scope, but begins with what is remembered, and goes on after
/// a gap, once that is said, as long as the scope says.
pub(super) async fn handle_from(
    from: EventsFrom,
    scope: Scope,
    client: &mut Client,
    door: &Door,
    context: &Context,
) -> Result<(), ClientError> {
    let Ok(_place) = door.followers.try_acquire() else { return client.send(&full()).await };
    let followed = context.membership.ask(|reply| Command::Follow { from, scope, reply }).await;
    let Ok(Followed { past, missed, coming }) = followed else {
        return client.send(&ended(Ended)).await;
    };
    if let Some(missed) = missed {
        client.send(&Reply::EventsMissed(missed)).await?;
    }
    for event in past {
        client.send(&Reply::Event(Arc::unwrap_or_clone(event))).await?;
    }
    let mut coming = Coming::new(coming, scope);
    let mut missing = None;
    loop {
        let next = coming.next(client).await;
        // Where the gap ends, once that is known.
        let until = match &next {
            Next::Event(event) => Some(event.time),
            Next::Over => scope.until,
            Next::Missed(_) | Next::Ended | Next::ClientGone => None,
        };
        if let (Some(until), Some(count)) = (until, missing) {
            client.send(&Reply::EventsMissed(MissedRecord { until, count: Some(count) })).await?;
            missing = None;
        }
        match next {
            Next::Event(event) => client.send(&Reply::Event(Arc::unwrap_or_clone(event))).await?,
            Next::Missed(count) => missing = Some(missing.unwrap_or(0) + count),
            Next::Over => return client.send(&Reply::Done).await,
            Next::Ended => return client.send(&ended(Ended)).await,
            Next::ClientGone => return Ok(()),
        }
    }
}

/// The changes of a scope, as they happen.
struct Coming {
    events: Receiver<Arc<EventRecord>>,
    scope: Scope,
    /// When the moment up to which they are wanted has come.
    over: Option<Instant>,
}

/// What comes next.
enum Next {
    /// A change.
    Event(Arc<EventRecord>),
    /// So many changes did not fit into the queue.
    Missed(u64),
    /// No more are wanted.
    Over,
    /// The daemon ends.
    Ended,
    /// The client is not there any more.
    ClientGone,
}

impl Coming {
    fn new(events: Receiver<Arc<EventRecord>>, scope: Scope) -> Coming {
        // Any number of milliseconds fits both clocks.
        let left = |until| {
            (SystemTime::UNIX_EPOCH + Duration::from_millis(until))
                .duration_since(SystemTime::now())
        };
        Coming {
            events,
            scope,
            over: scope.until.map(|until| Instant::now() + left(until).unwrap_or(Duration::ZERO)),
        }
    }

    async fn next(&mut self, client: &mut Client) -> Next {
        let Coming { events, scope, over } = self;
        loop {
            let event = tokio::select! {
                // What has happened is told before the end.
                biased;
                event = events.recv() => event,
                () = moment(*over) => return Next::Over,
                () = client.gone() => return Next::ClientGone,
            };
            match event {
                Ok(event) if scope.includes(&event) => return Next::Event(event),
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => return Next::Missed(count),
                Err(RecvError::Closed) => return Next::Ended,
            }
        }
    }
}

/// Waits for a moment; for none, for ever.
async fn moment(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => future::pending().await,
    }
}

fn full() -> Reply {
    refused(
        RefusalKind::Failed,
        format!("{FOLLOWERS} clients follow events already: end one of them"),
    )
}
