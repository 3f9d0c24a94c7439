//! Greps all members' logs for a client: asks each over TCP and passes on what comes, as it comes.
//!
//! Each member has a task; all feed one short queue, whose reader writes to the client. So a slow client slows every search, a dead
//! member holds up nobody, and dropping the [`FanOut`] closes the connections, which ends the searches everywhere.

use super::reply::{MAX_FRAME, MAX_PIECE, PeerReply};
use super::serve::WORKING_EVERY;
use crate::peer::{PeerRequestKind, call, frame};
use memberd_control::grep::{GrepOutcome, GrepRequest};
use memberd_control::message::Reply;
use memberd_ring::Identity;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How many members are asked at once; each costs at most a frame of memory here.
const AT_ONCE: usize = 64;

/// How many frames wait for the client.
const QUEUE: usize = 8;

/// How long a member may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long a member may say nothing; one that searches says so every [`WORKING_EVERY`].
const SILENCE_LIMIT: Duration = WORKING_EVERY.saturating_mul(4);

/// A grep of all members under way.
#[derive(Debug)]
pub struct FanOut {
    replies: mpsc::Receiver<Reply>,
    // Dropped, the tasks end.
    _tasks: JoinSet<()>,
}

impl FanOut {
    /// Starts to ask all of them.
    ///
    /// # Errors
    /// When the request cannot be encoded, which memory does not do.
    pub fn start(from: SocketAddr, members: Vec<Identity>, request: &GrepRequest) -> io::Result<Self> {
        let mut bytes = Vec::new();
        ciborium::into_writer(request, &mut bytes).map_err(io::Error::other)?;
        let (sender, replies) = mpsc::channel(QUEUE);
        let asking =
            Arc::new(Asking { from, request: bytes, slots: Semaphore::new(AT_ONCE), turn: Mutex::new(()), replies: sender });
        let mut tasks = JoinSet::new();
        for member in members {
            let asking = Arc::clone(&asking);
            tasks.spawn(async move { asking.ask(&member).await });
        }
        Ok(FanOut { replies, _tasks: tasks })
    }

    /// The next reply for the client; none when every member has answered or is lost.
    pub async fn next(&mut self) -> Option<Reply> {
        self.replies.recv().await
    }
}

/// What the members' tasks share.
struct Asking {
    from: SocketAddr,
    request: Vec<u8>,
    slots: Semaphore,
    /// Held by a member whose last piece ended within a line, so that no other's output comes between.
    turn: Mutex<()>,
    replies: mpsc::Sender<Reply>,
}

impl Asking {
    async fn ask(&self, member: &Identity) {
        let Ok(_slot) = self.slots.acquire().await else { return };
        let name = member.name.to_string();
        let mut turn = None;
        let outcome = match self.stream(member, &name, &mut turn).await {
            Ok(outcome) => outcome,
            Err(error) => GrepOutcome::Lost(words(&error)),
        };
        if turn.is_some() {
            // It was lost within a line, which must not run into another's.
            let end = Reply::GrepOutput { member: name.clone(), bytes: b"\n".to_vec() };
            let _ = self.replies.send(end).await;
        }
        drop(turn);
        // The client may have gone.
        let _ = self.replies.send(Reply::GrepMember { member: name, outcome }).await;
    }

    async fn stream<'a>(
        &'a self,
        member: &Identity,
        name: &str,
        turn: &mut Option<MutexGuard<'a, ()>>,
    ) -> io::Result<GrepOutcome> {
        let mut stream = call::open(self.from, member.address, PeerRequestKind::Grep, &self.request, CONNECT_LIMIT).await?;
        loop {
            let frame = timeout(SILENCE_LIMIT, frame::read(&mut stream, MAX_FRAME)).await??;
            let reply = match PeerReply::decode(frame)? {
                PeerReply::Working => continue,
                PeerReply::Done(totals) => return Ok(GrepOutcome::Searched(totals)),
                PeerReply::Refused(reason) => return Ok(GrepOutcome::Lost(reason)),
                PeerReply::Message(text) => Reply::GrepMessage { member: name.to_owned(), text },
                PeerReply::Lines(bytes) => {
                    if turn.is_none() {
                        *turn = Some(self.turn.lock().await);
                    }
                    // A line is cut only where a piece is full; with -z lines end with a NUL byte.
                    let ends_line = bytes.len() < MAX_PIECE || matches!(bytes.last(), Some(b'\n' | 0));
                    let reply = Reply::GrepOutput { member: name.to_owned(), bytes };
                    self.send(reply).await?;
                    if ends_line {
                        *turn = None;
                    }
                    continue;
                }
            };
            self.send(reply).await?;
        }
    }

    async fn send(&self, reply: Reply) -> io::Result<()> {
        self.replies.send(reply).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Why a member is lost, for a person.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the connection ended before its search did".to_owned()
        }
        io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::ConnectionRefused => "memberd does not accept connections there".to_owned(),
        _ => error.to_string(),
    }
}
