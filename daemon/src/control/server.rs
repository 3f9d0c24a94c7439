//! Accepts clients.

use super::connection::serve_client;
use crate::accept::serve_all;
use crate::handler::Context;
use memberd_control::socket::Access;
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tracing::debug;

/// The most clients of one socket served at once; further ones wait in the kernel's queue.
const CLIENTS: usize = 64;

/// How many clients of one socket follow events at the same time: half of all, so that the others are always served.
pub const FOLLOWERS: usize = 32;

/// One way in. Each has limits of its own, so that whoever may only look keeps nobody else out.
#[derive(Debug)]
pub struct Door {
    /// What callers may do.
    pub access: Access,
    /// One for each client that may follow events at the same time.
    pub followers: Semaphore,
}

impl Door {
    /// A door with nobody in it.
    pub fn new(access: Access) -> Self {
        Door { access, followers: Semaphore::new(FOLLOWERS) }
    }
}

/// Serves clients until the task is dropped.
pub async fn listen(listener: UnixListener, access: Access, context: Arc<Context>) {
    let door = Arc::new(Door::new(access));
    serve_all(listener, CLIENTS, "control clients", move |stream, _| {
        let (door, context) = (Arc::clone(&door), Arc::clone(&context));
        async move {
            if let Err(error) = serve_client(stream, &door, &context).await {
                debug!(%error, "control client ended");
            }
        }
    })
    .await;
}
