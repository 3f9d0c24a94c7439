//! `memberctl grep`.

use crate::admission::{Admission, Permit};
use crate::blocking::run_low_priority;
use crate::control::client::{Client, ClientError};
use crate::control::refusal::{ended, not_in_group, refused};
use crate::membership::Command;
use crate::search::SearchService;
use crate::search::distributed::DistributedGrep;
use crate::search::line_relay::HELD;
use crate::search::scope::{Chosen, Scope, Target};
use crate::services::Services;
use memberd_control::grep::{GrepOutcome, GrepRequest};
use memberd_control::message::{RefusalKind, Reply};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// When a client is first told how far its grep has come.
const PROGRESS_AFTER: Duration = Duration::from_millis(500);

/// How often it is told from then on.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Greps all members' logs and streams what they find. Ends, everywhere, when the client goes.
pub(crate) async fn handle(
    request: GrepRequest,
    client: &mut Client,
    services: &Services,
) -> Result<(), ClientError> {
    let _place = match services.search.greps.enter(&request) {
        Ok(place) => place,
        Err(full) => return client.send(&refused(RefusalKind::Failed, full.to_string())).await,
    };
    // A bad pattern is refused before anything is sent. Compiling one may take long, and heartbeats
    // do not wait for that.
    let searches = Arc::clone(&services.search.searches);
    let (bad, mut request) = match run_low_priority(move || (searches.refusal(&request), request))
        .await
    {
        Ok(checked) => checked,
        Err(error) => {
            return client
                .send(&refused(RefusalKind::Failed, format!("cannot look at the pattern: {error}")))
                .await;
        }
    };
    if let Some(message) = bad {
        return client.send(&refused(RefusalKind::Usage, message)).await;
    }
    let list = match services.membership.handle.ask(|reply| Command::List { reply }).await {
        Ok(Some(list)) => list.members().collect::<Vec<_>>(),
        Ok(None) => return client.send(&not_in_group()).await,
        Err(error) => return client.send(&ended(error)).await,
    };
    let chosen = Scope::new(&request.members)
        .and_then(|selection| Ok((selection.choose(&list)?, selection)));
    let (Chosen { up, failed }, selection) = match chosen {
        Ok(chosen) => chosen,
        Err(message) => return client.send(&refused(RefusalKind::Usage, message)).await,
    };
    let held = match held(&request, up.len(), &services.search.held) {
        Ok(held) => held,
        Err(message) => return client.send(&refused(RefusalKind::Failed, message)).await,
    };
    for (member, failed) in failed {
        client
            .send(&Reply::GrepMember { member, outcome: GrepOutcome::NotAsked { failed } })
            .await?;
    }
    align(&mut request, &up);
    let SearchService { searches, caller, .. } = &services.search;
    let membership = &services.membership.handle;
    let mut search = DistributedGrep::start(
        caller.clone(),
        up,
        &request,
        searches,
        selection,
        membership,
        held,
    )?;
    let mut progress = interval_at(Instant::now() + PROGRESS_AFTER, PROGRESS_EVERY);
    progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let reply = tokio::select! {
            reply = search.next() => reply,
            _ = progress.tick() => Some(search.progress()),
            () = client.gone() => return Ok(()),
        };
        let Some(reply) = reply else { break };
        client.stream(&reply).await?;
    }
    client.send(&Reply::Done).await
}

/// Names as wide as the longest of the members that are asked, if that is wanted.
fn align(request: &mut GrepRequest, members: &[Target]) {
    let longest = members.iter().map(|member| member.name.chars().count()).max().unwrap_or(0);
    if let Some(width) = &mut request.printing.name_width {
        *width = u8::try_from(longest).unwrap_or(u8::MAX);
    }
}

/// A place for each connection of a grep that needs all its members at once; no places for others.
fn held(request: &GrepRequest, members: usize, places: &Admission) -> Result<Permit, String> {
    let (option, members) = match (request.printing.by_time, request.files.follow) {
        (true, _) => ("--merge", members),
        (false, true) => ("--follow", members),
        (false, false) => ("grep", 0),
    };
    if members > HELD {
        return Err(format!(
            "{option} keeps a connection to each member open, to {HELD} at most, and {members} are \
            up: use --on"
        ));
    }
    places.try_enter_many(members).map_err(|_| {
        format!(
            "{option} keeps a connection to each member open, and other greps hold most of {HELD} \
            already: end one, or use --on"
        )
    })
}
