//! Answers `memberctl join`. It owns no state.

use crate::control::client::{Client, ClientError};
use crate::control::refusal::{ended, refused};
use crate::membership::{Command, JoinFailure};
use crate::resolve::{Resolved, resolve};
use crate::services::Services;
use memberd_control::message::{RefusalKind, Reply};
use memberd_membership::{JoinError, JoinRefusal};

/// The most introducers of one request.
const MOST: usize = 64;

/// Joins the group, and answers when this member exchanges heartbeats with a monitor.
pub(crate) async fn handle(
    named: Vec<String>,
    client: &mut Client,
    services: &Services,
) -> Result<(), ClientError> {
    let reply = join(named, services).await;
    client.send(&reply).await
}

async fn join(named: Vec<String>, services: &Services) -> Reply {
    if named.len() > MOST {
        return refused(
            RefusalKind::Usage,
            format!("{} introducers are named; at most {MOST} can be", named.len()),
        );
    }
    let names = if named.is_empty() { services.membership.introducers() } else { named };
    let Resolved { introducers, problems, .. } = resolve(&names, services.membership.own()).await;
    let problems = problems.join("; ");
    if introducers.addresses().is_empty() && !names.is_empty() {
        return refused(
            RefusalKind::Failed,
            format!("{problems}: name a member by its address: memberctl join ADDRESS:PORT"),
        );
    }
    match services.membership.handle.ask(|reply| Command::Join { introducers, reply }).await {
        Ok(Ok(joined)) => Reply::Joined {
            id: joined.id.to_string(),
            alive: u64::try_from(joined.up).unwrap_or(u64::MAX),
            already: joined.already,
        },
        Ok(Err(failure)) => {
            let is_version = matches!(
                &failure,
                JoinFailure::Refused(JoinError::Refused {
                    refusal: JoinRefusal::Version { .. },
                    ..
                })
            );
            let kind = if is_version { RefusalKind::Version } else { RefusalKind::Failed };
            let problems = [problems].into_iter().filter(|problems| !problems.is_empty());
            let reasons: Vec<String> = problems.chain([failure.to_string()]).collect();
            refused(kind, reasons.join("; "))
        }
        Err(error) => ended(error),
    }
}
