//! Asks one member, and reads its answer.

use super::LocalSearcher;
use super::reply::{PeerReply, Replies};
use super::scope::Target;
use super::serve::serve_here;
use crate::peer::GREP;
use memberd_control::grep::{GrepOutcome, GrepRequest};
use memberd_control::message::Reply;
use memberd_transport::Caller;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a member may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long a member may say nothing; one that searches says so every
/// [`super::serve::WORKING_EVERY`].
const SILENCE_LIMIT: Duration = Duration::from_secs(4);

/// One grep's question to all members.
#[derive(Debug)]
pub(super) struct Question {
    caller: Caller,
    request: Vec<u8>,
    own: Own,
    replies: mpsc::Sender<Reply>,
    progress: Arc<Progress>,
}

/// What asks this machine itself: no network is between.
#[derive(Debug)]
pub(super) struct Own {
    /// What searches here.
    pub(super) searches: Arc<LocalSearcher>,
    /// The question.
    pub(super) request: GrepRequest,
}

/// How far a grep has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    asked: AtomicU64,
    answered: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    /// So many more members are asked, or going to be.
    pub(super) fn note_asked(&self, members: usize) {
        self.asked.fetch_add(u64::try_from(members).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// One of them needs no answer any more.
    pub(super) fn note_answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// As the client is told it.
    pub(super) fn reply(&self) -> Reply {
        let [asked, answered, bytes] =
            [&self.asked, &self.answered, &self.bytes].map(|count| count.load(Ordering::Relaxed));
        Reply::GrepProgress { asked, answered, bytes }
    }
}

impl Question {
    /// The question as it is sent by this caller; the client is told through `replies`.
    ///
    /// # Errors
    /// When the request cannot be encoded, which memory does not do.
    pub(super) fn new(caller: Caller, own: Own, replies: mpsc::Sender<Reply>) -> io::Result<Self> {
        let mut bytes = Vec::new();
        ciborium::into_writer(&own.request, &mut bytes).map_err(io::Error::other)?;
        Ok(Question { caller, request: bytes, own, replies, progress: Arc::default() })
    }

    /// How far it has come.
    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Puts the question to a member.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub(super) async fn ask(
        &self,
        member: &Target,
    ) -> io::Result<Answer<'_, impl AsyncRead + Unpin + use<>>> {
        let way = if member.address == self.caller.address {
            Way::Here(serve_here(&self.own.searches, self.own.request.clone()))
        } else {
            let stream =
                self.caller.open(member.address, GREP, &self.request, CONNECT_LIMIT).await?;
            Way::Network(Replies::new(stream))
        };
        Ok(Answer { question: self, way, bytes: 0 })
    }

    /// Tells the client something.
    ///
    /// # Errors
    /// When it has gone.
    pub(super) async fn tell(&self, reply: Reply) -> io::Result<()> {
        self.replies.send(reply).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Tells the client what became of a member.
    pub(super) async fn report(&self, member: &str, outcome: GrepOutcome) {
        self.progress.note_answered();
        // The client may have gone.
        let _ = self.tell(Reply::GrepMember { member: member.to_owned(), outcome }).await;
    }
}

/// A member's answer as it comes.
pub(super) struct Answer<'q, S> {
    question: &'q Question,
    way: Way<S>,
    /// What it has searched so far.
    bytes: u64,
}

/// How replies come.
enum Way<S> {
    /// By a connection to another member.
    Network(Replies<S>),
    /// From this daemon's own search.
    Here(mpsc::Receiver<PeerReply>),
}

impl<S: AsyncRead + Unpin> Way<S> {
    async fn next(&mut self) -> io::Result<PeerReply> {
        match self {
            Way::Network(replies) => timeout(SILENCE_LIMIT, replies.next()).await?,
            Way::Here(replies) => {
                replies.recv().await.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
        }
    }
}

impl<S: AsyncRead + Unpin> Answer<'_, S> {
    /// The next reply that has something to say.
    ///
    /// # Errors
    /// When the member falls silent, the connection breaks, or what comes is no reply.
    pub(super) async fn next(&mut self) -> io::Result<PeerReply> {
        loop {
            match self.way.next().await? {
                PeerReply::Working(bytes) => self.note(bytes),
                PeerReply::Done(totals) => {
                    self.note(totals.bytes);
                    return Ok(PeerReply::Done(totals));
                }
                reply => return Ok(reply),
            }
        }
    }

    fn note(&mut self, bytes: u64) {
        self.question.progress.bytes.fetch_add(bytes.saturating_sub(self.bytes), Ordering::Relaxed);
        self.bytes = self.bytes.max(bytes);
    }
}

/// Why a member is lost, for a person.
pub(super) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe => "the connection ended before its search did".to_owned(),
        io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::ConnectionRefused => "memberd does not accept connections there".to_owned(),
        _ => error.to_string(),
    }
}
