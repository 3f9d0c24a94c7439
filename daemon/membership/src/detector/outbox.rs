//! What both detectors send: heartbeats and pings, with what rides on them. It owns nothing,
//! because it is a view of the node's state for one step.

use super::peer_clock::PeerClock;
use super::plain_heartbeat;
use super::watches::Watches;
use crate::context::Context;
use crate::gossip::Gossip;
use crate::identity::Name;
use crate::list::Update;
use crate::members::Members;
use crate::message::Body;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// For this long after a change of its list, a member also compares lists with random members
/// beyond its neighbours.
const COMPARE_AFTER_CHANGE: Duration = Duration::from_secs(10);

/// What messages are made from.
pub(super) struct Outbox<'a> {
    pub(super) watches: &'a Watches,
    pub(super) members: &'a Members,
    pub(super) gossip: &'a mut Gossip,
    pub(super) context: &'a mut Context,
}

impl Outbox<'_> {
    /// A heartbeat for one member, without gossip. One that was not heard yet may not know this
    /// member, which therefore introduces itself.
    pub(super) fn heartbeat(&self, to: &Name) -> Body {
        let (hash, delay, updates) = self.parts(to);
        Body::Heartbeat { hash, delay, updates }
    }

    /// Sends a heartbeat, which carries gossip.
    pub(super) fn send_heartbeat(&mut self, name: &Name, to: SocketAddr) {
        let body = self.heartbeat(name);
        self.fill_and_send(to, body);
    }

    /// Sends a ping, which carries gossip.
    pub(super) fn send_ping(&mut self, name: &Name, to: SocketAddr) {
        let (hash, delay, updates) = self.parts(name);
        self.context.counters.pings += 1;
        self.fill_and_send(to, Body::Ping { hash, delay, updates });
    }

    /// Soon after a change of the list, compares it with this many members beyond the neighbours,
    /// which compare lists anyway.
    pub(super) fn compare_after_change<'n>(
        &mut self,
        count: usize,
        neighbours: impl Iterator<Item = &'n Name>,
    ) {
        let Outbox { members, context, .. } = self;
        if context.now.mono.since(members.last_change()) >= COMPARE_AFTER_CHANGE {
            return;
        }
        let except: BTreeSet<Name> = neighbours.cloned().collect();
        if members.up() <= except.len() + 1 {
            return;
        }
        for address in members.random(count, &except, &context.local, &mut context.rng) {
            self.fill_and_send(address, plain_heartbeat(self.members));
        }
    }

    fn parts(&self, to: &Name) -> (u32, Option<i64>, Vec<Update>) {
        let delay = self.watches.clock(to).and_then(PeerClock::delay);
        // There is a delay as soon as anything was heard.
        let introduction = delay.is_none().then(|| self.context.local.introduction());
        (self.members.digest().hash, delay, introduction.into_iter().collect())
    }

    fn fill_and_send(&mut self, to: SocketAddr, mut body: Body) {
        self.gossip.fill(&mut body, self.context.now.mono);
        self.context.send(to, body);
    }
}
