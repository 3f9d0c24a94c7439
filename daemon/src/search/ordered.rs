//! Relays members' output in the order of the members. It owns the tasks that ask them.
//!
//! All members are asked at once, as when output is relayed as it is found. The first one in the
//! order has the turn, and its output goes on as it comes. The others hold a bounded amount back,
//! and then stop reading, so that their searches wait. Where a hanging member must not hold up the
//! others, the turn goes on from one that has had no output for [`PATIENCE`], once another has
//! some. It comes behind all others then.

mod held;
mod speaker;
mod turns;

use super::context::QueryContext;
use super::kept::Target;
use held::{ROOM_PLACES, STEP_BYTES};
use memberd_control::grep::GrepOrder;
use memberd_transport::Admission;
use speaker::Speaker;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use turns::{Event, Turns};

/// How long the member with the turn may be without output while others have some.
const PATIENCE: Duration = Duration::from_secs(2);

/// The room for the output that all greps of this daemon hold back.
pub(super) fn room_for_waiting_output() -> Admission {
    Admission::unanswered("output that waits", ROOM_PLACES)
}

/// What the tasks of one grep share.
#[derive(Debug)]
pub(super) struct OrderedRelay {
    context: Arc<QueryContext>,
    /// How long the member with the turn may be without output; `None` for as long as it takes.
    patience: Option<Duration>,
    room: Admission,
    /// How many members have output that waits for its turn.
    waiting: watch::Sender<usize>,
}

impl OrderedRelay {
    /// A relay that has asked no member yet.
    pub(super) fn new(context: Arc<QueryContext>, order: GrepOrder, room: Admission) -> Self {
        let patience = (order != GrepOrder::Name).then_some(PATIENCE);
        OrderedRelay { context, patience, room, waiting: watch::Sender::new(0) }
    }

    /// Asks these members, at most `at_once` of them at once, and relays their output in their
    /// order.
    pub(super) async fn run(self, members: Vec<Target>, at_once: usize) {
        let relay = Arc::new(self);
        let (events, mut happened) = mpsc::channel(at_once);
        let mut members = members.into_iter().enumerate();
        let mut turns = Turns::default();
        let mut next_turns = HashMap::new();
        // Dropping the set ends the tasks.
        let mut tasks = JoinSet::new();
        loop {
            while turns.reading() < at_once
                && let Some((index, member)) = members.next()
            {
                let (give, turn) = mpsc::channel(1);
                next_turns.insert(index, give);
                turns.begin(index);
                let speaker = Speaker::new(Arc::clone(&relay), (index, member), turn);
                tasks.spawn(speaker.run(events.clone()));
            }
            if turns.is_empty() {
                return;
            }
            if let Some(give) = turns.next().and_then(|index| next_turns.get(&index)) {
                // Whoever has just ended says so with its last event.
                let _ = give.send(()).await;
            }
            // This task holds a sender, too.
            let Some((index, event)) = happened.recv().await else { return };
            turns.note(index, event);
            if event == Event::Ended {
                next_turns.remove(&index);
            }
            while tasks.try_join_next().is_some() {}
        }
    }
}

// A member may hold back more than one frame has.
const _: () = assert!(held::MOST_HELD_BYTES >= 2 * super::reply::MAX_PIECE + STEP_BYTES);

#[cfg(test)]
mod tests;
