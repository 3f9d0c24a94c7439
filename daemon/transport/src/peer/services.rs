//! The registry of services: which kinds of requests this member answers, and how. Owns the
//! handlers; the daemon fills it at its start, and then it does not change.

use super::RequestKind;
use super::stream::PeerStream;
use crate::admission::Permit;
use crate::source::Source;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

type Answer<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// A request that begins a conversation.
#[derive(Debug)]
pub struct StreamRequest {
    /// Its bytes.
    pub body: Vec<u8>,
    /// The turn of a large request. A few of these are in memory at a time. A conversation may go
    /// on for days, so its service drops the turn once it has bounded what it keeps of the request.
    pub turn: Option<Permit>,
    /// Who asks: the machine at the other end.
    pub source: Source,
    /// The address from which it came, if the system tells it.
    pub from: Option<IpAddr>,
}

/// Answers a request of the machine that asks.
type CallHandler = dyn Fn(Vec<u8>, Source) -> Answer<Vec<u8>> + Send + Sync;

/// What answers requests of one kind.
pub(super) enum Handler {
    /// Returns the reply.
    Call(Box<CallHandler>),
    /// Goes on with the connection.
    Stream(Box<dyn Fn(StreamRequest, PeerStream) -> Answer<()> + Send + Sync>),
}

/// One kind of request.
pub(super) struct Service {
    pub(super) handler: Handler,
    /// The longest body of a request.
    pub(super) max_bytes: usize,
}

/// The services that this member offers to other members, by kind of request.
#[derive(Default)]
pub struct PeerServices {
    kinds: BTreeMap<RequestKind, Service>,
}

/// Two services have the same kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kind of request {} has a service already", .0.0)]
pub struct KindTaken(pub RequestKind);

impl PeerServices {
    /// Adds a service whose requests, of up to `max_bytes`, are answered with one frame each.
    /// `answer` gets the request and the machine that asks. Its error ends the connection without a
    /// reply.
    ///
    /// # Errors
    /// When the kind has a service already.
    pub fn with_call<F>(
        self,
        kind: RequestKind,
        max_bytes: usize,
        answer: impl Fn(Vec<u8>, Source) -> F + Send + Sync + 'static,
    ) -> Result<Self, KindTaken>
    where
        F: Future<Output = io::Result<Vec<u8>>> + Send + 'static,
    {
        let handler = Handler::Call(Box::new(move |body, source| Box::pin(answer(body, source))));
        self.with(kind, Service { handler, max_bytes })
    }

    /// Adds a service whose requests, of up to `max_bytes`, each begin a conversation that has its
    /// connection for itself. The connection ends when the future does.
    ///
    /// # Errors
    /// When the kind has a service already.
    pub fn with_stream<F>(
        self,
        kind: RequestKind,
        max_bytes: usize,
        serve: impl Fn(StreamRequest, PeerStream) -> F + Send + Sync + 'static,
    ) -> Result<Self, KindTaken>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let handler =
            Handler::Stream(Box::new(move |request, stream| Box::pin(serve(request, stream))));
        self.with(kind, Service { handler, max_bytes })
    }

    fn with(mut self, kind: RequestKind, service: Service) -> Result<Self, KindTaken> {
        match self.kinds.insert(kind, service) {
            None => Ok(self),
            Some(_) => Err(KindTaken(kind)),
        }
    }

    pub(super) fn get(&self, kind: RequestKind) -> Option<&Service> {
        self.kinds.get(&kind)
    }

    /// The longest body of a request of any kind.
    pub(super) fn max_bytes(&self) -> usize {
        self.kinds.values().map(|service| service.max_bytes).max().unwrap_or(0)
    }
}

impl fmt::Debug for PeerServices {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_set().entries(self.kinds.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_service() {
        let answer = |body, _| async { Ok(body) };
        let (one, other) = (RequestKind::new(1), RequestKind::new(2));
        let services = PeerServices::default().with_call(one, 10, answer).unwrap();
        let services = services.with_call(other, 20, answer).unwrap();
        assert_eq!(services.max_bytes(), 20);
        let again = services.with_stream(one, 10, |_, _| async { Ok(()) });
        assert_eq!(again.unwrap_err(), KindTaken(one));
    }
}
