//! Answers `memberctl events`. A stream owns its place in the history and its receiver of changes.

use crate::control::client::{Client, ClientError};
use crate::control::convert::event_record;
use crate::control::permissions::ListenerPolicy;
use crate::control::refusal::{ended, refused};
use crate::membership::{Begin, Command, Ended, Followed, Kinds, MemberChange, Scope};
use crate::services::Services;
use memberd_control::message::{EventsFrom, MissedRecord, RefusalKind, Reply};
use memberd_membership::WallTime;
use std::future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

/// Streams membership changes until the client disconnects. A client that reads too slowly gets an
/// error, and the stream ends.
pub(crate) async fn handle(
    client: &mut Client,
    policy: &ListenerPolicy,
    services: &Services,
) -> Result<(), ClientError> {
    let _place = match policy.followers.try_enter_as(client.source()) {
        Ok(place) => place,
        Err(full) => return client.send(&refused(RefusalKind::Failed, full.to_string())).await,
    };
    let mut coming =
        Coming::new(services.membership.handle.follow(), Scope::endless(Kinds::Liveness));
    loop {
        match coming.next(client).await {
            Next::Change(change) => client.send(&Reply::Event(event_record(&change))).await?,
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

/// Like [`handle`], with changes of this scope. It begins with remembered changes, reports a gap
/// and continues after it, until the scope ends.
pub(crate) async fn handle_from(
    from: EventsFrom,
    scope: Scope,
    client: &mut Client,
    policy: &ListenerPolicy,
    services: &Services,
) -> Result<(), ClientError> {
    let _place = match policy.followers.try_enter_as(client.source()) {
        Ok(place) => place,
        Err(full) => return client.send(&refused(RefusalKind::Failed, full.to_string())).await,
    };
    let from = match from {
        EventsFrom::Since(moment) => Begin::Since(WallTime(moment)),
        EventsFrom::Last(count) => Begin::Last(count),
    };
    let followed =
        services.membership.handle.ask(|reply| Command::Follow { from, scope, reply }).await;
    let Ok(Followed { past, coming }) = followed else {
        return client.send(&ended(Ended)).await;
    };
    if let Some(until) = past.missed_until {
        client.send(&missed(until, None)).await?;
    }
    for change in past.changes {
        client.send(&Reply::Event(event_record(&change))).await?;
    }
    let mut coming = Coming::new(coming, scope);
    let mut missing = None;
    loop {
        let next = coming.next(client).await;
        // The end of the gap, once it is known.
        let until = match &next {
            Next::Change(change) => Some(change.at),
            Next::Over => scope.until,
            Next::Missed(_) | Next::Ended | Next::ClientGone => None,
        };
        if let (Some(until), Some(count)) = (until, missing) {
            client.send(&missed(until, Some(count))).await?;
            missing = None;
        }
        match next {
            Next::Change(change) => client.send(&Reply::Event(event_record(&change))).await?,
            Next::Missed(count) => missing = Some(missing.unwrap_or(0) + count),
            Next::Over => return client.send(&Reply::Done).await,
            Next::Ended => return client.send(&ended(Ended)).await,
            Next::ClientGone => return Ok(()),
        }
    }
}

/// The changes of a scope, as they happen.
struct Coming {
    changes: Receiver<Arc<MemberChange>>,
    scope: Scope,
    /// When the scope ends.
    over: Option<Instant>,
}

/// The next event of the stream.
enum Next {
    /// A membership change.
    Change(Arc<MemberChange>),
    /// The number of changes that did not fit into the queue.
    Missed(u64),
    /// The scope has ended.
    Over,
    /// The daemon ends.
    Ended,
    /// The client has disconnected.
    ClientGone,
}

impl Coming {
    fn new(changes: Receiver<Arc<MemberChange>>, scope: Scope) -> Coming {
        // Every number of milliseconds fits both clocks.
        let left = |WallTime(until): WallTime| {
            (SystemTime::UNIX_EPOCH + Duration::from_millis(until))
                .duration_since(SystemTime::now())
        };
        Coming {
            changes,
            scope,
            over: scope.until.map(|until| Instant::now() + left(until).unwrap_or(Duration::ZERO)),
        }
    }

    async fn next(&mut self, client: &mut Client) -> Next {
        let Coming { changes, scope, over } = self;
        loop {
            let change = tokio::select! {
                // The client gets the changes so far before the end.
                biased;
                change = changes.recv() => change,
                () = moment(*over) => return Next::Over,
                () = client.gone() => return Next::ClientGone,
            };
            match change {
                Ok(change) if scope.includes(&change) => return Next::Change(change),
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => return Next::Missed(count),
                Err(RecvError::Closed) => return Next::Ended,
            }
        }
    }
}

/// Waits for a moment, or forever without one.
async fn moment(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => future::pending().await,
    }
}

/// Reports missing changes before this moment, with their number if it is known.
fn missed(until: WallTime, count: Option<u64>) -> Reply {
    Reply::EventsMissed(MissedRecord { until: until.0, count })
}
