//! Accepts clients.

use super::connection::serve_client;
use crate::handler::Context;
use memberd_control::socket::Access;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{debug, warn};

/// The most clients of one socket served at once; further ones wait in the kernel's queue.
const CLIENTS: usize = 64;

/// How many clients of one socket follow events at the same time: half of all, so that the others are always served.
pub const FOLLOWERS: usize = 32;

/// The pause after the kernel could not give a connection.
const AFTER_ERROR: Duration = Duration::from_millis(100);

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
    let slots = Arc::new(Semaphore::new(CLIENTS));
    let mut failing = false;
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                failing = false;
                let (door, context) = (Arc::clone(&door), Arc::clone(&context));
                tokio::spawn(async move {
                    if let Err(error) = serve_client(stream, &door, &context).await {
                        debug!(%error, "control client ended");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                if !failing {
                    warn!(%error, "cannot accept control clients");
                }
                failing = true;
                sleep(AFTER_ERROR).await;
            }
        }
    }
}
