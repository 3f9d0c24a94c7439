//! Answers `memberctl forget`. It owns no state.

use crate::control::client::{Client, ClientError};
use crate::control::refusal::{ended, not_in_group, refused};
use crate::membership::{Command, Forgot};
use crate::services::Services;
use memberd_control::message::{Forget as Wanted, ForgottenReport, RefusalKind, Reply};
use memberd_membership::{Forget, ForgetError, ForgetReport, Name};
use memberd_transport::Source;

/// Forgets members, and answers when the others were asked to do so.
pub(crate) async fn handle(
    wanted: Wanted,
    client: &mut Client,
    services: &Services,
) -> Result<(), ClientError> {
    let uid = match client.source() {
        Source::User(uid) => Some(uid),
        Source::Machine(_) | Source::Anyone => None,
    };
    let reply = match which(wanted) {
        Ok(which) => {
            let forget = |reply| Command::Forget { which, uid, reply };
            match services.membership.handle.ask(forget).await {
                Ok(Ok(forgot)) => Reply::Forgotten(report(forgot)),
                Ok(Err(ForgetError::NotInGroup)) => not_in_group(),
                Ok(Err(error)) => refused(RefusalKind::Failed, error.to_string()),
                Err(error) => ended(error),
            }
        }
        Err(problem) => refused(RefusalKind::Usage, problem),
    };
    client.send(&reply).await
}

fn which(wanted: Wanted) -> Result<Forget, String> {
    Ok(match wanted {
        Wanted::Failed => Forget::Failed,
        Wanted::Left => Forget::Left,
        Wanted::Named(names) => {
            let names: Result<Vec<Name>, _> = names.iter().map(|name| Name::new(name)).collect();
            let mut names = names.map_err(|error| error.to_string())?;
            names.sort();
            names.dedup();
            Forget::Named(names)
        }
    })
}

fn report(Forgot { members, report }: Forgot) -> ForgottenReport {
    let ForgetReport { older, unanswered, not_asked } = report;
    let texts = |names: Vec<Name>| names.iter().map(ToString::to_string).collect();
    ForgottenReport {
        ids: members.iter().map(ToString::to_string).collect(),
        older: texts(older),
        unanswered: texts(unanswered),
        not_asked: u64::try_from(not_asked).unwrap_or(u64::MAX),
    }
}
