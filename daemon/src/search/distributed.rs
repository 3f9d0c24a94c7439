//! Greps all members' logs for a client. It owns the tasks that ask them.
//!
//! Each member has a task, which asks the member over TCP, or this daemon's own searcher. All tasks
//! feed one short queue, whose reader writes to the client. So a slow client slows every search,
//! and a dead member delays nobody. Dropping the [`DistributedGrep`] closes the connections, which
//! ends the searches everywhere.

use super::SearchService;
use super::compile::Compiled;
use super::context::{Asker, QueryContext};
use super::follow::Following;
use super::kept::Target;
use super::line_relay::LineRelay;
use super::member_choice::MemberChoice;
use super::merge::merge;
use super::ordered::OrderedRelay;
use super::progress::Progress;
use crate::membership::Handle;
use memberd_control::grep::{GrepOrder, GrepRequest};
use memberd_control::message::Reply;
use memberd_transport::{Admission, Permit, Source};
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The most members that are asked at once. Each costs at most a frame of memory here.
const AT_ONCE: usize = 64;

/// The most frames that wait for the client, besides the one that each member has ready. More would
/// only cost memory, because a slow client fills any queue.
const QUEUE: usize = 2;

/// A checked grep, with its chosen members.
#[derive(Debug)]
pub struct GrepPlan {
    /// The client's request.
    pub request: GrepRequest,
    /// Whose request it is.
    pub user: Source,
    /// Its compiled pattern.
    pub compiled: Compiled,
    /// Tells which of the members that join later are asked too.
    pub choice: MemberChoice,
    /// The members to ask, and the logs of others to ask for, in the order of their names.
    pub targets: Vec<Target>,
    /// The connections that it may hold open, when it needs all its members at once.
    pub connections: Permit,
}

/// A running grep of all members.
#[derive(Debug)]
pub struct DistributedGrep {
    replies: mpsc::Receiver<Reply>,
    /// The context is not held here, because its queue to the client must end with the tasks.
    progress: Arc<Progress>,
    // Dropping the set ends the tasks.
    _tasks: JoinSet<()>,
}

impl DistributedGrep {
    /// Starts to ask all members of the plan.
    ///
    /// # Errors
    /// When the request cannot be encoded. Encoding to memory does not fail in practice.
    pub fn start(plan: GrepPlan, service: &SearchService, membership: &Handle) -> io::Result<Self> {
        let GrepPlan { request, user, compiled, choice, targets, connections } = plan;
        let SearchService { caller, searcher, waiting_output, .. } = service;
        let line_end = request.pattern.line_end();
        let (by_time, follow) = (request.printing.by_time, request.files.follow);
        let order = request.order;
        let separator = request.printing.separator().unwrap_or_default();
        let is_asked = targets.iter().any(
            |target| matches!(target, Target::Member(member) if member.address == caller.address),
        );
        // The memory of large patterns is bounded, so a large pattern must not wait here for its
        // search. And a question is searched by the worker.
        let is_searched_here = is_asked && request.stats.is_none();
        let compiled = Some(compiled).filter(|compiled| is_searched_here && !compiled.is_large());
        let (sender, replies) = mpsc::channel(QUEUE);
        let asker = Asker { caller: caller.clone(), user };
        let searcher = Arc::clone(searcher);
        let context = Arc::new(QueryContext::new(asker, searcher, request, compiled, sender)?);
        let progress = Arc::clone(context.progress());
        progress.note_asked(targets.len());
        let mut tasks = JoinSet::new();
        if by_time {
            let merged = merge(Arc::clone(&context), targets, line_end, separator);
            tasks.spawn(async move {
                let _connections = connections;
                merged.await;
            });
        } else if order != GrepOrder::Found && !follow {
            let ordered = OrderedRelay::new(context, order, waiting_output.clone());
            tasks.spawn(ordered.run(targets, AT_ONCE));
        } else if follow {
            let relay = Arc::new(LineRelay::new(context));
            let following = Following::new(relay, choice, membership.clone(), connections);
            let members = targets.into_iter().filter_map(|target| match target {
                Target::Member(member) => Some(member),
                Target::Kept(_) => None,
            });
            tasks.spawn(following.run(members.collect()));
        } else {
            let relay = Arc::new(LineRelay::new(context));
            let slots = Admission::unanswered("asked members", AT_ONCE);
            for target in targets {
                let (relay, slots) = (Arc::clone(&relay), slots.clone());
                tasks.spawn(async move {
                    let _slot = slots.enter().await;
                    relay.relay(&target).await;
                });
            }
        }
        Ok(DistributedGrep { replies, progress, _tasks: tasks })
    }

    /// The next reply for the client; `None` when every member has answered or is lost.
    pub async fn next(&mut self) -> Option<Reply> {
        self.replies.recv().await
    }

    /// The progress of the grep.
    pub fn progress(&self) -> Reply {
        self.progress.reply()
    }
}
