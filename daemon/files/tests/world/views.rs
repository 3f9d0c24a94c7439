//! The views, as the council makes them: numbered by a leader in a majority, keepers replaced only
//! while one of them is known to be whole. Each machine hears of them late, and not of all.

use super::{index, name};
use memberd_files::{Epoch, FilesView, MemberOfView, Name, ShareKeepers, ShareName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A keeper, as the council records it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    name: Name,
    since: Epoch,
    is_whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Share {
    added: Epoch,
    changed: Epoch,
    keepers: Vec<Kept>,
}

/// A change that waits for the next view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Add(ShareName),
    Fill { share: ShareName, keeper: Name, epoch: Epoch },
    Lose { share: ShareName, keeper: Name, epoch: Epoch },
}

impl Change {
    /// In which view it was known.
    fn epoch(&self) -> Epoch {
        match self {
            Change::Add(_) => Epoch(0),
            Change::Fill { epoch, .. } | Change::Lose { epoch, .. } => *epoch,
        }
    }
}

/// All views until now.
pub struct Views {
    /// How many keepers a share gets.
    wanted: usize,
    list: Vec<Arc<FilesView>>,
    shares: BTreeMap<ShareName, Share>,
    waiting: Vec<Change>,
}

fn rank(share: &ShareName, member: &Name) -> [u8; 32] {
    *blake3::hash(format!("{share} {member}").as_bytes()).as_bytes()
}

impl Views {
    /// The first view, of these members and shares, each with so many keepers.
    pub fn new(
        members: BTreeMap<Name, MemberOfView>,
        shares: &[ShareName],
        wanted: usize,
    ) -> Views {
        let mut views =
            Views { wanted, list: Vec::new(), shares: BTreeMap::new(), waiting: Vec::new() };
        shares.iter().for_each(|share| views.waiting.push(Change::Add(share.clone())));
        views.follow(members);
        views
    }

    pub fn newest(&self) -> &Arc<FilesView> {
        self.list.last().expect("there is a first view")
    }

    pub fn of(&self, epoch: Epoch) -> Option<&Arc<FilesView>> {
        self.list.get(usize::try_from(epoch.0).ok()?.checked_sub(1)?)
    }

    pub fn propose(&mut self, change: Change) {
        if self.waiting.len() < 64 && !self.waiting.contains(&change) {
            self.waiting.push(change);
        }
    }

    /// Whether these are a majority of the newest view.
    pub fn is_majority(&self, members: &BTreeSet<usize>) -> bool {
        let all = &self.newest().members;
        2 * all.keys().filter(|name| members.contains(&index(name))).count() > all.len()
    }

    /// Agrees on the next view.
    pub fn follow(&mut self, members: BTreeMap<Name, MemberOfView>) {
        let epoch = Epoch(self.list.len() as u64 + 1);
        let before = self.shares.clone();
        // What is not said by a view is proposed again. So of two that contradict each other, what
        // was known later is what comes of it in the end.
        self.waiting.sort_by_key(Change::epoch);
        for change in std::mem::take(&mut self.waiting) {
            self.change(epoch, change);
        }
        for (share_name, share) in &mut self.shares {
            share.fill(share_name, self.wanted, (epoch, &members));
        }
        let is_same = self.list.last().is_some_and(|last| last.members == members);
        if is_same && before == self.shares {
            return;
        }
        let keepers = |share: &Share| ShareKeepers {
            added: share.added,
            since: share.changed,
            keepers: share.keepers.iter().map(|kept| kept.name.clone()).collect(),
            joined: share.keepers.iter().map(|kept| (kept.name.clone(), kept.since)).collect(),
            whole: share.whole(),
        };
        let shares = self.shares.iter().map(|(name, share)| (name.clone(), keepers(share)));
        self.list.push(Arc::new(FilesView { epoch, members, shares: shares.collect() }));
    }

    fn change(&mut self, epoch: Epoch, change: Change) {
        match change {
            Change::Add(share) => {
                let empty = Share { added: epoch, changed: epoch, keepers: Vec::new() };
                self.shares.entry(share).or_insert(empty);
            }
            Change::Fill { share, keeper, epoch } => self.set_whole(&share, (&keeper, epoch), true),
            Change::Lose { share, keeper, epoch } => {
                self.set_whole(&share, (&keeper, epoch), false);
            }
        }
    }

    /// It was so in this view, and has kept the share since then.
    fn set_whole(&mut self, share: &ShareName, (keeper, epoch): (&Name, Epoch), is_whole: bool) {
        let share = self.shares.get_mut(share);
        let kept = share.into_iter().flat_map(|share| &mut share.keepers);
        for one in kept.filter(|one| one.name == *keeper && one.since <= epoch) {
            one.is_whole = is_whole;
        }
    }

    /// Those that the council takes for whole.
    pub fn whole(&self, share: &ShareName) -> Vec<usize> {
        let keepers = self.shares.get(share).into_iter().flat_map(|share| &share.keepers);
        keepers.filter(|kept| kept.is_whole).map(|kept| index(&kept.name)).collect()
    }

    pub fn keepers(&self, share: &ShareName) -> Vec<usize> {
        let keepers = self.shares.get(share).into_iter().flat_map(|share| &share.keepers);
        keepers.map(|kept| index(&kept.name)).collect()
    }
}

impl Share {
    fn whole(&self) -> BTreeSet<Name> {
        self.keepers.iter().filter(|kept| kept.is_whole).map(|kept| kept.name.clone()).collect()
    }

    /// As `View::fill_keepers` of the council does.
    fn fill(
        &mut self,
        share: &ShareName,
        wanted: usize,
        (epoch, members): (Epoch, &BTreeMap<Name, MemberOfView>),
    ) {
        let mut whole = self.keepers.iter().filter(|kept| kept.is_whole);
        let may = self.keepers.is_empty() || whole.any(|kept| members.contains_key(&kept.name));
        if !may {
            return;
        }
        let before = self.keepers.clone();
        self.keepers.retain(|kept| members.contains_key(&kept.name));
        let is_first = self.keepers.is_empty();
        let others = members.keys().filter(|name| self.keepers.iter().all(|k| k.name != **name));
        let mut ranked: Vec<_> = others.map(|name| (rank(share, name), name.clone())).collect();
        ranked.sort_unstable_by(|one, other| other.cmp(one));
        let missing = wanted.saturating_sub(self.keepers.len());
        let kept = |(_, name)| Kept { name, since: epoch, is_whole: is_first };
        self.keepers.extend(ranked.into_iter().take(missing).map(kept));
        if self.keepers != before {
            self.changed = epoch;
        }
    }
}

#[test]
fn keepers_stay_while_none_of_them_is_whole() {
    let members = |of: &[usize]| of.iter().map(|i| (name(*i), MemberOfView::default())).collect();
    let share = ShareName::new("s").unwrap();
    let mut views = Views::new(members(&[0, 1, 2, 3, 4]), std::slice::from_ref(&share), 3);
    let first = views.keepers(&share);
    let rest: Vec<usize> = (0..5).filter(|i| *i == first[0] || !first.contains(i)).collect();
    views.follow(members(&rest));
    let second = views.keepers(&share);
    assert_eq!((second.len(), second[0], views.whole(&share)), (3, first[0], vec![first[0]]));
    let rest: Vec<usize> = (0..5).filter(|i| *i != first[0]).collect();
    views.follow(members(&rest));
    assert_eq!(views.keepers(&share), second, "nobody whole is a member");
    let epoch = views.newest().epoch;
    let keeper = name(second[1]);
    views.propose(Change::Fill { share: share.clone(), keeper, epoch });
    views.follow(members(&rest));
    assert_eq!(views.keepers(&share)[..2], second[1..], "one whole is a member now");
}
