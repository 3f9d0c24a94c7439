//! The context of every state machine of a node. It owns the time of the present step, this
//! member's identity, the source of randomness, the counters and the one queue of outputs.

use crate::calls::{CallId, CallPurpose};
use crate::event::Event;
use crate::local::Local;
use crate::message::{Body, Message};
use crate::node::Counters;
use crate::outputs::Outputs;
use crate::plausibility::Plausibility;
use crate::settings::{Detection, GroupSettings, Settings};
use crate::time::{Instant, Now, WallTime};
use crate::wire::CallRequest;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::net::SocketAddr;

/// The surroundings of the state machines.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) local: Local,
    pub(crate) plausibility: Plausibility,
    /// The time of the input that is being handled.
    pub(crate) now: Now,
    /// From where came what is handled in this step, if another member sent it.
    pub(crate) told_from: Option<SocketAddr>,
    /// The source of every random choice.
    pub(crate) rng: SmallRng,
    pub(crate) counters: Counters,
    pub(crate) outputs: Outputs,
}

impl Context {
    pub(crate) fn new(settings: Settings, local: Local, seed: u64) -> Self {
        Context {
            settings,
            local,
            plausibility: Plausibility::new(),
            now: Now { mono: Instant::EPOCH, wall: WallTime(0) },
            told_from: None,
            rng: SmallRng::seed_from_u64(seed),
            counters: Counters::default(),
            outputs: Outputs::default(),
        }
    }

    /// Begins a step, whose events happen at this time. Nobody has told this member anything in it.
    pub(crate) fn begin_step(&mut self, now: Now) {
        self.now = now;
        self.told_from = None;
        self.plausibility.observe(now.wall);
    }

    pub(crate) fn group(&self) -> &GroupSettings {
        &self.settings.group
    }

    /// How many members watch each member: the group's k. SWIM's pings tell both sides of each
    /// other, so there they are an even number.
    pub(crate) fn monitors_wanted(&self) -> usize {
        let k = usize::from(self.settings.group.max_simultaneous_failures);
        match self.settings.group.detection {
            Detection::Ring { .. } => k,
            Detection::Swim(_) => k.div_ceil(2) * 2,
        }
    }

    /// Sends a datagram, but never to this member itself.
    pub(crate) fn send(&mut self, to: SocketAddr, body: Body) {
        if to == self.local.address {
            return;
        }
        let incarnation = self.local.incarnation;
        let message = Message { incarnation, sent: self.local.sent_at(self.now), body };
        let length = self.outputs.datagrams.add(to, &message);
        self.counters.count_sent(length);
    }

    /// Calls another member over TCP.
    pub(crate) fn call(
        &mut self,
        to: SocketAddr,
        request: &CallRequest,
        purpose: CallPurpose,
    ) -> CallId {
        self.outputs.calls.start(to, request, purpose)
    }

    /// Reports an event to the owner of the node.
    pub(crate) fn report(&mut self, event: Event) {
        self.outputs.events.push_back(event);
    }
}
