//! The agreed view, as files need it. It decides who may be in a set and who keeps a catalog.

use crate::ids::Epoch;
use crate::path::ShareName;
use memberd_membership::Name;
use std::collections::{BTreeMap, BTreeSet};

/// One agreed view. Each member gets them in the same order, some of them late or left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilesView {
    /// Its number.
    pub epoch: Epoch,
    /// Who is a member.
    pub members: BTreeMap<Name, MemberOfView>,
    /// Who keeps the catalog of each share.
    pub shares: BTreeMap<ShareName, ShareKeepers>,
}

/// A member of the view.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberOfView {
    /// Its zone, as its settings say.
    pub zone: Option<String>,
}

/// The keepers of a share: up to five, sticky. The first that has the whole catalog is primary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShareKeepers {
    /// The number of the view that added the share. A share that is added again is another one.
    pub added: Epoch,
    /// The number of the view in which the keepers last changed.
    pub since: Epoch,
    /// Them, the oldest first.
    pub keepers: Vec<Name>,
    /// Since which view each is one; those that are not in it, since the share was added.
    pub joined: BTreeMap<Name, Epoch>,
    /// Those that the view takes for whole. They let others go that have all of the catalog.
    pub whole: BTreeSet<Name>,
}

impl ShareKeepers {
    /// The most keepers of a share.
    pub const MOST: usize = 5;

    /// Whether these are the keepers with which the share was added. No others found its catalog.
    #[must_use]
    pub fn may_found(&self) -> bool {
        self.since == self.added
    }

    /// Since which view this one is a keeper.
    #[must_use]
    pub fn joined(&self, keeper: &Name) -> Epoch {
        self.joined.get(keeper).copied().unwrap_or(self.added)
    }
}

impl FilesView {
    /// How many copies a file has that wants this many: no more than there are members.
    #[must_use]
    pub fn copies(&self, wanted: usize) -> usize {
        wanted.min(self.members.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_keepers_found_a_catalog() {
        let keepers = vec![Name::new("a").unwrap()];
        let (added, since) = (Epoch(3), Epoch(3));
        let mut share = ShareKeepers { added, since, keepers, ..ShareKeepers::default() };
        assert!(share.may_found());
        share.since = Epoch(4);
        assert!(!share.may_found());
    }

    #[test]
    fn a_small_group_has_fewer_copies() {
        let member = |name: &str| (Name::new(name).unwrap(), MemberOfView::default());
        let members = BTreeMap::from([member("a"), member("b")]);
        let view = FilesView { members, ..FilesView::default() };
        assert_eq!((view.copies(3), view.copies(1)), (2, 1));
    }
}
