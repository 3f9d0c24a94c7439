//! Calls to other members over TCP. Owns which calls are under way and what the reply of each is
//! for, so that no reply has to be guessed at.

use crate::wire::{self, CallReply, CallRequest, DecodeError, Refusal};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// The number of a call, by which its reply is handed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A request to send over TCP. Its reply, or the error that replaces it, is handed to
/// [`crate::Node::handle_reply`] within [`crate::CALL_TIMEOUT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its number.
    pub id: CallId,
    /// The member that is called.
    pub to: SocketAddr,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Why a call gave no reply that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No connection came about, or it ended before the reply. The text is the transport's reason.
    #[error("{0}")]
    Unreachable(String),
    /// The other member refused the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The bytes of the reply are no reply.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The reply is one to another kind of request.
    #[error("it sent the reply to another kind of request")]
    Unexpected,
}

/// What the reply of a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallPurpose {
    /// To join through this introducer.
    Join { introducer: SocketAddr },
    /// To come back after others declared this member failed.
    Rejoin,
    /// To exchange whole lists.
    Exchange,
}

/// The calls of one node.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    made: u64,
    /// Each ends within [`crate::CALL_TIMEOUT`], and a purpose allows few at a time.
    under_way: BTreeMap<CallId, CallPurpose>,
    unsent: VecDeque<Call>,
}

impl Calls {
    /// Starts a call.
    pub(crate) fn start(
        &mut self,
        to: SocketAddr,
        request: &CallRequest,
        purpose: CallPurpose,
    ) -> CallId {
        self.made += 1;
        let id = CallId(self.made);
        self.under_way.insert(id, purpose);
        self.unsent.push_back(Call { id, to, payload: wire::encode_versioned(request) });
        id
    }

    /// The next call to send.
    pub(crate) fn poll(&mut self) -> Option<Call> {
        self.unsent.pop_front()
    }

    /// Ends a call. Returns its purpose, unless it was abandoned.
    pub(crate) fn finish(&mut self, id: CallId) -> Option<CallPurpose> {
        self.under_way.remove(&id)
    }

    /// Whether a call of this purpose is under way.
    pub(crate) fn any(&self, purpose: CallPurpose) -> bool {
        self.under_way.values().any(|other| *other == purpose)
    }

    /// The replies to calls of this purpose are not waited for any more.
    pub(crate) fn abandon(&mut self, purpose: CallPurpose) {
        self.under_way.retain(|_, other| *other != purpose);
    }

    /// No reply is waited for any more.
    pub(crate) fn abandon_all(&mut self) {
        self.under_way.clear();
    }
}

/// Reads a reply. A version that is not understood is a refusal that names it.
pub(crate) fn read_reply(reply: Result<&[u8], CallError>) -> Result<CallReply, CallError> {
    match wire::decode_versioned::<CallReply>(reply?) {
        Ok(CallReply::Refused(refusal)) => Err(refusal.into()),
        Err(DecodeError::Version(group)) => Err(Refusal::Version { group }.into()),
        decoded => Ok(decoded?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::PROTOCOL_VERSION;

    fn to() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], 8_946))
    }

    fn exchange(calls: &mut Calls) -> CallId {
        let request = CallRequest::Exchange { sender: crate::testing::update(1), list: Vec::new() };
        calls.start(to(), &request, CallPurpose::Exchange)
    }

    #[test]
    fn a_reply_is_looked_up_by_its_call_and_once() {
        let mut calls = Calls::default();
        let id = exchange(&mut calls);
        assert_eq!(calls.poll().unwrap().id, id);
        assert_eq!(calls.poll(), None);
        assert!(calls.any(CallPurpose::Exchange));
        assert!(!calls.any(CallPurpose::Rejoin));
        assert_eq!(calls.finish(id), Some(CallPurpose::Exchange));
        assert_eq!(calls.finish(id), None);
        assert!(!calls.any(CallPurpose::Exchange));
    }

    #[test]
    fn the_reply_of_an_abandoned_call_has_no_purpose() {
        let mut calls = Calls::default();
        let (first, second) = (exchange(&mut calls), exchange(&mut calls));
        assert_ne!(first, second);
        calls.abandon(CallPurpose::Rejoin);
        assert!(calls.any(CallPurpose::Exchange));
        calls.abandon(CallPurpose::Exchange);
        assert_eq!(calls.finish(first), None);
        let third = exchange(&mut calls);
        calls.abandon_all();
        assert_eq!(calls.finish(third), None);
    }

    #[test]
    fn failures_of_a_call_are_told_apart() {
        let broken = CallError::Unreachable("connection refused".to_owned());
        assert_eq!(read_reply(Err(broken.clone())), Err(broken));
        assert_eq!(read_reply(Ok(b"")), Err(CallError::Decode(DecodeError::Malformed)));
        let refused = wire::encode_versioned(&CallReply::Refused(Refusal::NotInGroup));
        assert_eq!(read_reply(Ok(&refused)), Err(CallError::Refused(Refusal::NotInGroup)));
        let list = CallReply::List(Vec::new());
        assert_eq!(read_reply(Ok(&wire::encode_versioned(&list))), Ok(list));
        let group = PROTOCOL_VERSION + 2;
        let foreign = [0x82, group, 0xf6];
        assert_eq!(read_reply(Ok(&foreign)), Err(CallError::Refused(Refusal::Version { group })));
    }
}
