//! What the daemon does for a control client: one file a verb, of the same name as memberctl's.

use crate::control::client::{Client, ClientError};
use crate::control::permissions::Door;
use crate::log::handlers::log;
use crate::membership::handlers::{events, join, leave, list, ring, status};
use crate::membership::{Kinds, Scope};
use crate::metrics::handlers::metrics;
use crate::search::handlers::grep;
use crate::services::Context;
use memberd_control::message::Request;
use memberd_membership::WallTime;

/// Carries out a request that is allowed.
///
/// # Errors
/// When the client has gone or hangs.
pub async fn handle(
    request: Request,
    client: &mut Client,
    door: &Door,
    context: &Context,
) -> Result<(), ClientError> {
    match request {
        Request::Join { introducers } => join::handle(introducers, client, context).await,
        Request::Leave => leave::handle(client, context).await,
        Request::List { all } => list::handle(all, client, context).await,
        Request::Status => status::handle(client, door, context).await,
        Request::Events => events::handle(client, door, context).await,
        Request::Log { filter } => log::handle(filter, client, context).await,
        Request::Grep(request) => grep::handle(*request, client, context).await,
        Request::EventsFrom(from) => {
            events::handle_from(from, Scope::endless(Kinds::Liveness), client, door, context).await
        }
        Request::Changes(from) => {
            events::handle_from(from, Scope::endless(Kinds::All), client, door, context).await
        }
        Request::ChangesUntil { from, until } => {
            let scope = Scope { kinds: Kinds::All, until: Some(WallTime(until)) };
            events::handle_from(from, scope, client, door, context).await
        }
        Request::Metrics => metrics::handle(client, context).await,
        Request::Ring => ring::handle(client, context).await,
    }
}
