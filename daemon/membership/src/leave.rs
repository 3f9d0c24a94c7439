//! Leaving: the leave goes to the monitors and a few more until one has acknowledged it. Owns how
//! far that has come.

use crate::context::Context;
use crate::identity::Name;
use crate::members::Members;
use crate::message::Body;
use crate::time::Instant;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// How often the leave is sent until somebody acknowledges it.
const RESEND_INTERVAL: Duration = Duration::from_millis(200);

/// After this long without an answer the member goes anyway. The others will report it failed.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How many members receive the leave beside the monitors.
const TELL_MORE: usize = 3;

/// A leave under way.
#[derive(Debug)]
pub(crate) struct LeaveProgress {
    since: Instant,
    send_at: Instant,
    acknowledged: bool,
}

/// The end of a leave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Whether a member acknowledged it, or there was nobody to do so.
    pub(crate) acknowledged: bool,
}

impl LeaveProgress {
    pub(crate) fn new(now: Instant) -> Self {
        LeaveProgress { since: now, send_at: now, acknowledged: false }
    }

    pub(crate) fn next_at(&self) -> Instant {
        if self.acknowledged { self.since } else { self.send_at.min(self.since + TIMEOUT) }
    }

    pub(crate) fn on_acknowledged(&mut self) {
        self.acknowledged = true;
    }

    /// Goes on with it: says that this member leaves when that is due, and whether it has left.
    pub(crate) fn step(
        &mut self,
        monitors: &BTreeSet<Name>,
        members: &Members,
        context: &mut Context,
    ) -> Option<Left> {
        let now = context.now.mono;
        let alone = members.up() <= 1;
        if alone || self.acknowledged || now >= self.since + TIMEOUT {
            return Some(Left { acknowledged: alone || self.acknowledged });
        }
        if now >= self.send_at {
            self.send_at = now + RESEND_INTERVAL;
            let watching = monitors.iter().filter_map(|name| members.get(name));
            let mut to: Vec<SocketAddr> = watching.map(|entry| entry.identity.address).collect();
            to.extend(members.random(TELL_MORE, monitors, &context.local, &mut context.rng));
            for address in to {
                context.send(address, Body::Leave);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, address, name};

    fn step(leave: &mut LeaveProgress, fixture: &mut Fixture) -> Option<Left> {
        let monitors = BTreeSet::from([name(1), name(2)]);
        leave.step(&monitors, &fixture.members, &mut fixture.context)
    }

    #[test]
    fn monitors_and_a_few_more_are_informed_until_one_acknowledges() {
        let mut fixture = Fixture::new(20);
        let mut leave = LeaveProgress::new(fixture.context.now.mono);
        assert_eq!(step(&mut leave, &mut fixture), None);
        let to: Vec<SocketAddr> = fixture.sent().into_iter().map(|(to, _)| to).collect();
        assert_eq!(to.len(), 2 + TELL_MORE);
        assert_eq!(to[..2], [address(1), address(2)]);
        assert_eq!(step(&mut leave, &mut fixture), None);
        assert_eq!(fixture.sent(), [], "not before the next is due");
        fixture.pass(200);
        assert_eq!(step(&mut leave, &mut fixture), None);
        assert_eq!(fixture.sent().len(), 2 + TELL_MORE);
        leave.on_acknowledged();
        assert_eq!(step(&mut leave, &mut fixture), Some(Left { acknowledged: true }));
    }

    #[test]
    fn without_an_answer_the_member_goes_anyway() {
        let mut fixture = Fixture::new(3);
        let mut leave = LeaveProgress::new(fixture.context.now.mono);
        fixture.pass(1_999);
        assert_eq!(step(&mut leave, &mut fixture), None);
        assert_eq!(leave.next_at(), fixture.start + TIMEOUT);
        fixture.pass(1);
        assert_eq!(step(&mut leave, &mut fixture), Some(Left { acknowledged: false }));
    }

    #[test]
    fn the_last_member_leaves_at_once() {
        let mut fixture = Fixture::new(1);
        let mut leave = LeaveProgress::new(fixture.context.now.mono);
        assert_eq!(step(&mut leave, &mut fixture), Some(Left { acknowledged: true }));
    }
}
