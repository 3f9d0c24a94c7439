//! Small members, moments and lists for the unit tests of this crate.

use crate::context::Context;
use crate::gossip::Gossip;
use crate::identity::{Identity, Incarnation, Name};
use crate::list::tags::{TagKey, TagValue, Tags};
use crate::list::{Claim, List, Update};
use crate::local::Local;
use crate::members::Members;
use crate::message::Body;
use crate::settings::Settings;
use crate::time::{Instant, Now, WallTime};
use crate::wire;
use std::net::SocketAddr;
use std::time::Duration;

/// The wall clock at the monotonic epoch: 2025-11-21.
const EPOCH_WALL: u64 = 1_763_688_000_000;

pub(crate) fn name(i: u8) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

pub(crate) fn address(i: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, i], 8_946))
}

pub(crate) fn identity(i: u8) -> Identity {
    Identity { name: name(i), address: address(i), incarnation: Incarnation(EPOCH_WALL) }
}

/// Member `i` is alive.
pub(crate) fn update(i: u8) -> Update {
    Update::new(identity(i), Claim::Alive)
}

/// A list of the members 0 to `size - 1`, all alive.
pub(crate) fn list(size: u8) -> List {
    let mut list = List::new();
    for i in 0..size {
        list.merge(update(i), Instant::EPOCH);
    }
    list
}

/// Both clocks this many milliseconds after the epoch.
pub(crate) fn at(ms: u64) -> Now {
    Now { mono: Instant::from_epoch(Duration::from_millis(ms)), wall: WallTime(EPOCH_WALL + ms) }
}

/// One tag.
pub(crate) fn tags(key: &str, value: &str) -> Tags {
    Tags::new([(TagKey::new(key).unwrap(), TagValue::new(value).unwrap())]).unwrap()
}

/// Member 0 in a group that has been at rest for a while.
pub(crate) struct Fixture {
    pub(crate) members: Members,
    pub(crate) context: Context,
    pub(crate) gossip: Gossip,
    /// The monotonic time at which it began.
    pub(crate) start: Instant,
}

impl Fixture {
    /// A group of the members 0 to `size - 1`.
    pub(crate) fn new(size: u8) -> Self {
        Fixture::of(Settings::default(), size)
    }

    /// A group with these settings.
    pub(crate) fn of(settings: Settings, size: u8) -> Self {
        let own = identity(0);
        let local = Local::new(own.name, own.address, Some(own.incarnation));
        let mut context = Context::new(settings, local, 7);
        context.begin_step(at(100_000));
        let mut members = Members::new();
        members.begin(list(size), &context);
        Fixture { members, start: context.now.mono, context, gossip: Gossip::default() }
    }

    /// This many milliseconds pass.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.context.begin_step(at(self.context.now.mono.as_millis() + ms));
    }

    /// Member 0 begins another incarnation now.
    pub(crate) fn begin(&mut self) {
        let now = self.context.now;
        let next = self.context.local.next_incarnation(now, Incarnation(0));
        self.context.local.begin(next, now.mono);
    }

    /// Takes all datagrams that were sent.
    pub(crate) fn sent(&mut self) -> Vec<(SocketAddr, Body)> {
        let mut payload = Vec::new();
        let mut sent = Vec::new();
        while let Some(transmit) = self.context.outputs.datagrams.take(&mut payload) {
            sent.push((transmit.to, wire::decode(&payload).unwrap().body));
        }
        sent
    }
}
