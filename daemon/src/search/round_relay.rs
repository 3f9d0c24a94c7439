//! Relays the sums of a member that follows its files, in rounds. It owns no state.

use super::answer_fault::AnswerFault;
use super::context::QueryContext;
use super::kept::Target;
use super::reply::PeerReply;
use super::stand::Stand;
use memberd_control::grep::GrepOutcome;
use memberd_control::message::Reply;
use std::io;

/// Asks a member from where `stand` is, and relays its sums to the end. Calls `connected` once the
/// member follows its files. It may be dropped at any moment: the stand is noted when the client
/// was told that the round is whole, and what came after that is thrown away next time.
///
/// # Errors
/// When the member is lost.
pub(super) async fn relay_rounds(
    context: &QueryContext,
    target: &Target,
    stand: &Stand,
    connected: impl AsyncFnOnce(),
) -> io::Result<GrepOutcome> {
    let member = || target.name().to_string();
    context.send(Reply::StatsRound { member: member(), is_whole: false }).await?;
    let mut replies = context.ask_from(target, Some(stand.follow())).await?;
    let mut connected = Some(connected);
    loop {
        let reply = match replies.next().await {
            Ok(reply) => reply,
            Err(error) if AnswerFault::of(&error).is_some() => return Ok(context.outcome(&error)),
            Err(error) => return Err(error),
        };
        match reply {
            PeerReply::Partial(bytes) => {
                context.send(Reply::StatsPartial { member: member(), bytes }).await?;
            }
            PeerReply::Positions { positions, .. } => {
                if let Some(connected) = connected.take() {
                    connected().await;
                }
                context.send(Reply::StatsRound { member: member(), is_whole: true }).await?;
                // Nothing is awaited in between, so both happen or none.
                stand.note(positions);
            }
            PeerReply::Message(text) => {
                context.send(Reply::GrepMessage { member: member(), text }).await?;
            }
            PeerReply::Working(_) => {}
            PeerReply::Refused(reason) => return Ok(GrepOutcome::Lost(reason)),
            PeerReply::Broken(reason) => return Err(io::Error::other(reason)),
            PeerReply::Lines(_)
            | PeerReply::Part(_)
            | PeerReply::Timed(_)
            | PeerReply::TimedPart(..)
            | PeerReply::Done(_) => return Ok(context.outcome(&AnswerFault::Unasked.into())),
        }
    }
}

#[cfg(test)]
#[path = "round_relay_tests.rs"]
mod tests;
