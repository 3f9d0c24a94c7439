//! Spreads one member's updates to the others. It owns the running broadcasts. `anti_entropy`
//! repairs what broadcasts missed.

pub(crate) mod anti_entropy;
pub(crate) mod broadcast;
pub(crate) mod forgetting;
mod telling;
pub(crate) mod views;

use crate::context::Context;
use crate::list::Update;
use crate::members::Members;
use crate::message::{Body, pack};
use crate::time::Instant;
use broadcast::Broadcasts;
pub(crate) use broadcast::Source;
use std::net::SocketAddr;
use telling::Telling;

/// The gossip of one member.
#[derive(Debug, Default)]
pub(crate) struct Gossip {
    broadcasts: Broadcasts<Update>,
    telling: Telling,
}

impl Gossip {
    /// Takes an update to spread. It replaces an older one about the same member.
    pub(crate) fn learn(
        &mut self,
        update: Update,
        source: Source,
        members: &Members,
        context: &Context,
    ) {
        let ride = context.group().interval() * 2;
        self.broadcasts.learn(update, source, members.up(), ride, context.now.mono);
    }

    /// Adds new updates to a body that can carry some, but none about members that it has already.
    pub(crate) fn fill(&mut self, body: &mut Body, now: Instant) {
        let Some(updates) = body.updates_mut() else { return };
        let mut riding = self.broadcasts.riding(now);
        riding.retain(|new| updates.iter().all(|has| has.identity.name != new.identity.name));
        updates.append(&mut riding);
    }

    /// Sends the updates that are due.
    pub(crate) fn broadcast_if_due(&mut self, members: &Members, context: &mut Context) {
        let Some(round) = self.broadcasts.round(members.up(), context.now.mono) else { return };
        for (to, updates) in round.addressed(members, context) {
            send_updates(&to, &updates, context);
            self.telling.note(&updates, &to, members, context);
        }
        let broadcasts = &self.broadcasts;
        self.telling.report(|failed| broadcasts.is_spreading(failed), members, context);
    }

    /// The time of the next due updates.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.broadcasts.next_at()
    }

    /// Drops all updates that were learned before. What was told is reported.
    pub(crate) fn clear(&mut self, members: &Members, context: &mut Context) {
        self.broadcasts = Broadcasts::default();
        self.telling.report(|_| false, members, context);
    }
}

/// Sends updates in as many datagrams as needed. A member that has just joined introduces itself in
/// each, because members that do not know it yet would otherwise refuse them.
pub(crate) fn send_updates(to: &[SocketAddr], updates: &[Update], context: &mut Context) {
    let is_new = context.local.is_new(context.now.mono);
    let introduction = is_new.then(|| context.local.introduction());
    for piece in pack(updates, introduction.as_ref()) {
        for address in to {
            context.send(*address, Body::Updates(piece.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::broadcast::FANOUT;
    use super::*;
    use crate::testing::{Fixture, address, update};

    #[test]
    fn a_first_hand_fact_goes_to_all_of_a_small_group_at_once() {
        let mut fixture = Fixture::new(6);
        let mut gossip = Gossip::default();
        gossip.learn(update(9), Source::FirstHand, &fixture.members, &fixture.context);
        assert_eq!(gossip.next_at(), Some(fixture.context.now.mono));
        gossip.broadcast_if_due(&fixture.members, &mut fixture.context);
        let sent = fixture.sent();
        assert_eq!(sent.len(), 5);
        assert!(sent.iter().all(|(_, body)| *body == Body::Updates(vec![update(9)])));
        assert_eq!(gossip.next_at(), None);
    }

    #[test]
    fn a_fact_from_others_goes_to_a_few() {
        let mut fixture = Fixture::new(20);
        let mut gossip = Gossip::default();
        gossip.learn(update(30), Source::SecondHand, &fixture.members, &fixture.context);
        gossip.broadcast_if_due(&fixture.members, &mut fixture.context);
        assert_eq!(fixture.sent().len(), FANOUT);
    }

    #[test]
    fn any_body_that_carries_updates_is_filled_while_they_are_new() {
        let mut fixture = Fixture::new(3);
        let mut gossip = Gossip::default();
        gossip.learn(update(9), Source::SecondHand, &fixture.members, &fixture.context);
        let mut updates = Body::Updates(Vec::new());
        gossip.fill(&mut updates, fixture.context.now.mono);
        assert_eq!(updates, Body::Updates(vec![update(9)]));
        let mut leave = Body::Leave;
        gossip.fill(&mut leave, fixture.context.now.mono);
        assert_eq!(leave, Body::Leave);
        fixture.pass(1_201);
        gossip.broadcast_if_due(&fixture.members, &mut fixture.context);
        let mut later = Body::Updates(Vec::new());
        gossip.fill(&mut later, fixture.context.now.mono);
        assert_eq!(later, Body::Updates(Vec::new()));
    }

    #[test]
    fn a_new_member_introduces_itself_in_every_datagram() {
        let mut fixture = Fixture::new(3);
        fixture.begin();
        send_updates(&[address(1)], &[update(9)], &mut fixture.context);
        let introduction = fixture.context.local.introduction();
        assert_eq!(fixture.sent(), [(address(1), Body::Updates(vec![introduction, update(9)]))]);
    }
}
