//! Accepts clients at the control sockets. It owns the listening sockets.

use super::connection::serve_client;
use super::permissions::ListenerPolicy;
use super::socket::Sockets;
use crate::services::Services;
use memberd_control::socket::Access;
use memberd_transport::serve_all;
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tracing::debug;

/// The most clients of one socket served at once. Further ones wait in the kernel's queue.
const CLIENTS: usize = 64;

/// Serves the clients of both sockets, with a task for each socket.
pub fn start(sockets: Sockets, services: &Arc<Services>) -> Vec<JoinHandle<()>> {
    let Sockets { full, read_only, .. } = sockets;
    let sockets = [(Some(full), Access::Full), (read_only, Access::ReadOnly)];
    sockets
        .into_iter()
        .filter_map(|(listener, access)| {
            Some(tokio::spawn(listen(listener?, access, Arc::clone(services))))
        })
        .collect()
}

/// Serves clients until the task is dropped.
async fn listen(listener: UnixListener, access: Access, services: Arc<Services>) {
    let policy = Arc::new(ListenerPolicy::new(access));
    serve_all(listener, CLIENTS, "control clients", move |stream, _| {
        let (policy, services) = (Arc::clone(&policy), Arc::clone(&services));
        async move {
            if let Err(error) = serve_client(stream, &policy, &services).await {
                debug!(%error, "control client ended");
            }
        }
    })
    .await;
}
