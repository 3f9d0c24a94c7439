//! Counts the copies of files: a recorded holder counts while it is in the agreed view, and not
//! failed in the list. Owns who that is at one moment.

use super::fault::Fault;
use super::{Asked, ask};
use crate::files::FilesError;
use crate::membership::{Command, Liveness, Snapshot};
use crate::services::Services;
use memberd_control::message::FileCopies;
use memberd_files::{
    Content, Contents, FilePath, Found, HolderSet, Name, Query, ShareName, StatusKind,
};
use std::collections::{BTreeMap, BTreeSet};

/// Who counts at a moment.
#[derive(Debug, Default)]
pub(super) struct Up {
    /// Members of the agreed view that have not failed.
    members: BTreeSet<Name>,
    keepers: BTreeMap<ShareName, Kept>,
}

/// Who has what lies in the catalog of a share.
#[derive(Debug, Default)]
struct Kept {
    /// How many keepers it wants: there are no more copies.
    wanted: u64,
    /// Those that have all of the catalog.
    whole: Vec<Name>,
}

/// What a file consists of, and who has it.
#[derive(Debug)]
pub(super) struct Whole {
    /// The first page.
    pub(super) first: Contents,
    /// All extents; none if the bytes lie in the catalog.
    pub(super) extents: u64,
    /// Its copies.
    pub(super) copies: FileCopies,
    /// Whether all pages are the newest.
    pub(super) is_newest: bool,
}

impl Up {
    /// Looks at view and list.
    pub(super) async fn look(services: &Services) -> Result<Up, Fault> {
        let Some(agreement) = services.agreement.handle() else { return Ok(Up::default()) };
        let view = agreement.shown().borrow().view.clone();
        let mut members: BTreeSet<Name> =
            view.members.iter().map(|member| member.name.clone()).collect();
        let list = services.membership.handle.ask(|reply| Command::List { reply }).await;
        let list = list.map_err(|ended| Fault::failed(ended.to_string()))?;
        for member in list.iter().flat_map(Snapshot::members) {
            if member.liveness != Liveness::Alive {
                members.remove(&member.identity.name);
            }
        }
        let keepers = view.shares.iter().filter_map(|share| {
            let whole = share.keepers.iter().filter(|keeper| keeper.whole);
            let whole = whole.map(|keeper| keeper.name.clone()).collect();
            let wanted = u64::from(u8::from(share.wanted));
            Some((ShareName::new(share.name.as_str()).ok()?, Kept { wanted, whole }))
        });
        Ok(Up { members, keepers: keepers.collect() })
    }

    /// Those of them that count.
    fn of<'n>(&self, names: impl IntoIterator<Item = &'n Name>) -> Vec<&'n Name> {
        names.into_iter().filter(|name| self.members.contains(*name)).collect()
    }

    /// The copies of what lies in the catalog of a share.
    fn in_catalog(&self, share: &ShareName, wanted: u64) -> FileCopies {
        Count::of(&self.keepers_of(share)).copies(self.wanted_of(share, wanted))
    }

    /// How many copies can be wanted of what lies in the catalog of a share.
    fn wanted_of(&self, share: &ShareName, wanted: u64) -> u64 {
        self.keepers.get(share).map_or(wanted, |kept| wanted.min(kept.wanted))
    }

    /// The keepers of a share that count, and have all of its catalog.
    fn keepers_of(&self, share: &ShareName) -> Vec<&Name> {
        self.of(self.keepers.get(share).into_iter().flat_map(|kept| &kept.whole))
    }

    /// What a file consists of.
    pub(super) async fn whole(&self, path: &FilePath, asked: &Asked<'_>) -> Result<Whole, Fault> {
        let (first, mut is_newest) = page(path, 0, asked).await?;
        let StatusKind::File { copies: wanted, .. } = first.status.kind else {
            return Err(Fault::failed(format!("{path}: is a directory")));
        };
        let wanted = u64::from(wanted);
        if let Content::Inline(_) = &first.content {
            let copies = self.in_catalog(path.share(), wanted);
            return Ok(Whole { first, extents: 0, copies, is_newest });
        }
        let mut count = Count::default();
        let (mut extents, mut at) = (0_u64, first.starts);
        let (mut is_all, mut part) = (first.is_all, first.content.clone());
        loop {
            for extent in part.extents() {
                count.add(&self.of(&extent.set.members));
                extents += 1;
                at += extent.length;
            }
            if is_all {
                if !part.inline().is_empty() {
                    let wanted = self.wanted_of(path.share(), wanted);
                    count.add_inline(&self.keepers_of(path.share()), wanted);
                }
                break;
            }
            let (next, next_is_newest) = page(path, at, asked).await?;
            is_newest &= next_is_newest;
            (is_all, part) = (next.is_all || next.content.extents().is_empty(), next.content);
        }
        Ok(Whole { first, extents, copies: count.copies(wanted), is_newest })
    }

    /// The holders of an extent that count, by name.
    pub(super) fn holders(&self, set: &HolderSet) -> Vec<String> {
        self.of(&set.members).into_iter().map(ToString::to_string).collect()
    }
}

/// The extents of a file from a byte on.
async fn page(path: &FilePath, from: u64, asked: &Asked<'_>) -> Result<(Contents, bool), Fault> {
    let query = Query::Contents { path: path.clone(), from };
    match ask(asked.files, path.share(), query).await {
        Ok((Ok(Found::Contents(contents)), is_newest)) => Ok((*contents, is_newest)),
        Ok((Err(refusal), _)) => Err(Fault::refused(path, refusal)),
        Ok(_) => Err(Fault::of(path, &FilesError::Ended)),
        Err(error) => Err(Fault::of(path, &error)),
    }
}

/// The copies of the extents of one file.
#[derive(Debug, Default)]
struct Count {
    /// Of the extent with the fewest; none before the first.
    fewest: Option<usize>,
    /// Who holds some of them, in the order in which they are recorded.
    members: Vec<Name>,
}

impl Count {
    fn of(holders: &[&Name]) -> Count {
        let mut count = Count::default();
        count.add(holders);
        count
    }

    fn add(&mut self, holders: &[&Name]) {
        self.fewest = Some(self.fewest.map_or(holders.len(), |few| few.min(holders.len())));
        for holder in holders {
            if !self.members.contains(holder) {
                self.members.push((*holder).clone());
            }
        }
    }

    /// Bytes behind the extents that lie in the catalog, and so want fewer copies.
    fn add_inline(&mut self, keepers: &[&Name], wanted: u64) {
        let fewest = self.fewest;
        self.add(keepers);
        if keepers.len() as u64 >= wanted {
            self.fewest = fewest.or(self.fewest);
        }
    }

    fn copies(self, wanted: u64) -> FileCopies {
        let copies = u64::try_from(self.fewest.unwrap_or(0)).unwrap_or(u64::MAX);
        let members = self.members.iter().map(ToString::to_string).collect();
        FileCopies { copies, wanted, members }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Name> {
        names.iter().map(|name| Name::new(name).unwrap()).collect()
    }

    fn up() -> Up {
        let kept = Kept { wanted: 3, whole: names(&["vm1", "vm4"]) };
        let keepers = BTreeMap::from([(ShareName::new("apps").unwrap(), kept)]);
        Up { members: names(&["vm1", "vm2", "vm3"]).into_iter().collect(), keepers }
    }

    #[test]
    fn a_file_has_the_copies_of_its_worst_extent() {
        let up = up();
        let mut count = Count::default();
        for set in [&["vm2", "vm1", "vm3"][..], &["vm4", "vm1", "vm2"]] {
            count.add(&up.of(&names(set)));
        }
        let copies = count.copies(3);
        assert_eq!((copies.copies, copies.wanted), (2, 3));
        assert_eq!(copies.members, ["vm2", "vm1", "vm3"]);
    }

    /// Bytes in a catalog of three keepers want three copies, so five copies are not too few.
    #[test]
    fn bytes_behind_extents_count_by_their_keepers() {
        let five = ["vm1", "vm2", "vm3", "vm5", "vm6"];
        let extents = names(&five);
        for (keepers, copies) in [(&five[..3], 5), (&five[..2], 2)] {
            let (mut count, keepers) = (Count::default(), names(keepers));
            count.add(&extents.iter().collect::<Vec<_>>());
            count.add_inline(&keepers.iter().collect::<Vec<_>>(), 3);
            assert_eq!(count.copies(5).copies, copies);
        }
    }

    /// vm4 has failed, and more than three keepers there are not.
    #[test]
    fn what_lies_in_a_catalog_has_the_copies_of_its_keepers() {
        let copies = up().in_catalog(&ShareName::new("apps").unwrap(), 5);
        assert_eq!((copies.copies, copies.wanted), (1, 3));
        assert_eq!(copies.members, ["vm1"]);
        assert_eq!(up().in_catalog(&ShareName::new("other").unwrap(), 1).copies, 0);
    }
}
