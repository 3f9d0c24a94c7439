//! Relays members' output to the client as it arrives. It owns the turn that keeps every line
//! whole.

use super::context::QueryContext;
use super::reply::PeerReply;
use memberd_control::grep::GrepOutcome;
use memberd_control::message::Reply;
use memberd_membership::Identity;
use std::io;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// Relays members' output, and keeps each line whole.
#[derive(Debug)]
pub(super) struct LineRelay {
    pub(super) context: Arc<QueryContext>,
    line_end: u8,
    /// A member holds it while its last piece ended within a line, so that no other output comes
    /// between. It is true if that member was lost before the line's end.
    turn: Mutex<bool>,
}

impl LineRelay {
    /// A relay that has asked no member yet. Lines end with `line_end`.
    pub(super) fn new(context: Arc<QueryContext>, line_end: u8) -> Self {
        LineRelay { context, line_end, turn: Mutex::new(false) }
    }

    /// Asks a member, relays its output, and reports how its search went.
    pub(super) async fn relay(&self, member: &Identity) {
        let outcome = self
            .try_relay(member, async || ())
            .await
            .unwrap_or_else(|error| GrepOutcome::Lost(self.context.describe_error(&error)));
        self.context.report(&member.name, outcome).await;
    }

    /// Asks a member and relays its output to the end. Calls `connected` before the first output.
    ///
    /// # Errors
    /// When the member is lost.
    pub(super) async fn try_relay(
        &self,
        member: &Identity,
        connected: impl AsyncFnOnce(),
    ) -> io::Result<GrepOutcome> {
        let mut replies = self.context.ask(member).await?;
        connected().await;
        let mut turn = None;
        loop {
            let reply = replies.next().await;
            if reply.is_err() && turn.take().is_some() {
                // The member was lost within a line, which must not run into another line.
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
                    let member = member.name.to_string();
                    self.context.send(Reply::GrepMessage { member, text }).await?;
                }
                PeerReply::Done(totals) => return Ok(GrepOutcome::Searched(totals)),
                PeerReply::Refused(reason) => return Ok(GrepOutcome::Lost(reason)),
                PeerReply::Working(_) => {}
                PeerReply::Timed(_) | PeerReply::TimedPart(..) => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "lines with times, which were not asked for",
                    ));
                }
            }
        }
    }

    /// Waits until no other member is within a line, and ends a line that was left open.
    async fn take_turn<'a>(
        &'a self,
        member: &Identity,
        turn: &mut Option<MutexGuard<'a, bool>>,
    ) -> io::Result<()> {
        if turn.is_some() {
            return Ok(());
        }
        let mut within = self.turn.lock().await;
        if std::mem::take(&mut *within) {
            self.output(member, vec![self.line_end]).await?;
        }
        *turn = Some(within);
        Ok(())
    }

    async fn output(&self, member: &Identity, bytes: Vec<u8>) -> io::Result<()> {
        self.context.send(Reply::GrepOutput { member: member.name.to_string(), bytes }).await
    }
}
