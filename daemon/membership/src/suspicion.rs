//! SWIM's suspicion: monitors tell the others of a member that may have failed, so that it can show
//! that it is up. It owns what is suspected.
//!
//! A suspicion is a fact beside the list: no state of a member, and no part of the digest. It names
//! the newest send time of the member that its monitor knew, by the member's own clock. A newer one
//! refutes it. Of two facts the newer one stays, so their order does not matter.

use crate::context::Context;
use crate::detector::peer_clock::AGREEMENT;
use crate::event::Event;
use crate::gossip::Source;
use crate::gossip::broadcast::{Broadcasts, Fact};
use crate::identity::{Incarnation, Name};
use crate::members::Members;
use crate::message::{Body, UPDATES_ROOM, pieces};
use crate::settings::GroupSettings;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// The shortest time between two refutations of one member.
const REFUTE_AGAIN: Duration = Duration::from_millis(500);

/// What a member says of the silence of another, or of the end of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// The member that may have failed.
    pub name: Name,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Its newest send time that is known, by its own monotonic clock: milliseconds since its
    /// incarnation began. Zero if it was never heard.
    pub sent: u64,
    /// The monitor that suspects it; `None` says that it was heard at that time.
    pub by: Option<Name>,
}

impl Suspicion {
    /// Of two facts the larger one stays. A suspicion is later knowledge than that the member was
    /// heard at the same moment: nothing was heard of it since.
    pub(crate) fn newness(&self) -> (u64, bool) {
        (self.sent, self.by.is_some())
    }

    /// The most bytes that this takes in a datagram.
    fn wire_size(&self) -> usize {
        let by = self.by.as_ref().map_or(1, |by| 2 + by.as_str().len());
        1 + 2 + self.name.as_str().len() + 9 + 9 + by
    }
}

impl Fact for Suspicion {
    type About = Name;

    fn about(&self) -> &Name {
        &self.name
    }
}

/// A fact, and how long it counts.
#[derive(Debug, Clone)]
struct Held {
    fact: Suspicion,
    since: Instant,
    until: Instant,
}

/// What a member knows of suspicions. There is one fact of each member at most.
#[derive(Debug, Default)]
pub(crate) struct Suspicions {
    held: BTreeMap<Name, Held>,
    /// No fact ends before this.
    next_end: Option<Instant>,
    broadcasts: Broadcasts<Suspicion>,
    /// When this member refuted last.
    refuted_at: Option<Instant>,
}

impl Suspicions {
    /// The monitor that suspects a member.
    pub(crate) fn suspected_by(&self, name: &Name) -> Option<&Name> {
        self.held.get(name)?.fact.by.as_ref()
    }

    /// Takes a fact in and spreads it, unless one is held that is as new. Returns whether it was
    /// taken in. `silent` is the age of the newest evidence here.
    pub(crate) fn learn(
        &mut self,
        fact: Suspicion,
        source: Source,
        silent: Option<Duration>,
        members: &Members,
        context: &mut Context,
    ) -> bool {
        let Some(entry) = members.alive_as(&fact.name, fact.incarnation) else { return false };
        let held = self.held.get(&fact.name);
        let held = held.filter(|held| held.fact.incarnation == fact.incarnation);
        if held.is_some_and(|held| held.fact.newness() >= fact.newness()) {
            return false;
        }
        let (now, member) = (context.now.mono, entry.identity.clone());
        let suspected = held.and_then(|held| Some((held.fact.by.clone()?, held.since)));
        let since = suspected.as_ref().map_or(now, |(_, since)| *since);
        // That a member is up is news only where it was suspected, or from itself.
        let is_news =
            fact.by.is_some() || suspected.is_some() || matches!(source, Source::FirstHand);
        match (fact.by.clone(), suspected) {
            (Some(by), None) => context.report(Event::Suspected { member, by, silent }),
            (None, Some((suspected_by, since))) => {
                let after = now.since(since);
                context.report(Event::Cleared { member, suspected_by, after });
            }
            // The one suspicion follows the other, or a member is up that nobody suspected.
            (Some(_), Some(_)) | (None, None) => {}
        }
        let until = now + kept(context.group());
        self.next_end = Some(self.next_end.map_or(until, |end| end.min(until)));
        self.held.insert(fact.name.clone(), Held { fact: fact.clone(), since, until });
        if is_news {
            self.broadcasts.learn(fact, source, members.up(), Duration::ZERO, now);
        }
        true
    }

    /// What is held of the same incarnation and is newer than this fact.
    pub(crate) fn newer_than(&self, fact: &Suspicion) -> Option<Suspicion> {
        let held = &self.held.get(&fact.name)?.fact;
        let newer = held.incarnation == fact.incarnation && held.newness() > fact.newness();
        newer.then(|| held.clone())
    }

    /// Whether this member may refute a suspicion of itself now: not too often.
    pub(crate) fn may_refute(&mut self, now: Instant) -> bool {
        let may = self.refuted_at.is_none_or(|at| now.since(at) >= REFUTE_AGAIN);
        if may {
            self.refuted_at = Some(now);
        }
        may
    }

    /// A member itself was heard at this moment of its clock. Whatever is said of a later one
    /// cannot be.
    pub(crate) fn on_direct(
        &mut self,
        name: &Name,
        incarnation: Incarnation,
        sent: u64,
        members: &Members,
        context: &mut Context,
    ) {
        let latest = sent.saturating_add(AGREEMENT.unsigned_abs());
        let cannot_be =
            |held: &Held| held.fact.incarnation == incarnation && held.fact.sent > latest;
        if self.held.get(name).is_some_and(cannot_be) {
            self.end(members, context, |held| held.fact.name == *name);
        }
    }

    /// A member was heard, or heard of, that was up at this moment of its clock. Returns the
    /// monitor whose suspicion that refutes. It is another one, which is to be told.
    pub(crate) fn on_heard(
        &mut self,
        name: &Name,
        incarnation: Incarnation,
        sent: u64,
        members: &Members,
        context: &mut Context,
    ) -> Option<Name> {
        let held = self
            .held
            .get(name)
            .filter(|held| held.fact.incarnation == incarnation && held.fact.sent < sent)?;
        let by = held.fact.by.clone()?;
        let own = by == context.local.name;
        let fact = Suspicion { name: name.clone(), incarnation, sent, by: None };
        // Whoever suspected it tells all that it is over.
        let source = if own { Source::FirstHand } else { Source::SecondHand };
        self.learn(fact, source, None, members, context);
        (!own).then_some(by)
    }

    /// Sends the facts that are due, and drops those that count no more.
    pub(crate) fn tell_if_due(&mut self, members: &Members, context: &mut Context) {
        let now = context.now.mono;
        self.end_old(members, context);
        let Some(round) = self.broadcasts.round(members.up(), now) else { return };
        for (to, facts) in round.addressed(members, context) {
            for piece in pieces(facts, UPDATES_ROOM, Suspicion::wire_size) {
                for address in &to {
                    context.send(*address, Body::Suspicions(piece.clone()));
                }
            }
        }
    }

    /// Drops facts that count no more. It may be that only the news of their end was lost.
    fn end_old(&mut self, members: &Members, context: &mut Context) {
        let now = context.now.mono;
        if self.next_end.is_some_and(|end| end <= now) {
            self.end(members, context, |held| held.until <= now);
            self.next_end = self.held.values().map(|held| held.until).min();
        }
    }

    /// Drops facts, and reports the end of suspicions among them.
    fn end(&mut self, members: &Members, context: &mut Context, is_over: impl Fn(&Held) -> bool) {
        self.held.retain(|name, held| {
            if !is_over(held) {
                return true;
            }
            let member = members.get(name).map(|entry| entry.identity.clone());
            if let (Some(member), Some(suspected_by)) = (member, held.fact.by.clone()) {
                let after = context.now.mono.since(held.since);
                context.report(Event::Cleared { member, suspected_by, after });
            }
            false
        });
    }

    /// Ends suspicions of members that are gone, or have another incarnation: nothing of an old
    /// incarnation is held against the new one.
    pub(crate) fn drop_settled(&mut self, members: &Members) {
        self.held.retain(|name, held| members.alive_as(name, held.fact.incarnation).is_some());
    }

    /// The next moment at which something is to be sent or dropped.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.next_end.into_iter().chain(self.broadcasts.next_at()).min()
    }
}

/// How long a fact counts: by then its member has been heard everywhere, or was declared failed.
fn kept(group: &GroupSettings) -> Duration {
    group.patience() * 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::{Claim, Update};
    use crate::testing::{Fixture, identity, name};
    use crate::time::millis;
    use proptest::prelude::*;

    fn fact(sent: u64, by: Option<u8>) -> Suspicion {
        let incarnation = identity(1).incarnation;
        Suspicion { name: name(1), incarnation, sent, by: by.map(name) }
    }

    fn learn(suspicions: &mut Suspicions, fixture: &mut Fixture, fact: Suspicion) -> bool {
        let Fixture { members, context, .. } = fixture;
        suspicions.learn(fact, Source::SecondHand, None, members, context)
    }

    fn events(fixture: &mut Fixture) -> Vec<Event> {
        fixture.context.outputs.events.drain(..).collect()
    }

    #[test]
    fn a_newer_send_time_refutes_and_stays() {
        let mut fixture = Fixture::new(4);
        let mut suspicions = Suspicions::default();
        assert!(learn(&mut suspicions, &mut fixture, fact(500, Some(2))));
        assert_eq!(suspicions.suspected_by(&name(1)), Some(&name(2)));
        fixture.pass(300);
        assert!(!learn(&mut suspicions, &mut fixture, fact(500, None)), "no newer");
        assert!(learn(&mut suspicions, &mut fixture, fact(501, None)));
        assert_eq!(suspicions.suspected_by(&name(1)), None);
        assert!(!learn(&mut suspicions, &mut fixture, fact(500, Some(3))), "refuted already");
        let told = events(&mut fixture);
        let after = Duration::from_millis(300);
        let cleared = Event::Cleared { member: identity(1), suspected_by: name(2), after };
        assert_eq!(told[1..], [cleared], "{told:?}");
    }

    /// It fell silent again just after that.
    #[test]
    fn a_member_is_suspected_again_from_the_moment_that_refuted() {
        let mut fixture = Fixture::new(4);
        let mut suspicions = Suspicions::default();
        learn(&mut suspicions, &mut fixture, fact(500, Some(2)));
        learn(&mut suspicions, &mut fixture, fact(700, None));
        assert!(learn(&mut suspicions, &mut fixture, fact(700, Some(3))));
        assert_eq!(suspicions.suspected_by(&name(1)), Some(&name(3)));
        assert_eq!(suspicions.newer_than(&fact(700, None)), Some(fact(700, Some(3))));
    }

    #[test]
    fn what_cannot_be_goes_when_the_member_is_heard() {
        let mut fixture = Fixture::new(4);
        let mut suspicions = Suspicions::default();
        learn(&mut suspicions, &mut fixture, fact(u64::MAX, Some(2)));
        let incarnation = identity(1).incarnation;
        let Fixture { members, context, .. } = &mut fixture;
        suspicions.on_direct(&name(1), incarnation, 1_000, members, context);
        assert_eq!(suspicions.suspected_by(&name(1)), None);
        learn(&mut suspicions, &mut fixture, fact(1_200, Some(2)));
        let Fixture { members, context, .. } = &mut fixture;
        suspicions.on_direct(&name(1), incarnation, 1_000, members, context);
        assert!(suspicions.suspected_by(&name(1)).is_some(), "datagrams overtake each other");
    }

    #[test]
    fn a_member_refutes_at_most_twice_a_second() {
        let mut suspicions = Suspicions::default();
        let at = |ms| crate::testing::at(ms).mono;
        assert!(suspicions.may_refute(at(1_000)));
        assert!(!suspicions.may_refute(at(1_499)));
        assert!(suspicions.may_refute(at(1_500)));
    }

    /// Nobody needs to hear that somebody is up whom nobody suspected.
    #[test]
    fn only_news_is_passed_on() {
        let mut fixture = Fixture::new(4);
        let mut suspicions = Suspicions::default();
        assert!(learn(&mut suspicions, &mut fixture, fact(500, None)));
        suspicions.tell_if_due(&fixture.members, &mut fixture.context);
        assert_eq!(fixture.sent(), []);
    }

    #[test]
    fn whoever_suspected_a_member_tells_all_that_it_was_heard() {
        let mut fixture = Fixture::new(4);
        let mut suspicions = Suspicions::default();
        learn(&mut suspicions, &mut fixture, fact(500, Some(0)));
        fixture.pass(1_000);
        let Fixture { members, context, .. } = &mut fixture;
        let incarnation = identity(1).incarnation;
        assert_eq!(suspicions.on_heard(&name(1), incarnation, 500, members, context), None);
        assert!(suspicions.suspected_by(&name(1)).is_some(), "that was known");
        assert_eq!(suspicions.on_heard(&name(1), incarnation, 501, members, context), None);
        suspicions.tell_if_due(members, context);
        let sent = fixture.sent();
        assert_eq!(sent.len(), 3, "everyone in a small group: {sent:?}");
        assert!(sent.iter().all(|(_, body)| *body == Body::Suspicions(vec![fact(501, None)])));
    }

    #[test]
    fn the_monitor_of_a_refuted_suspicion_is_named() {
        let mut fixture = Fixture::new(4);
        let mut suspicions = Suspicions::default();
        learn(&mut suspicions, &mut fixture, fact(500, Some(2)));
        let Fixture { members, context, .. } = &mut fixture;
        let incarnation = identity(1).incarnation;
        let to_tell = suspicions.on_heard(&name(1), incarnation, 700, members, context);
        assert_eq!(to_tell, Some(name(2)));
    }

    #[test]
    fn nothing_of_an_old_incarnation_is_held_against_a_member() {
        let mut fixture = Fixture::new(4);
        let mut suspicions = Suspicions::default();
        let old = Suspicion { incarnation: Incarnation(1), ..fact(500, Some(2)) };
        assert!(!learn(&mut suspicions, &mut fixture, old));
        learn(&mut suspicions, &mut fixture, fact(500, Some(2)));
        let left = Update::new(identity(1), Claim::Left);
        fixture.members.merge(left, &mut fixture.context);
        suspicions.drop_settled(&fixture.members);
        assert_eq!(suspicions.suspected_by(&name(1)), None);
        assert!(!learn(&mut suspicions, &mut fixture, fact(600, Some(2))), "it has left");
    }

    #[test]
    fn a_suspicion_that_nobody_repeats_ends() {
        let mut fixture = Fixture::new(4);
        let mut suspicions = Suspicions::default();
        learn(&mut suspicions, &mut fixture, fact(500, Some(2)));
        let kept = kept(fixture.context.group());
        assert!(suspicions.next_at().is_some());
        fixture.pass(millis(kept));
        events(&mut fixture);
        suspicions.tell_if_due(&fixture.members, &mut fixture.context);
        assert_eq!(suspicions.suspected_by(&name(1)), None);
        let cleared = Event::Cleared { member: identity(1), suspected_by: name(2), after: kept };
        assert_eq!(events(&mut fixture), [cleared], "its end is told");
    }

    proptest! {
        /// Two members that hear the same facts agree in the end, in any order and however often.
        #[test]
        fn facts_are_commutative_and_idempotent(
            facts in prop::collection::vec((0..6_u64, prop::option::of(2..4_u8)), 0..12),
        ) {
            let facts = facts.into_iter().map(|(sent, by)| fact(sent, by));
            let mut facts: Vec<Suspicion> = facts.collect();
            let held = |facts: &[Suspicion]| {
                let (mut fixture, mut suspicions) = (Fixture::new(4), Suspicions::default());
                for fact in facts {
                    learn(&mut suspicions, &mut fixture, fact.clone());
                }
                let held = suspicions.held.get(&name(1));
                held.map(|held| (held.fact.sent, held.fact.by.is_some()))
            };
            let once = held(&facts);
            facts.reverse();
            prop_assert_eq!(once, held(&facts));
            facts.extend(facts.clone());
            prop_assert_eq!(once, held(&facts));
        }
    }
}
