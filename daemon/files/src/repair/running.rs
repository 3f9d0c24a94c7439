//! Repairs under way: a target fetches, then the catalog records it.

use super::{RepairOutput, Repairer, SetAnswer, SetChange};
use crate::content::HolderSet;
use crate::ids::ExtentId;
use crate::placement::choose;
use crate::settings::ExtentMutant;
use crate::transfer::{PullOrder, Transfer};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::time::Duration;

/// How much runs at once: four extents of 1 MiB or more, or 256 small ones.
const STREAMS: u64 = 4 * STREAM;
/// What a large extent counts; a small one counts by its bytes, at least one.
const STREAM: u64 = 64;
/// After how long a question is said again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long one repair may take, before another target is tried.
const LIMIT: Duration = Duration::from_secs(600);
/// How long an extent waits that every target has refused, or could not fetch.
const ALL_REFUSED: Duration = Duration::from_secs(300);
/// How long an extent without a target waits.
pub(super) const LATER: Duration = Duration::from_secs(10);

/// A repair under way.
#[derive(Debug, Clone)]
pub(super) struct Running {
    target: Name,
    started: BootTime,
    said: BootTime,
    weight: u64,
    is_urgent: bool,
    /// Whether the catalog still has to say that the extent is in use, by this set.
    is_doubtful: bool,
    /// The change that the catalog is asked for, once the target has the extent.
    change: Option<SetChange>,
}

impl Running {
    pub(super) fn target(&self) -> &Name {
        &self.target
    }

    /// Whether the catalog may have another set now, or have it soon. Only its answer tells: if
    /// this repair were forgotten, nobody might know that set, and who is missing in it.
    pub(super) fn may_be_recorded(&self) -> bool {
        self.change.is_some()
    }

    pub(super) fn due(&self) -> BootTime {
        self.said + AGAIN
    }
}

impl Repairer {
    /// Starts what is due, as much as may run.
    pub(super) fn start_due(&mut self) {
        loop {
            let running: u64 = self.running.values().map(|one| one.weight).sum();
            let Some((left, length, extent)) = self.queue.first(self.now) else { return };
            let weight = ((length * STREAM) >> 20).clamp(1, STREAM);
            if running + weight > STREAMS {
                return;
            }
            self.queue.remove(extent);
            match self.target(extent) {
                Some(target) => {
                    let is_urgent = left <= 1;
                    // Its file may have been deleted, and its set changed: neither is told. Then
                    // another copy would come back for ever.
                    let is_doubtful = true;
                    let (started, said, change) = (self.now, self.now, None);
                    let one =
                        Running { target, started, said, weight, is_urgent, is_doubtful, change };
                    self.running.insert(extent, one);
                    self.say_pull(extent);
                }
                None => {
                    // Who refused it may have room again, but not at once.
                    let refused = self.avoid.remove(&extent).is_some();
                    let wait = if refused { ALL_REFUSED } else { LATER };
                    self.queue.insert(self.now + wait, (left, length, extent));
                }
            }
        }
    }

    /// The broken rule of a mutant.
    fn record_early(&mut self, extent: ExtentId) {
        if self.settings.mutant != Some(ExtentMutant::RecordEarly) {
            return;
        }
        let Some(target) = self.running.get(&extent).map(|one| one.target.clone()) else { return };
        let Some(facts) = self.known.get(&extent).map(|one| (one.length, one.root)) else { return };
        self.on_sealed(&target, extent, facts);
    }

    /// Who is to have it: the holder that lacks it, or the next by rank.
    fn target(&self, extent: ExtentId) -> Option<Name> {
        let known = self.known.get(&extent)?;
        let mut without = self.avoid.get(&extent).cloned().unwrap_or_default();
        let lacking = self.lacking.get(&extent);
        let is_able = |name: &&Name| {
            !without.contains(*name)
                && self.view.members.contains_key(*name)
                && !self.hints.dead.contains(*name)
        };
        let own_again = lacking.into_iter().flatten().find(is_able);
        if let Some(name) = own_again {
            return Some(name.clone());
        }
        without.extend(known.set.members.iter().cloned());
        let keep = known.survivors(self, extent);
        choose(&self.view, extent, 1, &self.hints, &keep, &without).pop()
    }

    /// Says the order to the target, or asks the catalog first whether it is to be said.
    fn say_pull(&mut self, extent: ExtentId) {
        // Even if nothing can be said, as while the set is not known: then it tries again later.
        self.running.entry(extent).and_modify(|one| one.said = self.now);
        let Some(known) = self.known.get(&extent) else { return };
        let from = known.survivors(self, extent);
        let (share, length, root) = (known.share.clone(), known.length, known.root);
        let Some(running) = self.running.get(&extent) else { return };
        if running.is_doubtful {
            self.outputs.push_back(RepairOutput::AskHolders { share, extent });
            return;
        }
        let (to, urgent) = (running.target.clone(), running.is_urgent);
        let order = PullOrder { extent, share, length, root, from, urgent };
        self.send(&to, Transfer::Pull(order));
        self.record_early(extent);
    }

    pub(super) fn tick_running(&mut self) {
        let due = |running: &Running| running.due() <= self.now;
        let due: Vec<ExtentId> =
            self.running.iter().filter(|(_, one)| due(one)).map(|(extent, _)| *extent).collect();
        for extent in due {
            let Some(running) = self.running.get_mut(&extent) else { continue };
            if let Some(change) = running.change.clone() {
                running.said = self.now;
                self.outputs.push_back(RepairOutput::AskSet(change));
            } else if self.now.since(running.started) >= LIMIT {
                let target = running.target.clone();
                self.give_up(extent, target);
            } else {
                // The last copy does not wait for a catalog that is away. But a holder that lacks
                // its copy may have removed it.
                let waits = !running.is_urgent || self.lacking.contains_key(&extent);
                running.is_doubtful &= waits;
                self.say_pull(extent);
            }
        }
    }

    /// The target has the extent: it is recorded, or was before.
    pub(super) fn on_sealed(&mut self, from: &Name, extent: ExtentId, facts: (u64, [u8; 32])) {
        let Some(known) = self.known.get(&extent) else { return };
        let Some(running) = self.running.get_mut(&extent) else { return };
        if running.target != *from || running.change.is_some() || running.is_doubtful {
            return;
        }
        if facts != (known.length, known.root) {
            self.give_up(extent, from.clone());
            return;
        }
        let mut members = known.set.members.clone();
        if members.contains(from) {
            // It has its own copy again, and may have lost with it who the others are.
            let set = known.set.clone();
            self.send(from, Transfer::SetIs { extent, set });
            self.running.remove(&extent);
            self.keep_lacking(extent, |name| name != from);
            self.consider(extent);
            return;
        }
        let since = |name: &Name| self.gone.get(name).map(|gone| gone.since);
        // Else a set would grow each time that a member which lacks its copy cannot take it.
        let lacking = self.lacking.get(&extent);
        let longest = members
            .iter()
            .enumerate()
            .filter(|(_, name)| {
                !self.view.members.contains_key(*name)
                    || self.hints.dead.contains(*name)
                    || lacking.is_some_and(|lacking| lacking.contains(*name))
            })
            .min_by_key(|(_, name)| since(name).unwrap_or(self.now));
        match longest.map(|(i, _)| i) {
            Some(i) => {
                members.remove(i);
                members.push(from.clone());
            }
            None if members.len() < self.settings.copies => members.push(from.clone()),
            // Who was missing is back. The new copy goes: no set names it.
            None => {
                self.running.remove(&extent);
                self.consider(extent);
                return;
            }
        }
        let (share, version) = (known.share.clone(), known.set.version);
        let change = SetChange { share, extent, version, members };
        running.change = Some(change.clone());
        running.said = self.now;
        self.outputs.push_back(RepairOutput::AskSet(change));
    }

    pub(super) fn on_refused(&mut self, from: &Name, extent: ExtentId) {
        let is_target = |one: &Running| one.target == *from && one.change.is_none();
        if self.running.get(&extent).is_some_and(is_target) {
            self.give_up(extent, from.clone());
        }
    }

    fn give_up(&mut self, extent: ExtentId, target: Name) {
        self.running.remove(&extent);
        self.avoid.entry(extent).or_default().insert(target);
        self.consider(extent);
    }

    /// The catalog has said who holds an extent: an answer to a change ends its repair, and one to
    /// the question before it lets the target fetch.
    pub(super) fn on_set_answer(&mut self, extent: ExtentId, answer: SetAnswer) {
        let goes_on = self.running.get(&extent).is_some_and(|one| one.change.is_none());
        let ended = if goes_on { None } else { self.running.remove(&extent) };
        let Some(known) = self.known.get(&extent) else { return };
        match answer {
            // Those of the old set may not have heard of the new one either.
            SetAnswer::Is(set) if set.version > known.set.version => {
                let mut more = known.set.members.clone();
                more.retain(|name| self.view.members.contains_key(name));
                more.extend(ended.map(|running| running.target));
                self.running.remove(&extent);
                self.tell_set(extent, &set, more);
            }
            SetAnswer::Is(_) if goes_on => {
                if let Some(running) = self.running.get_mut(&extent).filter(|one| one.is_doubtful) {
                    running.is_doubtful = false;
                    self.say_pull(extent);
                }
            }
            SetAnswer::Is(_) => self.consider(extent),
            // Its file was deleted. The holder finds out by its own question.
            SetAnswer::Unknown => self.give_back(extent),
        }
    }

    /// All that are concerned hear of a set, this member among them. What is lost of it, they ask
    /// for.
    fn tell_set(
        &mut self,
        extent: ExtentId,
        set: &HolderSet,
        more: impl IntoIterator<Item = Name>,
    ) {
        let mut members = set.members.clone();
        members.push(self.own.clone());
        members.extend(more);
        members.sort_unstable();
        members.dedup();
        if let Some(known) = self.known.get(&extent).cloned() {
            let known = super::Known { set: set.clone(), ..known };
            self.replace_known(extent, known);
        }
        for member in members {
            self.send(&member, Transfer::SetIs { extent, set: set.clone() });
        }
    }

    fn replace_known(&mut self, extent: ExtentId, known: super::Known) {
        let super::Known { share, length, root, set } = known;
        let set = Some(set);
        let stored = crate::disk::StoredExtent { extent, share, length, root, set };
        self.handle_held(self.now, stored);
    }
}
