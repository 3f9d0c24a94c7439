//! What is true: the one order of all mutations and the catalog that they make, against which each
//! step of each member is held.

use super::machine::indices;
use super::sim::World;
use super::{index, share};
use memberd_files::store::Job;
use memberd_files::{
    Answer, Ballot, Catalog, Entry, Epoch, ExtentId, FilesView, KeeperRole, Mutation, Position,
};
use std::collections::{BTreeMap, BTreeSet};

/// The order of mutations.
pub struct Truth {
    pub catalog: Catalog,
    entries: BTreeMap<Position, Entry>,
    order: BTreeMap<u64, Position>,
    primaries: BTreeMap<Ballot, usize>,
    /// How far each machine's catalog was looked at, in which process.
    seen: BTreeMap<usize, (u64, u64)>,
    /// All extents that were ever published.
    pub extents: BTreeSet<ExtentId>,
}

impl Default for Truth {
    fn default() -> Truth {
        Truth {
            catalog: Catalog::new(share()),
            entries: BTreeMap::new(),
            order: BTreeMap::new(),
            primaries: BTreeMap::new(),
            seen: BTreeMap::new(),
            extents: BTreeSet::new(),
        }
    }
}

impl Truth {
    pub fn reigns(&self) -> usize {
        self.primaries.len()
    }

    /// The extents that files have now.
    pub fn in_use(&self) -> Vec<ExtentId> {
        let ids: Vec<ExtentId> = self.extents.iter().copied().collect();
        let used = self.catalog.in_use(&ids);
        ids.into_iter().zip(used).filter(|(_, used)| used.is_some()).map(|(id, _)| id).collect()
    }
}

impl World {
    /// Entries that came onto some disk.
    pub fn learn_entries<'a>(&mut self, jobs: impl Iterator<Item = &'a Job>) {
        for job in jobs {
            let Job::Append { entries, .. } = job else { continue };
            for bytes in entries {
                self.learn(&Entry::decode(bytes).expect("an entry is written"));
            }
        }
    }

    pub fn learn(&mut self, entry: &Entry) {
        let position = entry.position;
        let known = self.truth.entries.entry(position).or_insert_with(|| entry.clone());
        if *known != *entry {
            self.break_it(format!("{position:?} names two entries"));
        }
    }

    /// Looks at what a member's keeper has applied, and whether it is primary.
    pub fn look_at_keepers(&mut self, at: usize) {
        let machine = &self.machines[at];
        let Some(keeper) = machine.member.as_ref().and_then(|member| member.keeper(&share()))
        else {
            return;
        };
        if let Some(ballot) = keeper.reign()
            && keeper.status().role == KeeperRole::Primary
        {
            let first = *self.truth.primaries.entry(ballot).or_insert(at);
            if first != at {
                let what = format!("vm{first} and vm{at} are primary under {ballot:?}");
                return self.break_it(what);
            }
        }
        let Some(applied) = keeper.catalog().map(Catalog::applied) else { return };
        let seen = self.truth.seen.entry(at).or_default();
        if seen.0 != machine.process {
            *seen = (machine.process, 0);
        }
        if seen.1 >= applied.index {
            return;
        }
        let from = std::mem::replace(&mut seen.1, applied.index);
        let positions: Vec<Position> =
            (from + 1..applied.index).filter_map(|index| keeper.position(index)).collect();
        let reign = keeper.reign();
        for position in positions.into_iter().chain([applied]) {
            self.applied(at, position, reign);
        }
    }

    /// A keeper applied this: all have the same there.
    fn applied(&mut self, at: usize, position: Position, reign: Option<Ballot>) {
        let known = *self.truth.order.entry(position.index).or_insert(position);
        if known != position && position.index > 0 {
            return self.break_it(format!("vm{at} applied {position:?}, another one {known:?}"));
        }
        while self.broken.is_none()
            && let Some(next) =
                self.truth.order.get(&(self.truth.catalog.applied().index + 1)).copied()
        {
            let Some(entry) = self.truth.entries.get(&next).cloned() else {
                return self.break_it(format!("{next:?} was applied and is on no disk"));
            };
            let repeated = self.truth.catalog.operation(entry.operation).is_some();
            let answer = self.truth.catalog.apply(&entry);
            if !repeated && matches!(answer, Answer::Done(_)) {
                self.committed(&entry);
            }
            if let Some(reign) = reign {
                self.expect_on_disks(next, reign.epoch);
            }
        }
    }

    /// What is committed lies on the disks of all keepers of the view of the reign.
    fn expect_on_disks(&mut self, position: Position, epoch: Epoch) {
        let Some(view) = self.views.of(epoch).cloned() else { return };
        for i in indices(view.shares.get(&share()).into_iter().flat_map(|of| &of.keepers)) {
            let machine = &self.machines[i];
            if machine.wiped_in < epoch && !machine.facts.has(&share(), position) {
                return self.break_it(format!("vm{i} lacks {position:?}, which is committed"));
            }
        }
    }

    /// A mutation happened: extents that it names lie on enough disks.
    fn committed(&mut self, entry: &Entry) {
        let epoch = entry.position.ballot.epoch;
        let Some(view) = self.views.of(epoch).cloned() else { return };
        for extent in entry.mutation.new_extents() {
            self.truth.extents.insert(extent.id);
            self.note(|| format!("published {:?} on {:?}", extent.id, extent.set.members));
            let wanted = 3.min(view.members.len());
            let has = self.durable_of(&view, extent.id, &extent.set.members);
            if has < wanted {
                let set = &extent.set.members;
                return self.break_it(format!(
                    "{:?} was published with {has} copies of {wanted}: {set:?} in {epoch:?}",
                    extent.id
                ));
            }
        }
        if let Mutation::SetHolders { extent, members, .. } = &entry.mutation {
            let never = |i: &usize| !self.machines[*i].ever_sealed.contains(extent);
            if let Some(i) = indices(members).into_iter().find(never) {
                self.break_it(format!("vm{i} is recorded and never had {extent:?}"));
            }
        }
    }

    fn durable_of(
        &self,
        view: &FilesView,
        extent: ExtentId,
        members: &[memberd_files::Name],
    ) -> usize {
        let durable = |member: &&memberd_files::Name| {
            let machine = &self.machines[index(member)];
            view.members.contains_key(*member) && machine.ever_sealed.contains(&extent)
        };
        members.iter().filter(durable).count()
    }

    /// The machines with an intact copy on a disk that works.
    pub fn intact(&self, extent: ExtentId) -> Vec<usize> {
        let intact = |i: &usize| {
            let machine = &self.machines[*i];
            machine.facts.is_intact(extent) && !self.room_of(*i).1
        };
        (0..self.machines.len()).filter(intact).collect()
    }

    /// What a file consists of has a copy.
    pub fn check_kept(&mut self, extent: ExtentId, why: &str) {
        let used = self.truth.catalog.in_use(&[extent]);
        if used[0].is_some() && self.intact(extent).is_empty() {
            self.break_it(format!("{extent:?} has no copy any more: {why}"));
        }
    }

    pub fn check_all_kept(&mut self, why: &str) {
        for extent in self.truth.in_use() {
            self.check_kept(extent, why);
        }
    }

    /// Whether a disk can be lost, and all that was acknowledged is still on another, which is not
    /// to be lost itself. That other one runs, and the council knows that it is whole: else the
    /// council may go on with the one that has lost all, and replace the others.
    pub fn can_lose(&self, at: usize) -> bool {
        let last = self.truth.catalog.applied();
        let has_all = |i: &usize| {
            let machine = &self.machines[*i];
            let stays = *i != at && !machine.is_doomed && !self.room_of(*i).1;
            stays && machine.facts.has(&share(), last)
        };
        let whole: Vec<usize> = self.views.whole(&share()).into_iter().filter(has_all).collect();
        let is_whole = |i: &usize| {
            let member = self.machines[*i].member.as_ref();
            member.and_then(|it| it.keeper(&share())).is_some_and(|it| it.catalog().is_some())
        };
        let stays = |i: &usize| *i != at && !self.machines[*i].is_doomed;
        whole.iter().any(is_whole)
            && self.truth.in_use().iter().all(|extent| self.intact(*extent).iter().any(stays))
    }
}
