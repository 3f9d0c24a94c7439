//! Passes a control client's request to its handler. It owns no state. Each handler file has the
//! name of its `memberctl` command.

use crate::control::client::{Client, ClientError};
use crate::control::permissions::ListenerPolicy;
use crate::log::handlers::log;
use crate::membership::handlers::{events, forget, join, leave, list, ring, status};
use crate::membership::{Kinds, Scope};
use crate::metrics::handlers::metrics;
use crate::reload::handlers::reload;
use crate::search::handlers::{files, grep};
use crate::services::Services;
use memberd_control::message::{ChangeKinds, Follow, Request};
use memberd_membership::WallTime;

/// Carries out an allowed request.
///
/// # Errors
/// When the client has disconnected or hangs.
pub async fn handle(
    request: Request,
    client: &mut Client,
    policy: &ListenerPolicy,
    services: &Services,
) -> Result<(), ClientError> {
    match request {
        Request::Join { introducers } => join::handle(introducers, client, services).await,
        Request::Leave => leave::handle(client, services).await,
        Request::List { all } => list::handle(all, client, services).await,
        Request::Status => status::handle(client, policy, services).await,
        Request::Events => events::handle(client, policy, services).await,
        Request::Log { filter } => log::handle(filter, client, services).await,
        Request::Grep(request) => grep::handle(*request, client, policy, services).await,
        Request::Follow(Follow { from, kinds, until }) => {
            let kinds = match kinds {
                ChangeKinds::Liveness => Kinds::Liveness,
                ChangeKinds::All => Kinds::LivenessAndTags,
                ChangeKinds::WithForgotten => Kinds::All,
            };
            let scope = Scope { kinds, until: until.map(WallTime) };
            events::handle_from(from, scope, client, policy, services).await
        }
        Request::Metrics => metrics::handle(client, services).await,
        Request::Ring => ring::handle(client, services).await,
        Request::Forget(which) => forget::handle(which, client, services).await,
        Request::Reload => reload::handle(client, services).await,
        Request::Files(request) => files::handle(request, client, policy, services).await,
    }
}
