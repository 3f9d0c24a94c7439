//! Relays members' output to the client as it arrives. It owns the turn that keeps every line
//! whole.

use super::answer_fault::AnswerFault;
use super::context::QueryContext;
use super::kept::Target;
use super::reply::PeerReply;
use super::stand::Stand;
use memberd_control::grep::{GrepOutcome, GrepPosition};
use memberd_control::message::Reply;
use std::io;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// Relays members' output, and keeps each line whole.
#[derive(Debug)]
pub(super) struct LineRelay {
    pub(super) context: Arc<QueryContext>,
    /// A member holds it while its last piece ended within a line, so that no other output comes
    /// between. It has the bytes that end the line, if that member is not there to do it.
    turn: Mutex<Vec<u8>>,
}

impl LineRelay {
    /// A relay that has asked no member yet.
    pub(super) fn new(context: Arc<QueryContext>) -> Self {
        LineRelay { context, turn: Mutex::default() }
    }

    /// Asks a member, relays its output, and reports how its search went.
    pub(super) async fn relay(&self, member: &Target) {
        let outcome = self
            .try_relay(member, None, async || ())
            .await
            .unwrap_or_else(|error| self.context.outcome(&error));
        self.context.report(member.name(), outcome).await;
    }

    /// Asks a member and relays its output to the end. Calls `connected` before the first output.
    /// A follow goes on from `stand`, and notes there what went to the client. It may be dropped
    /// at any moment.
    ///
    /// # Errors
    /// When the member is lost.
    pub(super) async fn try_relay(
        &self,
        member: &Target,
        stand: Option<&Stand>,
        connected: impl AsyncFnOnce(),
    ) -> io::Result<GrepOutcome> {
        let mut replies = self.context.ask_from(member, stand.map(Stand::follow)).await?;
        connected().await;
        let mut turn = None;
        let mut with_next = Vec::new();
        loop {
            match replies.next().await {
                Ok(PeerReply::Part(bytes)) => {
                    let turn = self.take_turn(member, &mut turn).await?;
                    self.output(member, bytes).await?;
                    *turn = replies.closing();
                }
                Ok(PeerReply::Lines(bytes)) => {
                    self.take_turn(member, &mut turn).await?.clear();
                    self.output(member, bytes).await?;
                    if let Some(stand) = stand {
                        // Nothing is awaited in between, so both happen or none.
                        note(stand, &mut with_next);
                    }
                    turn = None;
                }
                Ok(PeerReply::Message(text)) => {
                    let member = member.name().to_string();
                    self.context.send(Reply::GrepMessage { member, text }).await?;
                }
                Ok(PeerReply::Partial(bytes)) => {
                    let member = member.name().to_string();
                    self.context.send(Reply::StatsPartial { member, bytes }).await?;
                }
                Ok(PeerReply::Working(_)) => {}
                Ok(PeerReply::Done(totals)) => return Ok(GrepOutcome::Searched(totals)),
                Ok(PeerReply::Refused(reason)) => {
                    self.end_line(member, &mut turn).await?;
                    return Ok(GrepOutcome::Lost(reason));
                }
                Ok(PeerReply::Positions { positions, with_next: false }) if stand.is_some() => {
                    stand.iter().for_each(|stand| stand.note(positions.clone()));
                }
                Ok(PeerReply::Positions { positions, .. }) if stand.is_some() => {
                    with_next = positions;
                }
                Ok(
                    PeerReply::Timed(_)
                    | PeerReply::TimedPart(..)
                    | PeerReply::Positions { .. }
                    | PeerReply::Broken(_),
                ) => {
                    return Ok(self.context.outcome(&AnswerFault::Unasked.into()));
                }
                Err(error) => {
                    self.end_line(member, &mut turn).await?;
                    return match AnswerFault::of(&error) {
                        Some(_) => Ok(self.context.outcome(&error)),
                        None => Err(error),
                    };
                }
            }
        }
    }

    /// Waits until no other member is within a line, and ends a line that was left open. Returns
    /// the bytes that end the line of this member, which are empty between lines.
    async fn take_turn<'t, 'a: 't>(
        &'a self,
        member: &Target,
        turn: &'t mut Option<MutexGuard<'a, Vec<u8>>>,
    ) -> io::Result<&'t mut Vec<u8>> {
        if let Some(open) = turn {
            return Ok(open);
        }
        let mut open = self.turn.lock().await;
        if !open.is_empty() {
            self.output(member, std::mem::take(&mut *open)).await?;
        }
        Ok(turn.insert(open))
    }

    /// Ends the line in which the member's last piece ended, if there is one. It must not run into
    /// another line.
    async fn end_line(
        &self,
        member: &Target,
        turn: &mut Option<MutexGuard<'_, Vec<u8>>>,
    ) -> io::Result<()> {
        match turn.take().map(|mut open| std::mem::take(&mut *open)) {
            Some(end) if !end.is_empty() => self.output(member, end).await,
            _ => Ok(()),
        }
    }

    async fn output(&self, member: &Target, bytes: Vec<u8>) -> io::Result<()> {
        self.context.send(Reply::GrepOutput { member: member.name().to_string(), bytes }).await
    }
}

/// These hold now that the lines before them went to the client.
fn note(stand: &Stand, with_next: &mut Vec<GrepPosition>) {
    if !with_next.is_empty() {
        stand.note(std::mem::take(with_next));
    }
}
