//! The protocol's calls over TCP, each a small task whose result comes back to the owner of the node.

use crate::peer::call;
use memberd_ring::Call;
use memberd_ring::join::{CALL_TIMEOUT, CallId};
use std::net::SocketAddr;
use tokio::task::JoinSet;

/// What became of a call.
pub(super) type Outcome = (CallId, Result<Vec<u8>, String>);

/// The calls under way. The protocol makes few at a time, and each ends by [`CALL_TIMEOUT`].
#[derive(Debug, Default)]
pub(super) struct Calls {
    tasks: JoinSet<Outcome>,
}

impl Calls {
    pub(super) fn start(&mut self, from: SocketAddr, call: Call) {
        self.tasks.spawn(async move {
            let reply = call::ring(from, call.to, &call.payload, CALL_TIMEOUT).await;
            (call.id, reply.map_err(|error| error.to_string()))
        });
    }

    /// The next result. Waits for ever while no call is under way.
    pub(super) async fn next(&mut self) -> Outcome {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(outcome)) => return outcome,
                // Cancelled tasks have nothing to tell; panics do not happen in `call::ring`.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}
