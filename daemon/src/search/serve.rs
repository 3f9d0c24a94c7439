//! Searches this machine's logs for another member, or for this daemon itself, and streams the
//! replies. It owns each running search, and cancels it.
//!
//! The search runs on a thread of its own and passes its output over a short queue. So a slow
//! reader slows the search, and memory is bounded for any number of results. It ends when the
//! connection does.

use super::audit::AuditedSearch;
use super::compile::Compiled;
use super::local::{LocalSearcher, canceled};
use super::place::{SearchPlace, Unread};
use super::reply::PeerReply;
use super::reply_sink::ReplySink;
use crate::blocking::run_low_priority;
use memberd_control::grep::{GrepMembers, GrepRequest};
use memberd_transport::{Permit, Source};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until, timeout};

/// The most pieces of output that wait between the search and the connection.
const QUEUE: usize = 2;

/// How long a reader may take for a piece of output before its search counts as unread, and the
/// interval of later looks at it.
const UNREAD_LIMIT: Duration = Duration::from_secs(3);
const UNREAD_AGAIN: Duration = Duration::from_millis(500);

/// The interval of a search's progress reports.
pub const WORKING_EVERY: Duration = Duration::from_millis(500);

/// How long the reader may take for the last replies after the search's time limit. A reader that
/// reads nothing would keep its connection forever.
const LAST_REPLY_LIMIT: Duration = Duration::from_secs(10);

/// A request to search this machine.
#[derive(Debug)]
pub(super) struct LocalQuery {
    pub(super) request: GrepRequest,
    /// Who asks: another member, or a user of this machine.
    pub(super) source: Source,
    /// The compiled request, if this daemon has checked it.
    pub(super) compiled: Option<Compiled>,
    /// The address of the member that asks, if it is another one.
    pub(super) from: Option<IpAddr>,
}

/// Who asks for a search, and the turn of a large request.
#[derive(Debug)]
pub struct Asked {
    /// The member that asks.
    pub source: Source,
    /// The turn, which ends when the request has a place.
    pub turn: Option<Permit>,
    /// The address of the member that asks, if the system tells it.
    pub from: Option<IpAddr>,
}

/// Answers one request of another member. A large one has its turn until it has a place.
///
/// # Errors
/// When the connection breaks, or nobody reads the answer in time. The search has then ended, or
/// ends soon.
pub async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send,
    mut request: GrepRequest,
    Asked { source, turn, from }: Asked,
    searcher: &Arc<LocalSearcher>,
) -> io::Result<()> {
    let _place = match searcher.admit(&request, turn.is_some(), source) {
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
    let query = LocalQuery { request, source, compiled: None, from };
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

/// Why a search ends before it is done.
#[derive(Debug, Clone, Copy)]
enum Over {
    /// It takes longer than it may.
    Time,
    /// Nobody reads its output, and others wait for its place.
    Unread,
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
    let mut audited = AuditedSearch::of_member(&searcher.audit, &query.request, query.from);
    let (queue, mut pieces) = mpsc::channel(QUEUE);
    let (under_way, place) = (UnderWay::default(), SearchPlace::new(searcher, &query));
    let search = run(Arc::clone(searcher), query, Arc::clone(&place), queue, under_way.share());
    let search = tokio::spawn(search);
    let mut working = interval(WORKING_EVERY);
    working.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut over, mut turn) = (None, Turn::Has);
    loop {
        let reply = tokio::select! {
            piece = pieces.recv(), if turn.has() => match piece {
                Some(reply) => reply,
                None => break,
            },
            () = turn.comes() => {
                turn = Turn::Has;
                continue;
            }
            _ = working.tick() => {
                audited.iter_mut().for_each(AuditedSearch::note_time);
                under_way.working()
            }
            () = at(limit), if over.is_none() => {
                over = Some(under_way.end(Over::Time, &mut pieces));
                turn = Turn::Has;
                continue;
            }
            () = &mut gone => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        // A closed connection makes this fail. A slow reader makes it wait, and the search too.
        let mut sending = pin!(taker.send(reply));
        let mut unread = interval_at(Instant::now() + UNREAD_LIMIT, UNREAD_AGAIN);
        loop {
            tokio::select! {
                biased;
                sent = &mut sending => break sent?,
                () = at(limit), if over.is_none() => {
                    over = Some(under_way.end(Over::Time, &mut pieces));
                }
                // A search that still has room for its output goes on.
                _ = unread.tick(), if over.is_none() => {
                    if pieces.len() == QUEUE && place.note_unread() == Unread::MustEnd {
                        over = Some(under_way.end(Over::Unread, &mut pieces));
                        // What is left would only take memory, for as long as nobody reads.
                        while pieces.try_recv().is_ok() {}
                    }
                }
                () = &mut gone => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        match over {
            Some(_) => turn = Turn::Has,
            None if turn.has() && place.is_set_aside() => turn = Turn::waits(&place),
            None => {}
        }
    }
    let last = match (search.await.map_err(io::Error::other)?, over) {
        (last, None) => last,
        (_, Some(over)) => over.reply(searcher),
    };
    if let Some(audited) = &mut audited {
        audited.note_last(&last);
    }
    tokio::select! {
        sent = taker.send(last) => sent,
        () = &mut gone => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

impl Over {
    /// The last reply of the search.
    fn reply(self, searcher: &LocalSearcher) -> PeerReply {
        PeerReply::Refused(match self {
            Over::Time => format!(
                "it took longer than {:?}, its limits.search_time",
                searcher.limits.search_time
            ),
            Over::Unread => format!(
                "nobody read its output for {UNREAD_LIMIT:?}, and others waited for its \
                place there, or its memory: run it again"
            ),
        })
    }
}

/// Whether more of a search's output may be taken.
enum Turn {
    /// The search has a place, or needs none.
    Has,
    /// The search was set aside, and waits until it has a place again.
    Waits(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl Turn {
    fn waits(place: &Arc<SearchPlace>) -> Self {
        Turn::Waits(Box::pin(Arc::clone(place).enter_again()))
    }

    fn has(&self) -> bool {
        matches!(self, Turn::Has)
    }

    /// Returns when a search that waits has its place; otherwise never.
    async fn comes(&mut self) {
        match self {
            Turn::Has => std::future::pending().await,
            Turn::Waits(turn) => turn.await,
        }
    }
}

/// A running search. Dropping it cancels the search.
#[derive(Debug, Default)]
struct UnderWay {
    cancel: Arc<AtomicBool>,
    searched: Arc<AtomicU64>,
}

impl UnderWay {
    /// The same two for the search itself, which does not end when it drops them.
    fn share(&self) -> (Arc<AtomicBool>, Arc<AtomicU64>) {
        (Arc::clone(&self.cancel), Arc::clone(&self.searched))
    }

    fn cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
    }

    /// Ends the search, and takes no more of its output.
    fn end(&self, why: Over, pieces: &mut mpsc::Receiver<PeerReply>) -> Over {
        self.cancel();
        pieces.close();
        why
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
    LocalQuery { request, compiled, .. }: LocalQuery,
    place: Arc<SearchPlace>,
    queue: mpsc::Sender<PeerReply>,
    (cancel, searched): (Arc<AtomicBool>, Arc<AtomicU64>),
) -> PeerReply {
    let entered = tokio::select! {
        entered = place.enter() => entered,
        () = queue.closed() => return canceled(),
    };
    if cancel.load(Ordering::Relaxed) {
        return canceled();
    }
    if let Err(full) = entered {
        return PeerReply::Refused(full.to_string());
    }
    // What sends sums for as long as it runs has no end at which it would have sent too much.
    let is_endless = request.stats.is_some() && request.files.follow;
    let limit = if is_endless { u64::MAX } else { searcher.limits.search_output };
    let output =
        ReplySink::new(queue, limit, searched).with_positions(request.follow_from.is_some());
    let ended = run_low_priority(move || {
        let compiled = compiled.ok_or_else(|| place.memory().clone());
        let reply = searcher.search(&request, compiled, output, &cancel);
        place.leave();
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
    use crate::search::place::TURN_LIMIT;
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
        let request = GrepRequest::default();
        LocalQuery { request, source: Source::Anyone, compiled: None, from: None }
    }

    /// The search, with its output in this queue.
    async fn search(
        searcher: &Arc<LocalSearcher>,
        queue: mpsc::Sender<PeerReply>,
        cancel: Arc<AtomicBool>,
    ) -> PeerReply {
        let (query, signals) = (query(), (cancel, Arc::default()));
        let place = SearchPlace::new(searcher, &query);
        run(Arc::clone(searcher), query, place, queue, signals).await
    }

    #[tokio::test]
    async fn a_search_that_nobody_waits_for_stops_waiting_for_a_slot() {
        let searcher = searcher();
        let _taken = searcher.slots.try_enter().unwrap();
        let (queue, pieces) = mpsc::channel(QUEUE);
        let search = search(&searcher, queue, Arc::default());
        drop(pieces);
        timeout(TURN_LIMIT / 2, search).await.unwrap();
    }

    #[tokio::test]
    async fn a_search_that_is_cancelled_early_does_not_begin() {
        let searcher = searcher();
        let (queue, _pieces) = mpsc::channel(QUEUE);
        search(&searcher, queue, Arc::new(AtomicBool::new(true))).await;
        assert_eq!(searcher.counts().finished, 0);
    }
}
