//! Members that are back: do they still have what they had? Owns the questions to them.

use super::{Known, Repairer};
use crate::content::HolderSet;
use crate::ids::ExtentId;
use crate::transfer::Transfer;
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// After how long a question is said again.
const AGAIN: Duration = Duration::from_secs(5);

/// When a member that has just started asks all others, and how often all are asked.
pub(super) const AFTER_START: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_secs(6 * 3600);

/// How long after a set became known here its members are asked for what they should have. One of
/// them may have lost its disk since it said that it has the extent, and before anybody knew of the
/// set: then nobody asked it for that when it came back.
const FRESH: Duration = Duration::from_secs(30);

/// What a member is still asked for.
#[derive(Debug, Clone)]
pub(super) struct Verifying {
    /// The batch under way, and the number of the last question about it: the answer to an older
    /// one, which may have been about fewer, says nothing.
    pub(super) request: u64,
    asked: BTreeSet<ExtentId>,
    rest: Vec<ExtentId>,
    said: BootTime,
}

impl Verifying {
    pub(super) fn due(&self) -> BootTime {
        self.said + AGAIN
    }
}

fn is_holder(known: &BTreeMap<ExtentId, Known>, extent: ExtentId, member: &Name) -> bool {
    known.get(&extent).is_some_and(|known| known.set.members.contains(member))
}

impl Repairer {
    /// A member has begun anew, and may have lost what it had.
    pub fn handle_restarted(&mut self, now: BootTime, member: &Name) {
        self.now = now;
        self.verify(member);
        self.tick();
    }

    /// Asks a member for all that it should have. Each of its holders asks: were it one alone, that
    /// one might have lost its own copy at the same time.
    pub(super) fn verify(&mut self, member: &Name) {
        if *member == self.own {
            return;
        }
        let Some(extents) = self.by_member.get(member) else { return };
        let rest: Vec<ExtentId> = extents.iter().copied().collect();
        let verifying = Verifying { request: 0, asked: BTreeSet::new(), rest, said: self.now };
        self.verifying.insert(member.clone(), verifying);
        self.verify_on(member);
    }

    /// A set is known here now. Until all are asked after the start, that is soon enough.
    pub(super) fn note_fresh(&mut self, extent: ExtentId, set: &HolderSet) {
        if self.verify_all_at <= self.now + AFTER_START {
            return;
        }
        for member in set.members.iter().filter(|member| **member != self.own) {
            self.fresh.entry(member.clone()).or_default().insert(extent);
        }
        self.verify_fresh_at.get_or_insert(self.now + FRESH);
    }

    fn verify_fresh(&mut self) {
        self.verify_fresh_at = None;
        for (member, extents) in std::mem::take(&mut self.fresh) {
            let now = self.now;
            let (asked, rest) = (BTreeSet::new(), Vec::new());
            let verifying = Verifying { request: 0, asked, rest, said: now };
            let verifying = self.verifying.entry(member.clone()).or_insert(verifying);
            verifying.rest.extend(extents);
            if verifying.asked.is_empty() {
                self.verify_on(&member);
            }
        }
    }

    fn verify_on(&mut self, member: &Name) {
        let Some(verifying) = self.verifying.get_mut(member) else { return };
        // Its set may have changed since it was to be asked for: then it need not have it.
        let is_holder = |extent: &ExtentId| is_holder(&self.known, *extent, member);
        verifying.asked.retain(is_holder);
        while verifying.asked.is_empty() {
            if verifying.rest.is_empty() {
                self.verifying.remove(member);
                return;
            }
            let at = verifying.rest.len().saturating_sub(Transfer::MAX_VERIFY);
            verifying.asked = verifying.rest.split_off(at).into_iter().filter(is_holder).collect();
        }
        verifying.said = self.now;
        self.last_request += 1;
        verifying.request = self.last_request;
        let request = verifying.request;
        let facts = |extent: &ExtentId| Some((*extent, self.known.get(extent)?.length));
        let extents = verifying.asked.iter().filter_map(facts).collect();
        self.send(member, Transfer::Verify { request, extents });
    }

    pub(super) fn on_lacks(&mut self, from: &Name, request: u64, extents: &[ExtentId]) {
        let verifying = self.verifying.get_mut(from).filter(|one| one.request == request);
        let Some(verifying) = verifying else { return };
        let asked = std::mem::take(&mut verifying.asked);
        let lacks: BTreeSet<ExtentId> = extents.iter().copied().collect();
        for extent in asked {
            if !lacks.contains(&extent) {
                self.has_again(extent, from);
            } else if is_holder(&self.known, extent, from) {
                self.lacking.entry(extent).or_default().insert(from.clone());
                self.consider(extent);
                self.tell_responsible(extent);
            }
        }
        self.verify_on(from);
    }

    /// A member has an extent. If it had none before, another copy may be needless now.
    fn has_again(&mut self, extent: ExtentId, member: &Name) {
        if self.lacking.get(&extent).is_some_and(|lacking| lacking.contains(member)) {
            self.keep_lacking(extent, |name| name != member);
            self.consider(extent);
        }
    }

    /// Some of those that lacked an extent do so no more, or need not have it.
    pub(super) fn keep_lacking(&mut self, extent: ExtentId, lacks: impl Fn(&Name) -> bool) {
        if let Entry::Occupied(mut entry) = self.lacking.entry(extent) {
            entry.get_mut().retain(lacks);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }

    /// Who is to repair it may have been away when its set changed, and not know that it is.
    fn tell_responsible(&mut self, extent: ExtentId) {
        let Some(known) = self.known.get(&extent) else { return };
        let first = known.survivors(self, extent).into_iter().next();
        let set = known.set.clone();
        if let Some(first) = first.filter(|first| *first != self.own) {
            self.send(&first, Transfer::SetIs { extent, set });
        }
    }

    pub(super) fn tick_verifying(&mut self) {
        if self.verify_all_at <= self.now {
            self.verify_all_at = self.now + EVERY;
            let members: Vec<Name> = self.by_member.keys().cloned().collect();
            members.iter().for_each(|member| self.verify(member));
        }
        if self.verify_fresh_at.is_some_and(|at| at <= self.now) {
            self.verify_fresh();
        }
        self.verifying.retain(|member, _| self.view.members.contains_key(member));
        let due: Vec<Name> = self
            .verifying
            .iter()
            .filter(|(_, one)| one.due() <= self.now)
            .map(|(member, _)| member.clone())
            .collect();
        for member in due {
            self.verify_on(&member);
        }
    }
}
