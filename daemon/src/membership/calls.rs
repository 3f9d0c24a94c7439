//! The protocol's calls over TCP, each a small task whose result comes back to the owner of the node.

use crate::peer::call::Caller;
use memberd_ring::Call;
use memberd_ring::join::{CALL_TIMEOUT, CallId};
use tokio::task::JoinSet;

/// What became of a call.
pub(super) type Outcome = (CallId, Result<Vec<u8>, String>);

/// The calls under way. The protocol makes few at a time, and each ends by [`CALL_TIMEOUT`].
#[derive(Debug)]
pub(super) struct Calls {
    caller: Caller,
    tasks: JoinSet<Outcome>,
}

impl Calls {
    pub(super) fn new(caller: Caller) -> Self {
        Calls { caller, tasks: JoinSet::new() }
    }

    pub(super) fn start(&mut self, call: Call) {
        let caller = self.caller.clone();
        self.tasks.spawn(async move {
            let reply = caller.ring(call.to, &call.payload, CALL_TIMEOUT).await;
            (call.id, reply.map_err(|error| error.to_string()))
        });
    }

    /// The next result. Waits for ever while no call is under way.
    pub(super) async fn next(&mut self) -> Outcome {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(outcome)) => return outcome,
                // Cancelled tasks have nothing to tell; panics do not happen in `Caller::ring`.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}
