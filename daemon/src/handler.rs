//! What the daemon does for a control client: one file a verb, of the same name as memberctl's.

mod events;
mod grep;
mod join;
mod leave;
mod list;
mod status;

use crate::control::connection::{Client, ClientError};
use crate::membership::{Ended, Handle};
use memberd_control::message::{Refusal, RefusalKind, Reply, Request};
use std::net::SocketAddr;
use std::sync::RwLock;
use tokio::sync::Semaphore;

/// How many clients follow events at the same time: half of all, so that the others are always served.
pub const FOLLOWERS: usize = 32;

/// What the verbs work with.
#[derive(Debug)]
pub struct Context {
    /// The way to the group.
    pub membership: Handle,
    /// This member's address.
    pub address: SocketAddr,
    /// The introducers of the settings.
    pub introducers: RwLock<Vec<String>>,
    /// One for each client that may follow events at the same time.
    pub followers: Semaphore,
    /// One for each client that may grep at the same time.
    pub greps: Semaphore,
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

/// Carries out a request.
///
/// # Errors
/// When the client has gone or hangs.
pub async fn handle(request: Request, client: &mut Client, context: &Context) -> Result<(), ClientError> {
    match request {
        Request::Join { introducers } => join::handle(introducers, client, context).await,
        Request::Leave => leave::handle(client, context).await,
        Request::List { all } => list::handle(all, client, context).await,
        Request::Status => status::handle(client, context).await,
        Request::Events => events::handle(client, context).await,
        Request::Grep(request) => grep::handle(*request, client, context).await,
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
