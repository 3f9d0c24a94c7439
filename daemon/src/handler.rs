//! What the daemon does for a control client: one file a verb, of the same name as memberctl's.

mod events;
mod grep;
mod greps;
mod join;
mod leave;
mod list;
mod log;
mod metrics;
mod ring;
mod status;

pub use greps::{GrepCounts, Greps};

use crate::control::connection::{Client, ClientError};
use crate::control::server::Door;
use crate::log::Log;
use crate::membership::{Ended, Handle, Kinds, Scope};
use crate::peer::call::Caller;
use crate::search::Searches;
use memberd_control::message::{Refusal, RefusalKind, Reply, Request};
use std::sync::{Arc, RwLock};
use tokio::sync::Semaphore;

/// What the verbs work with.
#[derive(Debug)]
pub struct Context {
    /// The way to the group.
    pub membership: Handle,
    /// Calls other members, from this member's address.
    pub caller: Caller,
    /// The introducers of the settings.
    pub introducers: RwLock<Vec<String>>,
    /// What is logged.
    pub log: Log,
    /// The greps of clients.
    pub greps: Greps,
    /// The searches of this machine's logs.
    pub searches: Arc<Searches>,
    /// One for each connection that greps may hold open to a member until all members are done.
    pub held: Semaphore,
}

impl Context {
    /// The introducers of the settings, as they are now.
    pub fn introducers(&self) -> Vec<String> {
        // A poisoned lock holds a whole list nevertheless: it is only ever replaced.
        self.introducers.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Other introducers from now on.
    pub fn set_introducers(&self, introducers: Vec<String>) {
        *self.introducers.write().unwrap_or_else(std::sync::PoisonError::into_inner) = introducers;
    }
}

/// Carries out a request that is allowed.
///
/// # Errors
/// When the client has gone or hangs.
pub async fn handle(request: Request, client: &mut Client, door: &Door, context: &Context) -> Result<(), ClientError> {
    match request {
        Request::Join { introducers } => join::handle(introducers, client, context).await,
        Request::Leave => leave::handle(client, context).await,
        Request::List { all } => list::handle(all, client, context).await,
        Request::Status => status::handle(client, door, context).await,
        Request::Events => events::handle(client, door, context).await,
        Request::Log { filter } => log::handle(filter, client, context).await,
        Request::Grep(request) => grep::handle(*request, client, context).await,
        Request::EventsFrom(from) => events::handle_from(from, Scope::endless(Kinds::Standings), client, door, context).await,
        Request::Changes(from) => events::handle_from(from, Scope::endless(Kinds::Everything), client, door, context).await,
        Request::ChangesUntil { from, until } => {
            let scope = Scope { kinds: Kinds::Everything, until: Some(until) };
            events::handle_from(from, scope, client, door, context).await
        }
        Request::Metrics => metrics::handle(client, context).await,
        Request::Ring => ring::handle(client, context).await,
    }
}

fn refused(kind: RefusalKind, message: impl Into<String>) -> Reply {
    Reply::Refused(Refusal { kind, message: message.into() })
}

fn not_in_group() -> Reply {
    refused(RefusalKind::NotInGroup, "not in a group: join one with memberctl join")
}

fn ended(ended: Ended) -> Reply {
    refused(RefusalKind::Failed, ended.to_string())
}
