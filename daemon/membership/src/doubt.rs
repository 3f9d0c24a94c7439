//! Doubt: it declares failures at the deadline, and doubts this machine's own network first. It
//! owns the doubted members and the last heard ones.

use crate::context::Context;
use crate::detector::Silence;
use crate::event::Event;
use crate::identity::Name;
use crate::list::{Claim, FailureEvidence, List, MemberState, Update};
use crate::members::Members;
use crate::ring::Ring;
use crate::settings::Detection;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The state of doubts.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    /// The two members heard last, with the times. One of them differs from any doubted member.
    heard: [Option<(Name, Instant)>; 2],
    /// The doubted members. Once another member was heard, each has the time at which to declare
    /// it failed.
    doubted: BTreeMap<Name, Option<Instant>>,
}

impl Doubts {
    /// Whether any member is doubted.
    pub(crate) fn any(&self) -> bool {
        !self.doubted.is_empty()
    }

    /// The end of the next doubt.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.doubted.values().flatten().min().copied()
    }

    /// Notes a stall of this machine, which must not declare anyone failed.
    pub(crate) fn forgive(&mut self, stall: Duration) {
        for declare_at in self.doubted.values_mut().flatten() {
            *declare_at = *declare_at + stall;
        }
    }

    /// A member was heard, so it is no longer doubted. The others get more time: until the returned
    /// moment. If the fault was this machine's, they will be heard soon as well.
    pub(crate) fn on_heard(
        &mut self,
        name: &Name,
        members: &mut Members,
        context: &mut Context,
    ) -> Vec<(Name, Instant)> {
        if self.doubted.remove(name).is_some() {
            members.end_doubt(name, context);
        }
        let now = context.now.mono;
        let [latest, other] = &mut self.heard;
        if latest.as_ref().is_some_and(|(heard, _)| heard != name) {
            *other = latest.take();
        }
        *latest = Some((name.clone(), now));
        let declare_at = now + context.group().patience();
        let mut timed = Vec::new();
        for (name, at) in self.doubted.iter_mut().filter(|(_, at)| at.is_none()) {
            *at = Some(declare_at);
            timed.push((name.clone(), declare_at));
        }
        timed
    }

    /// Handles the deadline of a member, and returns the update that declares it failed. Without a
    /// sign that this machine can hear, the member is only doubted.
    pub(crate) fn on_silence(
        &mut self,
        silence: &Silence,
        members: &mut Members,
        context: &mut Context,
    ) -> Option<Update> {
        let Silence { name, silent_ms, .. } = silence;
        let evidence =
            FailureEvidence { detected_by: context.local.name.clone(), silent_ms: *silent_ms };
        if self.may_accuse(silence, members) {
            return self.declare(name, evidence, members, context);
        }
        if members.doubt(name, evidence, context) {
            self.doubted.insert(name.clone(), None);
        }
        None
    }

    /// Judges doubts that lasted although another member was heard. Those about watched members
    /// are right, and the returned updates declare them failed. The others arose because the ring
    /// moved on while nobody was heard. Their own monitors report those members if they are gone.
    pub(crate) fn lasting(&mut self, members: &mut Members, context: &mut Context) -> Vec<Update> {
        let now = context.now.mono;
        let is_due = |at: &Option<Instant>| at.is_some_and(|at| at <= now);
        let due = self.doubted.iter().filter(|(_, at)| is_due(at));
        let due: Vec<Name> = due.map(|(name, _)| name.clone()).collect();
        if due.is_empty() {
            return Vec::new();
        }
        let k = context.monitors_wanted();
        let own = Ring::of_alive_to_others(members).targets(&context.local.name, k);
        let own: BTreeSet<Name> =
            own.into_iter().map(|entry| entry.identity.name.clone()).collect();
        let mut declared = Vec::new();
        for name in due {
            self.doubted.remove(&name);
            let standing = members.get(&name).map(|entry| entry.state.clone());
            let Some(MemberState::Doubted(evidence)) = standing else { continue };
            if own.contains(&name) {
                declared.extend(self.declare(&name, evidence, members, context));
            } else {
                members.end_doubt(&name, context);
            }
        }
        declared
    }

    /// Ends doubts about members that the list no longer doubts: others declared them failed,
    /// or they returned or left.
    pub(crate) fn drop_settled(&mut self, list: &List) {
        self.doubted.retain(|name, _| {
            list.get(name).is_some_and(|entry| matches!(entry.state, MemberState::Doubted(_)))
        });
    }

    /// Whether this member may say of another that it is silent. The fault could be its own: it has
    /// heard nobody else in that time, although there is somebody else.
    pub(crate) fn may_accuse(&self, silence: &Silence, members: &Members) -> bool {
        members.digest().count <= 2 || self.heard_another_since(&silence.name, silence.missed_at)
    }

    /// Whether any other member was heard after the moment.
    pub(crate) fn heard_another_since(&self, name: &Name, moment: Instant) -> bool {
        self.heard.iter().flatten().any(|(heard, at)| heard != name && *at > moment)
    }

    fn declare(
        &mut self,
        name: &Name,
        evidence: FailureEvidence,
        members: &Members,
        context: &mut Context,
    ) -> Option<Update> {
        let entry = members.get(name)?;
        if matches!(context.group().detection, Detection::Swim(_)) {
            let (member, silent_ms) = (entry.identity.clone(), evidence.silent_ms);
            context.report(Event::FailureDetected { member, silent_ms });
        }
        let failed = entry.with_claim(Claim::Failed(evidence));
        let update = failed.ended_at(context.now.wall);
        self.doubted.remove(name);
        context.counters.accusations += 1;
        Some(update)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, identity, name};

    fn silence(i: u8, fixture: &Fixture) -> Silence {
        Silence {
            name: name(i),
            incarnation: identity(i).incarnation,
            silent_ms: 1_750,
            newest_sent: None,
            missed_at: fixture.context.now.mono,
            ever_heard: true,
        }
    }

    fn standing(fixture: &Fixture, i: u8) -> MemberState {
        fixture.members.get(&name(i)).unwrap().state.clone()
    }

    fn hear(doubts: &mut Doubts, fixture: &mut Fixture, i: u8) {
        doubts.on_heard(&name(i), &mut fixture.members, &mut fixture.context);
    }

    fn judge(doubts: &mut Doubts, fixture: &mut Fixture, silence: &Silence) -> Option<Update> {
        doubts.on_silence(silence, &mut fixture.members, &mut fixture.context)
    }

    #[test]
    fn a_silent_member_is_declared_when_another_was_heard_since() {
        let mut fixture = Fixture::new(4);
        let mut doubts = Doubts::default();
        let silence = silence(1, &fixture);
        fixture.pass(1);
        hear(&mut doubts, &mut fixture, 2);
        let declared = judge(&mut doubts, &mut fixture, &silence).unwrap();
        let evidence = FailureEvidence { detected_by: name(0), silent_ms: 1_750 };
        assert_eq!(declared.claim, Claim::Failed(evidence));
        assert_eq!(fixture.context.counters.accusations, 1);
        assert!(!doubts.any());
    }

    #[test]
    fn a_deaf_member_doubts_and_declares_nobody() {
        let mut fixture = Fixture::new(4);
        let mut doubts = Doubts::default();
        hear(&mut doubts, &mut fixture, 1);
        let silence = silence(1, &fixture);
        fixture.pass(10_000);
        assert_eq!(judge(&mut doubts, &mut fixture, &silence), None);
        assert!(matches!(standing(&fixture, 1), MemberState::Doubted(_)));
        fixture.pass(100_000);
        let Fixture { members, context, .. } = &mut fixture;
        assert_eq!(doubts.lasting(members, context), []);
        assert_eq!(doubts.next_at(), None);
    }

    #[test]
    fn of_two_the_other_is_declared_without_a_witness() {
        let mut fixture = Fixture::new(2);
        let mut doubts = Doubts::default();
        let silence = silence(1, &fixture);
        assert!(judge(&mut doubts, &mut fixture, &silence).is_some());
    }

    #[test]
    fn a_doubted_member_that_is_heard_is_up_again() {
        let mut fixture = Fixture::new(4);
        let mut doubts = Doubts::default();
        let silence = silence(1, &fixture);
        judge(&mut doubts, &mut fixture, &silence);
        hear(&mut doubts, &mut fixture, 1);
        assert_eq!(standing(&fixture, 1), MemberState::Alive);
        assert!(!doubts.any());
    }

    #[test]
    fn a_doubt_that_lasts_after_hearing_others_is_declared() {
        let mut fixture = Fixture::new(4);
        let mut doubts = Doubts::default();
        let silence = silence(1, &fixture);
        judge(&mut doubts, &mut fixture, &silence);
        hear(&mut doubts, &mut fixture, 2);
        fixture.pass(1_749);
        doubts.forgive(Duration::from_millis(100));
        fixture.pass(100);
        let Fixture { members, context, .. } = &mut fixture;
        assert_eq!(doubts.lasting(members, context), [], "a stall moves it");
        fixture.pass(1);
        let Fixture { members, context, .. } = &mut fixture;
        let declared = doubts.lasting(members, context);
        assert_eq!(declared.len(), 1);
        assert_eq!(declared[0].identity, identity(1));
    }

    #[test]
    fn a_lasting_doubt_about_a_stranger_on_the_ring_is_dropped() {
        let mut fixture = Fixture::new(30);
        let own = Ring::of_alive_to_others(&fixture.members).targets(&name(0), 4);
        let own: Vec<Name> = own.iter().map(|entry| entry.identity.name.clone()).collect();
        let far = (1..30).find(|i| !own.contains(&name(*i))).unwrap();
        let near = (1..30).find(|i| *i != far && *i != 0).unwrap();
        let mut doubts = Doubts::default();
        let silence = silence(far, &fixture);
        judge(&mut doubts, &mut fixture, &silence);
        hear(&mut doubts, &mut fixture, near);
        fixture.pass(1_750);
        let Fixture { members, context, .. } = &mut fixture;
        assert_eq!(doubts.lasting(members, context), []);
        assert_eq!(standing(&fixture, far), MemberState::Alive);
    }

    #[test]
    fn a_doubt_that_others_settled_is_dropped() {
        let mut fixture = Fixture::new(4);
        let mut doubts = Doubts::default();
        let silence = silence(1, &fixture);
        judge(&mut doubts, &mut fixture, &silence);
        doubts.drop_settled(&fixture.members);
        assert!(doubts.any());
        let left = Update::new(identity(1), Claim::Left);
        fixture.members.merge(left, &mut fixture.context);
        doubts.drop_settled(&fixture.members);
        assert!(!doubts.any());
    }
}
