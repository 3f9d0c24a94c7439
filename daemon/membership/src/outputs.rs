//! The one queue of what a node asks of its owner. Owns events, datagrams and calls that were not
//! taken yet.

mod datagrams;

use crate::calls::{Call, Calls};
use crate::event::Event;
use datagrams::Datagrams;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// A datagram to send; its bytes are in the buffer that [`crate::Node::poll_output`] was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// To whom.
    pub to: SocketAddr,
    /// Its kind, for logs and counters.
    pub kind: &'static str,
    /// Whether it is a [`crate::Body::Announce`], which goes to whoever may be at the address.
    pub is_announce: bool,
}

/// What a node asks of its owner, in this order: all events, then all datagrams, then all calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Something happened. An [`Event::Incarnation`] has to be durable before the next output is
    /// asked for.
    Event(Event),
    /// A datagram to send over UDP.
    Transmit(Transmit),
    /// A request to send over TCP.
    Call(Call),
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    pub(crate) events: VecDeque<Event>,
    pub(crate) datagrams: Datagrams,
    pub(crate) calls: Calls,
}

impl Outputs {
    /// Takes the next output; the bytes of a datagram replace those in `payload`.
    pub(crate) fn poll(&mut self, payload: &mut Vec<u8>) -> Option<Output> {
        if let Some(event) = self.events.pop_front() {
            return Some(Output::Event(event));
        }
        if let Some(transmit) = self.datagrams.take(payload) {
            return Some(Output::Transmit(transmit));
        }
        self.calls.poll().map(Output::Call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::CallPurpose;
    use crate::identity::Incarnation;
    use crate::message::Body;
    use crate::testing::{Fixture, address, update};
    use crate::wire::CallRequest;

    /// So an incarnation is durable before anything is sent under it.
    #[test]
    fn events_come_first_then_datagrams_then_calls() {
        let mut fixture = Fixture::new(2);
        let context = &mut fixture.context;
        let request = CallRequest::Exchange { sender: update(0), list: Vec::new() };
        context.call(address(1), &request, CallPurpose::Exchange);
        context.send(address(1), Body::Leave);
        context.send(address(1), Body::LeaveAcknowledged);
        context.report(Event::Incarnation(Incarnation(7)));
        context.report(Event::JoinDone);
        let mut payload = Vec::new();
        let mut next = |outputs: &mut Outputs| match outputs.poll(&mut payload) {
            Some(Output::Event(_)) => "event",
            Some(Output::Transmit(transmit)) => transmit.kind,
            Some(Output::Call(_)) => "call",
            None => "nothing",
        };
        let outputs = &mut context.outputs;
        assert_eq!([(); 3].map(|()| next(outputs)), ["event", "event", "leave"]);
        outputs.events.push_back(Event::JoinDone);
        assert_eq!(next(outputs), "event", "also one that came while datagrams were taken");
        assert_eq!([(); 3].map(|()| next(outputs)), ["leave-heard", "call", "nothing"]);
    }
}
