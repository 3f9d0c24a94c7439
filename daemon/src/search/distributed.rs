//! Greps all members' logs for a client: asks each over TCP, but for this one, and passes on what
//! comes, as it comes.
//!
//! Each member has a task; all feed one short queue, whose reader writes to the client. So a slow
//! client slows every search, a dead member holds up nobody, and dropping the [`DistributedGrep`] closes the
//! connections, which ends the searches everywhere.

use super::LocalSearcher;
use super::follow::Following;
use super::line_relay::Asking;
use super::merge::merge;
use super::reply_source::{Own, Progress, Question, words};
use super::scope::{Scope, Target};
use crate::admission::Permit;
use crate::membership::Handle;
use memberd_control::grep::{GrepOutcome, GrepRequest};
use memberd_control::message::Reply;
use memberd_transport::Caller;
use std::io;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// How many members are asked at once; each costs at most a frame of memory here.
const AT_ONCE: usize = 64;

/// How many frames wait for the client, besides the one that each member has ready. More would only
/// be memory: whoever reads slowly has all of them full.
const QUEUE: usize = 2;

/// A grep of all members under way.
#[derive(Debug)]
pub struct DistributedGrep {
    replies: mpsc::Receiver<Reply>,
    progress: Arc<Progress>,
    // Dropped, the tasks end.
    _tasks: JoinSet<()>,
}

impl DistributedGrep {
    /// Starts to ask all of them; `searches` is what searches this machine, and `held` are the
    /// places for the connections of a grep that needs all its members at once.
    ///
    /// # Errors
    /// When the request cannot be encoded, which memory does not do.
    pub fn start(
        caller: Caller,
        members: Vec<Target>,
        request: &GrepRequest,
        searches: &Arc<LocalSearcher>,
        selection: Scope,
        membership: &Handle,
        held: Permit,
    ) -> io::Result<Self> {
        let (sender, replies) = mpsc::channel(QUEUE);
        let own = Own { searches: Arc::clone(searches), request: request.clone() };
        let question = Arc::new(Question::new(caller, own, sender)?);
        let progress = Arc::clone(question.progress());
        progress.note_asked(members.len());
        let mut tasks = JoinSet::new();
        let line_end = if request.pattern.null_data { b"\0" } else { b"\n" };
        let asking = |question| Arc::new(Asking::new(question, line_end));
        if request.printing.by_time {
            let merged = merge(
                question,
                members,
                line_end,
                request.printing.separator().unwrap_or_default(),
            );
            tasks.spawn(async move {
                let _held = held;
                merged.await;
            });
        } else if request.files.follow {
            tasks.spawn(
                Following::new(asking(question), selection, membership.clone(), held).run(members),
            );
        } else {
            let (asking, slots) = (asking(question), Arc::new(Semaphore::new(AT_ONCE)));
            for member in members {
                let (asking, slots) = (Arc::clone(&asking), Arc::clone(&slots));
                tasks.spawn(async move {
                    let Ok(_slot) = slots.acquire().await else { return };
                    let outcome = asking
                        .ask(&member)
                        .await
                        .unwrap_or_else(|error| GrepOutcome::Lost(words(&error)));
                    asking.question.report(&member.name, outcome).await;
                });
            }
        }
        Ok(DistributedGrep { replies, progress, _tasks: tasks })
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
