//! Calls to other members over TCP. It owns the running calls and their purposes, so that the
//! purpose of a reply is always known.

use crate::wire::{self, CallReply, CallRequest, DecodeError, JoinRefusal};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// The number of a call, which its reply carries back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A request to send over TCP. The owner passes its reply, or an error, to
/// [`crate::Node::handle_reply`] within [`crate::CALL_TIMEOUT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its number.
    pub id: CallId,
    /// The member to call.
    pub to: SocketAddr,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Why a call gave no usable reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There was no connection, or it ended before the reply. The text is the transport's reason.
    #[error("{0}")]
    Unreachable(String),
    /// The other member refused the request.
    #[error(transparent)]
    Refused(#[from] JoinRefusal),
    /// The bytes of the reply are no reply.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The reply belongs to another kind of request.
    #[error("it sent the reply to another kind of request")]
    Unexpected,
}

/// The purpose of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallPurpose {
    /// A join through this introducer.
    Join { introducer: SocketAddr },
    /// A rejoin after others declared this member failed.
    Rejoin,
    /// An exchange of whole lists.
    Exchange,
    /// An operator's request to forget members.
    Forget,
    /// An exchange of all records of forgotten members.
    ExchangeForgotten,
}

/// A call whose reply has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnderWay {
    /// What for.
    pub(crate) purpose: CallPurpose,
    /// Whom.
    pub(crate) to: SocketAddr,
}

/// The calls of one node.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    made: u64,
    /// The running calls. Each ends within [`crate::CALL_TIMEOUT`], and a purpose allows few at a
    /// time.
    under_way: BTreeMap<CallId, UnderWay>,
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
        self.start_encoded(to, wire::encode_versioned(request), purpose)
    }

    /// Starts a call with a request that was encoded before, once for many members.
    pub(crate) fn start_encoded(
        &mut self,
        to: SocketAddr,
        payload: Vec<u8>,
        purpose: CallPurpose,
    ) -> CallId {
        self.made += 1;
        let id = CallId(self.made);
        self.under_way.insert(id, UnderWay { purpose, to });
        self.unsent.push_back(Call { id, to, payload });
        id
    }

    /// The next call to send.
    pub(crate) fn poll(&mut self) -> Option<Call> {
        self.unsent.pop_front()
    }

    /// Ends a call. Returns what it was for, unless it was abandoned.
    pub(crate) fn finish(&mut self, id: CallId) -> Option<UnderWay> {
        self.under_way.remove(&id)
    }

    /// Whether a call of this purpose is under way.
    pub(crate) fn any(&self, purpose: CallPurpose) -> bool {
        self.under_way.values().any(|other| other.purpose == purpose)
    }

    /// Abandons all calls of this purpose. Their replies are ignored.
    pub(crate) fn abandon(&mut self, purpose: CallPurpose) {
        self.under_way.retain(|_, other| other.purpose != purpose);
    }

    /// Abandons all calls.
    pub(crate) fn abandon_all(&mut self) {
        self.under_way.clear();
    }
}

/// Reads a reply. A reply of an unknown version counts as a refusal that names the version. This
/// takes a while for a large list; so the owner of a node may do it elsewhere.
///
/// # Errors
/// When there was no reply, when it is a refusal, and when it is malformed.
pub fn read_reply(reply: Result<&[u8], CallError>) -> Result<CallReply, CallError> {
    match wire::decode_versioned::<CallReply>(reply?) {
        Ok(CallReply::Refused(refusal)) => Err(refusal.into()),
        Err(DecodeError::Version(group)) => Err(JoinRefusal::Version { group }.into()),
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
        let under_way = UnderWay { purpose: CallPurpose::Exchange, to: to() };
        assert_eq!(calls.finish(id), Some(under_way));
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
    fn failures_of_a_call_are_distinguished() {
        let broken = CallError::Unreachable("connection refused".to_owned());
        assert_eq!(read_reply(Err(broken.clone())), Err(broken));
        assert_eq!(read_reply(Ok(b"")), Err(CallError::Decode(DecodeError::Malformed)));
        let refused = wire::encode_versioned(&CallReply::Refused(JoinRefusal::NotInGroup));
        assert_eq!(read_reply(Ok(&refused)), Err(CallError::Refused(JoinRefusal::NotInGroup)));
        let list = CallReply::List(Vec::new());
        assert_eq!(read_reply(Ok(&wire::encode_versioned(&list))), Ok(list));
        let group = PROTOCOL_VERSION + 2;
        let foreign = [0x82, group, 0xf6];
        assert_eq!(
            read_reply(Ok(&foreign)),
            Err(CallError::Refused(JoinRefusal::Version { group }))
        );
    }
}
