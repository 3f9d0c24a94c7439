//! Accepts clients at the control sockets. It owns the listening sockets.

use super::connection::serve_client;
use super::permissions::ListenerPolicy;
use super::socket::Sockets;
use crate::connections::Connections;
use crate::services::Services;
use memberd_control::socket::Access;
use memberd_transport::{Admission, Crowd, serve_all};
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tracing::debug;

/// The most clients of one socket that have not said what they want. When more come, silent ones
/// are ended.
const SILENT: usize = 64;

/// The most requests of one socket that are under way. One user has at most half of them.
const CLIENTS: usize = 128;

/// The clients of one socket, of which there are none yet.
pub fn crowd() -> Crowd {
    let served = Admission::new("control clients", CLIENTS, |limit| {
        format!("{limit} requests are under way at this socket already: try again later")
    });
    let served = served.shared(|taken| {
        format!("you have {taken} requests under way at this socket already: end one of them")
    });
    Crowd::new("control clients", SILENT, served)
}

/// Serves the clients of all sockets, with a task for each socket.
pub fn start(sockets: Sockets, services: &Arc<Services>) -> Vec<JoinHandle<()>> {
    let Sockets { full, read_only, search, .. } = sockets;
    let Connections { control, control_read, control_search, .. } = &services.connections;
    let sockets = [
        (Some(full), Access::Full, control),
        (read_only, Access::ReadOnly, control_read),
        (search, Access::Search, control_search),
    ];
    sockets
        .into_iter()
        .filter_map(|(listener, access, crowd)| {
            Some(tokio::spawn(listen(listener?, access, crowd.clone(), Arc::clone(services))))
        })
        .collect()
}

/// Serves clients until the task is dropped.
async fn listen(listener: UnixListener, access: Access, crowd: Crowd, services: Arc<Services>) {
    let policy = Arc::new(ListenerPolicy::new(access));
    serve_all(listener, crowd, move |stream, _, arrival| {
        let (policy, services) = (Arc::clone(&policy), Arc::clone(&services));
        async move {
            if let Err(error) = serve_client(stream, arrival, &policy, &services).await {
                debug!(%error, "control client ended");
            }
        }
    })
    .await;
}
