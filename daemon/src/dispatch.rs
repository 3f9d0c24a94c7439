//! What the daemon does for a control client: one file a verb, of the same name as memberctl's.

use crate::control::client::{Client, ClientError};
use crate::control::permissions::Door;
use crate::log::handlers::log;
use crate::membership::handlers::{events, join, leave, list, ring, status};
use crate::membership::{Kinds, Scope};
use crate::metrics::handlers::metrics;
use crate::search::handlers::grep;
use crate::services::Context;
use memberd_control::message::{ChangeKinds, Follow, Request};
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
        Request::Follow(Follow { from, kinds, until }) => {
            let kinds = match kinds {
                ChangeKinds::Liveness => Kinds::Liveness,
                ChangeKinds::All => Kinds::All,
            };
            let scope = Scope { kinds, until: until.map(WallTime) };
            events::handle_from(from, scope, client, door, context).await
        }
        Request::Metrics => metrics::handle(client, context).await,
        Request::Ring => ring::handle(client, context).await,
    }
}
