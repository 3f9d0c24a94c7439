//! Answers `memberctl leader`. It owns no state.

use super::hold;
use crate::agreement::convert::{is_led, leader_record};
use crate::agreement::{Command, HandOverFailure, Handle};
use crate::boot_time;
use crate::control::client::{Client, ClientError};
use crate::control::permissions::ListenerPolicy;
use crate::control::refusal::{ended, refused};
use crate::membership::Ended;
use memberd_control::message::{Checked, LeaderRequest, RefusalKind, Reply};
use memberd_council::{HandOverError, Name};
use std::time::Duration;
use tokio::time::timeout;

/// How long a successor may take, besides the rest of a lease.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(5);

/// Carries out a request about the leader.
pub(crate) async fn handle(
    request: LeaderRequest,
    client: &mut Client,
    policy: &ListenerPolicy,
    handle: &Handle,
) -> Result<(), ClientError> {
    let reply = match request {
        LeaderRequest::Show => show(handle).await,
        LeaderRequest::Check { for_ms } => check(Duration::from_millis(for_ms), handle).await,
        LeaderRequest::Wait => tokio::select! {
            // The client bounds the time.
            waited = handle.wait_for(is_led) => match waited {
                Ok(()) => show(handle).await,
                Err(error) => Err(error),
            },
            () = client.gone() => return Ok(()),
        },
        LeaderRequest::Hold => return hold::handle(client, policy, handle).await,
        LeaderRequest::Release { hold } => {
            handle.ask(|reply| Command::ReleaseHold { hold, reply }).await.map(|()| Reply::Done)
        }
        LeaderRequest::HandOver { to } => hand_over(to, handle).await,
    };
    client.send(&reply.unwrap_or_else(ended)).await
}

async fn show(handle: &Handle) -> Result<Reply, Ended> {
    Ok(Reply::Leader(leader_record(&*handle.ask(Command::Tell).await?)))
}

/// Asks the council, which renews the lease of a leader as well.
async fn check(span: Duration, handle: &Handle) -> Result<Reply, Ended> {
    let said = handle.ask(Command::Confirm).await?;
    if !said.majority {
        let missing: Vec<&str> = said.missing.iter().map(Name::as_str).collect();
        let missing = match missing.as_slice() {
            [] => String::new(),
            [one] => format!(": {one} was not reached"),
            names => format!(": {} were not reached", names.join(", ")),
        };
        let frozen: Vec<&str> = said.frozen.iter().map(Name::as_str).collect();
        let frozen = match frozen.as_slice() {
            [] => String::new(),
            names => format!("; a recovery has begun on {}", names.join(", ")),
        };
        let words = format!("no majority of the council answered{missing}{frozen}");
        return Ok(refused(RefusalKind::TimedOut, words));
    }
    if let Some((term, until)) = handle.ask(|reply| Command::Grant { span, reply }).await? {
        let until_boot_ns = boot_time::nanos(until);
        return Ok(Reply::Checked(Checked::Exclusive { term: term.0, until_boot_ns }));
    }
    let told = handle.ask(Command::Tell).await?;
    let status = &told.status;
    let left = status.exclusive_until.map(|until| until.since(told.now.boot));
    let reason = match (left, &status.leader) {
        (Some(left), _) if left >= span => {
            "a lease that an earlier memberd of this machine told may not be over: try again"
                .to_owned()
        }
        (Some(left), _) => format!(
            "it is exclusive for {:.2} s, not for {} s",
            left.as_secs_f64(),
            span.as_secs_f64()
        ),
        (None, Some(leader)) if *leader == status.own => {
            "this machine leads, but is not exclusive yet".to_owned()
        }
        (None, Some(leader)) => format!("{} leads", leader.name),
        (None, None) => "there is no leader".to_owned(),
    };
    Ok(Reply::Checked(Checked::Not { reason }))
}

async fn hand_over(to: Option<String>, handle: &Handle) -> Result<Reply, Ended> {
    let to = match to.as_deref().map(Name::new).transpose() {
        Ok(to) => to,
        Err(error) => return Ok(refused(RefusalKind::Usage, error.to_string())),
    };
    let told = handle.ask(Command::Tell).await?;
    if let Some(name) = &to
        && told.status.view.member(name).is_none()
    {
        let words = format!("{name} is not in the view: see memberctl view");
        return Ok(refused(RefusalKind::Usage, words));
    }
    let before = told.status.view.term;
    let asked = handle.ask(|reply| Command::HandOver { to, reply }).await?;
    if let Err(failure) = asked {
        return Ok(refused(RefusalKind::Failed, words(&failure)));
    }
    // A new leader has a new term, if this machine again is that leader as well.
    let limit = HAND_OVER_LIMIT + told.lease;
    let elected = handle.wait_for(|shown| shown.view.term > before && shown.leader.is_some());
    match timeout(limit, elected).await {
        Ok(Ok(())) => show(handle).await,
        Ok(Err(error)) => Err(error),
        Err(_) => {
            let words = "nobody took over in time: look at memberctl view";
            Ok(refused(RefusalKind::Failed, words))
        }
    }
}

fn words(failure: &HandOverFailure) -> String {
    match failure {
        HandOverFailure::Council(HandOverError::NoLeader) => {
            "there is no leader that could hand over: see memberctl view".to_owned()
        }
        failure => failure.to_string(),
    }
}
