//! Finds wall clocks that disagree. It owns the neighbours whose clocks do, with the time and
//! whether it was reported.

use super::peer_clock::Agreement;
use crate::context::Context;
use crate::event::Event;
use crate::identity::{Identity, Name};
use crate::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a wall clock must disagree before it is reported. A change of the latency looks like a
/// wrong clock until both sides have measured it.
const REPORT_AFTER: Duration = Duration::from_secs(5);

/// The neighbours whose wall clocks disagree with ours.
#[derive(Debug, Default)]
pub(super) struct Skews {
    skewed: BTreeMap<Name, Skew>,
}

#[derive(Debug)]
struct Skew {
    since: Instant,
    reported: bool,
}

impl Skews {
    pub(super) fn is_reported(&self, name: &Name) -> bool {
        self.skewed.get(name).is_some_and(|skew| skew.reported)
    }

    /// Forgets the clocks of members that are no longer neighbours.
    pub(super) fn retain(&mut self, is_known: impl Fn(&Name) -> bool) {
        self.skewed.retain(|name, _| is_known(name));
    }

    /// Takes the comparison with a neighbour's clock. A clock is reported once after it has
    /// disagreed for a while, and once when it agrees again.
    pub(super) fn observe(
        &mut self,
        member: Identity,
        agreement: Agreement,
        context: &mut Context,
    ) {
        let now = context.now.mono;
        match agreement {
            Agreement::Ahead(ahead) => {
                let new = Skew { since: now, reported: false };
                let skew = self.skewed.entry(member.name.clone()).or_insert(new);
                if !skew.reported && now.since(skew.since) >= REPORT_AFTER {
                    skew.reported = true;
                    context.report(Event::ClockDisagrees { member, ahead });
                }
            }
            Agreement::Agree => {
                if self.skewed.remove(&member.name).is_some_and(|skew| skew.reported) {
                    context.report(Event::ClockAgrees { member });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, identity, name};

    #[test]
    fn a_lasting_disagreement_and_its_end_are_reported_once() {
        let mut fixture = Fixture::new(2);
        let mut skews = Skews::default();
        for _ in 0..3 {
            skews.observe(identity(1), Agreement::Ahead(900), &mut fixture.context);
            fixture.pass(2_500);
        }
        skews.observe(identity(1), Agreement::Ahead(900), &mut fixture.context);
        assert!(skews.is_reported(&name(1)));
        skews.observe(identity(1), Agreement::Agree, &mut fixture.context);
        skews.observe(identity(1), Agreement::Agree, &mut fixture.context);
        let events: Vec<Event> = fixture.context.outputs.events.drain(..).collect();
        let disagrees = Event::ClockDisagrees { member: identity(1), ahead: 900 };
        assert_eq!(events, [disagrees, Event::ClockAgrees { member: identity(1) }]);
    }

    #[test]
    fn a_short_disagreement_is_not_reported() {
        let mut fixture = Fixture::new(2);
        let mut skews = Skews::default();
        skews.observe(identity(1), Agreement::Ahead(900), &mut fixture.context);
        fixture.pass(4_999);
        skews.observe(identity(1), Agreement::Ahead(900), &mut fixture.context);
        skews.observe(identity(1), Agreement::Agree, &mut fixture.context);
        assert!(fixture.context.outputs.events.is_empty());
        assert!(!skews.is_reported(&name(1)));
    }
}
