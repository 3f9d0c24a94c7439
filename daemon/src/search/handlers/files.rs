//! Answers `memberctl files`: it chooses the members, asks each for its searchable files, and
//! passes the listings on. It owns no state.

use crate::control::client::{Client, ClientError};
use crate::control::refusal::{ended, not_in_group, refused};
use crate::membership::Command;
use crate::search::listing::{ask, list_here};
use crate::search::{Chosen, MemberChoice};
use crate::services::Services;
use memberd_control::files::{FileListing, FilesRequest};
use memberd_control::frame::{HEADER_BYTES, encode};
use memberd_control::grep::{GrepMembers, GrepOutcome};
use memberd_control::message::{RefusalKind, Reply};
use memberd_membership::Identity;
use memberd_search::FileFilter;
use memberd_transport::Admission;
use std::io;
use std::sync::Arc;
use tokio::task::JoinSet;

/// The most members that are asked at once. Each listing has up to
/// [`LISTING_CAP`](memberd_control::files::LISTING_CAP) bytes.
const AT_ONCE: usize = 8;

/// Asks the members, and streams their listings. It ends when the client disconnects.
pub(crate) async fn handle(
    request: FilesRequest,
    client: &mut Client,
    services: &Services,
) -> Result<(), ClientError> {
    let Chosen { up, failed } = match choose(&request, services).await {
        Ok(chosen) => chosen,
        Err(refusal) => return client.send(&refusal).await,
    };
    for (member, failed) in failed {
        let outcome = GrepOutcome::NotAsked { failed };
        client.send(&Reply::GrepMember { member, outcome }).await?;
    }
    let request = FilesRequest { members: GrepMembers::default(), ..request };
    let body = encode(&request).map_err(io::Error::other)?.split_off(HEADER_BYTES);
    let (request, body) = (Arc::new(request), Arc::new(body));
    let user = client.source();
    let places = Admission::unanswered("members asked for files", AT_ONCE);
    // Dropping the set ends the tasks.
    let mut tasks = JoinSet::new();
    for member in up {
        let (request, body, places) = (Arc::clone(&request), Arc::clone(&body), places.clone());
        let (caller, searcher) =
            (services.search.caller.clone(), Arc::clone(&services.search.searcher));
        tasks.spawn(async move {
            // The place is held until the client has the listing.
            let place = places.enter().await;
            let listed = if member.address == caller.address {
                Ok(list_here(&searcher, (*request).clone(), user).await)
            } else {
                ask(&caller, &member, &body).await
            };
            (member, listed, place)
        });
    }
    loop {
        let task = tokio::select! {
            task = tasks.join_next() => task,
            () = client.gone() => return Ok(()),
        };
        let Some(task) = task else { break };
        let (member, listed, _place) = task.map_err(io::Error::other)?;
        client.send(&reply(&member, listed)).await?;
    }
    client.send(&Reply::Done).await
}

fn reply(member: &Identity, listed: Result<FileListing, String>) -> Reply {
    let member = member.name.to_string();
    match listed {
        Ok(listing) => match listing.refused {
            Some(reason) => Reply::GrepMember { member, outcome: GrepOutcome::Lost(reason) },
            None => Reply::Files { member, listing: Box::new(listing) },
        },
        Err(reason) => Reply::GrepMember { member, outcome: GrepOutcome::Lost(reason) },
    }
}

/// Checks the globs and chooses the members, or returns the reply that refuses the request.
async fn choose(request: &FilesRequest, services: &Services) -> Result<Chosen, Reply> {
    let usage = |message: String| refused(RefusalKind::Usage, message);
    FileFilter::new(&request.globs).map_err(|error| usage(error.to_string()))?;
    let list = match services.membership.handle.ask(|reply| Command::List { reply }).await {
        Ok(Some(list)) => list.members().collect::<Vec<_>>(),
        Ok(None) => return Err(not_in_group()),
        Err(error) => return Err(ended(error)),
    };
    MemberChoice::new(&request.members)
        .and_then(|choice| choice.choose_members(&list))
        .map_err(usage)
}
