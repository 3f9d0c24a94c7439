//! Notes to whom each failure is told, so that one event reports all rounds of it. It owns the
//! failures that are being told.

use crate::context::Context;
use crate::event::Event;
use crate::identity::{Identity, Name};
use crate::list::{Claim, Update};
use crate::members::Members;
use crate::settings::Detection;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A failure, and to whom it was told so far.
#[derive(Debug)]
struct Told {
    member: Identity,
    to: Vec<SocketAddr>,
}

/// The failures that are being told. There is one of each member at most.
#[derive(Debug, Default)]
pub(super) struct Telling {
    failures: BTreeMap<Name, Told>,
}

impl Telling {
    /// Updates were sent to these members. Only SWIM's groups report that.
    pub(super) fn note(
        &mut self,
        updates: &[Update],
        to: &[SocketAddr],
        members: &Members,
        context: &mut Context,
    ) {
        if !matches!(context.group().detection, Detection::Swim(_)) || to.is_empty() {
            return;
        }
        for update in updates.iter().filter(|update| matches!(update.claim, Claim::Failed(_))) {
            let member = &update.identity;
            let begin = || Told { member: member.clone(), to: Vec::new() };
            let told = self.failures.entry(member.name.clone()).or_insert_with(begin);
            if told.member != *member {
                report(&std::mem::replace(told, begin()), members, context);
            }
            told.to.extend(to);
        }
    }

    /// Reports the failures that are told no further.
    pub(super) fn report(
        &mut self,
        is_told_further: impl Fn(&Name) -> bool,
        members: &Members,
        context: &mut Context,
    ) {
        self.failures.retain(|name, told| {
            let goes_on = is_told_further(name);
            if !goes_on {
                report(told, members, context);
            }
            goes_on
        });
    }
}

/// Reports a failure with each member once that heard of it.
fn report(told: &Told, members: &Members, context: &mut Context) {
    let names = told.to.iter().filter_map(|address| members.at(*address));
    let mut names: Vec<Name> = names.map(|entry| entry.identity.name.clone()).collect();
    names.sort();
    names.dedup();
    context.report(Event::FailureTold { member: told.member.clone(), told: names });
}

#[cfg(test)]
mod tests {
    use crate::event::Event;
    use crate::gossip::Source;
    use crate::gossip::broadcast::{FANOUT, ROUND_GAP, ROUNDS};
    use crate::list::{Claim, FailureEvidence, Update};
    use crate::settings::{GroupSettings, Settings};
    use crate::testing::{Fixture, identity, name};
    use crate::time::millis;

    fn failed(i: u8) -> Update {
        let evidence = FailureEvidence { detected_by: name(0), silent_ms: 6_500 };
        Update::new(identity(i), Claim::Failed(evidence))
    }

    fn group(size: u8) -> Fixture {
        Fixture::of(Settings { group: GroupSettings::swim(), ..Settings::default() }, size)
    }

    /// Lets all rounds pass, and returns the events of each.
    fn rounds(fixture: &mut Fixture) -> Vec<Vec<Event>> {
        let mut rounds = Vec::new();
        while fixture.gossip.next_at().is_some() {
            fixture.gossip.broadcast_if_due(&fixture.members, &mut fixture.context);
            rounds.push(fixture.context.outputs.events.drain(..).collect());
            fixture.pass(millis(ROUND_GAP));
        }
        rounds
    }

    #[test]
    fn a_failure_is_reported_once_after_its_last_round() {
        let mut fixture = group(100);
        fixture.gossip.learn(failed(1), Source::SecondHand, &fixture.members, &fixture.context);
        let rounds = rounds(&mut fixture);
        assert_eq!(rounds.len(), usize::from(ROUNDS));
        assert!(rounds[..2].iter().all(Vec::is_empty), "{rounds:?}");
        let [Event::FailureTold { member, told }] = &rounds[2][..] else { panic!("{rounds:?}") };
        assert_eq!(*member, identity(1));
        assert!((FANOUT..=FANOUT * usize::from(ROUNDS)).contains(&told.len()), "{told:?}");
        assert!(told.is_sorted_by(|one, other| one < other), "each once: {told:?}");
    }

    #[test]
    fn all_of_a_small_group_are_told_and_named() {
        let mut fixture = group(4);
        fixture.members.merge(failed(1), &mut fixture.context);
        fixture.context.outputs.events.clear();
        fixture.gossip.learn(failed(1), Source::FirstHand, &fixture.members, &fixture.context);
        let told = Event::FailureTold { member: identity(1), told: vec![name(2), name(3)] };
        assert_eq!(rounds(&mut fixture), [vec![told]]);
    }

    /// It came back and failed again while others were still told.
    #[test]
    fn two_failures_of_a_member_are_two_reports() {
        let mut fixture = group(100);
        let mut again = failed(1);
        again.identity.incarnation.0 += 1;
        for failed in [failed(1), again.clone()] {
            fixture.gossip.learn(failed, Source::SecondHand, &fixture.members, &fixture.context);
            fixture.gossip.broadcast_if_due(&fixture.members, &mut fixture.context);
            fixture.pass(millis(ROUND_GAP));
        }
        fixture.gossip.clear(&fixture.members, &mut fixture.context);
        let members: Vec<_> = fixture
            .context
            .outputs
            .events
            .iter()
            .map(|event| match event {
                Event::FailureTold { member, told } => (member.clone(), told.len()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(members, [(identity(1), FANOUT), (again.identity, FANOUT)]);
    }
}
