//! The list of a node, and the consequences of its changes. It owns the list, whether the ring must
//! be rebuilt, and when old entries will be forgotten.

mod forget;

use crate::context::Context;
use crate::event::{Event, MemberEvent, MemberEventKind};
use crate::forgotten::ForgottenMembers;
use crate::identity::{Identity, Incarnation, Name};
use crate::list::{Change, Claim, Entry, FailureEvidence, List, MemberState, Update};
use crate::local::Local;
use crate::time::Instant;
use rand::RngExt;
use rand::rngs::SmallRng;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// The list. It is read as a [`List`] and changed only here, so that every change is reported.
#[derive(Debug)]
pub(crate) struct Members {
    list: List,
    /// Those that were forgotten on request. Late rumours of them are not merged.
    pub(crate) forgotten: ForgottenMembers,
    ring_moved: bool,
    last_change: Instant,
    next_forgetting: Instant,
}

impl Deref for Members {
    type Target = List;
    fn deref(&self) -> &List {
        &self.list
    }
}

impl Members {
    pub(crate) fn new() -> Self {
        Members {
            list: List::new(),
            forgotten: ForgottenMembers::default(),
            ring_moved: false,
            last_change: Instant::EPOCH,
            next_forgetting: Instant::EPOCH,
        }
    }

    /// Starts with a list, and reports nothing about it.
    pub(crate) fn begin(&mut self, list: List, context: &Context) {
        self.list = list;
        self.next_forgetting = context.now.mono + context.settings.forget_after;
    }

    /// Taking over a whole list counts as a change.
    pub(crate) fn note_whole_change(&mut self, now: Instant) {
        self.last_change = now;
    }

    /// Drops the list.
    pub(crate) fn clear(&mut self) {
        self.list = List::new();
        self.forgotten = ForgottenMembers::default();
        self.ring_moved = false;
    }

    /// The time of the last change of the list.
    pub(crate) fn last_change(&self) -> Instant {
        self.last_change
    }

    /// The time at which an entry may have to be forgotten.
    pub(crate) fn next_forgetting(&self) -> Instant {
        self.next_forgetting
    }

    /// Whether the ring must be rebuilt. One rebuild serves any number of changes.
    pub(crate) fn take_ring_moved(&mut self) -> bool {
        std::mem::take(&mut self.ring_moved)
    }

    /// Whether a member is up in this very incarnation.
    pub(crate) fn is_up_as(&self, name: &Name, incarnation: Incarnation) -> bool {
        self.list
            .get(name)
            .is_some_and(|entry| entry.is_up() && entry.identity.incarnation == incarnation)
    }

    /// The entry of a member that is alive to others in this very incarnation.
    pub(crate) fn alive_as(&self, name: &Name, incarnation: Incarnation) -> Option<&Arc<Entry>> {
        self.list
            .get(name)
            .filter(|entry| entry.is_alive_to_others() && entry.identity.incarnation == incarnation)
    }

    /// Whether the member at an address counts as failed in this very incarnation.
    pub(crate) fn is_failed_at(&self, address: SocketAddr, incarnation: Incarnation) -> bool {
        self.list.at(address).is_some_and(|entry| {
            entry.identity.incarnation == incarnation
                && matches!(entry.state, MemberState::Failed(_))
        })
    }

    /// Merges an update. Returns the update to pass on, if it was new.
    pub(crate) fn merge(&mut self, update: Update, context: &mut Context) -> Option<Update> {
        if self.forgotten.covers(&update.identity) {
            return None;
        }
        let change = self.list.merge(self.timed(update, context), context.now.mono)?;
        let update = change.after.to_update();
        self.note(&change, context);
        Some(update)
    }

    /// Whoever hears of an end as it happens knows about when it was, where a member of version 1
    /// has not said it. Of all such times the earliest stays.
    fn timed(&self, update: Update, context: &Context) -> Update {
        let before = self.list.get(&update.identity.name);
        let ends = update.claim != Claim::Alive
            && before.is_some_and(|before| before.is_alive_to_others());
        match update.ended {
            None if ends => update.ended_at(context.now.wall),
            _ => update,
        }
    }

    /// Inserts an entry, and replaces an old entry of the member.
    pub(crate) fn set(&mut self, update: Update, context: &mut Context) {
        let change = self.list.set(update, context.now.mono);
        self.note_any(change.as_ref(), context);
    }

    /// Counts a member as failed here, without a report to others. Returns whether it was up.
    pub(crate) fn doubt(
        &mut self,
        name: &Name,
        evidence: FailureEvidence,
        context: &mut Context,
    ) -> bool {
        let change = self.list.doubt(name, evidence, context.now.mono);
        self.note_any(change.as_ref(), context)
    }

    /// Notes that a doubted member is up.
    pub(crate) fn end_doubt(&mut self, name: &Name, context: &mut Context) {
        let change = self.list.end_doubt(name, context.now.mono);
        self.note_any(change.as_ref(), context);
    }

    /// Takes over the list of another side. For equal incarnations the other side's entry wins,
    /// except for leaves. A member that this side lost is up there, or will be declared failed
    /// there.
    pub(crate) fn take_over(&mut self, theirs: &[Update], context: &mut Context) {
        for update in theirs {
            let identity = &update.identity;
            if identity.name == context.local.name || self.forgotten.covers(identity) {
                continue;
            }
            let own = context.local.incarnation;
            if !context.plausibility.is_plausible(identity.incarnation, own) {
                context.counters.implausible += 1;
                continue;
            }
            let now = context.now.mono;
            let change = if self.keeps_own(update) {
                self.list.merge_details(update, now)
            } else {
                self.list.set(update.clone(), now)
            };
            self.note_any(change.as_ref(), context);
        }
    }

    /// Whether this side's entry of a member stays, even if another side disagrees.
    fn keeps_own(&self, theirs: &Update) -> bool {
        self.list.get(&theirs.identity.name).is_some_and(|ours| {
            let newer = ours.identity.incarnation > theirs.identity.incarnation;
            let same = ours.identity.incarnation == theirs.identity.incarnation;
            let settled = match &ours.state {
                MemberState::Left => true,
                MemberState::Failed(_) => theirs.claim != Claim::Alive,
                MemberState::Alive => theirs.claim == Claim::Alive,
                MemberState::Doubted(_) => false,
            };
            newer || same && settled
        })
    }

    /// Forgets entries that are old enough. Returns the addresses of the failed members among them.
    pub(crate) fn forget_if_due(&mut self, context: &Context) -> Vec<SocketAddr> {
        let now = context.now.mono;
        if self.next_forgetting > now {
            return Vec::new();
        }
        let age = context.settings.forget_after;
        let is_lost = |entry: &Entry| {
            matches!(entry.state, MemberState::Failed(_)) && now.since(entry.since) >= age
        };
        let lost = self.list.iter().filter(|entry| is_lost(entry));
        let lost = lost.map(|entry| entry.identity.address).collect();
        self.list.forget(age, now);
        let hour = now + Duration::from_secs(3_600);
        self.next_forgetting =
            self.list.next_forgetting(age).map_or(hour, |next| next.clamp(now, hour));
        lost
    }

    /// Some random members that are up. They are distinct, and none is this member or in `except`.
    pub(crate) fn random(
        &self,
        count: usize,
        except: &BTreeSet<Name>,
        local: &Local,
        rng: &mut SmallRng,
    ) -> Vec<SocketAddr> {
        let ring = self.list.by_position();
        let wanted = count.min(self.list.up().saturating_sub(1));
        let eligible = |entry: &Entry| {
            entry.is_up()
                && entry.identity.name != local.name
                && !except.contains(&entry.identity.name)
        };
        let mut chosen = BTreeSet::new();
        // A few random tries for each. If most entries are down, or nearly all are wanted, the
        // search continues from a random place.
        for _ in 0..wanted * 2 {
            if chosen.len() < wanted && wanted * 2 < ring.len() {
                let entry = &ring[rng.random_range(0..ring.len())];
                if eligible(entry) {
                    chosen.insert(entry.identity.address);
                }
            }
        }
        if chosen.len() < wanted {
            let start = rng.random_range(0..ring.len());
            for entry in ring[start..].iter().chain(&ring[..start]) {
                if chosen.len() < wanted && eligible(entry) {
                    chosen.insert(entry.identity.address);
                }
            }
        }
        chosen.into_iter().collect()
    }

    /// The member that told this one of another in this step.
    fn teller(&self, of: &Name, context: &Context) -> Option<Name> {
        let teller = &self.list.at(context.told_from?)?.identity.name;
        (teller != of && *teller != context.local.name).then(|| teller.clone())
    }

    fn note_any(&mut self, change: Option<&Change>, context: &mut Context) -> bool {
        if let Some(change) = change {
            self.note(change, context);
        }
        change.is_some()
    }

    /// Handles the consequences of a change of the list.
    fn note(&mut self, change: &Change, context: &mut Context) {
        if change.is_evidence_only() {
            context.report(Event::Evidence(change.after.identity.clone()));
            return;
        }
        self.ring_moved = true;
        self.last_change = context.now.mono;
        self.next_forgetting =
            self.next_forgetting.min(change.after.since + context.settings.forget_after);
        for mut event in member_events(change) {
            event.told_by = self.teller(&event.member.name, context);
            let own = event.member.name == context.local.name;
            if !(own && matches!(event.kind, MemberEventKind::Restarted)) {
                context.report(Event::Member(event));
            }
        }
        let was_up_as_same = change
            .before
            .as_ref()
            .is_some_and(|before| before.is_up() && before.identity == change.after.identity);
        if was_up_as_same && change.after.is_up() {
            context.report(Event::Tagged(change.after.identity.clone()));
        }
    }
}

/// The events of one change of the list. Who told this member is not in them.
fn member_events(change: &Change) -> Vec<MemberEvent> {
    let after = &change.after;
    let event = |member: &Identity, kind| {
        let member = member.clone();
        MemberEvent { member, kind, told_by: None }
    };
    let before_up = change.before.as_ref().filter(|before| before.is_up());
    match &after.state {
        // Only the tags changed.
        MemberState::Alive if before_up.is_some_and(|before| before.identity == after.identity) => {
            Vec::new()
        }
        MemberState::Alive => {
            let restarted =
                before_up.map(|before| event(&before.identity, MemberEventKind::Restarted));
            restarted.into_iter().chain([event(&after.identity, MemberEventKind::Joined)]).collect()
        }
        MemberState::Doubted(evidence) | MemberState::Failed(evidence) => {
            let failed = before_up
                .map(|_| event(&after.identity, MemberEventKind::Failed(evidence.clone())));
            failed.into_iter().collect()
        }
        MemberState::Left => {
            let known =
                change.before.as_ref().map(|_| event(&after.identity, MemberEventKind::Left));
            known.into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, identity, name, update};

    fn kinds(fixture: &mut Fixture) -> Vec<MemberEventKind> {
        let events = std::mem::take(&mut fixture.context.outputs.events);
        let kind = |event| match event {
            Event::Member(event) => Some(event.kind),
            _ => None,
        };
        events.into_iter().filter_map(kind).collect()
    }

    #[test]
    fn only_a_new_fact_moves_the_ring_and_is_passed_on() {
        let mut fixture = Fixture::new(3);
        assert_eq!(fixture.members.merge(update(2), &mut fixture.context), None);
        assert!(!fixture.members.take_ring_moved());
        let joined = fixture.members.merge(update(9), &mut fixture.context);
        assert_eq!(joined, Some(update(9)));
        assert!(fixture.members.take_ring_moved());
        assert!(!fixture.members.take_ring_moved());
        assert_eq!(kinds(&mut fixture), [MemberEventKind::Joined]);
    }

    #[test]
    fn a_larger_incarnation_is_a_restart() {
        let mut fixture = Fixture::new(3);
        let mut newer = update(2);
        newer.identity.incarnation.0 += 1;
        fixture.members.merge(newer, &mut fixture.context);
        assert_eq!(kinds(&mut fixture), [MemberEventKind::Restarted, MemberEventKind::Joined]);
    }

    /// What a member says of itself, nobody else tells.
    #[test]
    fn who_told_of_a_change_is_named() {
        let mut fixture = Fixture::new(4);
        let failed = |i| {
            let evidence = FailureEvidence { detected_by: name(0), silent_ms: 1_750 };
            Update::new(identity(i), Claim::Failed(evidence))
        };
        for (i, from) in [(1, None), (2, Some(identity(3).address)), (3, Some(identity(3).address))]
        {
            fixture.pass(1);
            fixture.context.told_from = from;
            fixture.members.merge(failed(i), &mut fixture.context);
        }
        let events = fixture.context.outputs.events.into_iter();
        let told_by: Vec<Option<Name>> = events
            .map(|event| match event {
                Event::Member(event) => event.told_by,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told_by, [None, Some(name(3)), None]);
    }

    #[test]
    fn another_sides_list_wins_but_for_leaves() {
        let mut fixture = Fixture::new(4);
        let evidence = FailureEvidence { detected_by: name(0), silent_ms: 1_750 };
        let failed = |i| Update::new(identity(i), Claim::Failed(evidence.clone()));
        fixture.members.merge(failed(1), &mut fixture.context);
        fixture.members.merge(Update::new(identity(2), Claim::Left), &mut fixture.context);
        fixture.members.take_over(&[update(1), update(2), failed(3)], &mut fixture.context);
        assert!(fixture.members.is_up_as(&name(1), identity(1).incarnation));
        assert_eq!(fixture.members.get(&name(2)).unwrap().state, MemberState::Left);
        assert!(fixture.members.is_failed_at(identity(3).address, identity(3).incarnation));
    }

    #[test]
    fn random_members_are_up_others_and_distinct() {
        let mut fixture = Fixture::new(6);
        fixture.members.merge(Update::new(identity(5), Claim::Left), &mut fixture.context);
        let except = BTreeSet::from([name(4)]);
        for count in 0..8 {
            let Context { local, rng, .. } = &mut fixture.context;
            let chosen = fixture.members.random(count, &except, local, rng);
            assert_eq!(chosen.len(), count.min(3), "{count}");
            for i in [0, 4, 5] {
                assert!(!chosen.contains(&identity(i).address));
            }
        }
    }

    #[test]
    fn old_entries_of_the_gone_are_forgotten_and_the_lost_returned() {
        let mut fixture = Fixture::new(4);
        let evidence = FailureEvidence { detected_by: name(0), silent_ms: 1_750 };
        let failed = Update::new(identity(1), Claim::Failed(evidence));
        fixture.members.merge(failed, &mut fixture.context);
        fixture.members.merge(Update::new(identity(2), Claim::Left), &mut fixture.context);
        assert!(fixture.members.forget_if_due(&fixture.context).is_empty());
        fixture.pass(24 * 60 * 60 * 1_000 + 1);
        let lost = fixture.members.forget_if_due(&fixture.context);
        assert_eq!(lost, [identity(1).address]);
        assert_eq!(fixture.members.len(), 2);
    }
}
