//! Answers `memberctl events`. A stream owns its place in the history and its receiver of changes.

use crate::agreement;
use crate::control::client::{Client, ClientError};
use crate::control::convert::event_record;
use crate::control::permissions::ListenerPolicy;
use crate::control::refusal::{ended, refused};
use crate::membership::{Begin, Command, Ended, Followed, Kinds, MemberChange, Past, Scope};
use crate::services::Services;
use memberd_control::message::{EventsFrom, MissedRecord, RefusalKind, Reply, ViewEventRecord};
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
            Next::Entry(entry) => client.send(&entry.reply).await?,
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

/// What a client follows.
pub(crate) struct Wanted<'a> {
    /// The changes of the membership.
    pub scope: Scope,
    /// The agreed views, if what happens to them is wanted, and they are switched on.
    pub views: Option<&'a agreement::Handle>,
}

/// Like [`handle`], with what is wanted. It begins with what is remembered, reports a gap and
/// continues after it, until the scope ends.
pub(crate) async fn handle_from(
    from: EventsFrom,
    wanted: Wanted<'_>,
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
    let Wanted { scope, views } = wanted;
    let followed =
        services.membership.handle.ask(|reply| Command::Follow { from, scope, reply }).await;
    let views = match views {
        Some(handle) => handle.ask(agreement::Command::Follow).await.map(Some),
        None => Ok(None),
    };
    let (Ok(Followed { past, coming }), Ok(views)) = (followed, views) else {
        return client.send(&ended(Ended)).await;
    };
    let (past, missed_until) = merged(&past, views.as_ref(), from, scope);
    if let Some(until) = missed_until {
        client.send(&missed(until, None)).await?;
    }
    for entry in past {
        client.send(&entry.reply).await?;
    }
    let mut coming = Coming::new(coming, scope);
    coming.views = views.map(|views| views.coming);
    follow(coming, client).await
}

/// Sends what comes, until the scope ends.
async fn follow(mut coming: Coming, client: &mut Client) -> Result<(), ClientError> {
    let mut missing = None;
    loop {
        let next = coming.next(client).await;
        // The end of the gap, once it is known.
        let until = match &next {
            Next::Entry(entry) => Some(entry.at),
            Next::Over => coming.scope.until,
            Next::Missed(_) | Next::Ended | Next::ClientGone => None,
        };
        if let (Some(until), Some(count)) = (until, missing) {
            client.send(&missed(until, Some(count))).await?;
            missing = None;
        }
        match next {
            Next::Entry(entry) => client.send(&entry.reply).await?,
            Next::Missed(count) => missing = Some(missing.unwrap_or(0) + count),
            Next::Over => return client.send(&Reply::Done).await,
            Next::Ended => return client.send(&ended(Ended)).await,
            Next::ClientGone => return Ok(()),
        }
    }
}

/// What a client hears, and of which moment.
#[derive(Debug)]
struct Entry {
    at: WallTime,
    reply: Reply,
}

impl Entry {
    fn change(change: &MemberChange) -> Entry {
        Entry { at: change.at, reply: Reply::Event(event_record(change)) }
    }

    fn view(record: &ViewEventRecord) -> Entry {
        Entry { at: WallTime(record.time), reply: Reply::ViewEvent(Box::new(record.clone())) }
    }
}

/// What is remembered of both, by time, and until when some of it is missing.
fn merged(
    past: &Past,
    views: Option<&agreement::Followed>,
    from: Begin,
    scope: Scope,
) -> (Vec<Entry>, Option<WallTime>) {
    let mut entries: Vec<Entry> = past.changes.iter().map(|change| Entry::change(change)).collect();
    let Some(views) = views else { return (entries, past.missed_until) };
    let records = views.past.iter().filter(|record| includes(scope, record));
    match from {
        Begin::Since(moment) => {
            let records = records.filter(|record| WallTime(record.time) >= moment);
            entries.extend(records.map(|record| Entry::view(record)));
            entries.sort_by_key(|entry| entry.at);
            let known = scope.until.map_or(views.whole_since, |until| until.min(views.whole_since));
            (entries, past.missed_until.max((moment < known).then_some(known)))
        }
        Begin::Last(count) => {
            entries.extend(records.map(|record| Entry::view(record)));
            entries.sort_by_key(|entry| entry.at);
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            (entries.split_off(entries.len().saturating_sub(count)), None)
        }
    }
}

fn includes(scope: Scope, record: &ViewEventRecord) -> bool {
    scope.until.is_none_or(|until| WallTime(record.time) < until)
}

/// The changes of a scope, as they happen.
struct Coming {
    changes: Receiver<Arc<MemberChange>>,
    /// What happens to the agreed views, as long as their task runs.
    views: Option<Receiver<Arc<ViewEventRecord>>>,
    scope: Scope,
    /// When the scope ends.
    over: Option<Instant>,
}

/// The next event of the stream.
enum Next {
    /// Something happened.
    Entry(Entry),
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
        let over = scope.until.map(|until| Instant::now() + left(until).unwrap_or(Duration::ZERO));
        Coming { changes, views: None, scope, over }
    }

    async fn next(&mut self, client: &mut Client) -> Next {
        let Coming { changes, views, scope, over } = self;
        loop {
            let change = tokio::select! {
                // The client gets the changes so far before the end.
                biased;
                change = changes.recv() => change,
                record = next_view(views) => match record {
                    Ok(record) if includes(*scope, &record) => {
                        return Next::Entry(Entry::view(&record));
                    }
                    Err(RecvError::Lagged(count)) => return Next::Missed(count),
                    Err(RecvError::Closed) => {
                        *views = None;
                        continue;
                    }
                    Ok(_) => continue,
                },
                () = moment(*over) => return Next::Over,
                () = client.gone() => return Next::ClientGone,
            };
            match change {
                Ok(change) if scope.includes(&change) => {
                    return Next::Entry(Entry::change(&change));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(count)) => return Next::Missed(count),
                Err(RecvError::Closed) => return Next::Ended,
            }
        }
    }
}

/// The next record of the views. Nothing comes where none are followed.
async fn next_view(
    views: &mut Option<Receiver<Arc<ViewEventRecord>>>,
) -> Result<Arc<ViewEventRecord>, RecvError> {
    match views {
        Some(views) => views.recv().await,
        None => future::pending().await,
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::broadcast;

    fn views(times: &[u64]) -> agreement::Followed {
        let record = |time| Arc::new(ViewEventRecord { time, ..ViewEventRecord::default() });
        let (_, coming) = broadcast::channel(1);
        let past = times.iter().copied().map(record).collect();
        agreement::Followed { past, whole_since: WallTime(times[0]), coming }
    }

    fn times(entries: &[Entry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.at.0).collect()
    }

    #[test]
    fn views_come_among_the_changes_by_their_time() {
        let scope = Scope { kinds: Kinds::All, until: Some(WallTime(40)) };
        let views = views(&[10, 20, 30, 40]);
        let past =
            |missed: Option<u64>| Past { missed_until: missed.map(WallTime), ..Past::default() };
        let since = |moment| Begin::Since(WallTime(moment));
        let (entries, missed) = merged(&past(None), Some(&views), since(20), scope);
        assert_eq!((times(&entries), missed), (vec![20, 30], None));
        let (entries, missed) = merged(&past(Some(5)), Some(&views), since(1), scope);
        assert_eq!((times(&entries), missed), (vec![10, 20, 30], Some(WallTime(10))));
        let (entries, missed) = merged(&past(None), Some(&views), Begin::Last(2), scope);
        assert_eq!((times(&entries), missed), (vec![20, 30], None));
        let (entries, missed) = merged(&past(Some(5)), None, since(1), scope);
        assert_eq!((entries.len(), missed), (0, Some(WallTime(5))));
    }
}
