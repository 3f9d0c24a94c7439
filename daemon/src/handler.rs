//! What the daemon does for a control client: one file a verb, of the same name as memberctl's.

pub mod context;
mod events;
mod grep;
pub mod greps;
mod join;
mod leave;
mod list;
mod log;
mod metrics;
mod refusal;
mod ring;
mod status;

use crate::control::client::{Client, ClientError};
use crate::control::door::Door;
use crate::membership::{Kinds, Scope};
use context::Context;
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
