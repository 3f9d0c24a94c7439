//! Answers `memberctl files`: it chooses the members, asks each for its searchable files, and
//! passes the listings on. It owns no state.

use super::grep::choose;
use crate::control::client::{Client, ClientError};
use crate::control::permissions::ListenerPolicy;
use crate::control::refusal::refused;
use crate::search::Chosen;
use crate::search::listing::{EncodedListing, ask, list_here};
use crate::services::Services;
use memberd_control::files::{FileListing, FilesRequest};
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
    policy: &ListenerPolicy,
    services: &Services,
) -> Result<(), ClientError> {
    let restriction = services.search.restriction(policy.access);
    if let Err(error) = FileFilter::new(&request.globs) {
        return client.send(&refused(RefusalKind::Usage, error.to_string())).await;
    }
    let Chosen { up, failed, .. } =
        match choose(&request.members, &[], &restriction, services).await {
            Ok((_, chosen)) => chosen,
            Err(refusal) => return client.send(&refusal).await,
        };
    for missed in failed {
        let member = missed.name.to_string();
        let outcome = GrepOutcome::NotAsked { failed: missed.since, left: false };
        client.send(&Reply::GrepMember { member, outcome }).await?;
    }
    let mut request = FilesRequest { members: GrepMembers::default(), ..request };
    restriction.restrict_listing(&mut request);
    let encoded = Arc::new(EncodedListing::new(&request)?);
    let request = Arc::new(request);
    let user = client.source();
    let places = Admission::unanswered("members asked for files", AT_ONCE);
    // Dropping the set ends the tasks.
    let mut tasks = JoinSet::new();
    for member in up {
        let (request, encoded, places) =
            (Arc::clone(&request), Arc::clone(&encoded), places.clone());
        let (caller, searcher) =
            (services.search.caller.clone(), Arc::clone(&services.search.searcher));
        tasks.spawn(async move {
            // The place is held until the client has the listing.
            let place = places.enter().await;
            let listed = if member.address == caller.address {
                Ok(list_here(&searcher, (*request).clone(), user).await)
            } else {
                ask(&caller, &member, &encoded).await
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
        let (member, mut listed, _place) = task.map_err(io::Error::other)?;
        if let Ok(listing) = &mut listed
            && !restriction.journal
        {
            listing.journal = None;
        }
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
