//! Greps all members' logs for a client: asks each over TCP, but for this one, and passes on what comes, as it comes.
//!
//! Each member has a task; all feed one short queue, whose reader writes to the client. So a slow client slows every search, a dead
//! member holds up nobody, and dropping the [`FanOut`] closes the connections, which ends the searches everywhere.

use super::Searches;
use super::ask::{Own, Progress, Question, words};
use super::follow;
use super::members::{Selection, Target};
use super::merge::merge;
use super::reply::PeerReply;
use crate::membership::Handle;
use crate::peer::call::Caller;
use memberd_control::grep::{GrepOutcome, GrepRequest};
use memberd_control::message::Reply;
use std::io;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard, Semaphore, mpsc};
use tokio::task::JoinSet;

/// How many members are asked at once; each costs at most a frame of memory here.
const AT_ONCE: usize = 64;

/// How many frames wait for the client, besides the one that each member has ready. More would only be memory: whoever reads slowly has
/// all of them full.
const QUEUE: usize = 2;

/// The most connections that all greps by time and all that follow hold open together: those need all their members at once.
pub const HELD: usize = 512;

/// A grep of all members under way.
#[derive(Debug)]
pub struct FanOut {
    replies: mpsc::Receiver<Reply>,
    progress: Arc<Progress>,
    // Dropped, the tasks end.
    _tasks: JoinSet<()>,
}

impl FanOut {
    /// Starts to ask all of them; `searches` is what searches this machine.
    ///
    /// # Errors
    /// When the request cannot be encoded, which memory does not do.
    pub fn start(
        caller: Caller,
        members: Vec<Target>,
        request: &GrepRequest,
        searches: &Arc<Searches>,
        selection: Selection,
        membership: &Handle,
    ) -> io::Result<Self> {
        let (sender, replies) = mpsc::channel(QUEUE);
        let own = Own { searches: Arc::clone(searches), request: request.clone() };
        let question = Arc::new(Question::new(caller, own, sender)?);
        let progress = Arc::clone(question.progress());
        progress.note_asked(members.len());
        let mut tasks = JoinSet::new();
        let line_end = if request.pattern.null_data { b"\0" } else { b"\n" };
        let asking = |question| Arc::new(Asking { question, line_end, turn: Mutex::new(false) });
        if request.printing.by_time {
            tasks.spawn(merge(question, members, line_end, request.printing.separator().unwrap_or_default()));
        } else if request.files.follow {
            tasks.spawn(follow::Following::new(asking(question), selection, membership.clone()).run(members));
        } else {
            let (asking, slots) = (asking(question), Arc::new(Semaphore::new(AT_ONCE)));
            for member in members {
                let (asking, slots) = (Arc::clone(&asking), Arc::clone(&slots));
                tasks.spawn(async move {
                    let Ok(_slot) = slots.acquire().await else { return };
                    let outcome = asking.ask(&member).await.unwrap_or_else(|error| GrepOutcome::Lost(words(&error)));
                    asking.question.report(&member.name, outcome).await;
                });
            }
        }
        Ok(FanOut { replies, progress, _tasks: tasks })
    }

    /// The next reply for the client; none when every member has answered or is lost.
    pub async fn next(&mut self) -> Option<Reply> {
        self.replies.recv().await
    }

    /// How far it has come.
    pub fn progress(&self) -> Reply {
        self.progress.reply()
    }
}

/// Passes on members' output, each line whole.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) question: Arc<Question>,
    line_end: &'static [u8],
    /// Held by a member whose last piece ended within a line, so that no other's output comes between. True when that member was let
    /// go before the line's end.
    turn: Mutex<bool>,
}

impl Asking {
    /// Asks a member, and passes on what it says to its end.
    ///
    /// # Errors
    /// When the member is lost.
    pub(super) async fn ask(&self, member: &Target) -> io::Result<GrepOutcome> {
        self.ask_then(member, async || ()).await
    }

    /// As [`Asking::ask`]; when the connection is there, this is done first.
    pub(super) async fn ask_then(&self, member: &Target, connected: impl AsyncFnOnce()) -> io::Result<GrepOutcome> {
        let mut answer = self.question.ask(member).await?;
        connected().await;
        let mut turn = None;
        loop {
            let reply = answer.next().await;
            if reply.is_err() && turn.take().is_some() {
                // It was lost within a line, which must not run into another's.
                self.take_turn(member, &mut turn).await?;
            }
            match reply? {
                PeerReply::Part(bytes) => {
                    self.take_turn(member, &mut turn).await?;
                    self.output(member, bytes).await?;
                    turn.iter_mut().for_each(|within| **within = true);
                }
                PeerReply::Lines(bytes) => {
                    self.take_turn(member, &mut turn).await?;
                    self.output(member, bytes).await?;
                    turn.take().iter_mut().for_each(|within| **within = false);
                }
                PeerReply::Message(text) => {
                    self.question.tell(Reply::GrepMessage { member: member.name.clone(), text }).await?;
                }
                PeerReply::Done(totals) => return Ok(GrepOutcome::Searched(totals)),
                PeerReply::Refused(reason) => return Ok(GrepOutcome::Lost(reason)),
                PeerReply::Working(_) => {}
                PeerReply::Timed(_) | PeerReply::TimedPart(..) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "lines with times, which were not asked for"));
                }
            }
        }
    }

    /// Waits until no other member is within a line, and ends one that was left open.
    async fn take_turn<'a>(&'a self, member: &Target, turn: &mut Option<MutexGuard<'a, bool>>) -> io::Result<()> {
        if turn.is_some() {
            return Ok(());
        }
        let mut within = self.turn.lock().await;
        if std::mem::take(&mut *within) {
            self.output(member, self.line_end.to_vec()).await?;
        }
        *turn = Some(within);
        Ok(())
    }

    async fn output(&self, member: &Target, bytes: Vec<u8>) -> io::Result<()> {
        self.question.tell(Reply::GrepOutput { member: member.name.clone(), bytes }).await
    }
}
