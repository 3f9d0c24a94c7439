//! Passes a control client's request to its handler. It owns no state. Each handler file has the
//! name of its `memberctl` command.

use crate::agreement;
use crate::agreement::handlers::{claim, leader, recover, view};
use crate::control::client::{Client, ClientError};
use crate::control::permissions::ListenerPolicy;
use crate::control::refusal::refused;
use crate::files::handlers as file;
use crate::jobs::handlers as stream;
use crate::log::handlers::log;
use crate::membership::handlers::events::{self, Wanted};
use crate::membership::handlers::{forget, join, leave, list, ring, status};
use crate::membership::{Kinds, Scope};
use crate::metrics::handlers::metrics;
use crate::reload::handlers::reload;
use crate::search::handlers::{files, grep, stats};
use crate::services::Services;
use memberd_control::message::{ChangeKinds, Follow, RefusalKind, Request};
use memberd_membership::WallTime;

/// What a client of the agreed views hears while there are none.
const SWITCHED_OFF: &str =
    "there are no agreed views here: set [agreement] enabled = true on all machines";

/// What a client of durable jobs hears while they are switched off.
const JOBS_OFF: &str =
    "durable jobs are switched off here: set streams.jobs = true on all machines";

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
        Request::Stats(request) => stats::handle(*request, client, policy, services).await,
        Request::Follow(Follow { from, kinds, until }) => {
            let with_views = kinds == ChangeKinds::WithViews;
            let kinds = match kinds {
                ChangeKinds::Liveness => Kinds::Liveness,
                ChangeKinds::All => Kinds::LivenessAndTags,
                ChangeKinds::WithForgotten | ChangeKinds::WithViews => Kinds::All,
            };
            let scope = Scope { kinds, until: until.map(WallTime) };
            let views = services.agreement.handle().filter(|_| with_views);
            events::handle_from(from, Wanted { scope, views }, client, policy, services).await
        }
        Request::Metrics => metrics::handle(client, services).await,
        Request::Ring => ring::handle(client, services).await,
        Request::Forget(which) => forget::handle(which, client, services).await,
        Request::Reload => reload::handle(client, services).await,
        Request::Files(request) => files::handle(request, client, policy, services).await,
        Request::View(_) | Request::Recover(_) | Request::Leader(_) | Request::Claim(_) => {
            let Some(agreement) = services.agreement.handle() else {
                return client.send(&refused(RefusalKind::Failed, SWITCHED_OFF)).await;
            };
            handle_agreement(request, client, policy, agreement).await
        }
        Request::File(request) => file::handle(request, client, services).await,
        Request::Stream(request) => match services.jobs.handle() {
            Some(jobs) => stream::handle(request, client, jobs).await,
            None => client.send(&refused(RefusalKind::Failed, JOBS_OFF)).await,
        },
    }
}

/// Carries out a request about the agreed views.
async fn handle_agreement(
    request: Request,
    client: &mut Client,
    policy: &ListenerPolicy,
    agreement: &agreement::Handle,
) -> Result<(), ClientError> {
    match request {
        Request::View(request) => view::handle(request, client, agreement).await,
        Request::Recover(request) => recover::handle(request, client, agreement).await,
        Request::Leader(request) => leader::handle(request, client, policy, agreement).await,
        Request::Claim(request) => claim::handle(request, client, agreement).await,
        _ => client.send(&refused(RefusalKind::Failed, SWITCHED_OFF)).await,
    }
}
