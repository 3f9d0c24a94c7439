//! Asks members, and passes on what each says to the client, lines whole.

use super::reply::PeerReply;
use super::reply_source::Question;
use super::scope::Target;
use crate::admission::Admission;
use memberd_control::grep::GrepOutcome;
use memberd_control::message::Reply;
use std::io;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// The most connections that all greps by time and all that follow hold open together: those need
/// all their members at once.
pub const HELD: usize = 512;

/// Places for that many such connections.
pub fn held_connections(limit: usize) -> Admission {
    Admission::new("held connections", limit, |limit| {
        format!("greps keep connections to {limit} members open already")
    })
}

/// Passes on members' output, each line whole.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) question: Arc<Question>,
    line_end: &'static [u8],
    /// Held by a member whose last piece ended within a line, so that no other's output comes
    /// between. True when that member was let go before the line's end.
    turn: Mutex<bool>,
}

impl Asking {
    /// Nobody was asked yet; `line_end` ends the lines.
    pub(super) fn new(question: Arc<Question>, line_end: &'static [u8]) -> Self {
        Asking { question, line_end, turn: Mutex::new(false) }
    }

    /// Asks a member, and passes on what it says to its end.
    ///
    /// # Errors
    /// When the member is lost.
    pub(super) async fn ask(&self, member: &Target) -> io::Result<GrepOutcome> {
        self.ask_then(member, async || ()).await
    }

    /// As [`Asking::ask`]; when the connection is there, this is done first.
    pub(super) async fn ask_then(
        &self,
        member: &Target,
        connected: impl AsyncFnOnce(),
    ) -> io::Result<GrepOutcome> {
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
                    self.question
                        .tell(Reply::GrepMessage { member: member.name.clone(), text })
                        .await?;
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

    /// Waits until no other member is within a line, and ends one that was left open.
    async fn take_turn<'a>(
        &'a self,
        member: &Target,
        turn: &mut Option<MutexGuard<'a, bool>>,
    ) -> io::Result<()> {
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
