//! Answers `memberctl view recover`. It owns no state.

use super::view;
use crate::agreement::convert::texts;
use crate::agreement::{Command, Handle, Told};
use crate::control::client::{Client, ClientError};
use crate::control::refusal::{ended, refused};
use crate::membership::Ended;
use memberd_control::message::{
    LostRecord, RecoverRequest, RecoveryPlan, RefusalKind, Reply, ViewRequest,
};
use memberd_council::{Confirmation, Name, RecoveryError, Term};
use memberd_membership::millis;

/// Sends the plan, and carries it out unless only the plan is wanted.
pub(crate) async fn handle(
    request: RecoverRequest,
    client: &mut Client,
    handle: &Handle,
) -> Result<(), ClientError> {
    let lost: Result<Vec<Name>, _> = request.lost.iter().map(|name| Name::new(name)).collect();
    let mut lost = match lost {
        Ok(lost) => lost,
        Err(error) => return client.send(&refused(RefusalKind::Usage, error.to_string())).await,
    };
    lost.sort();
    lost.dedup();
    let (told, said) = match ask(handle).await {
        Ok(known) => known,
        Err(error) => return client.send(&ended(error)).await,
    };
    if let Err(error) = check(&lost, &told, &said) {
        return client.send(&refusal(&error)).await;
    }
    client.send(&Reply::RecoveryPlan(plan(&lost, &told))).await?;
    if request.plan_only {
        return client.send(&Reply::Done).await;
    }
    let recovery = handle.ask(|reply| Command::Recover { lost, reply });
    let recovered = tokio::select! {
        recovered = recovery => recovered,
        () = client.gone() => return Ok(()),
    };
    match recovered {
        Ok(Ok(())) => {
            let local = ViewRequest { local: true, ..ViewRequest::default() };
            match view::send(local, client, handle).await {
                Ok(sent) => sent,
                Err(error) => client.send(&ended(error)).await,
            }
        }
        Ok(Err(error)) => client.send(&refusal(&error)).await,
        Err(error) => client.send(&ended(error)).await,
    }
}

async fn ask(handle: &Handle) -> Result<(Box<Told>, Confirmation), Ended> {
    let said = handle.ask(Command::Confirm).await?;
    Ok((handle.ask(Command::Tell).await?, said))
}

/// Whether exactly those are named that do not answer. The council looks again when it recovers.
fn check(lost: &[Name], told: &Told, said: &Confirmation) -> Result<(), RecoveryError> {
    let council = &told.status.view.council;
    let outside: Vec<Name> =
        lost.iter().filter(|name| council.iter().all(|one| one.name != **name)).cloned().collect();
    if !outside.is_empty() {
        return Err(RecoveryError::NotInCouncil(outside));
    }
    if said.majority {
        return Err(RecoveryError::Majority);
    }
    let silent: Vec<Name> =
        said.missing.iter().filter(|name| !lost.contains(name)).cloned().collect();
    if !silent.is_empty() {
        return Err(RecoveryError::Silent(silent));
    }
    let answered: Vec<Name> =
        lost.iter().filter(|name| !said.missing.contains(name)).cloned().collect();
    if !answered.is_empty() {
        return Err(RecoveryError::Answered(answered));
    }
    Ok(())
}

fn plan(lost: &[Name], told: &Told) -> RecoveryPlan {
    let status = &told.status;
    let reached = status.view.council.iter().map(|voter| voter.name.clone());
    let reached: Vec<Name> = reached.filter(|name| !lost.contains(name)).collect();
    let heard = |name: &Name| told.heard.get(name).map(|at| millis(told.now.boot.since(*at)));
    RecoveryPlan {
        number: status.view.number.0,
        term: status.largest_term.0.saturating_add(Term::RECOVERY_STEP),
        reached: texts(&reached),
        lost: lost
            .iter()
            .map(|name| LostRecord { name: name.to_string(), heard_ms_ago: heard(name) })
            .collect(),
        wait_ms: millis(told.lease * 2),
    }
}

fn refusal(error: &RecoveryError) -> Reply {
    let kind = match error {
        RecoveryError::NotInCouncil(_) => RefusalKind::Usage,
        _ => RefusalKind::Failed,
    };
    refused(kind, error.to_string())
}
