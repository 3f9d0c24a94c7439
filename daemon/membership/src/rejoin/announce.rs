//! Announces: a member sometimes contacts addresses of lost members, so that a split group heals.
//! It owns these addresses and the time of the next announce.

use crate::context::Context;
use crate::event::Event;
use crate::list::{List, MemberState};
use crate::members::Members;
use crate::message::Body;
use crate::time::Instant;
use rand::RngExt;
use rand::seq::IndexedRandom;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// The interval between announces of all members together. Each member waits this long times the
/// number of members.
const FLEET_INTERVAL: Duration = Duration::from_millis(250);

/// The shortest interval between two announces of one member.
const MIN_INTERVAL: Duration = Duration::from_millis(500);

/// The most remembered addresses, in addition to the list.
const MAX_REMEMBERED: usize = 256;

/// The addresses that a member looks for.
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    next_at: Option<Instant>,
    introducers: Vec<SocketAddr>,
    /// Members known before, from the state file and from entries that were forgotten.
    remembered: VecDeque<SocketAddr>,
    other_settings: BTreeSet<SocketAddr>,
}

impl Announcer {
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    pub(crate) fn set_introducers(&mut self, introducers: Vec<SocketAddr>) {
        self.introducers = introducers;
    }

    /// Remembers addresses. The oldest ones make room.
    pub(crate) fn remember(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        for address in addresses.into_iter().take(MAX_REMEMBERED) {
            if !self.remembered.contains(&address) {
                self.remembered.push_back(address);
            }
        }
        let surplus = self.remembered.len().saturating_sub(MAX_REMEMBERED);
        self.remembered.drain(..surplus);
    }

    /// Does not look for a former member at this address any more.
    pub(crate) fn forget(&mut self, address: SocketAddr) {
        self.remembered.retain(|remembered| *remembered != address);
    }

    /// Whether an address is an introducer's or a remembered one.
    pub(crate) fn knows(&self, address: SocketAddr) -> bool {
        self.introducers.contains(&address) || self.remembered.contains(&address)
    }

    /// Reports a group with other settings, once for each address.
    pub(crate) fn note_other_settings(&mut self, address: SocketAddr, context: &mut Context) {
        if self.other_settings.len() < MAX_REMEMBERED && self.other_settings.insert(address) {
            context.report(Event::OtherSettings { address });
        }
    }

    /// Delays the next announce by a new interval.
    pub(crate) fn stop(&mut self) {
        self.next_at = None;
    }

    /// Announces this member to a random lost member when that is due. The first call only sets the
    /// time of the next, so that a fleet started at once does not announce in step.
    pub(crate) fn announce_if_due(
        &mut self,
        leaving: bool,
        members: &Members,
        context: &mut Context,
    ) {
        let now = context.now.mono;
        if self.next_at.is_some_and(|next| next > now) {
            return;
        }
        let share = u32::try_from(members.up()).unwrap_or(u32::MAX);
        let pause = MIN_INTERVAL.max(FLEET_INTERVAL.saturating_mul(share));
        let first = self.next_at.is_none();
        self.next_at = Some(now + pause.mul_f64(0.5 + context.rng.random::<f64>()));
        if first || leaving {
            return;
        }
        let lost = self.lost(members, context.local.address);
        if let Some(address) = lost.choose(&mut context.rng) {
            announce(*address, members, context);
        }
    }

    /// The addresses where lost members may be: failed members, absent introducers, and remembered
    /// members that are not in the list.
    fn lost(&self, list: &Members, own: SocketAddr) -> Vec<SocketAddr> {
        let failed = list.iter().filter(|entry| {
            matches!(entry.state, MemberState::Failed(_) | MemberState::Doubted(_))
        });
        let is_absent = |address: &SocketAddr| {
            *address != own && list.at(*address).is_none_or(|entry| !entry.is_up())
        };
        // A machine that was forgotten is not looked for, unless it is an introducer.
        let remembered =
            self.remembered.iter().filter(|address| list.forgotten.at(**address).is_none());
        let absent = self.introducers.iter().chain(remembered).copied().filter(is_absent);
        let lost: BTreeSet<SocketAddr> =
            failed.map(|entry| entry.identity.address).chain(absent).collect();
        lost.into_iter().collect()
    }
}

/// Announces this member at an address. A member there answers with a heartbeat that introduces it.
pub(crate) fn announce(to: SocketAddr, list: &List, context: &mut Context) {
    let body = Body::Announce {
        name: context.local.name.clone(),
        settings: context.group().fingerprint(),
        side: list.digest(),
    };
    context.send(to, body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forgotten::Forgotten;
    use crate::list::{Claim, FailureEvidence, Update};
    use crate::testing::{Fixture, address, identity, name};

    fn announce_if_due(announcer: &mut Announcer, fixture: &mut Fixture) -> Vec<SocketAddr> {
        announcer.announce_if_due(false, &fixture.members, &mut fixture.context);
        fixture.sent().into_iter().map(|(to, _)| to).collect()
    }

    #[test]
    fn the_failed_and_the_absent_are_looked_for_and_nobody_else() {
        let mut fixture = Fixture::new(3);
        let mut announcer = Announcer::default();
        announcer.set_introducers(vec![address(0), address(1), address(50)]);
        announcer.remember([address(2), address(51)]);
        let evidence = FailureEvidence { detected_by: name(0), silent_ms: 1_750 };
        let failed = Update::new(identity(2), Claim::Failed(evidence));
        fixture.members.merge(failed, &mut fixture.context);
        assert_eq!(
            announcer.lost(&fixture.members, address(0)),
            [address(2), address(50), address(51)]
        );
    }

    /// An introducer is looked for all the same.
    #[test]
    fn nobody_looks_for_a_forgotten_machine() {
        let mut fixture = Fixture::new(3);
        let mut announcer = Announcer::default();
        announcer.set_introducers(vec![address(49)]);
        announcer.remember([address(50), address(51)]);
        for i in [49, 50] {
            let keep = Duration::from_secs(60);
            let record = Forgotten { identity: identity(i), by: name(0), keep };
            fixture.members.forget(&record, &mut fixture.context);
        }
        assert_eq!(announcer.lost(&fixture.members, address(0)), [address(49), address(51)]);
    }

    #[test]
    fn the_first_time_is_random_and_announces_nothing() {
        let mut fixture = Fixture::new(2);
        let mut announcer = Announcer::default();
        announcer.remember([address(50)]);
        assert_eq!(announce_if_due(&mut announcer, &mut fixture), []);
        fixture.pass(250);
        fixture.pass(500);
        assert_eq!(announce_if_due(&mut announcer, &mut fixture), [address(50)]);
        assert_eq!(announce_if_due(&mut announcer, &mut fixture), []);
    }

    #[test]
    fn a_member_that_leaves_announces_nothing() {
        let mut fixture = Fixture::new(2);
        let mut announcer = Announcer::default();
        announcer.remember([address(50)]);
        announcer.announce_if_due(true, &fixture.members, &mut fixture.context);
        fixture.pass(750);
        announcer.announce_if_due(true, &fixture.members, &mut fixture.context);
        assert_eq!(fixture.sent(), []);
        announcer.stop();
        assert_eq!(announcer.next_at(), None);
    }

    #[test]
    fn addresses_remembered_first_make_room() {
        let mut announcer = Announcer::default();
        let numbered = |i: u16| SocketAddr::from(([192, 0, 2, 1], i));
        announcer.remember((0..256).map(numbered));
        announcer.remember([numbered(999)]);
        assert!(announcer.knows(numbered(999)));
        assert!(announcer.knows(numbered(1)));
        assert!(!announcer.knows(numbered(0)));
    }

    #[test]
    fn a_group_of_other_settings_is_reported_once() {
        let mut fixture = Fixture::new(2);
        let mut announcer = Announcer::default();
        announcer.note_other_settings(address(9), &mut fixture.context);
        announcer.note_other_settings(address(9), &mut fixture.context);
        assert_eq!(fixture.context.outputs.events.len(), 1);
    }
}
