//! Asks one member and relays its output when its turn comes. It owns the member's turn, and the
//! output that waits for it.

use super::super::answer_fault::AnswerFault;
use super::super::kept::Target;
use super::super::reply::PeerReply;
use super::OrderedRelay;
use super::held::HeldOutput;
use super::turns::Event;
use memberd_control::grep::GrepOutcome;
use memberd_control::message::Reply;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// How long output waits before it asks again whether there is room.
const ROOM_AGAIN: Duration = Duration::from_millis(100);

/// One member.
pub(super) struct Speaker {
    relay: Arc<OrderedRelay>,
    index: usize,
    member: Target,
    turn: mpsc::Receiver<()>,
    has_turn: bool,
    held: HeldOutput,
    /// Whether output waits for its turn.
    is_waiting: bool,
    /// The bytes that end the line within which the last output ended. Empty between lines.
    open_line: Vec<u8>,
    /// When output came last, or else when the member was asked.
    active: Instant,
}

impl Speaker {
    /// The member of this index. It has the turn once it receives from `turn`.
    pub(super) fn new(
        relay: Arc<OrderedRelay>,
        (index, member): (usize, Target),
        turn: mpsc::Receiver<()>,
    ) -> Self {
        let held = HeldOutput::new(relay.room.clone());
        Speaker {
            relay,
            index,
            member,
            turn,
            has_turn: false,
            held,
            is_waiting: false,
            open_line: Vec::new(),
            active: Instant::now(),
        }
    }

    /// Asks the member, relays its output, and reports how its search went.
    pub(super) async fn run(mut self, events: mpsc::Sender<(usize, Event)>) {
        let relay = Arc::clone(&self.relay);
        let outcome = match self.read(&relay, &events).await {
            Ok(outcome) => outcome,
            Err(error) => relay.context.outcome(&error),
        };
        if !self.open_line.is_empty() {
            // The member was lost within a line, which must not run into another line.
            let end = std::mem::take(&mut self.open_line);
            let _ = self.output(end, Vec::new()).await;
        }
        relay.context.report(self.member.name(), outcome).await;
        let _ = events.send((self.index, Event::Read)).await;
        if self.is_waiting && self.turn.recv().await.is_some() {
            // The client may have gone.
            let _ = self.begin().await;
        }
        let _ = events.send((self.index, Event::Ended)).await;
    }

    /// Reads the answer to its end.
    async fn read(
        &mut self,
        relay: &OrderedRelay,
        events: &mpsc::Sender<(usize, Event)>,
    ) -> io::Result<GrepOutcome> {
        let mut replies = relay.context.ask(&self.member).await?;
        loop {
            let reply = if self.has_turn {
                tokio::select! {
                    reply = replies.next() => Some(reply?),
                    () = self.patience_is_over() => None,
                }
            } else {
                tokio::select! {
                    reply = replies.next() => Some(reply?),
                    Some(()) = self.turn.recv() => None,
                }
            };
            match reply {
                None if self.has_turn => {
                    self.has_turn = false;
                    let _ = events.send((self.index, Event::Passed)).await;
                }
                None => self.begin().await?,
                Some(PeerReply::Part(bytes)) => self.output(bytes, replies.closing()).await?,
                Some(PeerReply::Lines(bytes)) => self.output(bytes, Vec::new()).await?,
                Some(PeerReply::Message(text)) => {
                    let member = self.member.name().to_string();
                    relay.context.send(Reply::GrepMessage { member, text }).await?;
                }
                Some(PeerReply::Done(totals)) => return Ok(GrepOutcome::Searched(totals)),
                Some(PeerReply::Refused(reason)) => return Ok(GrepOutcome::Lost(reason)),
                Some(PeerReply::Working(_)) => {}
                Some(
                    PeerReply::Timed(_)
                    | PeerReply::TimedPart(..)
                    | PeerReply::Positions { .. }
                    | PeerReply::Partial(_)
                    | PeerReply::Broken(_),
                ) => {
                    return Err(AnswerFault::Unasked.into());
                }
            }
        }
    }

    /// Waits until the member has been without output for too long, and others have some.
    async fn patience_is_over(&self) {
        match self.relay.patience {
            Some(patience) if self.open_line.is_empty() => {
                sleep_until(self.active + patience).await;
                // The sender lives as long as this task.
                let _ = self.relay.waiting.subscribe().wait_for(|members| *members > 0).await;
            }
            _ => pending().await,
        }
    }

    /// Sends output on, or holds it back until the turn comes. Without room for it, it waits for
    /// room or the turn, and the search waits too. `open_line` ends the line in which it ends.
    async fn output(&mut self, bytes: Vec<u8>, open_line: Vec<u8>) -> io::Result<()> {
        self.active = Instant::now();
        self.open_line = open_line;
        loop {
            if self.has_turn {
                return self.send(bytes).await;
            }
            self.set_waiting(true);
            if self.held.has_room(bytes.len()) {
                self.held.push(bytes, !self.open_line.is_empty());
                return Ok(());
            }
            tokio::select! {
                Some(()) = self.turn.recv() => self.begin().await?,
                () = sleep(ROOM_AGAIN) => {}
            }
        }
    }

    /// The turn has come. Sends what was held back.
    async fn begin(&mut self) -> io::Result<()> {
        self.has_turn = true;
        self.set_waiting(false);
        while let Some(bytes) = self.held.pop() {
            self.send(bytes).await?;
        }
        Ok(())
    }

    async fn send(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        let member = self.member.name().to_string();
        self.relay.context.send(Reply::GrepOutput { member, bytes }).await?;
        self.active = Instant::now();
        Ok(())
    }

    /// Notes whether output waits. Members with the turn look at how many there are.
    fn set_waiting(&mut self, is_waiting: bool) {
        if self.is_waiting != is_waiting {
            self.relay.waiting.send_modify(|members| {
                *members = if is_waiting { *members + 1 } else { members.saturating_sub(1) };
            });
        }
        self.is_waiting = is_waiting;
    }
}
