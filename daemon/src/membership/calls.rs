//! Runs the protocol's calls over TCP. It owns one small task for each call, whose result returns
//! to the node's owner.

use crate::peer::MEMBERSHIP;
use memberd_membership::{CALL_TIMEOUT, Call, CallError, CallId, CallReply, MAX_CALL, read_reply};
use memberd_transport::Caller;
use std::collections::HashMap;
use tokio::task::{Id, JoinError, JoinSet, spawn_blocking};

/// A call's reply, or the reason for its failure.
type Reply = Result<CallReply, CallError>;

/// Up to this many bytes are decoded or encoded where they are.
const SMALL_BYTES: usize = 16 * 1024;

/// Decodes or encodes this many bytes: on a thread that may take its time for it, if they are many.
///
/// # Errors
/// When the work panics.
pub(crate) async fn beside_if_large<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    if bytes <= SMALL_BYTES { Ok(work()) } else { spawn_blocking(work).await }
}

/// The running calls. The protocol makes few at a time, and each ends within [`CALL_TIMEOUT`].
#[derive(Debug)]
pub(super) struct Calls {
    caller: Caller,
    tasks: JoinSet<Reply>,
    /// The call of each task.
    ids: HashMap<Id, CallId>,
}

impl Calls {
    pub(super) fn new(caller: Caller) -> Self {
        Calls { caller, tasks: JoinSet::new(), ids: HashMap::new() }
    }

    pub(super) fn start(&mut self, call: Call) {
        let caller = self.caller.clone();
        self.spawn(call.id, async move {
            let reply =
                caller.call(call.to, MEMBERSHIP, &call.payload, MAX_CALL, CALL_TIMEOUT).await;
            let reply = reply.map_err(|error| CallError::Unreachable(error.to_string()))?;
            // The protocol shares the thread of this task. A large list is read on another.
            let length = reply.len();
            let read = move || read_reply(Ok(&reply));
            beside_if_large(length, read).await.map_err(|error| broke_off(&error))?
        });
    }

    fn spawn(&mut self, id: CallId, call: impl Future<Output = Reply> + Send + 'static) {
        let task = self.tasks.spawn(call).id();
        self.ids.insert(task, id);
    }

    /// Waits for the next call to end, and returns its result. Each call has one, because the
    /// protocol waits for it. While no call runs, this waits forever.
    pub(super) async fn next(&mut self) -> (CallId, Reply) {
        loop {
            let (task, reply) = match self.tasks.join_next_with_id().await {
                Some(Ok(ended)) => ended,
                Some(Err(error)) => (error.id(), Err(broke_off(&error))),
                None => std::future::pending().await,
            };
            if let Some(id) = self.ids.remove(&task) {
                return (id, reply);
            }
        }
    }
}

fn broke_off(error: &JoinError) -> CallError {
    CallError::Unreachable(format!("the call broke off: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_transport::Seal;

    #[tokio::test]
    async fn a_call_that_breaks_off_ends_as_one_without_a_reply() {
        let mut calls = Calls::new(Caller {
            address: ([127, 0, 0, 1], 8_946).into(),
            bind: [127, 0, 0, 1].into(),
            seal: Seal::plain(),
        });
        calls.spawn(CallId(7), async { panic!("a fault") });
        let (id, reply) = calls.next().await;
        assert_eq!(id, CallId(7));
        assert!(reply.unwrap_err().to_string().starts_with("the call broke off: "));
        let list = || Ok(CallReply::List(Vec::new()));
        calls.spawn(CallId(8), async move { list() });
        assert_eq!(calls.next().await, (CallId(8), list()));
        assert!(calls.ids.is_empty());
    }
}
