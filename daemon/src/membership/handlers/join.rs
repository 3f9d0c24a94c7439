//! Answers `memberctl join`. It owns no state.

use crate::control::client::{Client, ClientError};
use crate::control::refusal::{ended, refused};
use crate::membership::{Command, Founded, JoinFailure, Joined};
use crate::resolve::{Resolved, resolve};
use crate::services::Services;
use memberd_control::message::{self, RefusalKind, Reply};
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
    let membership = &services.membership;
    let are_named = !named.is_empty();
    let names = if are_named { named } else { membership.introducers() };
    let Resolved { introducers, problems, .. } = resolve(&names, membership.own()).await;
    let problems = problems.join("; ");
    if introducers.addresses().is_empty() && !names.is_empty() {
        return refused(
            RefusalKind::Failed,
            format!("{problems}: name a member by its address: memberctl join ADDRESS:PORT"),
        );
    }
    let addresses = introducers.addresses().to_vec();
    match membership.handle.ask(|reply| Command::Join { introducers, reply }).await {
        Ok(Ok(joined)) if joined.already && are_named => {
            match membership.elsewhere(addresses).await {
                Ok(None) => joined_reply(&joined),
                Ok(Some(elsewhere)) => refused(RefusalKind::Failed, elsewhere),
                Err(error) => ended(error),
            }
        }
        Ok(Ok(joined)) => joined_reply(&joined),
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

fn joined_reply(joined: &Joined) -> Reply {
    Reply::Joined {
        id: joined.id.to_string(),
        alive: u64::try_from(joined.up).unwrap_or(u64::MAX),
        already: joined.already,
        founded: joined.founded.map(|founded| match founded {
            Founded::NoIntroducers => message::Founded::NoIntroducers,
            Founded::NobodyAnswered => message::Founded::NobodyAnswered,
        }),
    }
}
