//! Answers `memberctl grep`: it checks the request, chooses the members, and streams the replies.
//! It owns no state.

use crate::blocking::run_low_priority;
use crate::control::client::{Client, ClientError};
use crate::control::refusal::{ended, not_in_group, refused};
use crate::membership::Command;
use crate::search::{Chosen, Compiled, DistributedGrep, GrepPlan, MemberChoice};
use crate::services::Services;
use memberd_control::grep::{GrepOutcome, GrepRequest};
use memberd_control::message::{RefusalKind, Reply};
use memberd_membership::Identity;
use memberd_transport::Source;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// The time until a client first receives the progress of its grep.
const PROGRESS_AFTER: Duration = Duration::from_millis(500);

/// The interval of later progress reports.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// The names of the failed members, with the times.
type Failed = Vec<(String, u64)>;

/// Greps all members' logs and streams the results. All searches end when the client disconnects.
pub(crate) async fn handle(
    request: GrepRequest,
    client: &mut Client,
    services: &Services,
) -> Result<(), ClientError> {
    let _running = match services.search.greps.enter(&request, client.source()) {
        Ok(entry) => entry,
        Err(full) => return client.send(&refused(RefusalKind::Failed, full.to_string())).await,
    };
    let (plan, failed) = match plan(request, client.source(), services).await {
        Ok(planned) => planned,
        Err(refusal) => return client.send(&refusal).await,
    };
    for (member, failed) in failed {
        client
            .send(&Reply::GrepMember { member, outcome: GrepOutcome::NotAsked { failed } })
            .await?;
    }
    let mut grep = DistributedGrep::start(plan, &services.search, &services.membership.handle)?;
    let mut progress = interval_at(Instant::now() + PROGRESS_AFTER, PROGRESS_EVERY);
    progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let reply = tokio::select! {
            reply = grep.next() => reply,
            _ = progress.tick() => Some(grep.progress()),
            () = client.gone() => return Ok(()),
        };
        let Some(reply) = reply else { break };
        client.stream(&reply).await?;
    }
    client.send(&Reply::Done).await
}

/// Compiles the request and chooses its members, or returns the reply that refuses it.
async fn plan(
    request: GrepRequest,
    user: Source,
    services: &Services,
) -> Result<(GrepPlan, Failed), Reply> {
    let usage = |message: String| refused(RefusalKind::Usage, message);
    let (mut compiled, mut request) = compile(request, services).await?;
    let list = match services.membership.handle.ask(|reply| Command::List { reply }).await {
        Ok(Some(list)) => list.members().collect::<Vec<_>>(),
        Ok(None) => return Err(not_in_group()),
        Err(error) => return Err(ended(error)),
    };
    let choice = MemberChoice::new(&request.members).map_err(usage)?;
    let Chosen { up: members, failed } = choice.choose_members(&list).map_err(usage)?;
    let connections = services
        .search
        .reserve_connections(&request, members.len(), user)
        .map_err(|message| refused(RefusalKind::Failed, message))?;
    if let Some(width) = &mut request.printing.name_width {
        *width = longest_name(&members);
        compiled.set_name_width(*width);
    }
    Ok((GrepPlan { request, user, compiled, choice, members, connections }, failed))
}

/// Compiles the request, so that an invalid pattern is refused before anything is sent. This may
/// take long, but heartbeats do not wait for it.
async fn compile(
    request: GrepRequest,
    services: &Services,
) -> Result<(Compiled, GrepRequest), Reply> {
    let searcher = Arc::clone(&services.search.searcher);
    let (compiled, request) =
        run_low_priority(move || (searcher.compile(&request), request)).await.map_err(|error| {
            refused(RefusalKind::Failed, format!("cannot look at the pattern: {error}"))
        })?;
    Ok((compiled.map_err(|message| refused(RefusalKind::Usage, message))?, request))
}

/// How many characters the longest name of these members has.
fn longest_name(members: &[Identity]) -> u8 {
    let lengths = members.iter().map(|member| member.name.as_str().chars().count());
    let longest = lengths.max().unwrap_or(0);
    u8::try_from(longest).unwrap_or(u8::MAX)
}
