//! Rejoining: a member that others declared failed comes back under a larger incarnation. Owns when
//! it may try next and what it asked for.

pub(crate) mod announce;

use crate::calls::CallPurpose;
use crate::context::Context;
use crate::gossip::anti_entropy::digest::Digest;
use crate::gossip::broadcast::TELL_EVERYONE_UP_TO;
use crate::identity::Incarnation;
use crate::list::List;
use crate::members::Members;
use crate::message::Body;
use crate::time::Instant;
use crate::wire::CallRequest;
use rand::seq::IndexedRandom;
use std::net::SocketAddr;
use std::time::Duration;

/// The least time between two attempts to come back.
const PAUSE: Duration = Duration::from_millis(500);

/// How many former companions a member that changes sides tells of it in a large group.
const TELL_COMPANIONS: usize = 8;

/// The attempts to come back.
#[derive(Debug)]
pub(crate) struct Rejoin {
    /// The incarnation that was asked for in the last attempt.
    asked_for: Incarnation,
    next_at: Instant,
}

/// A member that is up on this side, by address and incarnation.
pub(crate) type Companion = (SocketAddr, Incarnation);

impl Rejoin {
    pub(crate) fn new() -> Self {
        Rejoin { asked_for: Incarnation(0), next_at: Instant::EPOCH }
    }

    /// Asks a member to welcome this one back, under an incarnation larger than `known`. One
    /// attempt at a time.
    pub(crate) fn through(&mut self, via: SocketAddr, known: Incarnation, context: &mut Context) {
        let now = context.now.mono;
        if context.outputs.calls.any(CallPurpose::Rejoin) || now < self.next_at {
            return;
        }
        self.next_at = now + PAUSE;
        self.asked_for = context.local.next_incarnation(context.now, known);
        let mut newcomer = context.local.introduction();
        newcomer.identity.incarnation = self.asked_for;
        let request = CallRequest::Join { newcomer, settings: context.group().clone() };
        context.call(via, &request, CallPurpose::Rejoin);
    }

    /// The incarnation with which a welcome lets this member come back. `last` is the largest that
    /// the group knows of its name.
    pub(crate) fn welcomed_as(&self, last: u64, context: &Context) -> Incarnation {
        let known = context.plausibility.known(last, context.local.incarnation);
        context.local.next_incarnation(context.now, known).max(self.asked_for)
    }

    /// Comes back without asking, if it is not too soon: others hold this very incarnation for
    /// being elsewhere, and only this member can know better. Returns the new one.
    pub(crate) fn alone(&mut self, context: &mut Context) -> Option<Incarnation> {
        let now = context.now;
        if now.mono < self.next_at {
            return None;
        }
        self.next_at = now.mono + PAUSE;
        context.outputs.calls.abandon(CallPurpose::Rejoin);
        Some(context.local.next_incarnation(now, context.local.incarnation))
    }
}

/// Tells a member that it is gone here.
pub(crate) fn send_declared_failed(
    to: SocketAddr,
    incarnation: Incarnation,
    list: &List,
    context: &mut Context,
) {
    context.send(to, Body::DeclaredFailed { incarnation, side: list.digest() });
}

/// Whether this side stays where each of two sides holds the other for failed, or has it forgotten:
/// the group was split, and the smaller side yields. Its members come back one by one, and the
/// larger side keeps its incarnations.
pub(crate) fn stays(
    from: SocketAddr,
    theirs: Incarnation,
    side: Digest,
    members: &Members,
) -> bool {
    let gone = members.is_failed_at(from, theirs) || members.forgotten.at(from) >= Some(theirs);
    gone && side <= members.digest()
}

/// Those that are up here beside this member.
pub(crate) fn companions(members: &Members, context: &Context) -> Vec<Companion> {
    let up =
        members.iter().filter(|entry| entry.is_up() && entry.identity.name != context.local.name);
    up.map(|entry| (entry.identity.address, entry.identity.incarnation)).collect()
}

/// After a change of sides the former companions hear that they are gone here, so that they follow
/// at once.
pub(crate) fn tell_companions(
    companions: Vec<Companion>,
    members: &Members,
    context: &mut Context,
) {
    let mut left_behind: Vec<Companion> = companions
        .into_iter()
        .filter(|(address, incarnation)| members.is_failed_at(*address, *incarnation))
        .collect();
    if left_behind.len() > TELL_EVERYONE_UP_TO {
        let rng = &mut context.rng;
        left_behind = left_behind.sample(rng, TELL_COMPANIONS).copied().collect();
    }
    for (address, incarnation) in left_behind {
        send_declared_failed(address, incarnation, members, context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forgotten::Forgotten;
    use crate::list::{Claim, FailureEvidence, Update};
    use crate::testing::{Fixture, address, identity, name};

    fn fail(fixture: &mut Fixture, i: u8) {
        let evidence = FailureEvidence { detected_by: name(0), silent_ms: 1_750 };
        let failed = Update::new(identity(i), Claim::Failed(evidence));
        fixture.members.merge(failed, &mut fixture.context);
    }

    #[test]
    fn one_attempt_at_a_time_and_not_too_soon() {
        let mut fixture = Fixture::new(3);
        let mut rejoin = Rejoin::new();
        let known = identity(0).incarnation;
        rejoin.through(address(1), known, &mut fixture.context);
        let call = fixture.context.outputs.calls.poll().unwrap();
        assert_eq!(call.to, address(1));
        fixture.pass(2_000);
        rejoin.through(address(2), known, &mut fixture.context);
        assert_eq!(fixture.context.outputs.calls.poll(), None, "the first is under way");
        fixture.context.outputs.calls.finish(call.id);
        rejoin.through(address(2), known, &mut fixture.context);
        let call = fixture.context.outputs.calls.poll().unwrap();
        fixture.context.outputs.calls.finish(call.id);
        fixture.pass(499);
        rejoin.through(address(2), known, &mut fixture.context);
        assert_eq!(fixture.context.outputs.calls.poll(), None, "too soon");
    }

    #[test]
    fn the_new_incarnation_is_larger_than_asked_for_and_known() {
        let mut fixture = Fixture::new(3);
        let mut rejoin = Rejoin::new();
        let known = Incarnation(fixture.context.now.wall.0 + 50);
        rejoin.through(address(1), known, &mut fixture.context);
        assert_eq!(rejoin.welcomed_as(0, &fixture.context), Incarnation(known.0 + 1));
        let last = known.0 + 100;
        assert_eq!(rejoin.welcomed_as(last, &fixture.context), Incarnation(last + 1));
        assert!(rejoin.welcomed_as(u64::MAX, &fixture.context) <= Incarnation(last));
    }

    #[test]
    fn coming_back_alone_abandons_the_call() {
        let mut fixture = Fixture::new(3);
        let mut rejoin = Rejoin::new();
        rejoin.through(address(1), Incarnation(0), &mut fixture.context);
        let call = fixture.context.outputs.calls.poll().unwrap();
        assert_eq!(rejoin.alone(&mut fixture.context), None, "too soon");
        fixture.pass(500);
        assert!(rejoin.alone(&mut fixture.context) > Some(fixture.context.local.incarnation));
        assert_eq!(fixture.context.outputs.calls.finish(call.id), None);
    }

    #[test]
    fn the_larger_side_stays() {
        let mut fixture = Fixture::new(4);
        let theirs = identity(3).incarnation;
        let small = Digest { count: 1, hash: 0 };
        assert!(!stays(address(3), theirs, small, &fixture.members), "it is up here");
        fail(&mut fixture, 3);
        assert!(stays(address(3), theirs, small, &fixture.members));
        let large = Digest { count: 9, hash: 0 };
        assert!(!stays(address(3), theirs, large, &fixture.members));
        let keep = Duration::from_secs(60);
        let record = Forgotten { identity: identity(3), by: name(0), keep };
        fixture.members.forget(&record, &mut fixture.context);
        assert!(stays(address(3), theirs, small, &fixture.members), "it is forgotten");
        assert!(!stays(address(3), theirs, large, &fixture.members));
        let newer = Incarnation(theirs.0 + 1);
        assert!(!stays(address(3), newer, small, &fixture.members), "not in this incarnation");
    }

    #[test]
    fn companions_that_failed_on_the_new_side_are_informed() {
        let mut fixture = Fixture::new(5);
        let before = companions(&fixture.members, &fixture.context);
        assert_eq!(before.len(), 4);
        fail(&mut fixture, 1);
        fail(&mut fixture, 2);
        tell_companions(before, &fixture.members, &mut fixture.context);
        let to: Vec<SocketAddr> = fixture.sent().into_iter().map(|(to, _)| to).collect();
        assert_eq!(to, [address(1), address(2)]);
    }
}
