//! Searches this machine's logs for another member, or for this daemon itself, and streams the
//! replies. It owns each running search, and cancels it.
//!
//! The search runs on a thread of its own and passes its output over a short queue. So a slow
//! reader slows the search, and memory is bounded for any number of results. It ends when the
//! connection does.

use super::compile::Compiled;
use super::local::{LocalSearcher, canceled};
use super::reply::PeerReply;
use super::reply_sink::ReplySink;
use crate::blocking::run_low_priority;
use memberd_control::grep::{GrepMembers, GrepRequest};
use memberd_transport::Permit;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

/// The most pieces of output that wait between the search and the connection.
const QUEUE: usize = 2;

/// How long a search waits until another one ends.
const SLOT_LIMIT: Duration = Duration::from_secs(5);

/// The interval of a search's progress reports.
pub const WORKING_EVERY: Duration = Duration::from_millis(500);

/// How long the reader may take for the last replies after the search's time limit. A reader that
/// reads nothing would keep its connection forever.
const LAST_REPLY_LIMIT: Duration = Duration::from_secs(10);

/// A request to search this machine.
#[derive(Debug)]
pub(super) struct LocalQuery {
    pub(super) request: GrepRequest,
    /// The compiled request, if this daemon has checked it.
    pub(super) compiled: Option<Compiled>,
}

/// Answers one request of another member. A large one has its turn until it has a place.
///
/// # Errors
/// When the connection breaks, or nobody reads the answer in time. The search has then ended, or
/// ends soon.
pub async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send,
    mut request: GrepRequest,
    turn: Option<Permit>,
    searcher: &Arc<LocalSearcher>,
) -> io::Result<()> {
    let _place = match searcher.admit(&request, turn.is_some()) {
        Ok(place) => place,
        Err(full) => {
            drop((request, turn));
            return refuse(stream, full.to_string()).await;
        }
    };
    // The place bounds from here on how many large requests are in memory.
    drop(turn);
    // The asking member has chosen the members. Here, the choice would only take memory.
    request.members = GrepMembers::default();
    let (mut reader, mut writer) = tokio::io::split(Box::pin(stream));
    let limit = time_limit(searcher, &request);
    let query = LocalQuery { request, compiled: None };
    tokio::select! {
        answered = answer(searcher, query, limit, &mut writer, closed(&mut reader)) => answered,
        () = at(limit.map(|limit| limit + LAST_REPLY_LIMIT)) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Refuses a request of another member.
///
/// # Errors
/// When the connection breaks, or nobody reads the answer in time.
pub async fn refuse(stream: impl AsyncRead + AsyncWrite + Send, reason: String) -> io::Result<()> {
    let (_reader, mut writer) = tokio::io::split(Box::pin(stream));
    timeout(LAST_REPLY_LIMIT, PeerReply::Refused(reason).write(&mut writer)).await?
}

/// The time limit of a search. A following search has none.
fn time_limit(searcher: &LocalSearcher, request: &GrepRequest) -> Option<Instant> {
    (!request.files.follow).then(|| Instant::now() + searcher.limits.search_time)
}

/// Answers a request of this daemon itself, without a connection. Dropping the result ends the
/// search.
pub(super) fn serve_here(
    searcher: &Arc<LocalSearcher>,
    query: LocalQuery,
) -> mpsc::Receiver<PeerReply> {
    let (sender, replies) = mpsc::channel(1);
    let searcher = Arc::clone(searcher);
    tokio::spawn(async move {
        let limit = time_limit(&searcher, &query.request);
        // An error needs no report, because the reader notices the end by itself.
        let _ = answer(&searcher, query, limit, &mut sender.clone(), sender.closed()).await;
    });
    replies
}

/// Receives the replies of a search, one after the other.
trait Taker {
    /// Sends one reply, and waits until it is taken.
    fn send(&mut self, reply: PeerReply) -> impl Future<Output = io::Result<()>> + Send;
}

impl<W: AsyncWrite + Send> Taker for WriteHalf<Pin<Box<W>>> {
    async fn send(&mut self, reply: PeerReply) -> io::Result<()> {
        reply.write(self).await
    }
}

impl Taker for mpsc::Sender<PeerReply> {
    async fn send(&mut self, reply: PeerReply) -> io::Result<()> {
        mpsc::Sender::send(self, reply).await.map_err(|_| io::ErrorKind::ConnectionAborted.into())
    }
}

/// Searches, and sends all replies. It ends the search early when the asker has `gone`.
async fn answer(
    searcher: &Arc<LocalSearcher>,
    query: LocalQuery,
    limit: Option<Instant>,
    taker: &mut impl Taker,
    gone: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut gone = pin!(gone);
    let (queue, mut pieces) = mpsc::channel(QUEUE);
    let under_way = UnderWay::default();
    let (cancel, searched) = (Arc::clone(&under_way.cancel), Arc::clone(&under_way.searched));
    let search = tokio::spawn(run(Arc::clone(searcher), query, queue, cancel, searched));
    let mut working = interval(WORKING_EVERY);
    working.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut over = false;
    loop {
        let reply = tokio::select! {
            piece = pieces.recv() => match piece {
                Some(reply) => reply,
                None => break,
            },
            _ = working.tick() => under_way.working(),
            () = at(limit), if !over => {
                over = true;
                under_way.cancel();
                pieces.close();
                continue;
            }
            () = &mut gone => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        // A closed connection makes this fail. A slow reader makes it wait, and the search too.
        let mut sending = pin!(taker.send(reply));
        loop {
            tokio::select! {
                sent = &mut sending => break sent?,
                () = at(limit), if !over => {
                    over = true;
                    under_way.cancel();
                    pieces.close();
                }
                () = &mut gone => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
    }
    let last = match search.await.map_err(io::Error::other)? {
        _ if over => PeerReply::Refused(format!(
            "it took longer than {:?}, its limits.search_time",
            searcher.limits.search_time
        )),
        last => last,
    };
    tokio::select! {
        sent = taker.send(last) => sent,
        () = &mut gone => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

/// A running search. Dropping it cancels the search.
#[derive(Debug, Default)]
struct UnderWay {
    cancel: Arc<AtomicBool>,
    searched: Arc<AtomicU64>,
}

impl UnderWay {
    fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }

    fn working(&self) -> PeerReply {
        PeerReply::Working(self.searched.load(Ordering::Relaxed))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Returns at that moment, or never.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Returns when the other side has closed the connection, or has broken the protocol.
async fn closed(reader: &mut (impl AsyncRead + Unpin)) {
    // Further bytes, an error and the end of the stream all end the search.
    let _ = reader.read_u8().await;
}

/// Runs the search on a thread of its own, and returns the last reply. A search that is cancelled
/// in time does not begin.
async fn run(
    searcher: Arc<LocalSearcher>,
    LocalQuery { request, compiled }: LocalQuery,
    queue: mpsc::Sender<PeerReply>,
    cancel: Arc<AtomicBool>,
    searched: Arc<AtomicU64>,
) -> PeerReply {
    let slots = if request.files.follow { &searcher.follows } else { &searcher.slots };
    let slot = tokio::select! {
        slot = slots.enter_within(SLOT_LIMIT) => slot,
        () = queue.closed() => return canceled(),
    };
    if cancel.load(Ordering::Relaxed) {
        return canceled();
    }
    let slot = match slot {
        Ok(slot) => slot,
        Err(full) => return PeerReply::Refused(full.to_string()),
    };
    let output = ReplySink::new(queue, searcher.limits.search_output, searched);
    let ended = run_low_priority(move || {
        let reply = searcher.search(&request, compiled, output, &cancel);
        drop(slot);
        reply
    });
    ended.await.unwrap_or_else(|error| {
        PeerReply::Refused(format!("no search there: {error}; see that machine's log"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::limits::Limits;
    use memberd_search::ExposedFiles;
    use tokio::time::timeout;

    fn searcher() -> Arc<LocalSearcher> {
        let limits = Limits { searches: 1, ..Limits::default() };
        Arc::new(LocalSearcher::new(
            "vm1".to_owned(),
            ExposedFiles::new::<&str>(&[]).unwrap(),
            limits,
        ))
    }

    fn query() -> LocalQuery {
        LocalQuery { request: GrepRequest::default(), compiled: None }
    }

    #[tokio::test]
    async fn a_search_that_nobody_waits_for_stops_waiting_for_a_slot() {
        let searcher = searcher();
        let _taken = searcher.slots.try_enter().unwrap();
        let (queue, pieces) = mpsc::channel(QUEUE);
        let search = run(Arc::clone(&searcher), query(), queue, Arc::default(), Arc::default());
        drop(pieces);
        timeout(SLOT_LIMIT / 2, search).await.unwrap();
    }

    #[tokio::test]
    async fn a_search_that_is_cancelled_early_does_not_begin() {
        let searcher = searcher();
        let (queue, _pieces) = mpsc::channel(QUEUE);
        let cancel = Arc::new(AtomicBool::new(true));
        run(Arc::clone(&searcher), query(), queue, cancel, Arc::default()).await;
        assert_eq!(searcher.counts().finished, 0);
    }
}
