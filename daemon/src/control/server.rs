//! Accepts clients.

use super::connection::serve_client;
use super::permissions::Door;
use crate::services::Context;
use memberd_control::socket::Access;
use memberd_transport::accept::serve_all;
use std::sync::Arc;
use tokio::net::UnixListener;
use tracing::debug;

/// The most clients of one socket served at once; further ones wait in the kernel's queue.
const CLIENTS: usize = 64;

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
