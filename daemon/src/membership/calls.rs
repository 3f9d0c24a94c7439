//! The protocol's calls over TCP, each a small task whose result comes back to the owner of the
//! node.

use crate::peer::MEMBERSHIP;
use memberd_membership::{CALL_TIMEOUT, Call, CallError, CallId, MAX_CALL};
use memberd_transport::Caller;
use std::collections::HashMap;
use tokio::task::{Id, JoinSet};

/// The bytes of a call's reply, or why there is none.
type Reply = Result<Vec<u8>, CallError>;

/// The calls under way. The protocol makes few at a time, and each ends by [`CALL_TIMEOUT`].
#[derive(Debug)]
pub(super) struct Calls {
    caller: Caller,
    tasks: JoinSet<Reply>,
    /// Which call each task is.
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
            reply.map_err(|error| CallError::Unreachable(error.to_string()))
        });
    }

    fn spawn(&mut self, id: CallId, call: impl Future<Output = Reply> + Send + 'static) {
        let task = self.tasks.spawn(call).id();
        self.ids.insert(task, id);
    }

    /// What became of the next call that ends, in whatever way: the protocol waits for each. Waits
    /// for ever while none is under way.
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

fn broke_off(error: &tokio::task::JoinError) -> CallError {
    CallError::Unreachable(format!("the call broke off: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_transport::Seal;

    #[tokio::test]
    async fn a_call_that_breaks_off_ends_as_one_without_a_reply() {
        let mut calls =
            Calls::new(Caller { address: ([127, 0, 0, 1], 8_946).into(), seal: Seal::plain() });
        calls.spawn(CallId(7), async { panic!("a fault") });
        let (id, reply) = calls.next().await;
        assert_eq!(id, CallId(7));
        assert!(reply.unwrap_err().to_string().starts_with("the call broke off: "));
        calls.spawn(CallId(8), async { Ok(vec![1]) });
        assert_eq!(calls.next().await, (CallId(8), Ok(vec![1])));
        assert!(calls.ids.is_empty());
    }
}
