//! Searches this machine's logs for another member, and streams what is found.
//!
//! The search runs on a thread of its own and hands its output over a short queue, so a slow reader slows the search, and memory is
//! bounded whatever is found. It ends when the connection does.

use super::reply::{MAX_PIECE, PeerReply};
use super::{SEARCHES, Searches, narrow, query};
use crate::peer::frame;
use memberd_control::grep::{GrepRequest, GrepTotals};
use memberd_search::{MAX_FILES, Output, Stopped};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How many pieces of output wait between the search and the connection.
const QUEUE: usize = 4;

/// How long a search waits for one of the others to end.
const SLOT_LIMIT: Duration = Duration::from_secs(5);

/// How often a search that has found nothing says that it goes on.
pub const WORKING_EVERY: Duration = Duration::from_secs(1);

/// Answers one request.
///
/// # Errors
/// When the request is malformed or the connection breaks; the search has ended then, or is about to.
pub async fn serve(stream: impl AsyncRead + AsyncWrite, request: &[u8], searches: &Arc<Searches>) -> io::Result<()> {
    let request: GrepRequest = ciborium::from_reader(request).map_err(io::Error::other)?;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (output, mut pieces) = mpsc::channel(QUEUE);
    let cancelled = Cancelled::default();
    let search = tokio::spawn(run(Arc::clone(searches), request, output, Arc::clone(&cancelled.0)));
    let mut working = interval(WORKING_EVERY);
    working.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let reply = tokio::select! {
            piece = pieces.recv() => match piece {
                Some(reply) => reply,
                None => break,
            },
            _ = working.tick() => PeerReply::Working,
            () = closed(&mut reader) => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        // A reader that has gone makes this fail; one that is slow makes it wait, and the search with it.
        let bytes = reply.encode()?;
        let parts = [bytes.as_slice()];
        tokio::select! {
            written = frame::write(&mut writer, &parts) => written?,
            () = closed(&mut reader) => return Err(io::ErrorKind::ConnectionAborted.into()),
        }
        working.reset();
    }
    search.await.map_err(io::Error::other)
}

/// Set when the connection is done with, however that came.
#[derive(Debug, Default)]
struct Cancelled(Arc<AtomicBool>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Returns when the other side has closed the connection; it has nothing more to say.
async fn closed(reader: &mut (impl AsyncRead + Unpin)) {
    // More bytes, an error, or the end: none belongs here, and each ends it.
    let _ = reader.read_u8().await;
}

async fn run(searches: Arc<Searches>, request: GrepRequest, output: mpsc::Sender<PeerReply>, cancel: Arc<AtomicBool>) {
    let slot = match timeout(SLOT_LIMIT, Arc::clone(&searches.slots).acquire_owned()).await {
        Ok(Ok(slot)) => slot,
        _ => {
            // Nobody may be waiting any more.
            let _ = output.send(PeerReply::Refused(format!("{SEARCHES} searches run there already: try again later"))).await;
            return;
        }
    };
    let last = output.clone();
    let ended = tokio::task::spawn_blocking(move || {
        let result = search(&searches, &request, output, &cancel);
        drop(slot);
        result
    });
    let reply = match ended.await {
        Ok(Ok(None)) => return,
        Ok(Ok(Some(totals))) => PeerReply::Done(totals),
        Ok(Err(reason)) => PeerReply::Refused(reason),
        Err(_) => PeerReply::Refused("the search broke off: see this machine's log".to_owned()),
    };
    // Nobody may be waiting any more.
    let _ = last.send(reply).await;
}

/// Runs the search; blocks. There are no totals of one that was broken off.
fn search(
    searches: &Searches,
    request: &GrepRequest,
    output: mpsc::Sender<PeerReply>,
    cancel: &AtomicBool,
) -> Result<Option<GrepTotals>, String> {
    let search = query(request)?.compile().map_err(|error| error.to_string())?;
    let narrow = narrow(request)?;
    let found = searches.offer().files(&narrow);
    let mut output = Pieces(output);
    let mut problems = 0;
    for problem in &found.problems {
        problems += 1;
        if !request.printing.no_messages && output.message(problem.to_string()).is_err() {
            break;
        }
    }
    if found.cut {
        problems += 1;
        // If nobody takes it, the search ends at once.
        let _ = output.message(format!("more than {MAX_FILES} files match: the first of them are searched; name fewer"));
    }
    let totals = search.run(&searches.machine, &found.files, &mut output, cancel);
    searches.count(totals.bytes);
    Ok((!totals.interrupted).then(|| GrepTotals {
        files: totals.files,
        bytes: totals.bytes,
        lines: totals.lines,
        errors: totals.errors + problems,
        milliseconds: memberd_ring::time::millis(totals.elapsed),
        unmatched: found.unmatched,
    }))
}

/// The search's end of the queue.
struct Pieces(mpsc::Sender<PeerReply>);

impl Output for Pieces {
    fn lines(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        for piece in bytes.chunks(MAX_PIECE) {
            self.0.blocking_send(PeerReply::Lines(piece.to_vec())).map_err(|_| Stopped)?;
        }
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.0.blocking_send(PeerReply::Message(text)).map_err(|_| Stopped)
    }
}
